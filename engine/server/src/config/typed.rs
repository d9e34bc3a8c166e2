//! From settings to [`Config`]: defaults that follow from other settings, and the checks that concern more than one.

use std::path::PathBuf;
use std::time::Duration;

use super::address::{self, Address};
use super::admin;
use super::ensemble::{self, Ensemble};
use super::key::{Fallback, Key};
use super::limits;
use super::problem::{Problem, Problems};
use super::settings::{Settings, Source};
use super::shape::{Durability, list};
use super::table as keys;
use super::tls;
use super::{
    Access, Clients, Config, Data, Executors, Log, LogDriver, Logging, LoggingFormat, Profile, Sessions, Snapshots,
    TreeRules,
};
use crate::four_letter::{Whitelist, Word};

/// Fewer snapshots than this are never kept, as in ZooKeeper.
const MIN_RETAINED: i64 = 3;
/// More client executors than this are not started unless asked for.
const MAX_CLIENT_CORES: usize = 8;

/// Builds the configuration; `None` only if something without a default is missing, which is then among the problems.
pub(super) fn build(mut settings: Settings, cores: usize, problems: &mut Problems) -> Option<Config> {
    let executors = executors(&mut settings, cores);
    let data = data(&mut settings, problems);
    // Before the clients: a server's own line may carry their address.
    let ensemble = ensemble::build(&mut settings, data.as_ref().map(|data| data.dir.as_path()), problems);
    let clients = clients(&settings, problems);
    let tls = tls::for_clients(&settings, problems);
    let limits = limits::build(&settings, problems);
    check_own_ports(&settings, ensemble.as_ref(), problems);
    let log = log(&mut settings, problems);
    let sessions = sessions(&mut settings, problems);
    let admin = admin::build(&mut settings, problems);
    Some(Config {
        data: data?,
        clients,
        tls,
        limits,
        sessions,
        tree: tree(&settings),
        access: access(&settings, problems),
        log,
        snapshots: snapshots(&settings, problems),
        executors,
        ensemble,
        words: words(&settings),
        admin,
        slow_request: Some(millis(&settings, &keys::SLOW_REQUEST)).filter(|threshold| !threshold.is_zero()),
        logging: logging(&settings),
        settings,
    })
}

/// Clients of a read-only server ask the others by isro whether they are better off there.
fn words(settings: &Settings) -> Whitelist {
    let given = Whitelist::parse(settings.text(&keys::WORDS_WHITELIST).unwrap_or_default());
    if settings.is_on(&keys::READ_ONLY) { given.with(Word::Isro) } else { given }
}

fn millis(settings: &Settings, key: &Key) -> Duration {
    Duration::from_millis(settings.size(key))
}

fn count(settings: &Settings, key: &Key) -> u32 {
    u32::try_from(settings.int(key)).expect("the table bounds this key to 32 bits")
}

fn data(settings: &mut Settings, problems: &mut Problems) -> Option<Data> {
    assert!(matches!(keys::DATA_DIR.default, Fallback::Required));
    let Some(dir) = settings.text(&keys::DATA_DIR).map(PathBuf::from) else {
        let already_refused = problems.errors.iter().any(|problem| problem.subject.starts_with(keys::DATA_DIR.name));
        if !already_refused {
            problems.refuse(Problem::missing(keys::DATA_DIR.name, "is not set", {
                "give --data-dir DIR, or dataDir=DIR in the configuration file"
            }));
        }
        return None;
    };
    if settings.given(&keys::DATA_LOG_DIR).is_none() {
        settings.derive(&keys::DATA_LOG_DIR, dir.display().to_string(), "dataDir");
    }
    let log_dir = settings.text(&keys::DATA_LOG_DIR).map_or_else(|| dir.clone(), PathBuf::from);
    Some(Data { dir, log_dir, create: settings.is_on(&keys::DATADIR_AUTOCREATE) })
}

fn executors(settings: &mut Settings, cores: usize) -> Executors {
    let dedicated = settings.text(&keys::PROFILE).is_some_and(|text| text.eq_ignore_ascii_case("dedicated"));
    let profile = if dedicated { Profile::Dedicated } else { Profile::Shared };
    if settings.given(&keys::CLIENT_CORES).is_none() {
        let client_cores = if dedicated { (cores / 2).clamp(1, MAX_CLIENT_CORES) } else { 0 };
        settings.derive(
            &keys::CLIENT_CORES,
            client_cores.to_string(),
            &format!("profile={}, {cores} cores", profile.name()),
        );
    }
    let client_cores = u16::try_from(settings.int(&keys::CLIENT_CORES)).expect("the table bounds the client cores");
    Executors { profile, client_cores }
}

