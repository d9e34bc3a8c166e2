//! Where and how state is stored, and taking it up.

use crate::config::{self, Config};
use crate::directory::Owner;
use crate::executor::clock::Clock;
use ringkeeper_node::{Clock as _, OnDamage, Recovered, recover_or_give_up};
use ringkeeper_txnlog::Log;
use ringkeeper_txnlog::config::{DriverKind, Durability, LogConfig, SnapshotConfig};
use ringkeeper_txnlog::disk::FsDisk;
use ringkeeper_txnlog::error::OpenError;
use ringkeeper_txnlog::recovery::Dirs;
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
    /// Who has the directories from now on; `None`: a server that stands alone.
    owner: Option<Owner>,
    /// What other servers there are to get damaged data from.
    peers: Peers,
    /// Its data is to be that of its ensemble.
    bootstrap: bool,
}

/// Whether there are others who can bring again what is damaged here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Peers {
    /// There is no other voter.
    None,
    /// There are, but the operator wants to decide.
    NotAsked,
    /// There are.
    Asked,
}

impl Peers {
    fn of(config: &Config) -> Peers {
        match &config.ensemble {
            Some(ensemble) if ensemble.ids(true).any(|id| id != ensemble.id) => {
                if ensemble.repair {
                    Peers::Asked
                } else {
                    Peers::NotAsked
                }
            }
            _ => Peers::None,
        }
    }
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
                slow_write: log.slow_write,
                ..LogConfig::default()
            },
            snapshot: SnapshotConfig {
                keep: snapshots.retain as usize,
                level: snapshots.zstd_level,
                rate: snapshots.max_rate.unwrap_or(0),
                ..SnapshotConfig::default()
            },
            owner: Owner::of(config),
            peers: Peers::of(config),
            bootstrap: config.ensemble.as_ref().is_some_and(|ensemble| ensemble.bootstrap),
        }
    }

    /// Writes down whose the directories are, now that no other process has them.
    fn own(&self) -> Result<(), OpenError> {
        let Some(owner) = &self.owner else { return Ok(()) };
        for dir in [&self.data_dir, &self.log_dir] {
            let what = || format!("writing the owner's record in {}", dir.display());
            owner.record(dir).map_err(|source| OpenError::Io { what: what(), source })?;
        }
        Ok(())
    }

    /// What can be done about damaged data.
    pub(crate) fn advice(&self) -> &'static str {
        match self.peers {
            Peers::None => {
                "this server stands alone, so nobody else has what is lost: restore its directories from a backup, or empty them to start \
                 with nothing"
            }
            Peers::NotAsked => {
                "with ensemble.repair=auto this server would give up what is damaged and get it again from the others"
            }
            Peers::Asked => {
                "this server cannot give up what is damaged: empty its directories, and it gets everything from the others"
            }
        }
    }
}

/// Reads the newest snapshot and the log behind it, and makes the log ready to be continued. Blocks: nothing is served
/// before it is done.
///
/// # Errors
/// [`OpenError`]
pub(crate) async fn recover(settings: StorageSettings, clock: Clock) -> Result<(Recovered, Log), OpenError> {
    let began = Instant::now();
    let data = FsDisk::open(&settings.data_dir)?;
    let shared = settings.log_dir == settings.data_dir;
    let log_disk = if shared { Arc::clone(&data) } else { FsDisk::open(&settings.log_dir)? };
    settings.own()?;
    let dirs = Dirs { log: Arc::clone(&log_disk) as _, data };
    let on_damage = if settings.peers == Peers::Asked { OnDamage::GiveUp } else { OnDamage::Refuse };
    let (recovery, state) = recover_or_give_up(&dirs, &settings.log, &settings.snapshot, on_damage)?;
    let log = Log::go_live(recovery, &log_disk, settings.driver, clock.now()).await?;
    report(&state, began);
    if settings.bootstrap && state.epochs.shared {
        tracing::warn!("ensemble.bootstrap has no effect: this server belongs to its ensemble already; remove it");
    }
    Ok((state, log))
}

fn report(state: &Recovered, began: Instant) {
    let summary = &state.summary;
    for damaged in &summary.damaged_snapshots {
        tracing::error!("snapshot not usable: {damaged}");
    }
    if let Some((file, offset)) = &summary.torn {
        tracing::warn!(file, offset, "the log's last write was torn; it had not been acknowledged, and is cut");
    }
    let snapshot = summary.snapshot.map_or("none".to_owned(), |zxid| zxid.to_string());
    let (ms, nodes) = (began.elapsed().as_millis() as u64, state.tree.node_count());
    let (replayed, committed) = (summary.frames, summary.committed);
    tracing::info!(snapshot, replayed, %committed, last_zxid = %summary.last, nodes, ms, "state recovered");
}
