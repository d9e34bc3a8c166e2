//! Session ids and passwords, made as ZooKeeper makes them, so that a client can take its session from one server to
//! any other.

use crate::ids::{ServerId, SessionId, WallMs};

/// Hands out session ids.
///
/// Layout (`SessionTrackerImpl.initializeNextSessionId`): top byte the server, then 40 bits of milliseconds, then a
/// 16-bit counter from 0. ZooKeeper takes the milliseconds from its monotonic clock, which starts again when the
/// machine does; the wall clock used here does not, so ids of successive processes differ.
#[derive(Debug)]
pub struct SessionIds {
    next: i64,
}

impl SessionIds {
    /// Ids of `server`, starting from `wall`.
    #[must_use]
    pub fn new(server: ServerId, wall: WallMs) -> SessionIds {
        let millis = ((wall.0 as u64) << 24) >> 8;
        SessionIds { next: (millis | (u64::from(server.0) << 56)) as i64 }
    }

    /// The next id that is not `taken`. The marker of container nodes is skipped, as it may not own ephemerals.
    pub fn next(&mut self, taken: impl Fn(SessionId) -> bool) -> SessionId {
        loop {
            let id = SessionId(self.next);
            self.next = self.next.wrapping_add(1);
            if id != SessionId::NONE && id.0 != i64::MIN && !taken(id) {
                return id;
            }
        }
    }
}

/// The session's password: 16 bytes of `java.util.Random` seeded with the id, as every ZooKeeper server computes it.
///
/// It keeps an accidental mix-up of sessions out, not an attacker who knows the id: that is ZooKeeper's contract, and
/// sharing it lets sessions outlive a change of servers.
#[must_use]
pub fn password(id: SessionId) -> [u8; 16] {
    const MASK: u64 = (1 << 48) - 1;
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    let mut state = ((id.0 as u64) ^ 0xB341_5C00 ^ MULTIPLIER) & MASK;
    let mut bytes = [0; 16];
    for chunk in bytes.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        chunk.copy_from_slice(&((state >> 16) as u32).to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_those_of_zookeeper() {
        let hex = |id| password(SessionId(id)).iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(1), "054cc74a37327db215e702e20c73f005");
        assert_eq!(hex(0x0100_0000_0000_0000), "f22acd4a97e69d6d20a49bb638eadb38");
        assert_eq!(hex(0x0123_4567_89ab_cdef), "f7cd1b8b3f946c477425d41be3f667c6");
    }

    #[test]
    fn ids_carry_the_server_and_rise() {
        let mut ids = SessionIds::new(ServerId(3), WallMs(0x12_3456_789a));
        let first = ids.next(|_| false);
        assert_eq!(first.0 as u64, 0x0312_3456_789a_0000);
        assert_eq!(ids.next(|id| id.0 == first.0 + 1).0, first.0 + 2);
    }
}
