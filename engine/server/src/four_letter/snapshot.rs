//! The facts that the words show, as plain data. The server fills in what [`Word::needs`](super::Word::needs) names.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ringkeeper_core::acl::AclRef;
use ringkeeper_core::frontend::{HotPaths, ResponseSize};
use ringkeeper_core::ids::{Epoch, SessionId, WallMs, Zxid};
use ringkeeper_core::zab::RoleChange;
use ringkeeper_node::Learner;

use crate::config::{Ensemble, Settings};
use crate::metrics::{ChangeTimes, Measures, SlowEntry};

/// The part that a server plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The only server.
    #[default]
    Standalone,
    /// The leader of an ensemble.
    Leader,
    /// A voting member that follows.
    Follower,
    /// A member without a vote.
    Observer,
    /// Cut off from the quorum, serving read-only clients.
    ReadOnly,
}

impl Mode {
    /// ZooKeeper's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Standalone => "standalone",
            Mode::Leader => "leader",
            Mode::Follower => "follower",
            Mode::Observer => "observer",
            Mode::ReadOnly => "read-only",
        }
    }
}

/// Time from the arrival of a request to its reply. Shown in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Latency {
    /// The shortest, in microseconds.
    pub min_us: u64,
    /// The mean, in microseconds.
    pub avg_us: f64,
    /// The longest, in microseconds.
    pub max_us: u64,
}

/// A server that serves, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Whether it takes requests: it leads, or follows and is up to date.
    pub serving: bool,
    /// Whether it tells of itself: it serves, or it serves clients that only read.
    pub answers: bool,
    /// The part it plays.
    pub mode: Mode,
    /// The same in the terms of agreement.
    pub role: Option<RoleChange>,
    /// The established epoch, or the last one known.
    pub epoch: Epoch,
    /// Why there is no leader, while there is none.
    pub outlook: String,
    /// Whether the log takes writes; false while the disk is full.
    pub log_room: bool,
    /// Time since it got the part that it plays.
    pub part_since_ms: u64,
    /// Microseconds since 1970, by this server's clock.
    pub clock_us: u64,
    /// The last change of leaders; `None` of a server that stands alone.
    pub leader_change: Option<ChangeTimes>,
    /// The servers that follow this one.
    pub learners: Vec<Learner>,
    /// Sizes of transactions that it has proposed.
    pub proposal_size: ResponseSize,
    /// Snapshots that could not be taken.
    pub snapshot_failures: u64,
    /// The newest snapshot on disk.
    pub newest_snapshot: Option<Zxid>,
    /// Of the last transaction in the tree.
    pub zxid: Zxid,
    /// Time since start.
    pub uptime_ms: u64,
    /// Of all requests since start or the last reset.
    pub latency: Latency,
    /// Packets from clients since start or the last reset.
    pub received: u64,
    /// Packets to clients since start or the last reset.
    pub sent: u64,
    /// Open client connections, that of the word itself included.
    pub alive_connections: u64,
    /// Requests in progress.
    pub outstanding: u64,
    /// Nodes in the tree, the root once.
    pub node_count: u64,
    /// Watches of all kinds.
    pub watch_count: u64,
    /// Ephemeral nodes.
    pub ephemeral_count: u64,
    /// Bytes of paths and data.
    pub data_size: u64,
    /// Sessions known to the ensemble.
    pub global_sessions: u64,
    /// Sessions known to this server only.
    pub local_sessions: u64,
    /// Authentications that failed.
    pub auth_failed: u64,
    /// Sizes of replies to clients.
    pub response_size: ResponseSize,
    /// Memory of this process that is resident.
    pub resident_bytes: u64,
    /// File descriptors of this process.
    pub descriptors: Descriptors,
    /// Further lines of mntr, in this order.
    pub metrics: Vec<Metric>,
    /// What is counted for monitoring.
    pub measures: Box<Measures>,
    /// Paths that are asked for most.
    pub hot: HotPaths,
    /// The last slow requests, oldest first.
    pub slow: Vec<SlowEntry>,
    /// Connections, in any order.
    pub connections: Vec<Connection>,
    /// Who watches what.
    pub watches: Watches,
    /// Sessions by the moment at which they expire, soonest first.
    pub sessions: Deadlines<SessionId>,
    /// All sessions and their timeouts in milliseconds.
    pub session_timeouts: Vec<(SessionId, i32)>,
    /// The access list of the root; `None` is the open one.
    pub root_acl: AclRef,
    /// Paths of ephemeral nodes by their session.
    pub ephemerals: Vec<(SessionId, Vec<String>)>,
    /// Connections by the moment at which they are closed unless something arrives, soonest first.
    pub connection_deadlines: Deadlines<(SocketAddr, SessionId)>,
    /// Digests of the tree at past transactions, oldest first.
    pub digests: Vec<(Zxid, u64)>,
    /// Directories and their sizes.
    pub directories: Directories,
    /// The port that is listened on, which differs from the configured one if that is 0; `None` if there is only one for TLS.
    pub client_port: Option<u16>,
    /// The port for TLS, if there is one.
    pub secure_client_port: Option<u16>,
    /// This server's number, 0 without an ensemble.
    pub server_id: u8,
    /// The ensemble; `None`: it stands alone.
    pub ensemble: Option<Arc<Ensemble>>,
    /// The configuration in force.
    pub settings: Arc<Settings>,
}

