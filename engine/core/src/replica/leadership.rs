//! What only the leader has: which sessions are alive, what is proposed and not yet applied, syncs that wait for the
//! confirmation that it still leads.

use super::letter::{Letter, VerdictLetter};
use super::submitted::Verdict;
use super::{Context, Replica, config};
use crate::frame::FrameBuf;
use crate::ids::{Instant, ServerId, Tag, Zxid};
use crate::prepare::Overlay;
use crate::session::SessionTable;
use crate::tree::Tree;
use std::collections::{BTreeMap, VecDeque};

/// See the module.
#[derive(Debug)]
pub(super) struct Leadership {
    pub(super) sessions: SessionTable,
    pub(super) overlay: Overlay,
    /// Frames proposed in this turn.
    pub(super) batch: FrameBuf,
    /// Verdicts on their way to other servers.
    letters: BTreeMap<ServerId, Letter>,
    pub(super) next_reap: Instant,
    pub(super) reap: VecDeque<String>,
    /// Syncs, and the round of confirmation that each waits for.
    syncs: VecDeque<(u64, Tag)>,
}

impl Leadership {
    /// Over a state to which everything committed has been applied. Every session gets its full timeout again.
    pub(super) fn new(cx: &Context, config: &config::ReplicaConfig, tree: &Tree) -> Leadership {
        let mut sessions = SessionTable::new(config.tick);
        for (id, session) in tree.sessions() {
            sessions.track(cx.now, id, config::millis(session.timeout_ms), session.owner);
        }
        Leadership {
            sessions,
            overlay: Overlay::default(),
            batch: FrameBuf::new(),
            letters: BTreeMap::new(),
            next_reap: cx.now.plus(config.reap_interval),
            reap: VecDeque::new(),
            syncs: VecDeque::new(),
        }
    }

    /// Tells another server what was decided about one of its requests.
    pub(super) fn write_verdict(&mut self, to: ServerId, tag: Tag, released_by: Zxid, verdict: &Verdict) {
        let letter = self.letters.entry(to).or_default();
        letter.verdicts.push(VerdictLetter::new(tag.0, released_by, verdict));
    }
}

impl Replica {
    pub(super) fn leadership(&mut self) -> &mut Leadership {
        self.leadership.as_mut().expect("only a leader judges")
    }

    /// A sync is answered when a quorum has confirmed, after it came, that this server still leads: what it then shows
    /// is everything that was committed before.
    pub(super) fn sync(&mut self, tag: Tag) -> Result<(), Verdict> {
        match self.zab.confirm() {
            None => Err(Verdict::Synced),
            Some(round) => {
                self.leadership().syncs.push_back((round, tag));
                Ok(())
            }
        }
    }

    /// A quorum has confirmed the rounds through `round`.
    pub(super) fn confirmed(&mut self, round: u64) {
        let (own, proposed) = (self.config.id, self.zab.broadcast().map(crate::zab::Broadcast::proposed));
        let (Some(leadership), Some(proposed)) = (&mut self.leadership, proposed) else { return };
        while let Some((_, tag)) = leadership.syncs.pop_front_if(|(waits_for, _)| *waits_for <= round) {
            if tag.server() == own {
                self.submitted.decide(tag, proposed, Verdict::Synced);
            } else {
                leadership.write_verdict(tag.server(), tag, proposed, &Verdict::Synced);
            }
        }
    }

    /// Sends the verdicts of this turn.
    pub(super) fn send_verdicts(&mut self) {
        let Some(leadership) = &mut self.leadership else { return };
        for (to, letter) in core::mem::take(&mut leadership.letters) {
            self.zab.send_payload(to, letter.encode());
        }
    }
}