fn clients(settings: &Settings, problems: &mut Problems) -> Clients {
    let secure = tls::port(settings);
    let unified = settings.is_on(&keys::CLIENT_PORT_UNIFICATION);
    let plain = secure.is_none() || unified || settings.given(&keys::CLIENT_PORT).is_some();
    if let Some(given) = settings.given(&keys::SECURE_CLIENT_PORT)
        && plain
        && secure
            .as_ref()
            .is_some_and(|secure| secure.port != 0 && i64::from(secure.port) == settings.int(&keys::CLIENT_PORT))
        && settings.text(&keys::CLIENT_PORT_ADDRESS) == settings.text(&keys::SECURE_CLIENT_PORT_ADDRESS)
    {
        let remedy = "give another port, or client.portUnification=true instead of a second port";
        problems.refuse(Problem::new(given, &keys::SECURE_CLIENT_PORT, "is clientPort too", remedy));
    }
    Clients {
        plain,
        unified,
        secure,
        address: Address {
            host: settings.text(&keys::CLIENT_PORT_ADDRESS).map(address::bare_host),
            port: u16::try_from(settings.int(&keys::CLIENT_PORT)).expect("the table bounds ports"),
        },
        backlog: u32::try_from(settings.int(&keys::CLIENT_PORT_LISTEN_BACKLOG)).ok(),
        keepalive: settings.is_on(&keys::CLIENT_KEEPALIVE),
        max_frame: count(settings, &keys::MAX_BUFFER),
        max_unsent: usize::try_from(settings.size(&keys::CONNECTION_UNSENT)).unwrap_or(usize::MAX),
    }
}

/// Clients and servers need ports of their own. (That of clients in a server line is checked with the lines.)
fn check_own_ports(settings: &Settings, ensemble: Option<&Ensemble>, problems: &mut Problems) {
    let Some(ensemble) = ensemble else { return };
    let port = settings.int(&keys::CLIENT_PORT);
    let same_port = ensemble.me().peer.iter().any(|(_, peer)| i64::from(*peer) == port);
    // Different addresses of the machine may have the same port.
    let everywhere = settings.given(&keys::CLIENT_PORT_ADDRESS).is_none() || ensemble.listen_on_all;
    if let Some(given) = settings.given(&keys::CLIENT_PORT).filter(|_| same_port && everywhere) {
        let wrong = format!("is the port for other servers in the line server.{} too", ensemble.id);
        problems.refuse(Problem::new(given, &keys::CLIENT_PORT, &wrong, "give clients a port of their own"));
    }
}

fn sessions(settings: &mut Settings, problems: &mut Problems) -> Sessions {
    let tick = settings.int(&keys::TICK_TIME);
    for (key, ticks) in [(&keys::MIN_SESSION_TIMEOUT, 2), (&keys::MAX_SESSION_TIMEOUT, 20)] {
        if settings.int(key) < 0 {
            settings.derive(key, (ticks * tick).to_string(), &format!("{ticks} × tickTime"));
        }
    }
    let min_timeout = millis(settings, &keys::MIN_SESSION_TIMEOUT);
    let max_timeout = millis(settings, &keys::MAX_SESSION_TIMEOUT);
    if min_timeout > max_timeout
        && let Some(given) = settings.given(&keys::MIN_SESSION_TIMEOUT)
    {
        let wrong = format!("is larger than maxSessionTimeout={}", max_timeout.as_millis());
        let problem = Problem::new(given, &keys::MIN_SESSION_TIMEOUT, &wrong, "raise the one or lower the other");
        // The place is that of whichever was given.
        let place = match (&given.source, settings.given(&keys::MAX_SESSION_TIMEOUT)) {
            (Source::Derived(_), Some(max)) => max.source.clone(),
            (source, _) => source.clone(),
        };
        problems.refuse(Problem { source: place, ..problem });
    }
    Sessions { tick: millis(settings, &keys::TICK_TIME), min_timeout, max_timeout }
}

fn tree(settings: &Settings) -> TreeRules {
    TreeRules {
        extended_types: settings.is_on(&keys::EXTENDED_TYPES),
        enforce_quota: settings.is_on(&keys::ENFORCE_QUOTA),
        container_check_interval: millis(settings, &keys::CONTAINER_CHECK_INTERVAL),
        container_max_per_minute: count(settings, &keys::CONTAINER_MAX_PER_MINUTE),
        container_max_never_used: Some(millis(settings, &keys::CONTAINER_MAX_NEVER_USED)).filter(|age| !age.is_zero()),
    }
}

