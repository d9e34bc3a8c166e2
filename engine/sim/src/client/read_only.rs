//! What a client does at a server without a leader: it reads, and looks for a better one.

use super::ask::{Asked, What};
use super::{Client, Session};
use crate::world::World;
use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::ids::Zxid;

/// Of a hundred times that it is turned away, it gives its session up so often.
const BEGINS_ANEW: u64 = 30;
/// In so many of a hundred actions it looks whether another server has a leader.
const LOOKS_ELSEWHERE: u64 = 10;

impl Client {
    pub(super) fn is_read_only(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.read_only)
    }

    /// Whether it has left a server that is read-only.
    pub(super) fn looks_elsewhere(&mut self, world: &mut World, wire: usize) -> bool {
        let leaves = self.is_read_only() && self.rng.percent(LOOKS_ELSEWHERE);
        if leaves {
            world.hang_up(wire);
            self.disconnected(world);
        }
        leaves
    }

    /// A server that is read-only may have turned it away because of its session. A program that wants to read has to
    /// do without it, then: it begins anew, and has seen nothing.
    pub(super) fn turned_away(&mut self, world: &mut World) {
        if self.takes_read_only && self.session.is_some() && self.rng.percent(BEGINS_ANEW) {
            world.seen.note("session given up");
            self.session = None;
            self.last_zxid = Zxid::ZERO;
            self.closing = false;
            self.watching.clear();
        }
    }

    /// A session that one server knew is over, or a server that is read-only does not know this one. (It can have been
    /// opened when that server was cut off already: ZooKeeper says the same of it.)
    pub(super) fn over(&mut self, world: &mut World, session: &Session) {
        let read_only = session.read_only;
        world.seen.note(if read_only { "read-only session over" } else { "session unknown to a read-only server" });
        self.closing = false;
        self.watching.clear();
        self.disconnected(world);
    }

    /// Whether an answer to a read has come from a server that is read-only; all else is refused there.
    pub(super) fn may_be_read(&mut self, world: &mut World, asked: &Asked, err: i32, who: &str) -> bool {
        if asked.what == What::Close {
            assert_eq!(err, 0, "{who}");
            world.seen.note("read-only session over");
            self.closed();
            return false;
        }
        if asked.is_write() || asked.what == What::Sync {
            assert_eq!(err, ErrorCode::NotReadOnly as i32, "{who}: there is no leader");
            world.seen.note("writes refused by a read-only server");
            return false;
        }
        world.seen.note("reads of a read-only server");
        true
    }
}
