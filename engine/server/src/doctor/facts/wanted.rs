//! What the server is to do on this host, as far as findings depend on it.

use crate::config::{Config, Durability, LogDriver, Problems};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Excerpt of the configuration.
#[derive(Clone, Debug, Serialize)]
pub(in crate::doctor) struct Wanted {
    /// What is wrong with the configuration: the server would not start.
    pub refused: Vec<String>,
    /// What it warns about.
    pub warned: Vec<String>,
    /// Directory of snapshots.
    pub data_dir: PathBuf,
    /// Directory of the log.
    pub log_dir: PathBuf,
    /// The log's driver.
    pub driver: &'static str,
    /// Whether an acknowledged write survives a loss of power.
    pub durable: bool,
    /// Executors for clients.
    pub client_cores: u16,
    /// Size of a log file, bytes.
    pub segment_bytes: u64,
    /// Recent transactions in memory, bytes; 0 for a server that stands alone.
    pub history_bytes: u64,
    /// Other members of the ensemble.
    pub peers: usize,
    /// Silence of a peer that is always borne, ms.
    pub silence_min_ms: u64,
    /// Silence of a peer that is never borne, ms.
    pub silence_max_ms: u64,
    /// Connections that it wants to be able to take; `None` if they are not limited.
    pub connections: Option<u32>,
    /// The queue of connections that are not yet accepted.
    pub backlog: u32,
    /// The value of every setting; empty if the configuration is refused. Secrets are masked.
    pub in_force: BTreeMap<String, String>,
}

/// The defaults.
impl Default for Wanted {
    fn default() -> Wanted {
        Wanted {
            refused: Vec::new(),
            warned: Vec::new(),
            data_dir: PathBuf::from("/var/lib/ringkeeper"),
            log_dir: PathBuf::from("/var/lib/ringkeeper"),
            driver: LogDriver::Auto.name(),
            durable: true,
            client_cores: 0,
            segment_bytes: 64 << 20,
            history_bytes: 0,
            peers: 0,
            silence_min_ms: 250,
            silence_max_ms: 1500,
            connections: None,
            backlog: ringkeeper_net::DEFAULT_BACKLOG.unsigned_abs(),
            in_force: BTreeMap::new(),
        }
    }
}

impl Wanted {
    /// As configured.
    pub(in crate::doctor) fn of(config: &Config, problems: &Problems) -> Wanted {
        let plain = Wanted::default();
        let ensemble = config.ensemble.as_ref();
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Wanted {
            warned: problems.warnings.iter().map(ToString::to_string).collect(),
            data_dir: config.data.dir.clone(),
            log_dir: config.data.log_dir.clone(),
            driver: config.log.driver.name(),
            durable: config.log.durability == Durability::Always,
            client_cores: config.executors.client_cores,
            segment_bytes: config.log.segment_bytes,
            history_bytes: ensemble.map_or(0, |ensemble| ensemble.history_bytes),
            peers: ensemble.map_or(0, |ensemble| ensemble.members.len().saturating_sub(1)),
            silence_min_ms: ensemble.map_or(plain.silence_min_ms, |ensemble| millis(ensemble.silence_min)),
            silence_max_ms: ensemble.map_or(plain.silence_max_ms, |ensemble| millis(ensemble.silence_max)),
            connections: config.limits.connections,
            backlog: config.clients.backlog.unwrap_or(plain.backlog),
            in_force: config.settings.effective().into_iter().map(|setting| (setting.name, setting.value)).collect(),
            ..plain
        }
    }

    /// A configuration that is refused: what is wrong with it, and the directories.
    pub(in crate::doctor) fn refused(problems: &Problems, data_dir: &Path, log_dir: &Path) -> Wanted {
        Wanted {
            refused: problems.errors.iter().map(ToString::to_string).collect(),
            warned: problems.warnings.iter().map(ToString::to_string).collect(),
            data_dir: data_dir.to_owned(),
            log_dir: log_dir.to_owned(),
            ..Wanted::default()
        }
    }
}
