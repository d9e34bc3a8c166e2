//! What replicas write to each other beside agreement: requests on their way to the leader, its verdicts on the way
//! back, and which sessions were heard from.

use super::submitted::{Judged, Verdict};
use crate::error_code::ErrorCode;
use crate::ids::Zxid;
use crate::jute::Refusal;
use rkyv::rancor::Error as RkyvError;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};
use std::sync::Arc;

/// One letter.
#[derive(Archive, Serialize, Deserialize, Default, Debug)]
pub(super) struct Letter {
    /// Who connections had proved to be; requests name them by their place here.
    pub(super) identities: Vec<Vec<(String, String)>>,
    /// In the order in which they were taken from clients.
    pub(super) wishes: Vec<WishLetter>,
    /// Bodies and passwords of the wishes, one after the other: a letter of a hundred requests is no hundred
    /// allocations.
    pub(super) bodies: Vec<u8>,
    pub(super) verdicts: Vec<VerdictLetter>,
    /// A quorum has answered so many of the leader's rounds of confirmation.
    pub(super) confirmed: u64,
    /// Sessions that were heard from.
    pub(super) touched: Vec<i64>,
}

/// A request.
#[derive(Archive, Serialize, Deserialize, Debug)]
pub(super) struct WishLetter {
    pub(super) tag: u64,
    pub(super) session: i64,
    pub(super) kind: WishKind,
}

#[derive(Archive, Serialize, Deserialize, Debug)]
pub(super) enum WishKind {
    Open {
        timeout_ms: i32,
    },
    /// With the length of its password.
    TakeUp {
        passwd: u32,
        timeout_ms: i32,
    },
    /// With the length of its body.
    Request {
        attached: u64,
        cxid: i32,
        op: i32,
        identity: u32,
        body: u32,
    },
}

/// A verdict on one of the receiver's requests.
#[derive(Archive, Serialize, Deserialize, Debug)]
pub(super) struct VerdictLetter {
    pub(super) tag: u64,
    pub(super) released_by: u64,
    pub(super) round: u64,
    pub(super) kind: VerdictKind,
}

#[derive(Archive, Serialize, Deserialize, Debug)]
pub(super) enum VerdictKind {
    Refused(i32),
    Malformed { error: Option<i32>, multi_end: bool, close: bool },
    MultiRefused { steps: u32, failed: u32, error: i32 },
    Synced,
    ConnectRefused,
    Moved,
}

impl Letter {
    pub(super) fn is_empty(&self) -> bool {
        self.wishes.is_empty() && self.verdicts.is_empty() && self.confirmed == 0 && self.touched.is_empty()
    }

    pub(super) fn encode(&self) -> Arc<[u8]> {
        let bytes = rkyv::to_bytes::<RkyvError>(self).expect("archiving into memory cannot fail");
        Arc::from(bytes.as_slice())
    }

    /// `None` if the bytes are no letter.
    pub(super) fn decode(bytes: &[u8]) -> Option<Letter> {
        let mut aligned = AlignedVec::<16>::with_capacity(bytes.len());
        aligned.extend_from_slice(bytes);
        rkyv::from_bytes::<Letter, RkyvError>(&aligned).ok()
    }
}

impl VerdictLetter {
    pub(super) fn new(tag: u64, judged: &Judged) -> VerdictLetter {
        let kind = match &judged.verdict {
            Verdict::Refused(error) => VerdictKind::Refused(error.wire()),
            Verdict::Malformed(Refusal { error, multi_end, close }) => {
                VerdictKind::Malformed { error: error.map(ErrorCode::wire), multi_end: *multi_end, close: *close }
            }
            Verdict::MultiRefused { steps, failed, error } => {
                VerdictKind::MultiRefused { steps: *steps, failed: *failed, error: error.wire() }
            }
            Verdict::Synced => VerdictKind::Synced,
            Verdict::ConnectRefused => VerdictKind::ConnectRefused,
            Verdict::Moved => VerdictKind::Moved,
        };
        VerdictLetter { tag, released_by: judged.released_by.0, round: judged.round, kind }
    }

    /// `None` if it names an error that there is not.
    pub(super) fn judged(&self) -> Option<Judged> {
        let verdict = match &self.kind {
            VerdictKind::Refused(error) => Verdict::Refused(ErrorCode::from_wire(*error)?),
            VerdictKind::Malformed { error, multi_end, close } => {
                let error = match error {
                    Some(error) => Some(ErrorCode::from_wire(*error)?),
                    None => None,
                };
                Verdict::Malformed(Refusal { error, multi_end: *multi_end, close: *close })
            }
            VerdictKind::MultiRefused { steps, failed, error } => {
                Verdict::MultiRefused { steps: *steps, failed: *failed, error: ErrorCode::from_wire(*error)? }
            }
            VerdictKind::Synced => Verdict::Synced,
            VerdictKind::ConnectRefused => Verdict::ConnectRefused,
            VerdictKind::Moved => Verdict::Moved,
        };
        Some(Judged { verdict, released_by: Zxid(self.released_by), round: self.round })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_arrive_as_they_were_written() {
        let refusal = Refusal { error: None, multi_end: true, close: false };
        let verdicts = [
            Verdict::Refused(ErrorCode::NoNode),
            Verdict::Malformed(refusal),
            Verdict::MultiRefused { steps: 3, failed: 1, error: ErrorCode::BadVersion },
            Verdict::Synced,
            Verdict::ConnectRefused,
            Verdict::Moved,
        ];
        let judged = verdicts.map(|verdict| Judged { verdict, released_by: Zxid(8), round: 5 });
        let kind = WishKind::Request { attached: 3, cxid: -4, op: 5, identity: 0, body: 3 };
        let letter = Letter {
            identities: vec![vec![("ip".into(), "127.0.0.1".into())]],
            wishes: vec![WishLetter { tag: 9, session: -1, kind }],
            bodies: vec![1, 2, 3],
            verdicts: judged.iter().map(|judged| VerdictLetter::new(7, judged)).collect(),
            confirmed: 4,
            touched: vec![1, -2],
        };
        let bytes = letter.encode();
        let read = Letter::decode(&bytes).unwrap();
        assert_eq!(format!("{read:?}"), format!("{letter:?}"));
        assert_eq!(read.verdicts.iter().map(|v| v.judged().unwrap()).collect::<Vec<_>>(), judged);
        for cut in 0..bytes.len() {
            // Whatever arrives, it is no panic.
            let _ = Letter::decode(&bytes[..cut]);
        }
    }
}