fn access(settings: &Settings, problems: &mut Problems) -> Access {
    let schemes: Vec<String> =
        list(settings.text(&keys::ENFORCE_AUTH_SCHEMES).unwrap_or_default()).map(str::to_owned).collect();
    let enforced = settings.is_on(&keys::ENFORCE_AUTH);
    if enforced
        && schemes.is_empty()
        && let Some(given) = settings.given(&keys::ENFORCE_AUTH)
    {
        let remedy = "give enforce.auth.schemes, for example enforce.auth.schemes=digest";
        problems.refuse(Problem::new(given, &keys::ENFORCE_AUTH, "needs to know which schemes count", remedy));
    }
    if settings.is_on(&keys::SKIP_ACL)
        && let Some(given) = settings.given(&keys::SKIP_ACL)
    {
        problems.warn(Problem::new(given, &keys::SKIP_ACL, "lets every client do everything", ""));
    }
    Access {
        super_subject: settings.text(&keys::X509_SUPER_USER).map(str::to_owned),
        super_digest: settings.text(&keys::SUPER_DIGEST).map(str::to_owned),
        skip_acl: settings.is_on(&keys::SKIP_ACL),
        required_schemes: enforced.then_some(schemes),
    }
}

fn log(settings: &mut Settings, problems: &mut Problems) -> Log {
    let driver = match settings.text(&keys::LOG_DRIVER).map(str::to_ascii_lowercase).as_deref() {
        Some("uring-dsync") => LogDriver::UringDsync,
        Some("uring-fdatasync") => LogDriver::UringFdatasync,
        Some("thread") => LogDriver::Thread,
        _ => LogDriver::Auto,
    };
    const BLOCK: u64 = 4096;
    if settings.int(&keys::LOG_BATCH_MAX_BYTES) > settings.int(&keys::LOG_SEGMENT_BYTES)
        && let Some(given) = settings.given(&keys::LOG_BATCH_MAX_BYTES)
    {
        let wrong = format!("is more than log.segment.bytes={}", settings.int(&keys::LOG_SEGMENT_BYTES));
        problems.refuse(Problem::new(given, &keys::LOG_BATCH_MAX_BYTES, &wrong, "raise the one or lower the other"));
    }
    Log {
        driver,
        durability: durability(settings, problems),
        batch_max_bytes: count(settings, &keys::LOG_BATCH_MAX_BYTES),
        batch_max_delay: Duration::from_micros(settings.size(&keys::LOG_BATCH_MAX_DELAY)),
        segment_bytes: settings.size(&keys::LOG_SEGMENT_BYTES).next_multiple_of(BLOCK),
        slow_write: millis(settings, &keys::FSYNC_WARNING),
    }
}

/// `log.durability` decides; without it `forceSync=no` does, with a warning, because few who copy it know what it costs.
fn durability(settings: &mut Settings, problems: &mut Problems) -> Durability {
    let force = settings.is_on(&keys::FORCE_SYNC);
    let given = settings.text(&keys::LOG_DURABILITY).and_then(|text| Durability::parse(text).ok());
    let durability = given.unwrap_or(if force { Durability::Always } else { Durability::Os });
    if !force && let Some(no) = settings.given(&keys::FORCE_SYNC) {
        let problem = match given {
            Some(_) => Problem::new(no, &keys::FORCE_SYNC, "is overruled by log.durability", "remove it"),
            None => Problem::new(no, &keys::FORCE_SYNC, "lets a crash of the machine lose acknowledged writes", {
                "say log.durability=os if that is meant"
            }),
        };
        problems.warn(problem);
    }
    if given.is_none() {
        let (value, from) = if force { ("always", "default") } else { ("os", "forceSync=no") };
        settings.derive(&keys::LOG_DURABILITY, value.to_owned(), from);
    }
    durability
}

fn snapshots(settings: &Settings, problems: &mut Problems) -> Snapshots {
    let wanted = settings.int(&keys::SNAP_RETAIN_COUNT);
    if wanted < MIN_RETAINED
        && let Some(given) = settings.given(&keys::SNAP_RETAIN_COUNT)
    {
        let wrong = format!("is too few; {MIN_RETAINED} are kept");
        problems.warn(Problem::new(given, &keys::SNAP_RETAIN_COUNT, &wrong, ""));
    }
    let log_kib = u64::try_from(settings.int(&keys::SNAP_SIZE_LIMIT)).unwrap_or(0);
    Snapshots {
        every_transactions: count(settings, &keys::SNAP_COUNT),
        every_log_bytes: Some(log_kib * 1024).filter(|bytes| *bytes > 0),
        retain: u32::try_from(wanted.max(MIN_RETAINED)).expect("the table bounds the number of snapshots"),
        max_rate: Some(settings.size(&keys::SNAPSHOT_RATE)).filter(|rate| *rate > 0),
        zstd_level: i32::try_from(settings.int(&keys::SNAPSHOT_ZSTD_LEVEL)).expect("the table bounds the level"),
    }
}

fn logging(settings: &Settings) -> Logging {
    let json = settings.text(&keys::LOGGING_FORMAT).is_some_and(|format| format.eq_ignore_ascii_case("json"));
    Logging {
        filter: settings.text(&keys::LOGGING_LEVEL).unwrap_or("info").to_owned(),
        format: if json { LoggingFormat::Json } else { LoggingFormat::Text },
    }
}
