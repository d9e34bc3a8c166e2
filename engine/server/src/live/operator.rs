//! The operator's thread: reads the configuration and the files of TLS again on SIGHUP, and looks now and then how much memory is in use.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringkeeper_core::memory::MemoryBound;
use ringkeeper_net::{ConnectionLimits, Door};
use signal_hook::consts::SIGHUP;
use signal_hook::flag;

use super::{Current, Live, MemoryUse, memory};
use crate::config::key::Group;
use crate::config::reload::{Change, changes};
use crate::config::{Config, Limits, Problems};
use crate::logging;
use crate::tls::Renewals;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// The limit of a control group may be changed, but nobody does so often.
const LIMIT_EVERY: Duration = Duration::from_secs(30);
/// While memory is short, the allocator is asked so often for what it does not need.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(10);

/// Reads the configuration again; what it says instead is for the log.
pub(crate) type Reload = Box<dyn Fn() -> Result<(Config, Problems), Vec<String>> + Send>;

/// What the thread works with.
pub(crate) struct Operator {
    pub(crate) live: Arc<Live>,
    pub(crate) door: Door,
    /// Connections for which there are file descriptors.
    pub(crate) descriptors: u32,
    pub(crate) reload: Reload,
    pub(crate) logging: logging::Handle,
    pub(crate) tls: Renewals,
}

impl Operator {
    /// Starts the thread. From now on SIGHUP does not end the process.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) fn start(mut self) -> io::Result<()> {
        let asked = Arc::new(AtomicBool::new(false));
        flag::register(SIGHUP, Arc::clone(&asked))?;
        let mut watch = MemoryWatch::default();
        thread::Builder::new().name("operator".to_owned()).spawn(move || {
            loop {
                if asked.swap(false, Ordering::Relaxed) {
                    self.read_again();
                }
                self.tls.look(Instant::now());
                if let Some(ends) = self.tls.ends() {
                    self.live.set_certificate_ends(ends);
                }
                watch.look(&self.live, Instant::now());
                thread::sleep(PAUSE);
            }
        })?;
        Ok(())
    }

    fn read_again(&mut self) {
        tracing::info!("SIGHUP: reading the configuration again");
        let (config, problems) = match (self.reload)() {
            Ok(loaded) => loaded,
            Err(said) => {
                said.iter().for_each(|line| tracing::error!("{line}"));
                return tracing::error!("the configuration is refused; the one in force stays");
            }
        };
        // Its files first: a configuration of which something cannot be used changes nothing.
        if let Err(unusable) = self.tls.renew(&config) {
            tracing::error!("{unusable}");
            return tracing::error!("the configuration is refused; the one in force stays, and its certificate");
        }
        problems.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let running = self.live.current();
        let waiting = self.tls.waiting_for_restart(&config);
        waiting.iter().for_each(|group| {
            let title = group.title();
            tracing::warn!(
                "{title} begins or ends with a restart: until then the ports stay as they are, and certificates"
            );
        });
        let changes = changes(&running.settings, &config.settings, &waiting);
        if changes.iter().any(|change| change.live) {
            self.take_over(&running, config, &waiting);
        }
        tell(&changes);
    }

    fn take_over(&self, running: &Current, config: Config, waiting: &[Group]) {
        self.door.set_limits(connection_limits(&config.limits, self.descriptors));
        if let Err(error) = self.logging.set_filter(&config.logging.filter) {
            tracing::error!("logging.level is left as it was: {error}");
        }
        let settings = Arc::new(running.settings.with_live_ones_of(&config.settings, waiting));
        self.live.change(Current { settings, limits: config.limits, words: config.words });
    }
}

/// Logs each difference.
fn tell(changes: &[Change]) {
    for change in changes {
        let (name, before, after) = (&change.name, &change.before, &change.after);
        match change.live {
            true => tracing::info!("{name} is {after} now, instead of {before}"),
            false => tracing::warn!("{name}={after} needs a restart; until then it is {before}"),
        }
    }
    if changes.is_empty() {
        tracing::info!("nothing in the configuration has changed");
    }
}

