//! What can change while the server runs. The operator's thread writes it; executors look with every tick whether there is
//! something new, which costs them one comparison.

mod complaints;
mod memory;
mod metrics;
mod operator;

pub(crate) use complaints::Complaints;
pub(crate) use metrics::own_metrics;
pub(crate) use operator::{Operator, Reload, connection_limits};

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Config, Limits, Settings};
use crate::four_letter::Whitelist;
use crate::metrics::AdminMeasures;
use ringkeeper_core::ids::WallMs;

/// What is in force at one time.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    /// All settings; those that take a restart as they were at the start.
    pub(crate) settings: Arc<Settings>,
    /// What clients may take.
    pub(crate) limits: Limits,
    /// The four-letter words that are answered.
    pub(crate) words: Whitelist,
}

impl Current {
    /// As the server was started.
    pub(crate) fn of(config: &Config) -> Current {
        let settings = Arc::new(config.settings.clone());
        Current { settings, limits: config.limits.clone(), words: config.words }
    }
}

/// Memory, as it was last looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Bytes that the process uses.
    pub used: u64,
    /// Bytes that it may use.
    pub limit: u64,
    /// New sessions and growing writes are refused.
    pub short: bool,
}

/// The shared place.
#[derive(Debug)]
pub(crate) struct Live {
    /// Rises with each change of `current`.
    version: AtomicU64,
    current: Mutex<Arc<Current>>,
    used: AtomicU64,
    limit: AtomicU64,
    short: AtomicBool,
    /// When the first certificate of TLS ends, in milliseconds; 0 if there is none.
    certificate_ends: AtomicI64,
    admin: Mutex<AdminMeasures>,
}

impl Live {
    pub(crate) fn new(current: Current) -> Live {
        Live {
            version: AtomicU64::new(0),
            current: Mutex::new(Arc::new(current)),
            used: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            short: AtomicBool::new(false),
            certificate_ends: AtomicI64::new(0),
            admin: Mutex::default(),
        }
    }

    /// What is in force.
    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts something else into force; executors take it over with their next tick.
    fn change(&self, current: Current) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Memory, as it was last looked at.
    pub(crate) fn memory(&self) -> MemoryUse {
        MemoryUse {
            used: self.used.load(Ordering::Relaxed),
            limit: self.limit.load(Ordering::Relaxed),
            short: self.short.load(Ordering::Relaxed),
        }
    }

    /// When the first of the certificates ends that clients or other servers see; `None` if there is none.
    pub(crate) fn certificate_ends(&self) -> Option<WallMs> {
        Some(WallMs(self.certificate_ends.load(Ordering::Relaxed))).filter(|ends| ends.0 != 0)
    }

    pub(crate) fn set_certificate_ends(&self, ends: WallMs) {
        self.certificate_ends.store(ends.0, Ordering::Relaxed);
    }

    /// What the admin server counts.
    pub(crate) fn admin_measures(&self) -> AdminMeasures {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has the admin server's counters changed.
    pub(crate) fn count_admin(&self, change: impl FnOnce(&mut AdminMeasures)) {
        change(&mut self.admin.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn set_memory(&self, memory: MemoryUse) {
        self.used.store(memory.used, Ordering::Relaxed);
        self.limit.store(memory.limit, Ordering::Relaxed);
        self.short.store(memory.short, Ordering::Relaxed);
    }
}

/// One executor's view: what it has taken over.
#[derive(Debug)]
pub(crate) struct Follower {
    live: Arc<Live>,
    version: Cell<u64>,
    short: Cell<bool>,
}

impl Follower {
    /// Of an executor that was started with what is in force.
    pub(crate) fn new(live: Arc<Live>) -> Follower {
        Follower { version: Cell::new(0), short: Cell::new(false), live }
    }

    /// What is in force, if it has changed since it was last asked for.
    pub(crate) fn changed(&self) -> Option<Arc<Current>> {
        let version = self.live.version.load(Ordering::Acquire);
        (self.version.replace(version) != version).then(|| self.live.current())
    }

    /// Whether memory is short, if that has changed since it was last asked for.
    pub(crate) fn memory_changed(&self) -> Option<bool> {
        let short = self.live.short.load(Ordering::Relaxed);
        (self.short.replace(short) != short).then_some(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;

    #[test]
    fn executors_hear_of_each_change_once() {
        let load = |line: &str| {
            let file = Some(("f".into(), format!("dataDir=/d\n{line}").into_bytes()));
            Current::of(&Config::load(&Inputs { file, ..Inputs::default() }, 1).unwrap().0)
        };
        let live = Arc::new(Live::new(load("")));
        let (one, two) = (Follower::new(Arc::clone(&live)), Follower::new(Arc::clone(&live)));
        assert!(one.changed().is_none() && one.memory_changed().is_none());
        live.change(load("maxCnxns=7"));
        live.set_memory(MemoryUse { used: 9, limit: 10, short: true });
        for executor in [&one, &two] {
            assert_eq!(executor.changed().unwrap().limits.connections, Some(7));
            assert_eq!(executor.memory_changed(), Some(true));
            assert!(executor.changed().is_none() && executor.memory_changed().is_none());
        }
        assert_eq!(live.memory(), MemoryUse { used: 9, limit: 10, short: true });
    }
}
