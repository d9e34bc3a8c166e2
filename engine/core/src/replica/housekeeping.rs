//! What time brings: sessions expire, nodes outlive themselves, the log grows until a snapshot is due.

use super::delivery::{Outstanding, What};
use super::{Effect, Replica, Role};
use crate::ids::{Instant, SessionId, WallMs};
use crate::prepare::Prepare;
use crate::tree::Tree;

/// What the driver's ticks come to.
const TICKS_PER_MINUTE: u32 = 3000;

/// Sessions whose end is proposed in one turn. An expiry of thousands must not hold everyone else up.
const EXPIRE_PER_TURN: usize = 256;

impl Replica {
    pub(super) fn tick(&mut self, now: Instant, wall: WallMs, tree: &Tree) {
        if !self.log_room {
            return;
        }
        self.expire_sessions(now, wall, tree);
        self.reap(now, wall, tree);
    }

    fn expire_sessions(&mut self, now: Instant, wall: WallMs, tree: &Tree) {
        if !self.can_propose() {
            return;
        }
        for id in self.sessions.expired(now, EXPIRE_PER_TURN) {
            if self.can_propose() && self.sessions.begin_close(id) {
                self.propose_close(wall, tree, id, 0, None);
            }
        }
    }

    /// Containers without children and nodes past their time to live: looked for every interval, removed at a bounded
    /// rate. The wall clock decides, as in ZooKeeper (`ContainerManager`): a node's age is counted from its mtime.
    fn reap(&mut self, now: Instant, wall: WallMs, tree: &Tree) {
        if now >= self.next_reap && self.reap.is_empty() {
            self.reap = tree.reapable(wall, self.config.reap_never_used_ms).into();
            let spread = self.config.reap_interval;
            self.next_reap = now.plus(spread);
        }
        // A tick comes about fifty times a second; one or a few a tick keep to the rate without a timer of its own.
        let per_tick = (self.config.reap_per_minute / TICKS_PER_MINUTE).max(1);
        for _ in 0..per_tick {
            if !self.can_propose() {
                return;
            }
            let Some(path) = self.reap.pop_front() else { return };
            let header = self.header(wall, SessionId::NONE, 0);
            let prepare = Prepare::new(&self.config.prepare, tree, &mut self.overlay, header.zxid);
            // Losing the race against a client that used or removed the node is normal.
            if prepare.reap(&path, header, &mut self.batch).is_ok() {
                self.proposed_next(header.zxid);
                let released_by = header.zxid;
                self.outstanding.push_back(Outstanding { released_by, conn: None, cxid: 0, what: What::Txn });
            }
        }
    }

    pub(super) fn ask_for_snapshot(&mut self, effects: &mut Vec<Effect>) {
        let due = self.applied_since_snapshot >= self.config.snap_count
            || self.bytes_since_snapshot >= self.config.snap_bytes;
        if due && !self.snapshotting && self.log_room {
            self.snapshotting = true;
            (self.applied_since_snapshot, self.bytes_since_snapshot) = (0, 0);
            effects.push(Effect::TakeSnapshot);
        }
    }

    /// A snapshot that failed is asked for again after as many transactions as the next one would be: the log still
    /// holds everything, and a disk that has no room for it should not be tried at every turn.
    pub(super) fn snapshot_ended(&mut self, _done: bool) {
        self.snapshotting = false;
    }

    fn can_propose(&self) -> bool {
        matches!(&self.role, Role::Leading(broadcast) if broadcast.next_zxid().is_some())
    }
}
