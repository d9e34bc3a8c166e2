//! A server: its disk and clocks, which stay, and its process, which comes and goes.

use super::cable::Cable;
use super::clock::ServerClock;
use crate::plan::Plan;
use crate::time::{MS, Time};
use core::time::Duration;
use ringkeeper_core::frontend::FrontendConfig;
use ringkeeper_core::ids::{Epoch, ServerId};
use ringkeeper_core::prepare::PrepareConfig;
use ringkeeper_core::replica::{Replica, ReplicaConfig};
use ringkeeper_core::zab::{Quorum, RoleChange};
use ringkeeper_node::{Clock as _, Node, OnDamage, Recovered, recover_or_give_up};
use ringkeeper_txnlog::Log;
use ringkeeper_txnlog::disk::Disk;
use ringkeeper_txnlog::driver::Completions;
use ringkeeper_txnlog::error::OpenError;
use ringkeeper_txnlog::recovery::{Dirs, Recovery};
use ringkeeper_txnlog::sim::{Rng, SimDevice, SimDisk};
use std::sync::Arc;

/// See the module.
pub struct Server {
    /// Its number, from 0; its id is one more.
    pub at: usize,
    pub disk: SimDisk,
    pub clock: ServerClock,
    /// How often it was started.
    pub life: u32,
    pub process: Option<Process>,
    /// The process stands still until then.
    pub paused_until: Time,
    /// The disk takes so many times as long, until then.
    pub slow: (u64, Time),
    /// The disk does nothing until then.
    pub hung_until: Time,
    /// It has what it ever acknowledged: neither was its disk replaced, nor has it rotted, since an established leader
    /// last took the server up.
    pub sound: bool,
    /// A fault of its disk has been asked for in this life, so that the process may have to end.
    pub disk_faults: bool,
    /// What its disk must do if the power fails in the middle of an operation, and when it is started again.
    pub crashes: Option<(ringkeeper_txnlog::sim::CrashStyle, Time)>,
    /// The newest epoch that it was seen to have promised durably.
    pub promised: Epoch,
}

/// A process.
pub struct Process {
    pub node: Node,
    pub device: SimDevice,
    pub cable: Cable,
    pub turn_scheduled: bool,
    pub disk_scheduled: bool,
    pub role: RoleChange,
    /// It was asked to stop.
    pub stopping: bool,
}

impl Server {
    pub fn new(at: usize, plan: &Plan, rng: &mut Rng) -> Server {
        let most = plan.limits.drift_ppm;
        let drift_ppm = if most == 0 { 0 } else { rng.below(2 * most + 1) as i64 - most as i64 };
        Server {
            at,
            disk: SimDisk::new(rng.next_u64()),
            clock: ServerClock { drift_ppm, origin: 0, wall_offset: 0 },
            life: 0,
            process: None,
            paused_until: 0,
            slow: (1, 0),
            hung_until: 0,
            sound: true,
            disk_faults: false,
            crashes: None,
            promised: Epoch(0),
        }
    }

    #[must_use]
    pub fn id(&self) -> ServerId {
        id(self.at)
    }

    /// What is on a disk, without changing it.
    pub fn read(plan: &Plan, disk: &SimDisk) -> Result<(Recovery, Recovered), OpenError> {
        let mut recovery = Recovery::open(dirs(disk), plan.limits.log(), plan.limits.snapshots())?;
        let recovered = ringkeeper_node::recover(&mut recovery)?;
        Ok((recovery, recovered))
    }

    /// Starts the process.
    pub fn start(&mut self, plan: &Plan, now: Time, rng: &mut Rng) -> Result<Recovered, OpenError> {
        self.life += 1;
        self.clock.origin = rng.below(1_000_000) * MS;
        let (log, snapshots) = (plan.limits.log(), plan.limits.snapshots());
        let (recovery, mut recovered) = recover_or_give_up(&dirs(&self.disk), &log, &snapshots, OnDamage::GiveUp)?;
        let completions = Arc::new(Completions::default());
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let device = SimDevice::new(disk, log.defects, Arc::clone(&completions));
        let (own, background) = (Box::new(device.clone()), Box::new(device.clone()));
        let clock = self.clock.read(now);
        let log = Log::with_device(recovery, own, background, completions, rng.next_u64(), clock.now())?;
        let config = self.config(plan, rng.next_u64());
        let tail = std::mem::take(&mut recovered.tail);
        let tree = std::mem::take(&mut recovered.tree);
        let replica = Replica::new(config, recovered.epochs, &tree, tail, recovered.summary.frames);
        let mut node = Node::new(frontend(plan), replica, tree, log);
        let cable = Cable::default();
        node.backend.link(Box::new(cable.clone()));
        self.process = Some(Process {
            node,
            device,
            cable,
            turn_scheduled: false,
            disk_scheduled: false,
            role: RoleChange::Looking,
            stopping: false,
        });
        Ok(recovered)
    }

    fn config(&self, plan: &Plan, seed: u64) -> ReplicaConfig {
        let limits = &plan.limits;
        let timeout_ms = (limits.session_timeout / MS) as i32;
        ReplicaConfig {
            id: self.id(),
            quorum: Quorum::majority((0..limits.voters).map(id)),
            timing: limits.timing(),
            history_bytes: limits.history_bytes,
            seed,
            hold_clients: Duration::from_nanos(limits.hold),
            read_only_after: limits.read_only_after.map(Duration::from_nanos),
            defects: plan.defects,
            tick: Duration::from_millis(50),
            min_session_timeout_ms: timeout_ms,
            max_session_timeout_ms: timeout_ms,
            last_counter: limits.last_counter,
            prepare: PrepareConfig { extended_types: true, ..PrepareConfig::default() },
            snap_count: limits.snap_count,
            reap_interval: Duration::from_millis(400),
            ..ReplicaConfig::default()
        }
    }

    /// The process, if it runs in this life.
    pub fn process(&mut self, life: u32) -> Option<&mut Process> {
        if self.life == life { self.process.as_mut() } else { None }
    }
}

/// The id of the server of this number.
#[must_use]
pub fn id(at: usize) -> ServerId {
    ServerId(at as u8 + 1)
}

/// The number of the server of this id.
#[must_use]
pub fn number(id: ServerId) -> usize {
    usize::from(id.0) - 1
}

fn dirs(disk: &SimDisk) -> Dirs {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Dirs { log: Arc::clone(&disk), data: disk }
}

fn frontend(plan: &Plan) -> FrontendConfig {
    FrontendConfig { defects: plan.defects, ..FrontendConfig::default() }
}
