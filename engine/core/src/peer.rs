//! Messages between servers as bytes: a small head, archived with rkyv, and for some a tail in bulk that is not
//! encoded again: the frames of a proposal, a piece of a snapshot, a letter.
//!
//! The layout of heads is part of the protocol between servers; its version is agreed on when a link comes up. What
//! comes in is checked: a server that sends nonsense loses its link, and harms nobody.

use crate::frame::{FrameBatch, FrameBuf};
use crate::ids::{Epoch, ServerId, Zxid};
use crate::zab::{Message, RoleStatus, Standing, StateHead, Status, SyncStart};
use rkyv::rancor::Error as RkyvError;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};
use std::sync::Arc;
use thiserror::Error;

/// What follows a head.
#[derive(Clone, Debug)]
pub enum Tail {
    /// Nothing.
    None,
    /// Frames.
    Batch(Arc<FrameBatch>),
    /// Any bytes.
    Bytes(Arc<[u8]>),
}

/// Bytes that are no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BadMessage {
    /// The head is not one of this protocol.
    #[error("the head of a message cannot be read")]
    Head,
    /// The head needs a tail, or has one that it does not need.
    #[error("a message has a tail that does not fit its head")]
    Tail,
    /// The frames of a proposal are damaged or do not form a chain.
    #[error("the frames of a proposal are damaged")]
    Frames,
}

#[derive(Archive, Serialize, Deserialize)]
enum Head {
    Status { role: u8, of: u8, current: u32, last: u64, ensemble: u64, membership: u8, reaches: Vec<u8> },
    FollowerInfo { accepted: u32 },
    LeaderInfo { epoch: u32 },
    AckEpoch { epoch: u32, fresh: bool, current: u32, last: u64 },
    Sync { epoch: u32, ensemble: u64, start: u8, zxid: u64, state: (u64, u64, u64) },
    SnapChunk { epoch: u32, last: bool },
    SnapTaken { epoch: u32, bytes: u64 },
    NewLeader { epoch: u32, through: u64 },
    AckNewLeader { epoch: u32 },
    UpToDate { epoch: u32, committed: u64, proposed: u64 },
    Propose { epoch: u32, committed: u64 },
    Ack { epoch: u32, through: u64 },
    Commit { epoch: u32, through: u64, with_yours: u64 },
    Ping,
    Confirm { epoch: u32, round: u64 },
    Confirmed { epoch: u32, round: u64 },
    Payload { epoch: u32 },
}

/// Head and tail of a message.
#[must_use]
pub fn encode(message: &Message) -> (AlignedVec<16>, Tail) {
    let head = head(message);
    let tail = match message {
        Message::Propose { batch, .. } => Tail::Batch(Arc::clone(batch)),
        Message::SnapChunk { bytes, .. } | Message::Payload { bytes, .. } => Tail::Bytes(Arc::clone(bytes)),
        _ => Tail::None,
    };
    let buf = AlignedVec::<16>::new();
    let head = rkyv::api::high::to_bytes_in::<_, RkyvError>(&head, buf).expect("archiving into memory cannot fail");
    (head, tail)
}

fn head(message: &Message) -> Head {
    match message {
        Message::Status(status) => status_head(status),
        Message::FollowerInfo { accepted } => Head::FollowerInfo { accepted: accepted.0 },
        Message::LeaderInfo { epoch } => Head::LeaderInfo { epoch: epoch.0 },
        Message::AckEpoch { epoch, fresh, current, last } => {
            Head::AckEpoch { epoch: epoch.0, fresh: *fresh, current: current.0, last: last.0 }
        }
        Message::Sync { epoch, ensemble, start } => {
            let (start, zxid, state) = match start {
                SyncStart::Diff => (0, 0, (0, 0, 0)),
                SyncStart::Trunc(to) => (1, to.0, (0, 0, 0)),
                SyncStart::Snap(head) => (2, head.zxid.0, (head.digest, head.nodes, head.sessions)),
            };
            Head::Sync { epoch: epoch.0, ensemble: *ensemble, start, zxid, state }
        }
        Message::SnapChunk { epoch, last, .. } => Head::SnapChunk { epoch: epoch.0, last: *last },
        Message::SnapTaken { epoch, bytes } => Head::SnapTaken { epoch: epoch.0, bytes: *bytes },
        Message::NewLeader { epoch, through } => Head::NewLeader { epoch: epoch.0, through: through.0 },
        Message::AckNewLeader { epoch } => Head::AckNewLeader { epoch: epoch.0 },
        Message::UpToDate { epoch, committed, proposed } => {
            Head::UpToDate { epoch: epoch.0, committed: committed.0, proposed: proposed.0 }
        }
        Message::Propose { epoch, committed, .. } => Head::Propose { epoch: epoch.0, committed: committed.0 },
        Message::Ack { epoch, through } => Head::Ack { epoch: epoch.0, through: through.0 },
        Message::Commit { epoch, through, with_yours } => {
            Head::Commit { epoch: epoch.0, through: through.0, with_yours: with_yours.0 }
        }
        Message::Ping => Head::Ping,
        Message::Confirm { epoch, round } => Head::Confirm { epoch: epoch.0, round: *round },
        Message::Confirmed { epoch, round } => Head::Confirmed { epoch: epoch.0, round: *round },
        Message::Payload { epoch, .. } => Head::Payload { epoch: epoch.0 },
    }
}