impl Snapshot {
    /// The number of nodes as ZooKeeper counts them: its table holds the root twice, as "" and as "/".
    pub(crate) fn shown_node_count(&self) -> u64 {
        self.node_count + 1
    }
}

/// File descriptors of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Descriptors {
    /// In use.
    pub open: u64,
    /// Allowed.
    pub max: u64,
}

/// A further line of mntr, without the prefix `zk_`. Names are ZooKeeper's where the meaning is the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// What was measured.
    pub value: MetricValue,
}

/// What a metric can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricValue {
    /// A counter or a whole-numbered gauge.
    Count(i64),
}

/// A client connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// It speaks TLS.
    pub secure: bool,
    /// What the server waits for on the socket: 0 nothing, 1 to read, 4 to write, 5 both.
    pub interest: u8,
    /// Requests of this connection in progress.
    pub queued: u64,
    /// Packets received.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// The session, once there is one.
    pub session: Option<ConnectionSession>,
}

/// What is known of a connection that has a session.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionSession {
    /// The session.
    pub id: SessionId,
    /// The last operation, in ZooKeeper's four letters: `GETD`, `PING`; `NA` before the first.
    pub last_operation: &'static str,
    /// When the connection was made.
    pub established: WallMs,
    /// The session's timeout.
    pub timeout_ms: u32,
    /// The client's number of the last request; `None` before the first.
    pub last_cxid: Option<i32>,
    /// The zxid of the last reply.
    pub last_zxid: Zxid,
    /// When the last reply was sent, in milliseconds of the monotonic clock.
    pub last_response_ms: u64,
    /// Of the last request, in microseconds.
    pub last_latency_us: u64,
    /// Of all requests of this connection.
    pub latency: Latency,
}

/// Who watches which paths. (In ZooKeeper, paths on which there is only a watch of getChildren do not show.)
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watches {
    /// Paths by session, each path once.
    pub by_session: Vec<(SessionId, Vec<String>)>,
}

/// Things by the moment at which they end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadlines<T>(pub Vec<(WallMs, Vec<T>)>);

impl<T> Default for Deadlines<T> {
    fn default() -> Deadlines<T> {
        Deadlines(Vec::new())
    }
}

/// Directories and the bytes of the files in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directories {
    /// Snapshots.
    pub data: PathBuf,
    /// Their bytes.
    pub data_bytes: u64,
    /// Transaction log.
    pub log: PathBuf,
    /// Its bytes.
    pub log_bytes: u64,
}
