//! What time brings: sessions expire, nodes outlive themselves, the log grows until a snapshot is due, a server without
//! a leader lets its clients go.

use super::submitted::Wish;
use super::{Context, Effect, Replica};
use crate::exchange::{Answer, Audience};
use crate::ids::{SessionId, Tag};
use crate::prepare::Prepare;
use crate::tree::Tree;
use crate::zab::RoleChange;

/// What the driver's ticks come to.
const TICKS_PER_MINUTE: u32 = 3000;
/// Sessions whose end is proposed in one turn. An expiry of thousands must not hold everyone else up.
const EXPIRE_PER_TURN: usize = 256;

impl Replica {
    pub(super) fn tick(&mut self, cx: &Context, tree: &Tree, audience: &mut impl Audience) {
        if self.leadership.is_some() && cx.log_room {
            self.expire_sessions(cx, tree);
            self.reap(cx, tree);
        }
        self.hold_clients(cx, tree, audience);
    }

    fn expire_sessions(&mut self, cx: &Context, tree: &Tree) {
        for id in self.leadership().sessions.expired(cx.now, EXPIRE_PER_TURN) {
            if self.can_propose() && self.leadership().sessions.begin_close(id) {
                self.propose_close(cx, tree, id, 0, Tag::NONE);
                self.measures.sessions_expired += 1;
            }
        }
    }

    /// Containers without children and nodes past their time to live: looked for every interval, removed at a bounded
    /// rate. The wall clock decides, as in ZooKeeper (`ContainerManager`): a node's age is counted from its mtime.
    fn reap(&mut self, cx: &Context, tree: &Tree) {
        let (interval, never_used) = (self.config.reap_interval, self.config.reap_never_used_ms);
        let leadership = self.leadership();
        if cx.now >= leadership.next_reap && leadership.reap.is_empty() {
            leadership.reap = tree.reapable(cx.wall, never_used).into();
            leadership.next_reap = cx.now.plus(interval);
        }
        // A tick comes about fifty times a second; one or a few a tick keep to the rate without a timer of its own.
        let per_tick = (self.config.reap_per_minute / TICKS_PER_MINUTE).max(1);
        for _ in 0..per_tick {
            if !self.can_propose() {
                return;
            }
            let Some(path) = self.leadership().reap.pop_front() else { return };
            let header = self.header(cx, SessionId::NONE, 0, Tag::NONE);
            let prepare_config = self.config.prepare;
            let leadership = self.leadership();
            let prepare = Prepare::new(&prepare_config, tree, &mut leadership.overlay, header.zxid);
            // Losing the race against a client that used or removed the node is normal.
            if prepare.reap(&path, header, &mut leadership.batch).is_ok() {
                self.zab.proposed_next(header.zxid);
            }
        }
    }

    /// Clients of a server that has lost its leader are held, since a new one is found soon. If it is not, they are let
    /// go: another server may have a leader. Those that only want to read may be served all the same.
    fn hold_clients(&mut self, cx: &Context, tree: &Tree, audience: &mut impl Audience) {
        if self.zab.role() != RoleChange::Looking {
            self.without_leader_since = None;
            return;
        }
        let waited = cx.now.since(*self.without_leader_since.get_or_insert(cx.now));
        if waited >= self.config.hold_clients {
            self.forget_clients(tree, audience);
        }
        let due = self.config.read_only_after.is_some_and(|after| waited >= after);
        // One that is about to follow a leader, or to lead, is not cut off.
        if due && self.read_only.is_none() && self.zab.is_looking() {
            self.begin_read_only(tree, audience);
        }
        self.expire_read_only(cx, tree, audience);
    }

    /// All connections with a session, or that wait for one, are closed; what they asked for last has an outcome that they
    /// must find out themselves.
    pub(super) fn forget_clients(&mut self, tree: &Tree, audience: &mut impl Audience) {
        let close = |conn| Answer::Close { conn };
        for entry in self.submitted.take_all() {
            if matches!(entry.wish, Wish::Open { .. } | Wish::TakeUp { .. }) {
                audience.answer(tree, tree.last_zxid(), close(entry.conn));
            }
        }
        for attached in core::mem::take(&mut self.attached).into_values() {
            audience.answer(tree, tree.last_zxid(), close(attached.conn));
        }
    }

    pub(super) fn ask_for_snapshot(&mut self, cx: &Context, effects: &mut Vec<Effect>) {
        let due = self.applied_since_snapshot >= self.config.snap_count
            || self.bytes_since_snapshot >= self.config.snap_bytes;
        if due && !self.snapshotting && cx.log_room {
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
}
