//! What clients may take of this server. All of it can change while the server runs.

use std::time::Duration;

use ringkeeper_core::frontend;

use super::key::Key;
use super::problem::{Problem, Problems};
use super::settings::Settings;
use super::table as keys;

/// Limits on clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections from one address; `None` is no limit.
    pub connections_per_address: Option<u32>,
    /// Connections in all; `None` is no limit.
    pub connections: Option<u32>,
    /// What connections may do, for all client executors together.
    pub clients: frontend::Limits,
    /// When memory is short.
    pub memory: Memory,
}

/// When memory is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What there is; `None`: what the machine or its control group has.
    pub bytes: Option<u64>,
    /// The share of it from which on memory is short; 0 is never.
    pub percent: u8,
}

/// From the settings; 0 is no limit, as ZooKeeper has it.
pub(super) fn build(settings: &Settings, problems: &mut Problems) -> Limits {
    let limit = |key: &Key| u32::try_from(settings.size(key)).ok().filter(|limit| *limit > 0);
    check_large_requests(settings, problems);
    Limits {
        connections_per_address: limit(&keys::MAX_CLIENT_CNXNS),
        connections: limit(&keys::MAX_CNXNS),
        clients: clients(settings),
        memory: Memory {
            bytes: Some(settings.size(&keys::MEMORY_LIMIT)).filter(|bytes| *bytes > 0),
            percent: u8::try_from(settings.size(&keys::MEMORY_REFUSE)).expect("the table bounds it to 100"),
        },
    }
}

fn clients(settings: &Settings) -> frontend::Limits {
    let size = |key: &Key| usize::try_from(settings.size(key)).unwrap_or(usize::MAX);
    let limit = |key: &Key| Some(size(key)).filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let small = |key: &Key| u32::try_from(settings.size(key)).expect("the table bounds this key to 32 bits");
    frontend::Limits {
        connection_pending: size(&keys::CONNECTION_OUTSTANDING),
        pending: limit(&keys::OUTSTANDING_LIMIT).min(limit(&keys::REQUEST_THROTTLE)),
        pending_bytes: size(&keys::OUTSTANDING_BYTES),
        sessionless_timeout: Duration::from_millis(settings.size(&keys::SESSIONLESS_TIMEOUT)),
        large_request: usize::try_from(settings.int(&keys::LARGE_REQUEST))
            .ok()
            .filter(|n| *n > 0)
            .unwrap_or(usize::MAX),
        large_bytes: size(&keys::LARGE_REQUEST_BYTES),
        watches: limit(&keys::WATCHES_MAX),
        connection_watches: limit(&keys::CONNECTION_WATCHES_MAX),
        sessions: limit(&keys::SESSIONS_MAX),
        connects: frontend::ConnectRate {
            tokens: small(&keys::CONNECT_TOKENS),
            fill_time: Duration::from_millis(settings.size(&keys::CONNECT_FILL_TIME)),
            fill_count: small(&keys::CONNECT_FILL_COUNT),
        },
    }
}

fn check_large_requests(settings: &Settings, problems: &mut Problems) {
    let (threshold, all) = (settings.int(&keys::LARGE_REQUEST), settings.int(&keys::LARGE_REQUEST_BYTES));
    let Some(given) = settings.given(&keys::LARGE_REQUEST).filter(|_| threshold > 0) else { return };
    if all <= threshold {
        let wrong = format!("lets no large request through: largeRequestMaxBytes={all} is not more");
        problems.refuse(Problem::new(given, &keys::LARGE_REQUEST, &wrong, "raise the one or lower the other"));
    } else if threshold >= settings.int(&keys::MAX_BUFFER) {
        let wrong = format!("never acts: jute.maxbuffer={} refuses such requests", settings.int(&keys::MAX_BUFFER));
        problems.warn(Problem::new(given, &keys::LARGE_REQUEST, &wrong, "lower it, or remove it"));
    }
}
