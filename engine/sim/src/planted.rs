//! Mistakes that are easily made, and that runs must find.

use crate::plan::{Mode, Plan};
use ringkeeper_core::defect::{Defect, Defects};

/// A mistake.
pub struct Bug {
    /// What it is.
    pub name: &'static str,
    defect: Defect,
    mode: Mode,
}

impl Bug {
    /// The plan of a seed, with servers that make the mistake.
    #[must_use]
    pub fn plan(&self, seed: u64) -> Plan {
        Plan { defects: Defects::planted(self.defect), ..Plan::of(seed, self.mode) }
    }
}

const fn bug(name: &'static str, defect: Defect, mode: Mode) -> Bug {
    Bug { name, defect, mode }
}

/// All of them.
pub const BUGS: &[Bug] = &[
    bug("commit without a quorum", Defect::CommitWithoutQuorum, Mode::Safety),
    bug("acknowledge before durable", Defect::AckBeforeDurable, Mode::Safety),
    bug("counted before durable", Defect::CountedBeforeDurable, Mode::Safety),
    bug("promise of an epoch forgotten", Defect::PromiseForgotten, Mode::Safety),
    bug("no truncation", Defect::NoTruncation, Mode::Safety),
    bug("election ignores the zxid", Defect::ElectionIgnoresZxid, Mode::Safety),
    bug("NEWLEADER before the history", Defect::NewLeaderBeforeHistory, Mode::Safety),
    bug("stale follower counts as support", Defect::StaleSupport, Mode::Liveness),
    bug("session moved without fencing", Defect::MovedWithoutFencing, Mode::Safety),
    bug("committed request submitted again", Defect::ResubmittedTooEarly, Mode::Safety),
    bug("watch event after the data", Defect::WatchAfterData, Mode::Safety),
    bug("tree replaced before all is applied", Defect::RestoreWithoutBarrier, Mode::Safety),
    bug("built on a cut that is not durable", Defect::CutNotDurable, Mode::Safety),
];
