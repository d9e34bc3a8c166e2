//! Makes a server's directories as they were at some time.

use super::{BackupDir, Chain, piece};
use crate::offline::describe::moment;
use crate::offline::source::read_snapshot;
use crate::offline::{Directories, founding};
use anyhow::Context as _;
use ringkeeper_core::frame::Frame;
use ringkeeper_core::ids::{WallMs, Zxid};
use ringkeeper_core::tree::{Applied, Tree};
use ringkeeper_txnlog::snapshot::snapshot_name;

/// Which state is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// The newest.
    Newest,
    /// The one after exactly this transaction.
    Zxid(Zxid),
    /// The one at this moment: without the first transaction that was later, and all that follow it.
    Time(WallMs),
}

impl Target {
    /// Whether a chain has it.
    fn is_in(self, chain: &Chain) -> bool {
        match self {
            Target::Newest => true,
            Target::Zxid(zxid) => (chain.first()..=chain.last()).contains(&zxid),
            Target::Time(at) => chain.base.is_none_or(|base| base.wall <= at),
        }
    }

    /// Whether it is the end of a chain that has it: then it may have been followed by what the backup has no more.
    fn is_the_end_of(self, chain: &Chain) -> bool {
        match self {
            Target::Newest => true,
            Target::Zxid(_) => false,
            Target::Time(at) => at >= chain.last_wall(),
        }
    }

    /// Whether this transaction is behind it.
    fn is_before(self, frame: &Frame<'_>) -> bool {
        match self {
            Target::Newest => false,
            Target::Zxid(zxid) => frame.zxid() > zxid,
            Target::Time(at) => frame.wall() > at,
        }
    }
}

/// What was restored.
pub(crate) struct Restored {
    /// The state.
    pub(crate) tree: Tree,
    /// When its last transaction was; unknown if that is of the snapshot.
    pub(crate) wall: Option<WallMs>,
    /// Transactions after the snapshot.
    pub(crate) transactions: u64,
}

/// Writes the state into directories, which must be empty. `progress` is told of pieces of any size.
///
/// # Errors
/// If the backup does not have that state, or is damaged; of the file system.
pub(crate) fn restore(
    from: &BackupDir,
    target: Target,
    to: &Directories,
    progress: &mut dyn FnMut(),
) -> anyhow::Result<Restored> {
    let chains = from.chains()?;
    let chain = chains.iter().rev().find(|chain| target.is_in(chain)).with_context(|| missing(&chains))?;
    let (last, reached) = (chain.last(), from.reached()?);
    anyhow::ensure!(
        reached == last || !target.is_the_end_of(chain),
        "{} has been taken through {reached}, and what follows {last} of {} is missing in it: look for the files; \
         --to-zxid {last} restores what is left",
        from.path.display(),
        moment(chain.last_wall())
    );
    let mut restored = rebuild(from, chain, target, progress)?;
    let zxid = restored.tree.last_zxid();
    if let Target::Zxid(wanted) = target {
        anyhow::ensure!(zxid == wanted, "{wanted} is no transaction; {}", neighbour(zxid));
    }
    anyhow::ensure!(zxid != Zxid::ZERO, "at that time there was no transaction yet: start with an empty directory");
    founding::found(to, &mut restored.tree, zxid.epoch())
        .with_context(|| format!("{} is not complete and must not be used: remove what is in it", to.data.display()))?;
    Ok(restored)
}

/// What there is in place of a transaction that there is not.
fn neighbour(before: Zxid) -> String {
    match before {
        Zxid::ZERO => "nor is there one before it".to_owned(),
        before => format!("the one before it is {before}"),
    }
}

fn missing(chains: &[Chain]) -> String {
    let range = |chain: &Chain| format!("{} to {}", chain.first(), chain.last());
    let ranges: Vec<String> = chains.iter().map(range).collect();
    format!(
        "the backup does not have that state; it has {}",
        if ranges.is_empty() { "none".into() } else { ranges.join(", ") }
    )
}

