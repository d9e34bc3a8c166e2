//! What the server measures, under names: for Prometheus, for mntr and for the admin server's monitor.
//!
//! Counters are plain numbers of the executor that counts ([`ringkeeper_core::measure`]). Whoever wants to know collects
//! copies of them from all executors; here they become families of metrics, and those become text.

mod admin;
mod catalogue;
mod change;
mod family;
mod load;
mod ours;
mod process;
pub mod prometheus;
mod slow;
mod zookeeper;

#[cfg(test)]
mod tests;

pub use admin::AdminMeasures;
pub use catalogue::{families, zookeeper_families};
pub use change::ChangeTimes;
pub(crate) use change::lines as change_lines;
pub use family::{Depth, Family, Labels, Series, Unit};
pub use load::ExecutorLoad;
pub(crate) use process::resident_bytes;
pub(crate) use slow::named;
pub use slow::{SlowEntry, SlowLog};
pub(crate) use zookeeper::decimals;
pub use zookeeper::gauges;

use crate::live::MemoryUse;
use ringkeeper_core::frontend::{FrontendMeasures, LimitCounts};
use ringkeeper_net::SocketStats;
use ringkeeper_node::BackendMeasures;

/// What all executors have counted.
#[derive(Debug, Clone, Default)]
pub struct Measures {
    /// Behind the frontends.
    pub backend: BackendMeasures,
    /// All frontends together.
    pub frontend: FrontendMeasures,
    /// All sockets of clients together.
    pub sockets: SocketStats,
    /// How often limits have acted on clients.
    pub limits: LimitCounts,
    /// Memory, as it was last looked at.
    pub memory: MemoryUse,
    /// TLS handshakes under way.
    pub handshakes: u32,
    /// Seconds until the first certificate that clients or other servers see ends, less than nothing when it has; `None` without TLS.
    pub certificate_seconds: Option<i64>,
    /// Snapshots and restores over HTTP.
    pub admin: AdminMeasures,
    /// Each executor.
    pub executors: Vec<ExecutorLoad>,
}
