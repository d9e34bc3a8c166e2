//! Transactions as ZooKeeper's log has them.
//!
//! Source: `SerializeUtils.deserializeTxn`, `DataTree.processTxn`; surface 8.2.

use crate::digest::TreeDigest;
use crate::error::FileError;
use crate::input::Input;
use ringkeeper_core::acl::Acl;
use std::io::BufRead;

/// High byte of the owner marker of TTL nodes; the rest is the TTL.
const TTL: i64 = 0xFF << 56;
const TTL_MAX: i64 = (1 << 40) - 1;
/// Owner marker of containers.
const CONTAINER: i64 = i64::MIN;
/// Of a digest behind a transaction: its version and value.
const DIGEST_LEN: usize = 4 + 8;

/// Who asked for a transaction, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxnHeader {
    /// The session.
    pub session: i64,
    /// The client's number of the request.
    pub cxid: i32,
    /// Its place in the order.
    pub zxid: i64,
    /// Milliseconds since 1970.
    pub time: i64,
    /// ZooKeeper's opcode.
    pub kind: i32,
}

/// A transaction. Versions are the new ones.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the fields of ZooKeeper's records")]
pub enum Txn {
    /// `owner` is the stored marker. A `parent_cversion` of -1 stands for one more than the parent has.
    Create {
        path: String,
        data: Option<Vec<u8>>,
        acl: Option<Vec<Acl>>,
        owner: i64,
        parent_cversion: i32,
    },
    /// Also of containers and TTL nodes, by the server.
    Delete {
        path: String,
    },
    /// Also a reconfiguration.
    SetData {
        path: String,
        data: Option<Vec<u8>>,
        version: i32,
    },
    SetAcl {
        path: String,
        acl: Option<Vec<Acl>>,
        aversion: i32,
    },
    /// A check within a multi, which leaves no trace.
    Check {
        path: String,
        version: i32,
    },
    CreateSession {
        timeout_ms: i32,
    },
    /// The ephemeral nodes that went with it; older versions do not write them.
    CloseSession {
        paths: Option<Vec<String>>,
    },
    /// A request that was refused, with the code; it has a zxid all the same.
    Error(i32),
    /// All with one zxid; a refused multi consists of errors.
    Multi(Vec<Txn>),
}

impl Txn {
    /// Whether nothing came of it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        match self {
            Txn::Error(_) => true,
            Txn::Multi(steps) => steps.iter().any(|step| matches!(step, Txn::Error(_))),
            _ => false,
        }
    }
}

/// Reads a whole payload: header, transaction, digest if there is one.
pub(crate) fn read(file: &str, at: u64, payload: &[u8]) -> Result<(TxnHeader, Txn, Option<TreeDigest>), FileError> {
    let mut input = Input::new(payload, file, at);
    let header = TxnHeader {
        session: input.long()?,
        cxid: input.int()?,
        zxid: input.long()?,
        time: input.long()?,
        kind: input.int()?,
    };
    let body = &payload[(input.at() - at) as usize..];
    let (txn, rest) = match header.kind {
        -11 => close_session(&mut input, body)?,
        _ => (record(&mut input, header.kind, header.session, body)?, body.len() - taken(&input, at, payload, body)),
    };
    let digest = match rest {
        0 => None,
        DIGEST_LEN => Some(TreeDigest { version: input.int()?, value: input.long()? as u64 }),
        _ => return Err(input.damaged(format!("{rest} bytes behind a transaction of type {}", header.kind))),
    };
    Ok((header, txn, digest))
}

fn taken<R: BufRead>(input: &Input<R>, at: u64, payload: &[u8], body: &[u8]) -> usize {
    (input.at() - at) as usize - (payload.len() - body.len())
}

/// The transaction, and how many bytes are behind it. It may have no body at all, and a body may look like a digest: but
/// that begins with its version, and no list of two paths is so short.
fn close_session(input: &mut Input<&[u8]>, body: &[u8]) -> Result<(Txn, usize), FileError> {
    let is_digest = body.len() == DIGEST_LEN && body[..4] == [0, 0, 0, 2];
    if body.is_empty() || is_digest {
        return Ok((Txn::CloseSession { paths: None }, body.len()));
    }
    let start = input.at();
    let paths = input.vector(Input::string)?;
    Ok((Txn::CloseSession { paths }, body.len() - (input.at() - start) as usize))
}

fn record(input: &mut Input<&[u8]>, kind: i32, session: i64, body: &[u8]) -> Result<Txn, FileError> {
    Ok(match kind {
        1 | 15 => create(input, kind, session, body)?,
        19 => {
            let (path, data, acl) = (input.string()?, input.buffer()?, input.acl()?);
            Txn::Create { path, data, acl, owner: CONTAINER, parent_cversion: input.int()? }
        }
        21 => {
            let (path, data, acl) = (input.string()?, input.buffer()?, input.acl()?);
            let (parent_cversion, ttl) = (input.int()?, input.long()?);
            if !(1..=TTL_MAX).contains(&ttl) {
                return Err(input.damaged(format!("a TTL of {ttl} ms")));
            }
            Txn::Create { path, data, acl, owner: TTL | ttl, parent_cversion }
        }
        2 | 20 => Txn::Delete { path: input.string()? },
        5 | 16 => Txn::SetData { path: input.string()?, data: input.buffer()?, version: input.int()? },
        7 => Txn::SetAcl { path: input.string()?, acl: input.acl()?, aversion: input.int()? },
        13 => Txn::Check { path: input.string()?, version: input.int()? },
        14 => Txn::Multi(steps(input, session)?),
        -1 => Txn::Error(input.int()?),
        -10 => Txn::CreateSession { timeout_ms: input.int()? },
        _ => return Err(input.damaged(format!("transaction type {kind} is not known: is it of a newer ZooKeeper?"))),
    })
}

/// Creates of 3.3 do not tell the parent's count: then nothing is left where it would be.
fn create(input: &mut Input<&[u8]>, kind: i32, session: i64, body: &[u8]) -> Result<Txn, FileError> {
    let start = input.at();
    let (path, data, acl) = (input.string()?, input.buffer()?, input.acl()?);
    let owner = if input.bool()? { session } else { 0 };
    let is_old = kind == 1 && (input.at() - start) as usize == body.len();
    let parent_cversion = if is_old { -1 } else { input.int()? };
    Ok(Txn::Create { path, data, acl, owner, parent_cversion })
}

fn steps(input: &mut Input<&[u8]>, session: i64) -> Result<Vec<Txn>, FileError> {
    let steps = input.vector(|input| {
        let (kind, at) = (input.int()?, input.at());
        let bytes = input.buffer()?.unwrap_or_default();
        if matches!(kind, 14 | -10 | -11 | 7 | 16) {
            return Err(input.damaged_at(at, format!("a transaction of type {kind} within a multi")));
        }
        // Its own length stands before it.
        record(&mut Input::new(&bytes[..], input.file(), at + 4), kind, session, &bytes)
    })?;
    Ok(steps.unwrap_or_default())
}
