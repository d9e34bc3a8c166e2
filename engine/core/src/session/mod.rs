//! The ensemble's sessions, as their owner (the leader) keeps them: who is alive, until when, and which connection
//! speaks for them. What must survive a restart (timeout, password) is part of the tree; this is the volatile rest.

mod expiry;
mod identity;

pub use expiry::ExpiryQueue;
pub use identity::{SessionIds, password};

use crate::ids::{Instant, SessionId, Tag};
use core::time::Duration;
use hashbrown::HashMap;

/// What is known of a live session beside its replicated part.
#[derive(Clone, Debug)]
struct Live {
    timeout: Duration,
    /// The request by which a connection became the one that speaks for the session, also if it is only proposed yet.
    owner: Tag,
    /// Its end has been proposed: nothing more is accepted from it.
    closing: bool,
}

/// Why a request of a session is not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// Unknown, or its end has been proposed.
    Expired,
    /// Another connection speaks for it now.
    Moved,
}

/// All live sessions. Expiry is by the monotonic clock that the driver hands in, in buckets of one tick.
#[derive(Debug)]
pub struct SessionTable {
    live: HashMap<SessionId, Live>,
    expiry: ExpiryQueue,
}

impl SessionTable {
    /// An empty table; `tick` is the granularity of expiry (`tickTime`).
    #[must_use]
    pub fn new(tick: Duration) -> SessionTable {
        SessionTable { live: HashMap::new(), expiry: ExpiryQueue::new(tick) }
    }

    /// Number of sessions, the closing ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Whether there is such a session, closing or not.
    #[must_use]
    pub fn knows(&self, id: SessionId) -> bool {
        self.live.contains_key(&id)
    }

    /// Takes up a session with a full fresh timeout: one just created, or one found in the tree by a new leader.
    pub fn track(&mut self, now: Instant, id: SessionId, timeout: Duration, owner: Tag) {
        self.live.insert(id, Live { timeout, owner, closing: false });
        self.expiry.touch(now, id, timeout);
    }

    /// Forgets a session whose end has been applied.
    pub fn forget(&mut self, id: SessionId) {
        self.expiry.remove(id);
        self.live.remove(&id);
    }

    /// The client was heard from. Closing sessions stay closing.
    pub fn touch(&mut self, now: Instant, id: SessionId) {
        if let Some(live) = self.live.get(&id)
            && !live.closing
        {
            self.expiry.touch(now, id, live.timeout);
        }
    }

    /// Whether a request of a connection that was attached by `attached` may be executed for the session.
    ///
    /// # Errors
    /// [`Rejection`]
    pub fn check(&self, id: SessionId, attached: Tag) -> Result<(), Rejection> {
        match self.live.get(&id) {
            None => Err(Rejection::Expired),
            Some(live) if live.closing => Err(Rejection::Expired),
            Some(live) if live.owner != attached => Err(Rejection::Moved),
            Some(_) => Ok(()),
        }
    }

    /// A client comes back to its session, with a newly negotiated timeout; its request has the tag `owner`.
    ///
    /// # Errors
    /// [`Rejection::Expired`]
    pub fn take_over(&mut self, now: Instant, id: SessionId, timeout: Duration, owner: Tag) -> Result<(), Rejection> {
        let live = self.live.get_mut(&id).filter(|live| !live.closing).ok_or(Rejection::Expired)?;
        (live.timeout, live.owner) = (timeout, owner);
        self.expiry.touch(now, id, timeout);
        Ok(())
    }

    /// The session's end is being proposed. False if that has been done before, or there is no such session.
    pub fn begin_close(&mut self, id: SessionId) -> bool {
        match self.live.get_mut(&id) {
            Some(live) if !live.closing => {
                live.closing = true;
                self.expiry.remove(id);
                true
            }
            _ => false,
        }
    }

    /// The sessions whose time has run out, in order of bucket and id; each is returned until it is closed or touched.
    pub fn expired(&mut self, now: Instant, most: usize) -> Vec<SessionId> {
        self.expiry.expired(now, most)
    }

    /// When the next session could expire.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.expiry.next_deadline()
    }

    /// Sessions by the time at which they would expire, for the `dump` command.
    pub fn buckets(&self) -> impl Iterator<Item = (Instant, Vec<SessionId>)> + '_ {
        self.expiry.buckets()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(1000);
    const S: SessionId = SessionId(7);

    const FIRST: Tag = Tag(1);
    const SECOND: Tag = Tag(2);

    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000_000)
    }

    fn table() -> SessionTable {
        let mut table = SessionTable::new(TICK);
        table.track(at(0), S, Duration::from_millis(4000), FIRST);
        table
    }

    #[test]
    fn a_session_expires_between_its_timeout_and_one_tick_later() {
        let mut table = table();
        assert!(table.expired(at(4000), 9).is_empty());
        assert_eq!(table.expired(at(5000), 9), [S]);
    }

    #[test]
    fn a_touch_prolongs_life() {
        let mut table = table();
        table.touch(at(3000), S);
        assert!(table.expired(at(7000), 9).is_empty());
        assert_eq!(table.expired(at(8000), 9), [S]);
    }

    #[test]
    fn another_connection_takes_over_and_the_old_one_is_refused() {
        let mut table = table();
        assert_eq!(table.check(S, FIRST), Ok(()));
        assert_eq!(table.take_over(at(1), S, TICK, SECOND), Ok(()));
        assert_eq!((table.check(S, FIRST), table.check(S, SECOND)), (Err(Rejection::Moved), Ok(())));
    }

    #[test]
    fn nothing_is_accepted_from_a_closing_session() {
        let mut table = table();
        assert!(table.begin_close(S));
        assert!(!table.begin_close(S));
        assert_eq!(table.check(S, FIRST), Err(Rejection::Expired));
        assert_eq!(table.take_over(at(1), S, TICK, SECOND), Err(Rejection::Expired));
        table.touch(at(1), S);
        assert!(table.expired(at(99_000), 9).is_empty(), "its end has been proposed already");
        table.forget(S);
        assert!(table.is_empty());
    }
}