fn rebuild(from: &BackupDir, chain: &Chain, target: Target, progress: &mut dyn FnMut()) -> anyhow::Result<Restored> {
    let tree = match chain.base {
        Some(base) => read_snapshot(&from.path.join(snapshot_name(base.zxid)), progress)?,
        None => Tree::new(),
    };
    let mut restored = Restored { tree, wall: None, transactions: 0 };
    let (mut applied, mut done) = (Applied::default(), false);
    for head in &chain.pieces {
        if done {
            break;
        }
        piece::read(&from.path.join(head.name()), |frame| {
            progress();
            if frame.zxid() <= restored.tree.last_zxid() {
                return Ok(true);
            }
            done = target.is_before(frame);
            if done {
                return Ok(false);
            }
            let (last, prev) = (restored.tree.last_zxid(), frame.prev_zxid());
            anyhow::ensure!(prev == last, "transaction {} follows {prev}, not {last}", frame.zxid());
            restored.tree.apply(frame, &mut applied).with_context(|| format!("transaction {}", frame.zxid()))?;
            restored.wall = Some(frame.wall());
            restored.transactions += 1;
            Ok(true)
        })?;
    }
    Ok(restored)
}

#[cfg(test)]
mod tests {
    use super::super::chain::Base;
    use super::super::piece::PieceWriter;
    use super::*;
    use ringkeeper_core::frame::{FrameBuf, FrameHeader, encode};
    use ringkeeper_core::ids::{SessionId, Tag};
    use std::path::Path;

    /// Transactions with their times; the last one is of the next epoch.
    const TRANSACTIONS: [(u64, i64); 4] = [(1, 1000), (2, 2000), (3, 2000), (1 << 32 | 1, 4000)];

    fn backup(dir: &Path) -> BackupDir {
        let backup = BackupDir::open_or_begin(dir, 7).unwrap();
        piece(dir, 7, 0, &TRANSACTIONS);
        backup
    }

    fn piece(dir: &Path, ensemble: u64, prev: u64, transactions: &[(u64, i64)]) {
        let mut prev_zxid = Zxid(prev);
        let mut writer = PieceWriter::create(dir, prev_zxid, ensemble).unwrap();
        for (zxid, wall) in transactions.iter().copied() {
            let (mut bytes, zxid) = (FrameBuf::new(), Zxid(zxid));
            // The end of a session that nobody has.
            let (session, wall, tag) = (SessionId(1), WallMs(wall), Tag::NONE);
            let header = FrameHeader { zxid, prev_zxid, session, wall, cxid: 0, txn_type: -11, tag };
            encode(&mut bytes, &header, |_| {});
            writer.add(&Frame::parse(&bytes).unwrap()).unwrap();
            prev_zxid = zxid;
        }
        writer.finish().unwrap();
    }

    #[test]
    fn exactly_the_state_that_is_wanted_or_none() {
        let tmp = tempfile::tempdir().unwrap();
        let backup = backup(&tmp.path().join("backup"));
        let wanted = std::cell::Cell::new(0);
        let restored = |target| {
            wanted.set(wanted.get() + 1);
            let to = Directories::new(&tmp.path().join(wanted.get().to_string()), None);
            restore(&backup, target, &to, &mut || ()).map(|restored| (restored.tree.last_zxid(), restored.transactions))
        };
        let said = |target| format!("{:#}", restored(target).expect_err("it is not there"));
        assert_eq!(restored(Target::Zxid(Zxid(2))).unwrap(), (Zxid(2), 2));
        assert_eq!(restored(Target::Newest).unwrap(), (Zxid(1 << 32 | 1), 4));
        assert!(said(Target::Zxid(Zxid(9))).contains("is no transaction; the one before it is 0x3"));
        assert!(said(Target::Zxid(Zxid(2 << 32))).contains("does not have that state"));
        let at = |ms| restored(Target::Time(WallMs(ms))).unwrap().0;
        assert_eq!([at(1999), at(2000), at(3999), at(4000)], [1, 3, 3, 1 << 32 | 1].map(Zxid));
        assert!(said(Target::Time(WallMs(999))).contains("no transaction yet"));
    }

