//! What processes do: turns, ticks, disk operations; how they begin and end.

use super::World;
use super::events::Event;
use super::server::Server;
use super::wires::ToClient;
use crate::time::{MS, Time, US};
use ringkeeper_core::zab::RoleChange;
use ringkeeper_node::Clock as _;
use ringkeeper_txnlog::sim::{CrashStyle, Waiting};

/// The server's tick.
const TICK: Time = 20 * MS;
/// A process that has ended by itself is started again after this.
const RESTART: Time = 40 * MS;

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// It alone.
    Process,
    /// With the machine.
    Power(CrashStyle),
}

impl World {
    /// A turn of this server is due.
    pub(super) fn wake(&mut self, at: usize) {
        let cost = US + self.rng.below(20 * US);
        let Server { process, life, .. } = &mut self.servers[at];
        let Some(process) = process else { return };
        if !std::mem::replace(&mut process.turn_scheduled, true) {
            self.queue.at(self.now + cost, Event::Turn(at, *life));
        }
    }

    pub(super) fn turn(&mut self, at: usize, life: u32) {
        let server = &mut self.servers[at];
        let clock = server.clock.read(self.now);
        if server.paused_until > self.now {
            self.queue.at(server.paused_until, Event::Turn(at, life));
            return;
        }
        let Some(process) = server.process(life) else { return };
        process.turn_scheduled = false;
        if let Err(halted) = process.node.turn(&clock) {
            return self.halted(at, &halted.0);
        }
        self.observe(at);
        self.collect_replies(at, life);
        self.carry(at);
        let Some(process) = self.servers[at].process(life) else { return };
        if process.node.end_turn(&clock) {
            self.wake(at);
        }
        self.schedule_disk(at, life);
    }

    pub(super) fn tick(&mut self, at: usize, life: u32) {
        let server = &mut self.servers[at];
        let clock = server.clock.read(self.now);
        let resumed = server.paused_until;
        let Some(process) = server.process(life) else { return };
        if resumed > self.now {
            self.queue.at(resumed, Event::Tick(at, life));
            return;
        }
        process.node.tick(clock.now());
        self.queue.at(self.now + TICK, Event::Tick(at, life));
        self.wake(at);
    }

    fn schedule_disk(&mut self, at: usize, life: u32) {
        let delay = self.about(self.plan.limits.disk_delay);
        let now = self.now;
        let server = &mut self.servers[at];
        let factor = if server.slow.1 > now { server.slow.0 } else { 1 };
        let hung = server.hung_until;
        let Some(process) = server.process(life) else { return };
        if process.disk_scheduled || process.device.is_idle() {
            return;
        }
        process.disk_scheduled = true;
        self.queue.at((now + delay * factor).max(hung), Event::Disk(at, life));
    }

    pub(super) fn disk(&mut self, at: usize, life: u32) {
        let choice = self.rng.next_u64();
        let hung = self.servers[at].hung_until;
        let Some(process) = self.servers[at].process(life) else { return };
        if hung > self.now {
            self.queue.at(hung, Event::Disk(at, life));
            return;
        }
        process.disk_scheduled = false;
        let waiting = process.device.waiting();
        if !waiting.is_empty() {
            let index = (choice % waiting.len() as u64) as usize;
            process.device.step(index);
            self.trace.note(self.now, &[1, at as u64, waiting.len() as u64, index as u64]);
            if self.servers[at].disk.has_crashed() {
                self.seen.note("crash during a disk operation");
                if waiting[index] == Waiting::Job("snapshot") {
                    self.seen.note("crash while a snapshot is written");
                }
                return self.crashed(at);
            }
            self.wake(at);
        }
        self.schedule_disk(at, life);
    }

    /// The power failed in the middle of an operation.
    fn crashed(&mut self, at: usize) {
        let (style, down) = self.servers[at].crashes.take().expect("a crash was planned");
        self.end(at, End::Power(style));
        self.queue.at(self.now + down, Event::Start(at));
    }

    /// The process has found that it must end.
    fn halted(&mut self, at: usize, reason: &str) {
        let server = &self.servers[at];
        self.trace.say(self.now, || format!("server {at} halts: {reason}"));
        if server.disk.has_crashed() {
            return self.crashed(at);
        }
        if reason.contains("cannot cut the log back") {
            self.seen.note("a cut was refused while a state was installed");
            self.end(at, End::Process);
        } else {
            assert!(server.disk_faults, "server {at} halts for no fault of its disk: {reason}");
            self.seen.note("the log has failed");
            // A failed sync has taken what was not stable, as a power failure would have.
            self.end(at, End::Power(CrashStyle::None));
        }
        self.queue.at(self.now + RESTART, Event::Start(at));
    }