/// The limits of the listening socket. Without file descriptors nobody can be let in.
pub(crate) fn connection_limits(limits: &Limits, descriptors: u32) -> ConnectionLimits {
    ConnectionLimits {
        per_address: limits.connections_per_address.unwrap_or(0),
        total: limits.connections.unwrap_or(u32::MAX).min(descriptors),
    }
}

#[derive(Default)]
struct MemoryWatch {
    /// What the machine or its control group has, and when that was read.
    found: Option<(Instant, u64)>,
    gave_back: Option<Instant>,
}

impl MemoryWatch {
    fn look(&mut self, live: &Live, now: Instant) {
        let Some(used) = memory::used() else { return };
        let configured = live.current().limits.memory;
        let limit = configured.bytes.unwrap_or_else(|| self.limit(now));
        let before = live.memory();
        let short = MemoryBound { limit, percent: configured.percent }.is_short(used, before.short);
        live.set_memory(MemoryUse { used, limit, short });
        let (used_mib, limit_mib) = (used >> 20, limit >> 20);
        match (before.short, short) {
            (false, true) => tracing::error!(
                used_mib,
                limit_mib,
                "memory is short: no new sessions, and no writes that make the tree larger, until some is free; \
                 delete nodes, give the server more, or see memory.refuse.percent and memory.limit.bytes"
            ),
            (true, false) => {
                tracing::info!(used_mib, limit_mib, "memory is no longer short: nothing is refused for it")
            }
            _ => {}
        }
        if short && self.gave_back.is_none_or(|last| now - last >= GIVE_BACK_EVERY) {
            self.gave_back = Some(now);
            memory::give_back();
        }
    }

    fn limit(&mut self, now: Instant) -> u64 {
        match self.found {
            Some((read, limit)) if now - read < LIMIT_EVERY => limit,
            _ => {
                let limit = memory::limit().unwrap_or(0);
                self.found = Some((now, limit));
                limit
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;

    fn configured(lines: &str) -> Config {
        let file = Some(("f".into(), format!("dataDir=/d\n{lines}").into_bytes()));
        Config::load(&Inputs { file, ..Inputs::default() }, 1).unwrap().0
    }

    #[test]
    fn nobody_is_let_in_without_a_descriptor() {
        let total = |lines, descriptors| connection_limits(&configured(lines).limits, descriptors).total;
        assert_eq!((total("", 100), total("maxCnxns=7", 100), total("maxCnxns=700", 100)), (100, 7, 100));
        assert_eq!(connection_limits(&configured("maxClientCnxns=0").limits, 100).per_address, 0, "no limit");
    }

    #[test]
    fn while_memory_is_short_unused_memory_is_given_back_now_and_then() {
        let short = Live::new(Current::of(&configured("memory.limit.bytes=1000")));
        let (mut watch, start) = (MemoryWatch::default(), Instant::now());
        for (after, given_back) in [
            (Duration::ZERO, Duration::ZERO),
            (GIVE_BACK_EVERY / 2, Duration::ZERO),
            (GIVE_BACK_EVERY, GIVE_BACK_EVERY),
        ] {
            watch.look(&short, start + after);
            assert_eq!(watch.gave_back, Some(start + given_back), "{after:?}");
        }
        let mut watch = MemoryWatch::default();
        watch.look(&Live::new(Current::of(&configured("memory.refuse.percent=0"))), start);
        assert_eq!(watch.gave_back, None);
    }

    #[test]
    fn memory_that_was_short_is_so_until_well_below_the_bound() {
        // Of this process, at 97.5 % of what it may use: below the bound, and not well below it. With so much in use what the
        // test itself needs hardly counts.
        let held = vec![1_u8; 64 << 20];
        let limit = memory::used().unwrap() / 975 * 1000;
        let config = configured(&format!("memory.limit.bytes={limit}\nmemory.refuse.percent=99\n"));
        let live = Live::new(Current::of(&config));
        let mut watch = MemoryWatch::default();
        for short in [false, true, false] {
            live.set_memory(MemoryUse { short, ..MemoryUse::default() });
            watch.look(&live, Instant::now());
            assert_eq!((live.memory().limit, live.memory().short), (limit, short), "{:?}", live.memory());
        }
        drop(held);
    }
}
