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
        let stood_alone = self.shared.stood_alone();
        View { quorum: &self.shared.quorum, own: self.shared.id, stood_alone, seen, electorate }.say()
    }
}

/// The voters, as one server sees them.
struct View<'a> {
    quorum: &'a Quorum,
    own: ServerId,
    stood_alone: bool,
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

    fn of(&self, wanted: impl Fn(Standing) -> bool) -> Vec<ServerId> {
        self.voters(|standing| standing.is_some_and(&wanted))
    }

    fn reason(&self) -> String {
        let lapsed = self.of(|standing| standing.lapsed);
        let reasons: Vec<String> = [lapse(&lapsed), self.founding(), self.barred()].into_iter().flatten().collect();
        if !reasons.is_empty() {
            return reasons.join("; ");
        }
        match self.electorate {
            Electorate::Unknown => "an ensemble is founded when all its voters are there: start the others".to_owned(),
            _ => "a majority of the voters must be there and reach each other".to_owned(),
        }
    }

    /// What stands against a server that is to found the ensemble with its data.
    fn founding(&self) -> Option<String> {
        let founders = self.of(|standing| standing.founder);
        let founder = self.seen[founders.first()?];
        if founders.len() > 1 {
            let founders = list(&founders);
            return Some(format!(
                "ensemble.bootstrap is for the one server whose data is to be kept, and is set for {founders}"
            ));
        }
        let strangers = self.of(|standing| ![0, founder.ensemble].contains(&standing.ensemble));
        (!strangers.is_empty()).then(|| {
            let (founder, strangers) = (list(&founders), list(&strangers));
            format!(
                "server {founder} is to found the ensemble with its data (ensemble.bootstrap), but there is data of another \
                 ensemble on {strangers}: empty their directories, or do without ensemble.bootstrap"
            )
        })
    }

    /// Who may not vote because it has nothing.
    fn barred(&self) -> Option<String> {
        let Electorate::Of(_) = self.electorate else { return None };
        let barred = self.of(|standing| !standing.lapsed && !self.electorate.admits(standing));
        if barred.is_empty() {
            return None;
        }
        let why = format!(
            "servers with an empty or replaced disk, or of another ensemble, may not vote until a leader has taken them up: {}",
            list(&barred)
        );
        let own = self.own.0;
        Some(match self.stood_alone {
            true => format!(
                "{why}; server {own} has stood alone until now: if its data is to be that of the ensemble, start it once with \
                 --bootstrap true"
            ),
            false => why,
        })
    }
}

/// What it means that these have lapsed.
fn lapse(lapsed: &[ServerId]) -> Option<String> {
    (!lapsed.is_empty()).then(|| {
        format!(
            "servers that have given up damaged data: {}: they do not vote until a leader has brought them up to date, \
             which takes a majority of servers that have lost nothing: start the others; if there are not enough of \
             these, restore directories from a backup",
            list(lapsed)
        )
    })
}

fn list(ids: &[ServerId]) -> String {
    if ids.is_empty() {
        return "none".to_owned();
    }
    ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(" ")
}