    /// The process ends.
    pub(super) fn end(&mut self, at: usize, end: End) {
        let now = self.now;
        let server = &mut self.servers[at];
        let Some(_) = server.process.take() else { return };
        self.trace.note(now, &[2, at as u64]);
        self.trace.say(now, || format!("server {at} ends: {end:?}"));
        let life = server.life;
        server.disk.heal();
        server.disk_faults = false;
        server.crashes = None;
        server.paused_until = 0;
        match end {
            End::Process => server.disk.restart(),
            End::Power(style) => server.disk.power_loss(style),
        }
        self.check.ended(at);
        let told = end == End::Process;
        self.break_links_of(at, told);
        for wire in self.wires.at(at, life) {
            // A machine that is gone tells nobody; a client finds out by itself.
            let delay = if told { MS } else { 50 * MS };
            self.push_to_client(wire, delay, ToClient::Closed);
        }
    }

    pub(super) fn start(&mut self, at: usize) {
        if self.is_running(at) || self.is_down_for_good(at) {
            return;
        }
        let World { plan, rng, now, servers, .. } = self;
        match servers[at].start(plan, *now, rng) {
            Ok(recovered) => {
                let life = servers[at].life;
                if recovered.summary.torn.is_some() {
                    self.seen.note("torn tail");
                }
                if recovered.epochs.lapsed {
                    self.seen.note("damage was given up");
                    assert!(!self.servers[at].sound, "server {at} gives up what nothing has happened to");
                }
                self.trace.note(self.now, &[3, at as u64, recovered.summary.last.0]);
                let last = recovered.summary.last;
                self.trace.say(self.now, || format!("server {at} starts with {last}, {:?}", recovered.epochs));
                let server = &mut self.servers[at];
                let (accepted, promised) = (recovered.epochs.accepted, server.promised);
                // The record of a server that may have lost something may be lost, too: its promises count for nothing.
                let kept = accepted >= promised || !server.sound && !recovered.epochs.member;
                assert!(kept, "server {at} has forgotten that it promised {promised:?}");
                server.promised = accepted;
                self.queue.at(self.now + self.rng.below(TICK), Event::Tick(at, life));
                self.wake(at);
            }
            Err(_) if self.servers[at].disk.has_crashed() => {
                self.seen.note("crash during recovery");
                let (style, down) = self.servers[at].crashes.take().unwrap_or((CrashStyle::Half, RESTART));
                self.servers[at].disk.power_loss(style);
                self.queue.at(self.now + down, Event::Start(at));
            }
            Err(error) => self.cannot_start(at, &error),
        }
    }

    fn cannot_start(&mut self, at: usize, error: &ringkeeper_txnlog::error::OpenError) {
        self.trace.say(self.now, || format!("server {at} cannot start: {error}"));
        let server = &mut self.servers[at];
        if server.disk_faults {
            server.disk.heal();
            server.disk_faults = false;
            server.disk.power_loss(CrashStyle::None);
        } else {
            assert!(!server.sound, "server {at} cannot start although nothing has happened to its disk: {error}");
            self.seen.note("damage was met");
            self.replace_disk(at);
        }
        self.queue.at(self.now + RESTART, Event::Start(at));
    }

    /// The server's disk is a new one.
    pub(super) fn replace_disk(&mut self, at: usize) {
        let seed = self.rng.next_u64();
        let server = &mut self.servers[at];
        server.disk = ringkeeper_txnlog::sim::SimDisk::new(seed);
        server.sound = false;
        server.promised = ringkeeper_core::ids::Epoch(0);
        self.seen.note("disk replaced");
    }

    /// What the server shows after its turn is held against what it may show.
    fn observe(&mut self, at: usize) {
        let before = self.check.last_shown();
        if let Some(process) = &self.servers[at].process {
            self.check.shows(self.now, at, &process.node.tree);
        }
        let shown = self.check.last_shown();
        if shown > before {
            self.shown_first(at, shown);
        }
        let server = &mut self.servers[at];
        let Some(process) = &mut server.process else { return };
        let tree = &process.node.tree;
        let replica = &process.node.backend.replica;
        let role = replica.role();
        let has_leader = role != RoleChange::Looking;
        assert!(!has_leader || !replica.is_read_only(), "server {at} is read-only although it is {role:?}");
        if role == process.role {
            return;
        }
        process.role = role;
        let what = match role {
            RoleChange::Looking => 0,
            RoleChange::Leading { epoch } => u64::from(epoch.0) << 1 | 1,
            RoleChange::Following { epoch, .. } => u64::from(epoch.0) << 1,
        };
        self.trace.note(self.now, &[4, at as u64, what]);
        let last = tree.last_zxid();
        self.trace.say(self.now, || format!("server {at} is {role:?} with {last}"));
        if let RoleChange::Leading { epoch } = role {
            if last.epoch().0 + 1 == epoch.0 && last.counter() >= self.plan.limits.last_counter {
                self.seen.note("epoch rolled over");
            }
            self.seen.note("leader established");
            self.check.leads(at, epoch, tree);
        }
        if role != RoleChange::Looking {
            server.sound = true;
        }
    }
}
