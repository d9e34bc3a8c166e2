//! A snapshot as a stream of sessions, access control lists and nodes.
//!
//! ```text
//!   magic "ZKSN" · int 2 · long dbid                      header
//!   int count · (long id · int timeout)*                  sessions
//!   int count · (long number · vector of entries)*        lists
//!   (string path · node)* · string "/"                    nodes, parents first; the root's path is ""
//!   long adler · string "/"                               seal: checksum of all bytes before it
//!   long zxid · int version · long digest · seal          from 3.6 on, unless digest.enabled=false
//!   long last zxid · seal                                 from 3.9 on, unless serializeLastProcessedZxid.enabled=false
//! ```
//!
//! A snapshot is written while transactions are applied: it is of no single zxid, and becomes so only by replaying the log
//! over it. Source: `FileSnap`, `SnapStream`, `DataTree`; surface 8.3.

use crate::digest::TreeDigest;
use crate::error::FileError;
use crate::input::Input;
use ringkeeper_core::acl::Acl;
use simd_adler32::Adler32;
use std::io::BufRead;

pub(crate) const MAGIC: [u8; 4] = *b"ZKSN";
pub(crate) const VERSION: i32 = 2;
/// What stands for the open list in place of a list's number.
pub(crate) const OPEN_ACL: i64 = -1;

const SEAL: usize = 8 + 4 + 1;
const DIGEST: usize = 8 + 4 + 8 + SEAL;
const LAST_ZXID: usize = 8 + SEAL;

/// What is stored of a node besides data and list.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[allow(missing_docs, reason = "the fields of ZooKeeper's StatPersisted")]
pub struct Stat {
    pub czxid: i64,
    pub mzxid: i64,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    /// Children ever created.
    pub cversion: i32,
    pub aversion: i32,
    /// A session, or the marker of a container or TTL node.
    pub owner: i64,
    pub pzxid: i64,
}

/// A node of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its path; the root's is "".
    pub path: String,
    /// Null is not empty.
    pub data: Option<Vec<u8>>,
    /// Number of its list; -1 is the open one.
    pub acl: i64,
    /// Everything else.
    pub stat: Stat,
}

/// What a snapshot consists of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// A session and its timeout in milliseconds.
    Session(i64, i32),
    /// A list under its number.
    Acl(i64, Vec<Acl>),
    /// A node.
    Node(Node),
}

/// What stands behind the nodes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tail {
    /// The newest transaction that was applied when the writing ended, and the digest after it.
    pub digest: Option<(i64, TreeDigest)>,
    /// The newest transaction that was applied when the writing ended.
    pub last_zxid: Option<i64>,
}

enum Part {
    Sessions(i32),
    Acls(i32),
    Nodes,
    End(Tail),
}

/// Reads a snapshot item by item, in constant memory.
pub struct SnapshotReader<R> {
    input: Input<R>,
    part: Part,
}

