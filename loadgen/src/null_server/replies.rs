//! Canned replies, and the little that has to be read of requests.

use super::answers::{CHECK, SET_DATA};

/// Canned replies: everything behind the xid.
pub struct Replies {
    /// Of `setData` and `exists`.
    pub stat: Vec<u8>,
    /// Of `getData`.
    pub data: Vec<u8>,
    /// Of `getChildren`.
    pub children: Vec<u8>,
    /// Of what is answered with a header alone.
    pub empty: Vec<u8>,
}

impl Replies {
    /// With values of so many bytes.
    pub fn new(value_size: usize) -> Replies {
        let ok = [0u8; 12];
        let mut stat = vec![0; 68];
        stat[52..56].copy_from_slice(&(value_size as i32).to_be_bytes());
        let mut data = ok.to_vec();
        data.extend_from_slice(&(value_size as i32).to_be_bytes());
        data.resize(data.len() + value_size, 7);
        data.extend_from_slice(&stat);
        let children = [&ok[..], &1i32.to_be_bytes(), &1i32.to_be_bytes(), b"x"].concat();
        Replies { stat: [&ok[..], &stat].concat(), data, children, empty: ok.to_vec() }
    }

    /// The results of a transaction of sets and checks; `None` if it is none.
    pub fn multi(&self, mut rest: &[u8]) -> Option<Vec<u8>> {
        let mut results = self.empty.clone();
        loop {
            let (op, tail) = int(rest)?;
            let (&done, tail) = tail.split_first()?;
            let (_, tail) = int(tail)?;
            if done != 0 {
                results.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff]);
                return Some(results);
            }
            let (_, tail) = text(tail)?;
            let tail = match op {
                SET_DATA => text(tail)?.1,
                CHECK => tail,
                _ => return None,
            };
            rest = int(tail)?.1;
            results.extend_from_slice(&[&op.to_be_bytes()[..], &[0; 5]].concat());
            if op == SET_DATA {
                results.extend_from_slice(&self.stat[12..]);
            }
        }
    }
}

/// The integer in front, and what follows.
pub fn int(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let (head, tail) = bytes.split_first_chunk::<4>()?;
    Some((i32::from_be_bytes(*head), tail))
}

/// The text or buffer in front, its length included, and what follows.
pub fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, _) = int(bytes)?;
    bytes.split_at_checked(4usize.checked_add(usize::try_from(len).ok()?)?)
}
