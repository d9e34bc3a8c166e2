//! A whole directory: the newest snapshot that is intact, and every transaction after it.
//!
//! ZooKeeper takes whatever it finds. Here a transaction that is missing between two others is noticed: within an epoch
//! zxids have no gaps, as refused requests have one, too. Source: `FileTxnSnapLog.restore`; surface 8.1.

use crate::compression::decompressed;
use crate::data_tree::DataTree;
use crate::digest::TreeDigest;
use crate::error::FileError;
use crate::log::{LogEnd, LogReader};
use crate::snapshot::{SnapshotReader, Tail};
use std::io::{self, Read};

/// The files of a server, wherever they are.
pub trait Files {
    /// Names of all files, in any order.
    ///
    /// # Errors
    /// Of the file system.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Opens one of them.
    ///
    /// # Errors
    /// Of the file system.
    fn open(&self, name: &str) -> io::Result<Box<dyn Read + '_>>;
}

/// What was made of a directory.
pub struct Loaded {
    /// The state after the last transaction.
    pub tree: DataTree,
    /// What was read for that.
    pub report: Report,
}

/// What was read, and what was noticed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The snapshot that it began with.
    pub snapshot: String,
    /// Newer snapshots that could not be used, and why.
    pub passed_over: Vec<String>,
    /// Log files that were read.
    pub logs: usize,
    /// Transactions after the snapshot, refused ones included.
    pub transactions: u64,
    /// Ends of log files in the middle of a transaction.
    pub torn: Vec<String>,
    /// Whether the state is that which ZooKeeper had.
    pub digest: DigestCheck,
    /// The snapshot had seen this transaction, and the log does not reach so far.
    pub beyond_the_log: Option<i64>,
}

/// What a comparison of digests has shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DigestCheck {
    /// ZooKeeper had written none that is of this state.
    Absent,
    /// They are equal.
    Agrees(TreeDigest),
    /// They are not.
    Differs {
        /// ZooKeeper's.
        stated: TreeDigest,
        /// That of what was read.
        found: TreeDigest,
    },
}

/// The zxid in a snapshot's file name.
#[must_use]
pub fn snapshot_zxid(name: &str) -> Option<i64> {
    let rest = name.strip_prefix("snapshot.")?;
    let hex = rest.strip_suffix(".gz").or_else(|| rest.strip_suffix(".snappy")).unwrap_or(rest);
    zxid(hex)
}

/// The zxid in a log's file name.
#[must_use]
pub fn log_zxid(name: &str) -> Option<i64> {
    zxid(name.strip_prefix("log.")?)
}

fn zxid(hex: &str) -> Option<i64> {
    let digits = !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| i64::from_str_radix(hex, 16).ok())?
}

/// Reads the state of a server after its last transaction, or after `through` if that comes before. `progress` is told
/// of each transaction and each node, and may print.
///
/// # Errors
/// [`FileError`]
pub fn load(files: &impl Files, through: Option<i64>, progress: &mut dyn FnMut()) -> Result<Loaded, FileError> {
    let names = files.names().map_err(|source| FileError::Io { file: "the directory".to_owned(), source })?;
    let through = through.unwrap_or(i64::MAX);
    let logs = sorted(&names, log_zxid);
    let mut passed_over = Vec::new();
    for (zxid, name) in sorted(&names, snapshot_zxid).into_iter().rev().filter(|(zxid, _)| *zxid <= through) {
        match read_snapshot(files, name, zxid, progress) {
            Ok((_, tail)) if tail.digest.is_some_and(|(seen, _)| seen > through) => {
                passed_over.push(format!("{name} has seen transactions that are not wanted"));
            }
            Ok((tree, tail)) => {
                let report = Report {
                    snapshot: name.to_owned(),
                    passed_over,
                    logs: 0,
                    transactions: 0,
                    torn: Vec::new(),
                    digest: DigestCheck::Absent,
                    beyond_the_log: None,
                };
                let mut replay = Replay { tree, report, through, digest: None };
                replay.read_all(files, &logs, progress)?;
                return Ok(replay.end(zxid, tail));
            }
            Err(error) if error.is_damage() => passed_over.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Err(FileError::Incomplete(match passed_over.first() {
        None if logs.is_empty() => {
            "there are neither snapshots (snapshot.*) nor logs (log.*) of ZooKeeper's".to_owned()
        }
        None => "there are transaction logs, but no snapshot that they could follow".to_owned(),
        Some(_) => format!("no snapshot can be used: {}", passed_over.join("; ")),
    }))
}

fn sorted(names: &[String], zxid: fn(&str) -> Option<i64>) -> Vec<(i64, &str)> {
    let mut files: Vec<_> = names.iter().filter_map(|name| Some((zxid(name)?, &**name))).collect();
    files.sort_unstable();
    files
}

fn open<'a>(files: &'a impl Files, name: &str) -> Result<Box<dyn Read + 'a>, FileError> {
    files.open(name).map_err(|source| FileError::Io { file: name.to_owned(), source })
}

