//! Snapshots are taken in slices between turns: the tree keeps the state of one transaction together while later ones
//! change it, and a thread of the log's writes it.

use crate::{Backend, Clock};
use ringkeeper_core::ids::{Instant, Zxid};
use ringkeeper_core::replica::Input;
use ringkeeper_core::tree::Tree;
use ringkeeper_txnlog::snapshot::{Origin, SnapshotHead};
use std::time::Duration;

/// What one slice may take: every reply of the next turn waits so long.
const SLICE_TIME: Duration = Duration::from_micros(200);
/// Nodes in the first slice, and bounds of what it grows or shrinks to.
pub(crate) const SLICE_NODES: usize = 256;
const SLICE_NODES_MIN: usize = 32;
const SLICE_NODES_MAX: usize = 4096;

/// The snapshot that is being taken.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    slice_nodes: usize,
    longest: Duration,
    bytes: u64,
    head: SnapshotHead,
    walked: bool,
    /// Which copy of the tree is walked.
    copy: usize,
}

impl Backend {
    /// Begins a snapshot of the tree as it is now.
    pub(crate) fn begin_snapshot(&mut self, tree: &mut Tree, copy: usize, clock: &impl Clock) {
        if tree.snapshot_running().is_some() {
            // The tree is walked for a learner; the log can wait for its snapshot until as much again is logged.
            self.inputs.push(Input::SnapshotEnded { done: false });
            return;
        }
        let head = tree.snapshot_begin();
        let head = SnapshotHead {
            zxid: head.zxid,
            digest: head.digest,
            nodes: head.node_count,
            sessions: head.session_count,
            wall: clock.wall(),
        };
        if let Err(error) = self.log().begin_snapshot(head, Origin::Local) {
            tracing::error!(zxid = %head.zxid, %error, "no snapshot could be begun");
            self.snapshot_failures += 1;
            tree.snapshot_abort();
            self.inputs.push(Input::SnapshotEnded { done: false });
            return;
        }
        tracing::debug!(zxid = %head.zxid, nodes = head.nodes, "snapshot begun");
        self.snapshot = Some(Progress {
            began: clock.now(),
            slice_nodes: SLICE_NODES,
            longest: Duration::ZERO,
            bytes: 0,
            head,
            walked: false,
            copy,
        });
    }

    /// A snapshot is to be taken as soon as none is under way.
    pub fn want_snapshot(&mut self) {
        self.snapshot_wanted = true;
    }

    /// The newest snapshot that is on disk.
    #[must_use]
    pub fn newest_snapshot(&self) -> Option<Zxid> {
        self.log.as_ref().and_then(ringkeeper_txnlog::Log::newest_snapshot)
    }

    pub(crate) fn begin_wanted_snapshot(&mut self, tree: &mut Tree, copy: usize, clock: &impl Clock) {
        if self.newest_snapshot() == Some(tree.last_zxid()) {
            self.snapshot_wanted = false;
        } else if self.snapshot.is_none() && tree.snapshot_running().is_none() && !self.is_installing() {
            self.snapshot_wanted = false;
            self.begin_snapshot(tree, copy, clock);
        }
    }

    /// Takes the next slice if the thread that writes has room for it; the thread asks for another turn when it has.
    /// Returns whether the slice waits for the other copy of the tree.
    pub fn continue_snapshot(&mut self, tree: &mut Tree, copy: usize, clock: &impl Clock) -> bool {
        let Some(progress) = self.snapshot.as_mut().filter(|progress| !progress.walked) else { return false };
        let log = self.log.as_mut().expect("turns end before the log is closed");
        if !log.snapshot_wants_more() {
            return false;
        }
        if copy != progress.copy {
            return true;
        }
        let began = clock.now();
        let mut bytes = log.snapshot_buffer();
        let last = tree.snapshot_slice(progress.slice_nodes, &mut bytes);
        progress.sliced(clock.now().since(began), bytes.len());
        progress.walked = last;
        log.snapshot_chunk(bytes, last);
        false
    }

    /// Ends the walk of a snapshot that was given up, when the copy that it walked is lent.
    pub(crate) fn drop_abandoned_walk(&mut self, tree: &mut Tree, copy: usize) {
        if self.abandoned_walk.take_if(|walked| *walked == copy).is_some() {
            tree.snapshot_abort();
        }
    }

    /// The snapshot is durable, or there is none (then the log still has everything).
    pub(crate) fn snapshot_ended(&mut self, now: Instant, failure: Option<&str>) {
        let Some(progress) = self.snapshot.take() else { return };
        let took = now.since(progress.began);
        let (zxid, ms) = (progress.head.zxid, took.as_millis() as u64);
        match failure {
            None => {
                self.snapshot_times.record_time(took);
                let longest_slice_us = progress.longest.as_micros() as u64;
                let (nodes, bytes) = (progress.head.nodes, progress.bytes);
                tracing::info!(%zxid, nodes, bytes, ms, longest_slice_us, "snapshot taken");
            }
            Some(reason) => {
                self.snapshot_failures += 1;
                tracing::error!(%zxid, ms, reason, "snapshot failed; the log keeps what it would have held")
            }
        }
        if !progress.walked {
            self.abandoned_walk = Some(progress.copy);
        }
    }
}

impl Progress {
    /// Notes what the last slice took, and fits the next one to that.
    fn sliced(&mut self, took: Duration, bytes: usize) {
        self.longest = self.longest.max(took);
        self.bytes += bytes as u64;
        let nodes = if took > SLICE_TIME { self.slice_nodes / 2 } else { self.slice_nodes + self.slice_nodes / 8 };
        self.slice_nodes = nodes.clamp(SLICE_NODES_MIN, SLICE_NODES_MAX);
    }
}
