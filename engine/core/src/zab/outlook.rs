//! Why there is no leader, and what its operator can do about that.

use super::{Electorate, Quorum, Standing, Zab};
use crate::ids::ServerId;
use std::collections::BTreeMap;

impl Zab {
    /// For the operator of a server that has looked for a leader for long.
    #[must_use]
    pub fn outlook(&self) -> String {
        let peers = self.shared.in_sight();
        let own = self.shared.standing();
        let electorate = Electorate::of(&self.shared.quorum, self.shared.id, own, &peers);
        let mut seen: BTreeMap<ServerId, Standing> = peers.iter().map(|(id, status)| (*id, status.standing)).collect();
        seen.insert(self.shared.id, own);
        View { quorum: &self.shared.quorum, seen, electorate }.say()
    }
}

/// The voters, as one server sees them.
struct View<'a> {
    quorum: &'a Quorum,
    seen: BTreeMap<ServerId, Standing>,
    electorate: Electorate,
}

impl View<'_> {
    fn say(&self) -> String {
        let seen = self.voters(|standing| standing.is_some());
        let missing = self.voters(|standing| standing.is_none());
        let (seen, missing) = (list(&seen), list(&missing));
        format!("voters in sight: {seen}; not in sight: {missing}; {}", self.reason())
    }

    /// The voters of whom this holds; of those out of sight no standing is known.
    fn voters(&self, wanted: impl Fn(Option<Standing>) -> bool) -> Vec<ServerId> {
        self.quorum.voters().filter(|id| wanted(self.seen.get(id).copied())).collect()
    }

    fn reason(&self) -> String {
        let lapsed = self.voters(|standing| standing.is_some_and(|standing| standing.lapsed));
        let barred = self
            .voters(|standing| standing.is_some_and(|standing| !standing.lapsed && !self.electorate.admits(standing)));
        let mut reasons = Vec::new();
        if !lapsed.is_empty() {
            reasons.push(format!(
                "servers that have given up damaged data: {}: they do not vote until a leader has brought them up to date, \
                 which takes a majority of servers that have lost nothing: start the others; if there are not enough of \
                 these, restore directories from a backup",
                list(&lapsed)
            ));
        }
        match self.electorate {
            Electorate::Of(_) if !barred.is_empty() => reasons.push(format!(
                "servers with an empty or replaced disk may not vote until a leader has taken them up: {}",
                list(&barred)
            )),
            Electorate::Unknown if lapsed.is_empty() => {
                reasons.push("an ensemble is founded when all its voters are there: start the others".to_owned());
            }
            _ if reasons.is_empty() => {
                reasons.push("a majority of the voters must be there and reach each other".to_owned());
            }
            _ => {}
        }
        reasons.join("; ")
    }
}

fn list(ids: &[ServerId]) -> String {
    if ids.is_empty() {
        return "none".to_owned();
    }
    ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(" ")
}
