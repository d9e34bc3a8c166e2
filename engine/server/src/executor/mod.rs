//! Executors: what the machine must offer, how they are started, and how they stop.
//!
//! All that is particular to glommio's runtime is here (its sockets are in `ringkeeper-net`, its files in the log's
//! drivers). Rules for version 0.9, each learnt from a measurement or its source:
//! - no task queue with `Latency::Matters`, and the default preempt timer: a shorter one can put an executor to sleep
//!   with tasks that are ready to run;
//! - a short tick per executor bounds any such stall;
//! - no spinning, no pinning by default: servers share small machines, and a spinning executor starves the kernel
//!   threads that complete its own writes.

pub(crate) mod clock;
mod notify;
mod probe;
mod signals;
mod spread;
mod together;
mod wake;

use crate::admin::Progress;
use crate::directory;
use crate::exit::Status;
use crate::spread::Exchange;
use crate::storage::{self, StorageSettings};
use crate::turn::Words;
use crate::unusable::Unusable;
use clock::Clock;
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use ringkeeper_core::frontend::FrontendConfig;
use ringkeeper_core::replica::ReplicaConfig;
use ringkeeper_net::links::LinksConfig;
use ringkeeper_net::{Listening, SocketsConfig};
use ringkeeper_txnlog::error::{LogFailed, OpenError};
use signals::StopRequest;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use thiserror::Error;

pub(crate) use probe::{MEMLOCK_BYTES, try_uring};
pub use probe::{Unfit, check};
pub(crate) use wake::until_due;

/// Submission entries of a ring. Little is armed at a time: sockets are waited for through one epoll set.
const RING_DEPTH: usize = 256;
/// Registered buffer memory of an executor; glommio's default of 10 MiB does not fit usual memlock limits.
const IO_MEMORY: usize = 512 << 10;
/// Time between ticks.
const TICK: Duration = Duration::from_millis(20);
/// Time between looks whether the replica has established its epoch.
const ESTABLISHED_PAUSE: Duration = Duration::from_millis(1);
/// What is in flight when the server is asked to stop has this long to end.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Everything that a server is started with.
pub(crate) struct Plan {
    pub(crate) replica: ReplicaConfig,
    pub(crate) frontend: FrontendConfig,
    pub(crate) sockets: SocketsConfig,
    pub(crate) storage: StorageSettings,
    pub(crate) words: Arc<Words>,
    pub(crate) listeners: Vec<Listening>,
    /// Client executors beside the replica's; 0: one executor does all.
    pub(crate) client_cores: u16,
    /// The other servers; `None`: this one stands alone.
    pub(crate) links: Option<LinksConfig>,
    /// How executors are asked.
    pub(crate) exchange: Exchange,
    /// What the admin server and Prometheus are told of the start.
    pub(crate) admin: Arc<Progress>,
}

