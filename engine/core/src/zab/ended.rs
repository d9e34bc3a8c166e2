//! Why a server's part has ended, in words for its operator.

use crate::ids::ServerId;
use core::fmt;

/// A server leads, or follows, no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It led, or tried to.
    Leading(Abdication),
    /// It followed, or tried to.
    Following {
        /// Whom.
        leader: ServerId,
        /// Why it does no more.
        why: Leave,
    },
}

/// Why a leader gives up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Abdication {
    /// Not enough servers joined in time, or not enough got its history in time.
    NotSupported,
    /// It has not heard from a quorum for too long.
    QuorumLost,
    /// It was not running for so long that others may have replaced it.
    Paused,
    /// Its log makes no progress.
    DiskStalled,
    /// A server that joined has a longer history, or has promised a newer epoch.
    Behind,
    /// The epoch has no zxids left.
    Exhausted,
    /// It was asked to.
    Asked,
}

/// Why a learner leaves its leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    /// The link to the leader is gone.
    LinkLost,
    /// Nothing was heard of the leader for too long.
    Silent,
    /// The leader has not answered in time.
    NoAnswer,
    /// The leader says that it leads no more.
    LeadsNoMore,
    /// The leader wants an epoch that is older than one promised to somebody else.
    OldEpoch,
    /// It leads another ensemble than the one that this server is a member of.
    OtherEnsemble,
    /// The state that the leader sent could not be put in place.
    StateFailed,
    /// It says what no leader says.
    Protocol,
}

impl fmt::Display for Abdication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Abdication::NotSupported => "a majority of the voters has not joined it, or not got its history, in time",
            Abdication::QuorumLost => "nothing was heard of a majority of the voters for too long",
            Abdication::Paused => "it was not running for so long that the others may have elected another leader",
            Abdication::DiskStalled => "its log has made no progress for too long",
            Abdication::Behind => "a server that joined it has a longer history, or has promised a newer epoch",
            Abdication::Exhausted => "the epoch has no transaction ids left: the next one begins",
            Abdication::Asked => "it was asked to stop",
        })
    }
}

impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Leave::LinkLost => "the link to it was lost",
            Leave::Silent => "nothing was heard of it for too long",
            Leave::NoAnswer => "it did not answer in time",
            Leave::LeadsNoMore => "it leads no more",
            Leave::OldEpoch => "a newer epoch than its own was promised to another leader",
            Leave::OtherEnsemble => "it leads another ensemble than the one that this server is a member of",
            Leave::StateFailed => "the state that it sent could not be put in place",
            Leave::Protocol => "it said what no leader says",
        })
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Leading(why) => write!(f, "this server leads no more: {why}"),
            Ended::Following { leader, why } => write!(f, "server {} is not followed any more: {why}", leader.0),
        }
    }
}