fn status_head(status: &Status) -> Head {
    let (role, of) = match status.role {
        RoleStatus::Looking { vote: None } => (0, 0),
        RoleStatus::Looking { vote: Some(vote) } => (1, vote.0),
        RoleStatus::Following { leader } => (2, leader.0),
        RoleStatus::Leading => (3, 0),
    };
    Head::Status {
        role,
        of,
        current: status.current.0,
        last: status.last.0,
        ensemble: status.standing.ensemble,
        membership: membership(status.standing),
        reaches: status.reaches.iter().map(|id| id.0).collect(),
    }
}

fn membership(standing: Standing) -> u8 {
    u8::from(standing.member) | u8::from(standing.lapsed) << 1 | u8::from(standing.founder) << 2
}

fn standing(ensemble: u64, membership: u8) -> Standing {
    let has = |bit: u8| membership >> bit & 1 != 0;
    Standing { ensemble, member: has(0), lapsed: has(1), founder: has(2) }
}

/// The message that a head and a tail stand for.
///
/// # Errors
/// [`BadMessage`]
pub fn decode(head: &[u8], tail: Option<FrameBuf>) -> Result<Message, BadMessage> {
    let mut aligned = AlignedVec::<16>::with_capacity(head.len());
    aligned.extend_from_slice(head);
    let head = rkyv::from_bytes::<Head, RkyvError>(&aligned).map_err(|_| BadMessage::Head)?;
    let bulk = matches!(head, Head::Propose { .. } | Head::SnapChunk { .. } | Head::Payload { .. });
    match (bulk, tail) {
        (true, tail) => with_tail(&head, tail.unwrap_or_default()),
        (false, None) => without_tail(head),
        (false, Some(_)) => Err(BadMessage::Tail),
    }
}

fn with_tail(head: &Head, tail: FrameBuf) -> Result<Message, BadMessage> {
    Ok(match head {
        Head::Propose { epoch, committed } => {
            let batch = FrameBatch::verified(tail).map_err(|_| BadMessage::Frames)?;
            Message::Propose { epoch: Epoch(*epoch), committed: Zxid(*committed), batch: Arc::new(batch) }
        }
        Head::SnapChunk { epoch, last } => {
            Message::SnapChunk { epoch: Epoch(*epoch), bytes: tail.as_slice().into(), last: *last }
        }
        Head::Payload { epoch } => Message::Payload { epoch: Epoch(*epoch), bytes: tail.as_slice().into() },
        _ => return Err(BadMessage::Tail),
    })
}

