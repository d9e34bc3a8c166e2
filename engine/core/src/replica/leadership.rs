//! What only the leader has: which sessions are alive, what is proposed and not yet applied, who waits for the
//! confirmation that it still leads.

use super::barrier::Barrier;
use super::letter::{Letter, VerdictLetter};
use super::submitted::{Judged, Verdict};
use super::{Context, Replica, config};
use crate::frame::FrameBuf;
use crate::ids::{Instant, ServerId, Tag};
use crate::prepare::Overlay;
use crate::session::SessionTable;
use crate::tree::Tree;
use std::collections::{BTreeMap, VecDeque};

/// See the module.
#[derive(Debug)]
pub(super) struct Leadership {
    pub(super) sessions: SessionTable,
    pub(super) overlay: Overlay,
    pub(super) barrier: Barrier,
    /// Frames proposed in this turn.
    pub(super) batch: FrameBuf,
    /// Verdicts on their way to other servers.
    letters: BTreeMap<ServerId, Letter>,
    pub(super) next_reap: Instant,
    pub(super) reap: VecDeque<String>,
    /// Servers that hold verdicts, and the newest round of confirmation that one of those needs.
    unconfirmed: BTreeMap<ServerId, u64>,
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
            barrier: Barrier::None,
            batch: FrameBuf::new(),
            letters: BTreeMap::new(),
            next_reap: cx.now.plus(config.reap_interval),
            reap: VecDeque::new(),
            unconfirmed: BTreeMap::new(),
        }
    }

    /// Tells another server what was decided about one of its requests.
    pub(super) fn write_verdict(&mut self, to: ServerId, tag: Tag, judged: &Judged) {
        self.letters.entry(to).or_default().verdicts.push(VerdictLetter::new(tag.0, judged));
        if judged.round > 0 {
            self.unconfirmed.insert(to, judged.round);
        }
    }

    /// Tells whoever waits for it that a quorum has answered the rounds through `round`.
    fn write_confirmed(&mut self, round: u64) {
        let letters = &mut self.letters;
        self.unconfirmed.retain(|to, newest| {
            letters.entry(*to).or_default().confirmed = round;
            *newest > round
        });
    }
}

impl Replica {
    pub(super) fn leadership(&mut self) -> &mut Leadership {
        self.leadership.as_mut().expect("only a leader judges")
    }

    /// What does not become a transaction is told when a quorum has confirmed, after it had come, that this server still
    /// leads, and when all that it was judged by is applied. The verdict leaves before that: if this server dies, whoever
    /// has it can tell it should something proposed later turn out to be committed.
    pub(super) fn judged(&mut self, verdict: Verdict) -> Judged {
        Judged { verdict, released_by: self.proposed(), round: self.zab.confirm().unwrap_or(0) }
    }

    /// A quorum has confirmed the rounds through `round`.
    pub(super) fn confirmed(&mut self, round: u64) {
        if let Some(leadership) = &mut self.leadership {
            self.submitted.confirm(round);
            leadership.write_confirmed(round);
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
