//! What servers of an ensemble say to each other about agreement. Names follow ZooKeeper's (`Leader.java`).
//!
//! A link keeps order and loses nothing while it is up. Messages between a leader and its learners carry the leader's
//! epoch, so that what belongs to an earlier reign, and is still on its way, counts for nothing.

use super::Standing;
use crate::frame::FrameBatch;
use crate::ids::{Epoch, ServerId, Zxid};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a server is doing, told to every peer when a link comes up and whenever it changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// Its part at the moment.
    pub role: RoleStatus,
    /// The epoch whose history it has.
    pub current: Epoch,
    /// The last transaction of its history.
    pub last: Zxid,
    /// Whether it may vote.
    pub standing: Standing,
    /// The voters that it has links to, itself included.
    pub reaches: BTreeSet<ServerId>,
}

/// A server's part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleStatus {
    /// Without a leader; would follow this one, if any is fit.
    Looking {
        /// Its vote.
        vote: Option<ServerId>,
    },
    /// Follows, or tries to.
    Following {
        /// Whom.
        leader: ServerId,
    },
    /// Leads, or tries to: with the vote of a quorum.
    Leading,
}

/// A whole state: what it is of, and what it must come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateHead {
    /// The last transaction in it.
    pub zxid: Zxid,
    /// Its digest.
    pub digest: u64,
    /// Nodes in it.
    pub nodes: u64,
    /// Sessions in it.
    pub sessions: u64,
}

/// How a learner's history is brought to be the beginning of the leader's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncStart {
    /// It is already; what is missing follows.
    Diff,
    /// What is behind this transaction is not the leader's and must go; what is missing follows.
    Trunc(Zxid),
    /// It is too far behind: the state as of this transaction follows as a whole.
    Snap(StateHead),
}

/// A message between two servers.
#[derive(Clone, Debug)]
pub enum Message {
    /// See [`Status`].
    Status(Status),
    /// Learner to leader: I would follow you.
    FollowerInfo {
        /// The newest epoch that the learner has promised.
        accepted: Epoch,
    },
    /// Leader to learner: promise this epoch.
    LeaderInfo {
        /// Newer than any that a quorum had promised.
        epoch: Epoch,
    },
    /// Learner to leader: promised, durably.
    AckEpoch {
        /// The epoch.
        epoch: Epoch,
        /// Whether it was this message that promised it. A promise given to somebody else before counts for nothing.
        fresh: bool,
        /// The epoch whose history the learner has.
        current: Epoch,
        /// The last transaction of it.
        last: Zxid,
    },
    /// Leader to learner: synchronisation begins.
    Sync {
        /// The leader's epoch.
        epoch: Epoch,
        /// The ensemble's identity.
        ensemble: u64,
        /// How.
        start: SyncStart,
    },
    /// Leader to learner: a piece of the state announced by [`SyncStart::Snap`].
    SnapChunk {
        /// The leader's epoch.
        epoch: Epoch,
        /// The bytes, in order.
        bytes: Arc<[u8]>,
        /// Nothing follows.
        last: bool,
    },
    /// Learner to leader: so many bytes of the snapshot have been taken; more may be sent.
    SnapTaken {
        /// The leader's epoch.
        epoch: Epoch,
        /// Bytes since the beginning of the snapshot.
        bytes: u64,
    },
    /// Leader to learner: with this transaction your history is as long as mine was when I took over.
    NewLeader {
        /// The leader's epoch.
        epoch: Epoch,
        /// The transaction.
        through: Zxid,
    },
    /// Learner to leader: that history is durable, and the epoch after it.
    AckNewLeader {
        /// The leader's epoch.
        epoch: Epoch,
    },
    /// Leader to learner: a quorum has that history; what is committed may be shown.
    UpToDate {
        /// The leader's epoch.
        epoch: Epoch,
        /// The newest committed transaction.
        committed: Zxid,
        /// The newest proposed one: whatever the learner had asked for before has its place up to here, or none.
        proposed: Zxid,
    },
    /// Leader to learner: the next transactions.
    Propose {
        /// The leader's epoch (not that of the transactions: they may be older).
        epoch: Epoch,
        /// The newest committed transaction.
        committed: Zxid,
        /// The transactions.
        batch: Arc<FrameBatch>,
    },
    /// Learner to leader: everything through this transaction is durable.
    Ack {
        /// The leader's epoch.
        epoch: Epoch,
        /// The transaction.
        through: Zxid,
    },
    /// Leader to learner: a quorum has everything through this transaction.
    Commit {
        /// The leader's epoch.
        epoch: Epoch,
        /// The transaction.
        through: Zxid,
        /// What a quorum has everything through as soon as the learner has it on its own disk: for that it need not
        /// wait until its acknowledgement has come back to it as a commit.
        with_yours: Zxid,
    },
    /// Over every link, every so often: I am here.
    Ping,
    /// Leader to learner: do you still follow me?
    Confirm {
        /// The leader's epoch.
        epoch: Epoch,
        /// Rises with each time it is asked.
        round: u64,
    },
    /// Learner to leader: yes.
    Confirmed {
        /// The leader's epoch.
        epoch: Epoch,
        /// The round that was asked.
        round: u64,
    },
    /// Between an established leader and a learner that is up to date: something that is none of agreement's business.
    /// It keeps its place among the other messages.
    Payload {
        /// The leader's epoch.
        epoch: Epoch,
        /// For the receiver's replica.
        bytes: Arc<[u8]>,
    },
}
