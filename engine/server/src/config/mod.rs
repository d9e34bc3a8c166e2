//! The configuration: ZooKeeper's file and our own settings, from file, environment and command line, checked and typed.
//!
//! [`table`] is the one place where a setting is described. [`Settings`](settings::Settings) holds what was given and which
//! of it is in force; [`Config`] is what the rest of the server sees.

mod address;
mod admin;
mod closest;
pub mod document;
mod ensemble;
mod ensemble_file;
pub mod foreign;
mod group;
pub mod key;
mod limits;
mod membership;
mod myid;
pub mod problem;
pub(crate) mod properties;
pub mod reload;
pub mod settings;
mod shape;
mod sources;
pub mod table;
mod tls;
mod typed;

#[cfg(test)]
mod ensemble_tests;
#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

pub use address::Address;
pub use admin::Admin;
pub use ensemble::Ensemble;
pub use limits::{Limits, Memory};
pub use membership::Member;
pub use problem::{Problem, Problems};
pub use settings::{Inputs, Setting, Settings, Source};
pub use shape::Durability;
pub(crate) use tls::CONVERT;
pub use tls::{ClientAuth, Password, PeerTls, Store, Tls, Whom};

use crate::four_letter::Whitelist;

/// Everything the server is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where state is kept.
    pub data: Data,
    /// Listening for clients.
    pub clients: Clients,
    /// TLS for clients; `None` if no port speaks it.
    pub tls: Option<Tls>,
    /// What clients may take.
    pub limits: Limits,
    /// Time and sessions.
    pub sessions: Sessions,
    /// The znode tree.
    pub tree: TreeRules,
    /// Identity and access.
    pub access: Access,
    /// The transaction log.
    pub log: Log,
    /// Snapshots and retention.
    pub snapshots: Snapshots,
    /// Executors.
    pub executors: Executors,
    /// The ensemble; `None` if the server stands alone.
    pub ensemble: Option<Ensemble>,
    /// The four-letter words that are answered.
    pub words: Whitelist,
    /// What is served over HTTP.
    pub admin: Admin,
    /// Requests that take at least so long are reported; `None`: none is.
    pub slow_request: Option<Duration>,
    /// Messages of the server about itself.
    pub logging: Logging,
    /// What all this was made from, for `ringkeeper config` and `conf`.
    pub settings: Settings,
}

/// Where state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// Snapshots and the server's own records.
    pub dir: PathBuf,
    /// The transaction log; equal to `dir` unless given.
    pub log_dir: PathBuf,
    /// Whether they are made if they are missing.
    pub create: bool,
}

/// Listening for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// Where, as far as `plain` says so.
    pub address: Address,
    /// There is this port; false if there is only one for TLS.
    pub plain: bool,
    /// Clients that speak TLS are served on it, too.
    pub unified: bool,
    /// The port on which only TLS is spoken.
    pub secure: Option<Address>,
    /// Length of the accept queue; `None` leaves it to the server.
    pub backlog: Option<u32>,
    /// Has the kernel probe silent clients.
    pub keepalive: bool,
    /// Largest request in bytes, without its length prefix.
    pub max_frame: u32,
    /// A client that leaves more bytes unread is disconnected.
    pub max_unsent: usize,
}

impl Clients {
    /// All that clients may connect to, for people.
    fn display_all(&self) -> String {
        let plain = self.plain.then(|| match self.unified {
            true => format!("{} (with TLS or without)", self.address),
            false => self.address.to_string(),
        });
        let secure = self.secure.as_ref().map(|secure| format!("{secure} (TLS)"));
        plain.into_iter().chain(secure).collect::<Vec<_>>().join(" and ")
    }
}

/// Time and sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// The base unit.
    pub tick: Duration,
    /// The shortest timeout a client gets.
    pub min_timeout: Duration,
    /// The longest timeout a client gets.
    pub max_timeout: Duration,
}