impl<R: BufRead> SnapshotReader<R> {
    /// Begins with the header. `file` is for messages.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn open(file: &str, from: R) -> Result<SnapshotReader<R>, FileError> {
        let mut input = Input::new(from, file, 0);
        if input.array()? != MAGIC {
            let what = "no snapshot of ZooKeeper's: it does not begin with ZKSN".to_owned();
            return Err(FileError::Foreign { file: file.to_owned(), what });
        }
        let version = input.int()?;
        if version != VERSION {
            return Err(FileError::Version { file: file.to_owned(), version, known: VERSION });
        }
        let _dbid = input.long()?;
        let sessions = count(&mut input)?;
        Ok(SnapshotReader { input, part: Part::Sessions(sessions) })
    }

    /// The next item; `None` when everything was read and the checksums agree.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn next_item(&mut self) -> Result<Option<Item>, FileError> {
        loop {
            match &mut self.part {
                Part::Sessions(0) => self.part = Part::Acls(count(&mut self.input)?),
                Part::Sessions(left) => {
                    *left -= 1;
                    return Ok(Some(Item::Session(self.input.long()?, self.input.int()?)));
                }
                Part::Acls(0) => self.part = Part::Nodes,
                Part::Acls(left) => {
                    *left -= 1;
                    let number = self.input.long()?;
                    let acl = self.input.acl()?.ok_or_else(|| self.input.damaged("a list that is null"))?;
                    return Ok(Some(Item::Acl(number, acl)));
                }
                Part::Nodes => {
                    let path = self.input.string()?;
                    if path != "/" {
                        return self.node(path).map(|node| Some(Item::Node(node)));
                    }
                    self.part = Part::End(self.read_tail()?);
                }
                Part::End(_) => return Ok(None),
            }
        }
    }

    /// What stands behind the nodes, once they have been read.
    #[must_use]
    pub fn tail(&self) -> Tail {
        if let Part::End(tail) = self.part { tail } else { Tail::default() }
    }

    /// Where the next item begins, in bytes of what the file decompresses to.
    pub fn offset(&self) -> u64 {
        self.input.at()
    }

    fn node(&mut self, path: String) -> Result<Node, FileError> {
        let input = &mut self.input;
        let (data, acl) = (input.buffer()?, input.long()?);
        let stat = Stat {
            czxid: input.long()?,
            mzxid: input.long()?,
            ctime: input.long()?,
            mtime: input.long()?,
            version: input.int()?,
            cversion: input.int()?,
            aversion: input.int()?,
            owner: input.long()?,
            pzxid: input.long()?,
        };
        Ok(Node { path, data, acl, stat })
    }

    fn read_tail(&mut self) -> Result<Tail, FileError> {
        let (at, mut sum) = (self.input.at(), self.input.sum());
        let seal: [u8; SEAL] = self.input.array()?;
        self.check_seal(at, &mut sum, &seal)?;
        // Each of the other parts is there or not, depending on version and settings: their lengths tell.
        let start = self.input.at();
        let rest = self.input.up_to((DIGEST + LAST_ZXID + 1) as u64)?;
        let (digest, last) = match rest.len() {
            0 => (0, 0),
            DIGEST => (DIGEST, 0),
            LAST_ZXID => (0, LAST_ZXID),
            n if n == DIGEST + LAST_ZXID => (DIGEST, LAST_ZXID),
            _ => return Err(self.input.damaged_at(start, "something unknown behind the nodes and their checksum")),
        };
        let (digest, last) = (&rest[..digest], &rest[digest..digest + last]);
        let mut tail = Tail::default();
        let mut at = start;
        for part in [digest, last] {
            if let Some((part, seal)) = part.split_last_chunk::<SEAL>() {
                sum.write(part);
                self.check_seal(at + part.len() as u64, &mut sum, seal)?;
            }
            at += part.len() as u64;
        }
        if let Some((zxid, rest)) = digest.split_first_chunk()
            && let Some((version, rest)) = rest.split_first_chunk()
            && let Some((value, _)) = rest.split_first_chunk()
        {
            let (zxid, version, value) =
                (i64::from_be_bytes(*zxid), i32::from_be_bytes(*version), u64::from_be_bytes(*value));
            // Zeros were written before there was any transaction.
            tail.digest = (zxid > 0).then_some((zxid, TreeDigest { version, value }));
        }
        tail.last_zxid = last.first_chunk().map(|zxid| i64::from_be_bytes(*zxid));
        Ok(tail)
    }

    /// Of a seal at `at`: `sum` is that of all bytes before it, and of the seal as well afterwards.
    fn check_seal(&self, at: u64, sum: &mut Adler32, seal: &[u8; SEAL]) -> Result<(), FileError> {
        let (found, stated) =
            (u64::from(sum.finish()), u64::from_be_bytes(*seal.first_chunk().expect("a seal is longer")));
        if stated != found {
            let what = format!("the checksum is {stated:x}, the bytes before it give {found:x}");
            return Err(self.input.damaged_at(at, what));
        }
        if seal[8..] != *b"\0\0\0\x01/" {
            return Err(self.input.damaged_at(at + 8, "no end behind the checksum"));
        }
        sum.write(seal);
        Ok(())
    }
}

fn count<R: BufRead>(input: &mut Input<R>) -> Result<i32, FileError> {
    let at = input.at();
    let count = input.int()?;
    if count < 0 { Err(input.damaged_at(at, format!("the count {count}"))) } else { Ok(count) }
}