fn without_tail(head: Head) -> Result<Message, BadMessage> {
    Ok(match head {
        Head::Status { role, of, current, last, ensemble, membership, reaches } => {
            let role = match role {
                0 => RoleStatus::Looking { vote: None },
                1 => RoleStatus::Looking { vote: Some(ServerId(of)) },
                2 => RoleStatus::Following { leader: ServerId(of) },
                3 => RoleStatus::Leading,
                _ => return Err(BadMessage::Head),
            };
            Message::Status(Status {
                role,
                current: Epoch(current),
                last: Zxid(last),
                standing: standing(ensemble, membership),
                reaches: reaches.into_iter().map(ServerId).collect(),
            })
        }
        Head::FollowerInfo { accepted } => Message::FollowerInfo { accepted: Epoch(accepted) },
        Head::LeaderInfo { epoch } => Message::LeaderInfo { epoch: Epoch(epoch) },
        Head::AckEpoch { epoch, fresh, current, last } => {
            Message::AckEpoch { epoch: Epoch(epoch), fresh, current: Epoch(current), last: Zxid(last) }
        }
        Head::Sync { epoch, ensemble, start, zxid, state: (digest, nodes, sessions) } => {
            let start = match start {
                0 => SyncStart::Diff,
                1 => SyncStart::Trunc(Zxid(zxid)),
                2 => SyncStart::Snap(StateHead { zxid: Zxid(zxid), digest, nodes, sessions }),
                _ => return Err(BadMessage::Head),
            };
            Message::Sync { epoch: Epoch(epoch), ensemble, start }
        }
        Head::SnapTaken { epoch, bytes } => Message::SnapTaken { epoch: Epoch(epoch), bytes },
        Head::NewLeader { epoch, through } => Message::NewLeader { epoch: Epoch(epoch), through: Zxid(through) },
        Head::AckNewLeader { epoch } => Message::AckNewLeader { epoch: Epoch(epoch) },
        Head::UpToDate { epoch, committed, proposed } => {
            Message::UpToDate { epoch: Epoch(epoch), committed: Zxid(committed), proposed: Zxid(proposed) }
        }
        Head::Ack { epoch, through } => Message::Ack { epoch: Epoch(epoch), through: Zxid(through) },
        Head::Commit { epoch, through, with_yours } => {
            Message::Commit { epoch: Epoch(epoch), through: Zxid(through), with_yours: Zxid(with_yours) }
        }
        Head::Ping => Message::Ping,
        Head::Confirm { epoch, round } => Message::Confirm { epoch: Epoch(epoch), round },
        Head::Confirmed { epoch, round } => Message::Confirmed { epoch: Epoch(epoch), round },
        Head::Propose { .. } | Head::SnapChunk { .. } | Head::Payload { .. } => return Err(BadMessage::Tail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameHeader, encode as encode_frame};
    use crate::ids::{SessionId, Tag, WallMs};

    fn batch() -> Arc<FrameBatch> {
        let mut bytes = FrameBuf::new();
        for n in 1..=3 {
            let header = FrameHeader {
                zxid: Zxid(n),
                prev_zxid: Zxid(n - 1),
                session: SessionId(1),
                wall: WallMs(2),
                cxid: 3,
                txn_type: 5,
                tag: Tag(6),
            };
            encode_frame(&mut bytes, &header, |out| out.extend_from_slice(b"body"));
        }
        Arc::new(FrameBatch::new(bytes))
    }

    fn all() -> Vec<Message> {
        let (epoch, through, committed) = (Epoch(7), Zxid(8), Zxid(9));
        let status = |role| {
            let standing = Standing { ensemble: 5, member: false, lapsed: true, founder: true };
            Message::Status(Status { role, current: Epoch(1), last: Zxid(2), standing, reaches: [ServerId(3)].into() })
        };
        let sync = |start| Message::Sync { epoch, ensemble: 4, start };
        vec![
            status(RoleStatus::Looking { vote: None }),
            status(RoleStatus::Looking { vote: Some(ServerId(9)) }),
            status(RoleStatus::Following { leader: ServerId(2) }),
            status(RoleStatus::Leading),
            Message::FollowerInfo { accepted: epoch },
            Message::LeaderInfo { epoch },
            Message::AckEpoch { epoch, fresh: true, current: Epoch(6), last: through },
            sync(SyncStart::Diff),
            sync(SyncStart::Trunc(through)),
            sync(SyncStart::Snap(StateHead { zxid: through, digest: 1, nodes: 2, sessions: 3 })),
            Message::SnapChunk { epoch, bytes: [1, 2, 3].into(), last: true },
            Message::SnapTaken { epoch, bytes: 5 },
            Message::NewLeader { epoch, through },
            Message::AckNewLeader { epoch },
            Message::UpToDate { epoch, committed, proposed: through },
            Message::Propose { epoch, committed, batch: batch() },
            Message::Ack { epoch, through },
            Message::Commit { epoch, through, with_yours: committed },
            Message::Ping,
            Message::Confirm { epoch, round: 3 },
            Message::Confirmed { epoch, round: 3 },
            Message::Payload { epoch, bytes: [7; 40].into() },
        ]
    }

    fn received(tail: &Tail) -> Option<FrameBuf> {
        let bytes: &[u8] = match tail {
            Tail::None => return None,
            Tail::Batch(batch) => batch.as_bytes(),
            Tail::Bytes(bytes) => bytes,
        };
        let mut buf = FrameBuf::new();
        buf.extend_from_slice(bytes);
        Some(buf)
    }

    #[test]
    fn messages_arrive_as_they_were_sent() {
        for message in all() {
            let (head, tail) = encode(&message);
            let read = decode(&head, received(&tail)).unwrap();
            assert_eq!(format!("{read:?}"), format!("{message:?}"));
        }
    }

    #[test]
    fn whatever_arrives_is_a_message_or_an_error() {
        for message in all() {
            let (head, tail) = encode(&message);
            for cut in 0..head.len() {
                let _ = decode(&head[..cut], received(&tail));
            }
            for bit in 0..head.len() * 8 {
                let mut bad = head.to_vec();
                bad[bit / 8] ^= 1 << (bit % 8);
                let _ = decode(&bad, received(&tail));
                let _ = decode(&bad, None);
            }
        }
    }

    #[test]
    fn damaged_frames_are_noticed() {
        let (head, tail) = encode(&Message::Propose { epoch: Epoch(1), committed: Zxid(1), batch: batch() });
        let whole = received(&tail).unwrap();
        for at in 0..whole.len() {
            let mut bad = FrameBuf::new();
            bad.extend_from_slice(&whole);
            bad[at] ^= 4;
            assert_eq!(decode(&head, Some(bad)).unwrap_err(), BadMessage::Frames, "byte {at}");
        }
        for cut in 0..whole.len() {
            let mut bad = FrameBuf::new();
            bad.extend_from_slice(&whole[..cut]);
            let whole_frames = cut > 0 && cut % (whole.len() / 3) == 0;
            assert_eq!(decode(&head, Some(bad)).is_ok(), whole_frames, "{cut} bytes");
        }
    }
}