/// Rules of the znode tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeRules {
    /// Nodes with a time to live are allowed.
    pub extended_types: bool,
    /// Hard quotas refuse writes.
    pub enforce_quota: bool,
    /// How often containers and expired nodes are looked for.
    pub container_check_interval: Duration,
    /// How many of them are deleted in a minute at most.
    pub container_max_per_minute: u32,
    /// Age at which a container that was never used is deleted; `None` is never.
    pub container_max_never_used: Option<Duration>,
}

/// Identity and access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The digest identity of the super user.
    pub super_digest: Option<String>,
    /// The subject of the super user's certificate.
    pub super_subject: Option<String>,
    /// No ACL is checked.
    pub skip_acl: bool,
    /// The schemes of which a session needs one; `None` if sessions need none.
    pub required_schemes: Option<Vec<String>>,
}

/// How the log reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogDriver {
    /// io_uring with synchronous writes, and a thread while completions wait for a processor.
    Auto,
    /// io_uring, files opened for synchronous writes.
    UringDsync,
    /// io_uring, a write and then a sync.
    UringFdatasync,
    /// A thread that writes and syncs.
    Thread,
}

impl LogDriver {
    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            LogDriver::Auto => "auto",
            LogDriver::UringDsync => "uring-dsync",
            LogDriver::UringFdatasync => "uring-fdatasync",
            LogDriver::Thread => "thread",
        }
    }
}

/// The transaction log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How it reaches the disk.
    pub driver: LogDriver,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// Largest batch in bytes.
    pub batch_max_bytes: u32,
    /// How long a batch may wait to grow.
    pub batch_max_delay: Duration,
    /// Size of a file in bytes, a multiple of 4096.
    pub segment_bytes: u64,
    /// A slower write is reported.
    pub slow_write: Duration,
}

/// Snapshots and retention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshots {
    /// Transactions between two, before the random part.
    pub every_transactions: u32,
    /// Bytes of log between two; `None` is no limit.
    pub every_log_bytes: Option<u64>,
    /// How many are kept.
    pub retain: u32,
    /// Bytes per second while one is written; `None` is no limit.
    pub max_rate: Option<u64>,
    /// Level of compression.
    pub zstd_level: i32,
}

/// What kind of machine the server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Few cores, or cores that others use too.
    Shared,
    /// The machine's cores are for this server.
    Dedicated,
}

impl Profile {
    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Shared => "shared",
            Profile::Dedicated => "dedicated",
        }
    }
}

/// Executors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executors {
    /// What kind of machine this is.
    pub profile: Profile,
    /// Executors for clients besides the one that orders; 0 if that one serves them too.
    pub client_cores: u16,
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggingFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Messages of the server about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// Filter directives.
    pub filter: String,
    /// How they are written.
    pub format: LoggingFormat,
}

impl Config {
    /// Reads everything that was given. `cores` is the number of cores the process may use.
    ///
    /// Returns the configuration with what there is to warn about, or everything that is wrong.
    pub fn load(inputs: &Inputs, cores: usize) -> Result<(Config, Problems), Problems> {
        let mut problems = Problems::default();
        let settings = Settings::resolve(inputs, &mut problems);
        let config = typed::build(settings, cores, &mut problems);
        match config {
            Some(config) if problems.errors.is_empty() => Ok((config, problems)),
            _ => Err(problems),
        }
    }

    /// TLS with the other servers, if it is spoken.
    pub fn peer_tls(&self) -> Option<&Tls> {
        self.ensemble.as_ref()?.tls.as_ref().map(|peers| &peers.tls)
    }

    /// The line the server says at start: what it is and what it promises.
    pub fn announcement(&self) -> String {
        let role = self.ensemble.as_ref().map_or_else(|| "single server".to_owned(), Ensemble::role);
        format!(
            "{role}, clients on {}; durability {}; log driver {}, profile {}, client cores {}; data in {}, log in {}",
            self.clients.display_all(),
            self.log.durability.promise(),
            self.log.driver.name(),
            self.executors.profile.name(),
            self.executors.client_cores,
            self.data.dir.display(),
            self.data.log_dir.display(),
        )
    }
}