    #[test]
    fn pieces_that_overlap_and_pieces_that_are_missing() {
        let tmp = tempfile::tempdir().unwrap();
        let restored = |target: Target, name: &str, pieces: &[(u64, &[(u64, i64)])]| {
            let dir = tmp.path().join(name);
            let backup = BackupDir::open_or_begin(&dir, 7).unwrap();
            pieces.iter().for_each(|(prev, transactions)| piece(&dir, 7, *prev, transactions));
            backup.reaches(Zxid(3)).unwrap();
            let to = Directories::new(&tmp.path().join(format!("{name}-restored")), None);
            let restored = restore(&backup, target, &to, &mut || ()).map_err(|error| format!("{error:#}"));
            restored.map(|restored| (restored.tree.last_zxid().0, restored.transactions))
        };
        let newest = |name: &str, pieces: &[(u64, &[(u64, i64)])]| restored(Target::Newest, name, pieces);
        let [one, two, three, four] = TRANSACTIONS;
        let last = 1 << 32 | 1;
        // Each transaction once, from wherever.
        assert_eq!(newest("overlap", &[(0, &[one, two]), (1, &[two, three]), (2, &[three, four])]), Ok((last, 4)));
        assert_eq!(newest("further", &[(0, &[one, two, three]), (1, &[two, three, four])]), Ok((last, 4)));
        assert_eq!(newest("within", &[(0, &[one, two, three, four]), (1, &[two])]), Ok((last, 4)));
        // What was there and is lost is not passed over in silence.
        let lost = newest("end", &[(0, &[one, two])]).unwrap_err();
        assert!(
            lost.contains("taken through 0x3, and what follows 0x2 of 1970-01-01T00:00:02.000Z is missing"),
            "{lost}"
        );
        assert!(lost.contains("--to-zxid 0x2 restores what is left"), "{lost}");
        assert_eq!(restored(Target::Zxid(Zxid(2)), "left", &[(0, &[one, two])]), Ok((2, 2)));
        let at = |ms: i64, name: &str| restored(Target::Time(WallMs(ms)), name, &[(0, &[one, two])]);
        assert_eq!(at(1999, "before"), Ok((1, 1)));
        assert!(at(2000, "since").unwrap_err().contains("is missing"), "a transaction of the same moment may be lost");
        let gap = newest("gap", &[(0, &[one, two]), (3, &[four])]).unwrap_err();
        assert!(
            gap.contains("taken through 0x100000001, and what follows 0x2"),
            "what is behind a gap is of no use: {gap}"
        );
        assert!(newest("begin", &[(2, &[three, four])]).unwrap_err().contains("it has none"));
        // Pieces that join by number and were not made of one history.
        let other = newest("other", &[(0, &[one, three]), (2, &[four])]);
        assert!(other.unwrap_err().contains("follows 0x2, not 0x3"));
    }

    #[test]
    fn a_piece_of_another_ensemble_or_name_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        let backup = backup(tmp.path());
        let said = || format!("{:#}", backup.chains().unwrap_err());
        piece(tmp.path(), 8, 1 << 32 | 1, &[(1 << 32 | 2, 5000)]);
        assert!(said().contains("of another ensemble"), "{}", said());
        let name = |prev: u64, last: u64| tmp.path().join(format!("frames.{prev:016x}-{last:016x}"));
        std::fs::remove_file(name(1 << 32 | 1, 1 << 32 | 2)).unwrap();
        std::fs::rename(name(0, 1 << 32 | 1), name(0, 9)).unwrap();
        assert!(said().contains("has transactions"), "{}", said());
    }

    #[test]
    fn a_chain_begins_with_its_snapshot() {
        let base = Base { zxid: Zxid(5), wall: WallMs(500) };
        let chain = Chain { base: Some(base), pieces: Vec::new() };
        let is_in = |target: Target| target.is_in(&chain);
        assert_eq!([4, 5, 6].map(|zxid| is_in(Target::Zxid(Zxid(zxid)))), [false, true, false]);
        assert_eq!([499, 500, 501].map(|ms| is_in(Target::Time(WallMs(ms)))), [false, true, true]);
    }
}
