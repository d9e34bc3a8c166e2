//! Makes a server's directories as they were at some time.

use super::{BackupDir, Chain, piece};
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
            restored.tree.apply(frame, &mut applied).with_context(|| format!("transaction {}", frame.zxid()))?;
            restored.wall = Some(frame.wall());
            restored.transactions += 1;
            Ok(true)
        })?;
    }
    Ok(restored)
}
