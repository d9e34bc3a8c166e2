//! Taking up what is stored, and what the log tells in the core's terms.

use crate::config::{self, Config};
use crate::executor::clock::Clock;
use ringkeeper_core::frame::{Frame, FrameBatch};
use ringkeeper_core::replica::Input;
use ringkeeper_core::tree::{Applied, Loader, Tree};
use ringkeeper_core::zab;
use ringkeeper_txnlog::config::{DriverKind, Durability, LogConfig, SnapshotConfig};
use ringkeeper_txnlog::disk::FsDisk;
use ringkeeper_txnlog::epochs::Epochs;
use ringkeeper_txnlog::error::OpenError;
use ringkeeper_txnlog::recovery::{Dirs, Rebuild, Recovery, Summary};
use ringkeeper_txnlog::snapshot::SnapshotHead;
use ringkeeper_txnlog::{Log, LogEvent};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Where and how state is stored.
#[derive(Clone, Debug)]
pub(crate) struct StorageSettings {
    data_dir: PathBuf,
    log_dir: PathBuf,
    driver: DriverKind,
    log: LogConfig,
    snapshot: SnapshotConfig,
}

impl StorageSettings {
    /// As configured.
    pub(crate) fn of(config: &Config) -> StorageSettings {
        let (log, snapshots) = (&config.log, &config.snapshots);
        StorageSettings {
            data_dir: config.data.dir.clone(),
            log_dir: config.data.log_dir.clone(),
            driver: match log.driver {
                config::LogDriver::Auto => DriverKind::Auto,
                config::LogDriver::UringDsync => DriverKind::UringDsync,
                config::LogDriver::UringFdatasync => DriverKind::UringFdatasync,
                config::LogDriver::Thread => DriverKind::Thread,
            },
            log: LogConfig {
                durability: match log.durability {
                    config::Durability::Always => Durability::Always,
                    config::Durability::Interval(period) => Durability::Interval(period),
                    config::Durability::Os => Durability::Os,
                },
                segment_bytes: log.segment_bytes,
                batch_bytes: log.batch_max_bytes as usize,
                batch_delay: log.batch_max_delay,
                ..LogConfig::default()
            },
            snapshot: SnapshotConfig {
                keep: snapshots.retain as usize,
                level: snapshots.zstd_level,
                rate: snapshots.max_rate.unwrap_or(0),
                ..SnapshotConfig::default()
            },
        }
    }
}

/// A server's state after a start.
pub(crate) struct Recovered {
    pub(crate) tree: Tree,
    pub(crate) epochs: zab::Epochs,
    /// Transactions that were read from the log behind the snapshot.
    pub(crate) replayed: u64,
    /// What the log holds behind the tree: not known to be committed.
    pub(crate) tail: Vec<Arc<FrameBatch>>,
    pub(crate) log: Log,
}

/// Reads the newest snapshot and the log behind it, and makes the log ready to be continued. Blocks: nothing is served
/// before it is done.
///
/// # Errors
/// [`OpenError`]
pub(crate) async fn recover(settings: StorageSettings, clock: Clock) -> Result<Recovered, OpenError> {
    let began = Instant::now();
    let data = FsDisk::open(&settings.data_dir)?;
    let shared = settings.log_dir == settings.data_dir;
    let log_disk = if shared { Arc::clone(&data) } else { FsDisk::open(&settings.log_dir)? };
    let dirs = Dirs { log: Arc::clone(&log_disk) as _, data };
    let mut recovery = Recovery::open(dirs, settings.log, settings.snapshot)?;
    let mut state = Rebuilding::default();
    let summary = recovery.replay(&mut state)?;
    let (epochs, tail) = (recovery.epochs(), recovery.take_tail());
    let log = Log::go_live(recovery, &log_disk, settings.driver, clock.now()).await?;
    let epochs = zab::Epochs {
        accepted: epochs.accepted,
        current: epochs.current,
        ensemble: epochs.ensemble,
        member: epochs.member,
    };
    let recovered = Recovered { tree: state.tree, epochs, replayed: summary.frames, tail, log };
    report(&summary, &recovered, began);
    Ok(recovered)
}

fn report(summary: &Summary, recovered: &Recovered, began: Instant) {
    for damaged in &summary.damaged_snapshots {
        tracing::error!("snapshot not usable: {damaged}");
    }
    if let Some((file, offset)) = &summary.torn {
        tracing::warn!(file, offset, "the log's last write was torn; it had not been acknowledged, and is cut");
    }
    let snapshot = summary.snapshot.map_or("none".to_owned(), |zxid| zxid.to_string());
    let (ms, nodes) = (began.elapsed().as_millis() as u64, recovered.tree.node_count());
    let (replayed, committed) = (recovered.replayed, summary.committed);
    tracing::info!(snapshot, replayed, %committed, last_zxid = %summary.last, nodes, ms, "state recovered");
}

/// The tree, while it is rebuilt.
struct Rebuilding {
    tree: Tree,
    loader: Loader,
    applied: Applied,
}

impl Default for Rebuilding {
    fn default() -> Rebuilding {
        Rebuilding { tree: Tree::new(), loader: Loader::new(), applied: Applied::default() }
    }
}

impl Rebuild for Rebuilding {
    fn begin(&mut self, _: &SnapshotHead) {
        self.loader = Loader::new();
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.loader.feed(bytes).map_err(|error| error.to_string())
    }

    fn end(&mut self) -> Result<(), String> {
        self.tree = std::mem::take(&mut self.loader).finish().map_err(|error| error.to_string())?;
        Ok(())
    }

    fn empty(&mut self) {
        self.tree = Tree::new();
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        self.tree.apply(frame, &mut self.applied).map_err(|error| error.to_string())
    }
}

/// What the log's news mean to the replica.
///
/// # Errors
/// The reason why the process must end.
pub(crate) fn input(event: LogEvent) -> Result<Input, String> {
    Ok(match event {
        LogEvent::Durable { through, generation } => Input::LogDurable { through, generation },
        LogEvent::Room(room) => Input::LogRoom(room),
        LogEvent::EpochsSaved(_) => Input::EpochsSaved,
        LogEvent::SnapshotDone { .. } => Input::SnapshotEnded { done: true },
        LogEvent::SnapshotFailed { .. } => Input::SnapshotEnded { done: false },
        LogEvent::Read { .. } => unreachable!("a server that stands alone has nobody to read for"),
        LogEvent::Failed(failure) => return Err(failure.to_string()),
    })
}

/// The core's epochs as the log stores them.
pub(crate) fn stored(epochs: zab::Epochs) -> Epochs {
    let zab::Epochs { accepted, current, ensemble, member } = epochs;
    Epochs { accepted, current, ensemble, member }
}
