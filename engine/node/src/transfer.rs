//! A whole state on its way between servers: the leader walks its tree in slices for a learner that is too far behind;
//! the learner keeps what comes beside its own state until all of it is on disk, then changes over.

use crate::snapshots::SLICE_NODES;
use crate::{Backend, Clock, Halted};
use ringkeeper_core::ids::ServerId;
use ringkeeper_core::replica::Input;
use ringkeeper_core::tree::{Loader, Tree};
use ringkeeper_core::zab::StateHead;
use ringkeeper_txnlog::snapshot::{Origin, SnapshotHead};
use std::collections::VecDeque;
use std::sync::Arc;

/// States on their way.
#[derive(Default)]
pub(crate) struct Transfers {
    /// Learners that wait for the tree to be walked.
    waiting: VecDeque<ServerId>,
    sending: Option<Sending>,
    receiving: Option<Receiving>,
}

/// The state that a learner is being sent.
struct Sending {
    to: ServerId,
    /// Which copy of the tree is walked.
    copy: usize,
    bytes: u64,
}

/// The state that the leader sends.
struct Receiving {
    /// What has come and was not taken by the log yet.
    pieces: VecDeque<(Arc<[u8]>, bool)>,
    loader: Loader,
    /// All of it has come, and makes a tree.
    tree: Option<Tree>,
}

impl Backend {
    /// A learner is to be sent the state as soon as the tree can be walked.
    pub(crate) fn send_state(&mut self, to: ServerId) {
        self.transfers.waiting.push_back(to);
    }

    /// Goes on with the state that is being sent, as far as the learner takes it. Whether another turn should follow.
    pub fn continue_sending(&mut self, tree: &mut Tree, copy: usize) -> bool {
        self.begin_sending(tree, copy);
        let Some(sending) = self.transfers.sending.as_mut() else { return false };
        if sending.copy != copy {
            return true;
        }
        let to = sending.to;
        match self.replica.state_room(to) {
            None => {
                tracing::warn!(learner = to.0, "the learner takes no more of the state");
                tree.snapshot_abort();
                self.transfers.sending = None;
                !self.transfers.waiting.is_empty()
            }
            Some(0) => false,
            Some(_) => {
                let mut bytes = Vec::new();
                let last = tree.snapshot_slice(SLICE_NODES, &mut bytes);
                sending.bytes += bytes.len() as u64;
                if last {
                    tracing::info!(learner = to.0, bytes = sending.bytes, "the state has been sent");
                    self.transfers.sending = None;
                }
                self.replica.state_chunk(to, bytes.into(), last);
                true
            }
        }
    }

    /// A local snapshot and a state that is sent take turns: there is one walk at a time.
    fn begin_sending(&mut self, tree: &mut Tree, copy: usize) {
        if self.transfers.sending.is_some() || tree.snapshot_running().is_some() {
            return;
        }
        while let Some(to) = self.transfers.waiting.pop_front() {
            let head = tree.snapshot_begin();
            let (zxid, digest) = (head.zxid, head.digest);
            let head = StateHead { zxid, digest, nodes: head.node_count, sessions: head.session_count };
            if self.replica.state_begins(to, head) {
                tracing::info!(learner = to.0, %zxid, nodes = head.nodes, "sending the whole state");
                self.transfers.sending = Some(Sending { to, copy, bytes: 0 });
                return;
            }
            tree.snapshot_abort();
        }
    }

    /// The leader is going to send the whole state.
    pub(crate) fn begin_install(&mut self, head: StateHead, tree: &mut Tree, clock: &impl Clock) {
        let StateHead { zxid, digest, nodes, sessions } = head;
        tracing::info!(%zxid, nodes, "receiving the whole state from the leader");
        // A snapshot of a state that is about to go is of no use; nor is one for somebody who followed this server.
        self.log().abort_snapshot();
        tree.snapshot_abort();
        (self.transfers.sending, self.transfers.waiting) = (None, VecDeque::new());
        let head = SnapshotHead { zxid, digest, nodes, sessions, wall: clock.wall() };
        self.pending_install = Some(head);
        let (pieces, loader) = (VecDeque::new(), Loader::new());
        self.transfers.receiving = Some(Receiving { pieces, loader, tree: None });
    }

    /// A piece of the state.
    pub(crate) fn install_chunk(&mut self, bytes: Arc<[u8]>, last: bool) {
        if let Some(receiving) = &mut self.transfers.receiving {
            receiving.pieces.push_back((bytes, last));
        }
    }

    /// The rest will not come.
    pub(crate) fn abort_install(&mut self) {
        if self.pending_install.take().is_some() || self.transfers.receiving.is_none() {
            // The log knows nothing of it yet.
            self.transfers.receiving = None;
            self.inputs.push(Input::InstallFailed);
            return;
        }
        self.log().abort_snapshot();
    }

    /// Hands the log what it takes of the state that is being received.
    pub(crate) fn continue_receiving(&mut self) {
        if let Some(head) = self.pending_install.take()
            && let Err(error) = self.log().begin_snapshot(head, Origin::Installed)
        {
            // Whatever is being ended has not ended yet.
            tracing::debug!(%error, "the log is not ready for the state yet");
            self.pending_install = Some(head);
            return;
        }
        let log = self.log.as_mut().expect("turns end before the log is closed");
        let Some(receiving) = &mut self.transfers.receiving else { return };
        while log.snapshot_wants_more() {
            let Some((bytes, last)) = receiving.pieces.pop_front() else { return };
            let fed = receiving.loader.feed(&bytes).and_then(|()| {
                if last {
                    receiving.tree = Some(std::mem::take(&mut receiving.loader).finish()?);
                }
                Ok(())
            });
            if let Err(error) = fed {
                tracing::error!(%error, "the state that the leader sent is damaged");
                log.abort_snapshot();
                return;
            }
            log.snapshot_chunk(bytes.to_vec(), last);
        }
    }

    /// Whether what the log tells of a snapshot is about the state that is being received.
    pub(crate) fn is_installing(&self) -> bool {
        self.transfers.receiving.is_some() && self.pending_install.is_none()
    }

    /// The state that was received is on disk, or was given up. If it is there, it takes the place of the present one,
    /// of which there are so many copies.
    ///
    /// # Errors
    /// The log has a state that memory cannot be given.
    pub fn finish_install(&mut self, tree: &mut Tree, copies: usize) -> Result<(), Halted> {
        let Some(done) = self.installed.take() else { return Ok(()) };
        let Some(receiving) = self.transfers.receiving.take() else { return Ok(()) };
        if !done {
            self.inputs.push(Input::InstallFailed);
            return Ok(());
        }
        if copies > 1 {
            let why = "the leader's state is in place on disk, and this server with its client executors must be started \
                       again to take it up";
            return Err(Halted(why.into()));
        }
        let received = receiving.tree.ok_or_else(|| Halted("an incomplete state was made durable".into()))?;
        tracing::info!(zxid = %received.last_zxid(), nodes = received.node_count(), "the leader's state is in place");
        *tree = received;
        self.timeline.restart();
        self.inputs.push(Input::Installed);
        Ok(())
    }
}