/// Why the server ended, other than by being asked to.
#[derive(Debug, Error)]
pub enum ServerFailed {
    /// The machine does not offer what is needed.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A directory or a file of TLS cannot be used.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// An address of this server is not known.
    #[error("{setting} cannot be resolved: {source}; correct the name, or give an address")]
    Resolve {
        /// The setting with its place and value.
        setting: String,
        /// Why.
        source: io::Error,
    },
    /// An address cannot be listened on.
    #[error("{setting}: cannot listen for {whom} on {address}: {source}; {remedy}", remedy = listen_remedy(source))]
    Listen {
        /// The setting with its place and value.
        setting: String,
        /// Clients, or the other servers.
        whom: &'static str,
        /// As configured.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The address of the admin server or of the metrics cannot be listened on.
    #[error("cannot listen on {address} ({key}): {source}; give another port, or leave the setting out")]
    ListenHttp {
        /// As configured.
        address: String,
        /// The setting of its port.
        key: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Something else could not be set up.
    #[error("cannot start: {what}: {source}")]
    Start {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// What is stored cannot be taken up.
    #[error("{}", storage_failed(.0))]
    Storage(OpenError),
    /// What is stored is damaged.
    #[error("{error}; {advice}")]
    Damaged {
        /// What is wrong.
        error: OpenError,
        /// What to do.
        advice: &'static str,
    },
    /// glommio failed.
    #[error("the executor failed: {0}")]
    Executor(String),
    /// The log could not be closed in order; everything acknowledged is in it.
    #[error(transparent)]
    Close(#[from] LogFailed),
}

impl ServerFailed {
    /// How the program ends because of it.
    pub fn status(&self) -> Status {
        match self {
            ServerFailed::Unfit(_) => Status::Machine,
            ServerFailed::Unusable(unusable) => unusable.status,
            ServerFailed::Resolve { .. } => Status::Name,
            ServerFailed::Listen { .. } | ServerFailed::ListenHttp { .. } => Status::Address,
            ServerFailed::Damaged { .. } => Status::Damaged,
            ServerFailed::Storage(error) => match error {
                OpenError::Corrupt(_) | OpenError::Incomplete(_) | OpenError::Refused(_) => Status::Damaged,
                OpenError::Version { .. } => Status::Newer,
                OpenError::InUse(_) => Status::InUse,
                OpenError::Config(_) => Status::Configuration,
                OpenError::Io { .. } => Status::Directory,
            },
            ServerFailed::Start { .. } | ServerFailed::Executor(_) | ServerFailed::Close(_) => Status::Failed,
        }
    }
}

fn listen_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process has the port: end it (`ss -ltnp` tells which it is), or give another port"
        }
        io::ErrorKind::AddrNotAvailable => "the machine has no such address: correct it, or listen on all of them",
        io::ErrorKind::PermissionDenied => "ports below 1024 need the capability CAP_NET_BIND_SERVICE",
        _ => "correct the address",
    }
}

fn storage_failed(error: &OpenError) -> String {
    match error {
        OpenError::Io { source, .. } => format!("{error}; {}", directory::remedy(source)),
        OpenError::InUse(_) => format!("{error}; end it, or give each server a directory of its own"),
        _ => error.to_string(),
    }
}

/// Runs a server until it is asked to stop.
///
/// # Errors
/// [`ServerFailed`]
pub(crate) fn run(plan: Plan) -> Result<(), ServerFailed> {
    let start = |what| move |source| ServerFailed::Start { what, source };
    let stop = StopRequest::install().map_err(start("signal handlers"))?;
    end_on_panic();
    let executor = spawn("replica", move || serve(plan, stop))?;
    executor.join().map_err(|error| ServerFailed::Executor(error.to_string()))?
}

async fn serve(plan: Plan, stop: StopRequest) -> Result<(), ServerFailed> {
    let clock = Clock::start();
    let advice = plan.storage.advice();
    let recovered = storage::recover(plan.storage.clone(), clock).await.map_err(|error| match error.is_damage() {
        true => ServerFailed::Damaged { error, advice },
        false => ServerFailed::Storage(error),
    })?;
    if plan.client_cores == 0 {
        together::serve(plan, recovered, stop, clock).await
    } else {
        spread::serve(plan, recovered, stop, clock).await
    }
}

/// An executor on a thread of its own.
fn spawn<T: Send + 'static, F: Future<Output = T> + 'static>(
    name: &str,
    main: impl FnOnce() -> F + Send + 'static,
) -> Result<ExecutorJoinHandle<T>, ServerFailed> {
    LocalExecutorBuilder::new(Placement::Unbound)
        .name(name)
        .ring_depth(RING_DEPTH)
        .io_memory(IO_MEMORY)
        .spawn(main)
        .map_err(|error| ServerFailed::Executor(error.to_string()))
}

/// Runs something that is not a server on an executor like a server's, and waits for its result.
///
/// # Errors
/// If there can be no executor here.
pub(crate) fn run_alone<T: Send + 'static, F: Future<Output = T> + 'static>(
    name: &str,
    main: impl FnOnce() -> F + Send + 'static,
) -> Result<T, ServerFailed> {
    check()?;
    spawn(name, main)?.join().map_err(|error| ServerFailed::Executor(error.to_string()))
}

/// A broken invariant on any thread ends the process: the others must not go on without it.
fn end_on_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        usual(info);
        std::process::abort();
    }));
}

/// Ends the process without another word to anyone: nothing can be promised any more.
fn halt(reason: &str) -> ! {
    tracing::error!(reason, "halted");
    std::process::exit(Status::Failed.number().into())
}

/// Waits until the replica takes requests: its epoch must be durable first. Clients of a server that stands alone wait in
/// the listening socket; those of one that looks for its ensemble are held, and let go after a while. False if the
/// server is asked to stop before.
async fn established(stop: &StopRequest, in_ensemble: bool, is_serving: impl Fn() -> bool, tick: impl Fn()) -> bool {
    let mut ticked = Instant::now();
    loop {
        if is_serving() || in_ensemble {
            return true;
        }
        if stop.is_raised() {
            return false;
        }
        if ticked.elapsed() >= TICK {
            ticked = Instant::now();
            tick();
        }
        glommio::timer::sleep(ESTABLISHED_PAUSE).await;
    }
}

/// Ticks until the server was asked to stop and has. `tick` is called every few milliseconds, `begin` once, when the
/// server is asked to stop; then `has_stopped` tells when it has.
async fn until_stopped(stop: StopRequest, tick: impl Fn(), begin: impl Fn(), has_stopped: impl Fn() -> bool) {
    let mut deadline = None;
    loop {
        glommio::timer::sleep(TICK).await;
        tick();
        match deadline {
            None if stop.is_raised() => {
                tracing::info!("stopping");
                notify::stopping();
                begin();
                deadline = Some(Instant::now() + STOP_GRACE);
            }
            Some(_) if has_stopped() => return,
            Some(deadline) if Instant::now() >= deadline => {
                tracing::warn!("stopping although some clients have not taken their replies");
                return;
            }
            _ => {}
        }
    }
}

enum First<A, B> {
    Left(A),
    Right(B),
}

/// The result of whichever ends first; the other is dropped.
async fn until_first<A, B>(left: impl Future<Output = A>, right: impl Future<Output = B>) -> First<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|cx| {
        if let Poll::Ready(a) = left.as_mut().poll(cx) {
            return Poll::Ready(First::Left(a));
        }
        right.as_mut().poll(cx).map(First::Right)
    })
    .await
}