fn read_snapshot(
    files: &impl Files,
    name: &str,
    zxid: i64,
    progress: &mut dyn FnMut(),
) -> Result<(DataTree, Tail), FileError> {
    let mut reader = SnapshotReader::open(name, decompressed(name, open(files, name)?))?;
    let mut tree = DataTree::default();
    loop {
        let offset = reader.offset();
        let Some(item) = reader.next_item()? else { break };
        let damaged = |what| FileError::Damaged { file: name.to_owned(), offset, what };
        tree.take(item).map_err(damaged)?;
        progress();
    }
    tree.taken(zxid);
    Ok((tree, reader.tail()))
}

struct Replay {
    tree: DataTree,
    report: Report,
    through: i64,
    /// After the last transaction that has changed something, if it was written.
    digest: Option<TreeDigest>,
}

impl Replay {
    fn read_all(
        &mut self,
        files: &impl Files,
        logs: &[(i64, &str)],
        progress: &mut dyn FnMut(),
    ) -> Result<(), FileError> {
        let next = self.tree.last_zxid() + 1;
        // The last file that begins before what is wanted may reach into it.
        let first = logs.partition_point(|(zxid, _)| *zxid < next).saturating_sub(1);
        for (_, name) in &logs[first..] {
            if self.tree.last_zxid() >= self.through {
                break;
            }
            self.read(files, name, progress)?;
        }
        Ok(())
    }

    fn read(&mut self, files: &impl Files, name: &str, progress: &mut dyn FnMut()) -> Result<(), FileError> {
        let mut reader = LogReader::open(name, decompressed("", open(files, name)?))?;
        self.report.logs += 1;
        let base = (self.report.transactions == 0).then_some(self.tree.last_zxid());
        while let Some(entry) = reader.next_entry()? {
            let zxid = entry.header.zxid;
            if base.is_some_and(|base| zxid <= base) {
                continue;
            }
            if zxid > self.through {
                return Ok(());
            }
            let last = self.tree.last_zxid();
            if !follows(last, zxid) {
                let what =
                    format!("transaction 0x{zxid:x} follows 0x{last:x}: what comes between, or its order, is lost");
                return Err(FileError::Damaged { file: name.to_owned(), offset: entry.offset, what });
            }
            self.tree.apply(&entry.header, &entry.txn);
            if !entry.txn.is_refused() {
                self.digest = entry.digest;
            }
            self.report.transactions += 1;
            progress();
        }
        if let Some(LogEnd::Torn { offset, what }) = reader.end() {
            self.report.torn.push(format!("{name} at offset {offset}: {what}"));
        }
        Ok(())
    }

    fn end(self, snapshot: i64, tail: Tail) -> Loaded {
        let Replay { tree, mut report, digest, .. } = self;
        let of_snapshot = tail.digest.filter(|(zxid, _)| *zxid == snapshot && report.transactions == 0);
        let stated = digest.or(of_snapshot.map(|(_, digest)| digest)).filter(|digest| digest.is_known());
        report.digest = stated.map_or(DigestCheck::Absent, |stated| {
            let found = tree.digest();
            if found == stated { DigestCheck::Agrees(found) } else { DigestCheck::Differs { stated, found } }
        });
        let seen = tail.digest.map(|(zxid, _)| zxid).max(tail.last_zxid);
        report.beyond_the_log = seen.filter(|seen| *seen > tree.last_zxid());
        Loaded { tree, report }
    }
}

/// Whether nothing is missing between two transactions, as far as zxids tell: what an epoch ended with is not known.
fn follows(last: i64, zxid: i64) -> bool {
    zxid == last + 1 || (zxid >> 32 > last >> 32 && zxid & 0xFFFF_FFFF == 1)
}
