//! Faults strike.

use super::World;
use super::events::Event;
use super::server::Server;
use super::turns::End;
use crate::plan::{Fault, Who};
use crate::time::{MS, Time};
use ringkeeper_core::replica::Input;
use ringkeeper_txnlog::sim;

/// What an orderly stop may take.
const STOP: Time = 120 * MS;

impl World {
    pub(super) fn strike(&mut self, index: usize) {
        if self.calm {
            return;
        }
        let fault = self.plan.faults[index].fault;
        self.trace.say(self.now, || format!("[{index}] {fault:?}"));
        self.trace.note(self.now, &[8, index as u64]);
        match fault {
            Fault::Kill(who, down) => self.bring_down(who, "kill", down, |_| End::Process),
            Fault::PowerLoss(who, style, down) => self.bring_down(who, "power loss", down, |_| End::Power(style)),
            Fault::Blackout(style, down) => {
                self.seen.note("blackout");
                for at in 0..self.servers.len() {
                    self.bring_down(Who::Server(at), "power loss", down, |_| End::Power(style));
                }
            }
            Fault::CrashDuring(who, operations, style, down) => self.on(who, |world, at| {
                world.servers[at].crashes = Some((style, down));
                world.servers[at].disk.crash_after(operations);
            }),
            Fault::Stop(who, down) => self.on(who, |world, at| world.stop(at, down)),
            Fault::Pause(who, time) => self.on(who, |world, at| {
                world.seen.note("pause");
                let server = &mut world.servers[at];
                server.paused_until = server.paused_until.max(world.now + time);
            }),
            Fault::Reset(a, b) => self.between(a, b, "link reset", |world, a, b| world.reset(a, b)),
            Fault::CutOneWay(a, b, time) => self.between(a, b, "cut one way", |world, a, b| world.cut(a, b, time)),
            Fault::Cut(a, b, time) => self.between(a, b, "cut", |world, a, b| {
                world.cut(a, b, time);
                world.cut(b, a, time);
            }),
            Fault::Isolate(who, time) => self.on(who, |world, at| {
                world.seen.note("cut");
                world.cut_off(at, time, true, true);
            }),
            Fault::Mute(who, time) => self.on(who, |world, at| {
                world.seen.note("cut one way");
                world.cut_off(at, time, true, false);
            }),
            Fault::Clog(a, b, longer, time) => self.between(a, b, "clog", |world, a, b| {
                world.net.lane(a, b).clog = (longer, world.now + time);
            }),
            _ => self.strike_disk(fault),
        }
    }

    fn strike_disk(&mut self, fault: Fault) {
        match fault {
            Fault::SlowDisk(who, factor, time) => self.on(who, |world, at| {
                world.servers[at].slow = (factor, world.now + time);
            }),
            Fault::HungDisk(who, time) => self.on(who, |world, at| {
                world.servers[at].hung_until = world.now + time;
            }),
            Fault::FailSync(who, skip) => self.fail(who, sim::Fault::Sync, skip),
            Fault::FailWrite(who, skip) => self.fail(who, sim::Fault::Write, skip),
            Fault::FailSyncDir(who, skip) => self.fail(who, sim::Fault::SyncDir, skip),
            Fault::FullDisk(who, room, time) => self.on(who, |world, at| {
                world.seen.note("full disk");
                let disk = &world.servers[at].disk;
                disk.set_capacity(disk.used() + room);
                world.queue.at(world.now + time, Event::Room(at));
            }),
            Fault::Rot(who, choice) => self.on(who, |world, at| world.rot(at, choice)),
            Fault::ReplaceDisk(who, down) => self.on(who, |world, at| {
                if world.may_forget(at) {
                    world.end(at, End::Process);
                    world.replace_disk(at);
                    world.queue.at(world.now + down, Event::Start(at));
                }
            }),
            Fault::SetWallClock(who, ms) => self.on(who, |world, at| world.servers[at].clock.wall_offset = ms),
            Fault::MoveClient(n) => {
                let name = n % self.clients.len();
                self.with_client(name, |client, world| client.move_away(world));
            }
            Fault::SilenceClient(n, time) => {
                let name = n % self.clients.len();
                self.with_client(name, |client, world| client.fall_silent(world.now + time));
            }
            _ => unreachable!("{fault:?} is no fault of a disk or a client"),
        }
    }

    /// Does something to a server that runs.
    fn on(&mut self, who: Who, what: impl FnOnce(&mut World, usize)) {
        if let Some(at) = self.whom(who).filter(|at| self.is_running(*at)) {
            what(self, at);
        }
    }

    fn between(&mut self, a: Who, b: Who, name: &'static str, what: impl FnOnce(&mut World, usize, usize)) {
        if let (Some(a), Some(b)) = (self.whom(a), self.whom(b))
            && a != b
        {
            self.seen.note(name);
            what(self, a, b);
        }
    }

    fn bring_down(&mut self, who: Who, name: &'static str, down: Time, end: impl FnOnce(&mut World) -> End) {
        self.on(who, |world, at| {
            world.seen.note(name);
            let end = end(world);
            world.end(at, end);
            world.queue.at(world.now + down, Event::Start(at));
        });
    }

    fn stop(&mut self, at: usize, down: Time) {
        self.seen.note("orderly stop");
        let life = self.servers[at].life;
        let Some(process) = self.servers[at].process(life) else { return };
        process.stopping = true;
        process.node.backend.inputs.push(Input::Leave);
        self.wake(at);
        self.queue.at(self.now + STOP, Event::Stopped(at, life));
        self.queue.at(self.now + STOP + down, Event::Start(at));
    }

    pub(super) fn stopped(&mut self, at: usize, life: u32) {
        if self.servers[at].process(life).is_some() {
            self.end(at, End::Process);
            // The other event may have come while it still ran.
            self.queue.at(self.now + MS, Event::Start(at));
        }
    }

    /// Cuts a server off from all others: what it says, what it hears, or both.
    pub(super) fn cut_off(&mut self, at: usize, time: Time, says: bool, hears: bool) {
        for other in 0..self.servers.len() {
            if says {
                self.cut(at, other, time);
            }
            if hears {
                self.cut(other, at, time);
            }
        }
    }

    fn fail(&mut self, who: Who, fault: sim::Fault, skip: u64) {
        self.on(who, |world, at| {
            world.servers[at].disk_faults = true;
            world.servers[at].disk.inject(fault, skip);
        });
    }

    /// A bit changes, and the server is started again, so that it is read. The end of a log can rot in a way that nobody
    /// can tell from a write that was torn; that is not asked for.
    fn rot(&mut self, at: usize, choice: u64) {
        // Before an ensemble is founded nobody can bring a server up again that does not know what it had.
        let founded = self.seen.times("leader established") > 0;
        if !self.may_forget(at) || !founded {
            return;
        }
        self.end(at, End::Process);
        self.queue.at(self.now + MS, Event::Start(at));
        let disk = &self.servers[at].disk;
        let names: Vec<String> = disk.names().into_iter().filter(|name| !name.contains("damaged")).collect();
        let Some(name) = names.get((choice % names.len().max(1) as u64) as usize) else { return };
        let len = disk.content(name).map_or(0, |content| content.len() as u64);
        if len == 0 {
            return;
        }
        let (offset, bit) = ((choice >> 8) % len, (choice >> 5) as u8 & 7);
        let last = |disk: &sim::SimDisk| Server::read(&self.plan, disk).map(|(_, found)| found.summary.last);
        let before = last(disk);
        disk.flip(name, offset, bit);
        if let (Ok(before), Ok(after)) = (before, last(disk))
            && after < before
        {
            disk.flip(name, offset, bit);
            return;
        }
        self.seen.note("rot");
        self.trace.say(self.now, || format!("server {at}: {name} rots at {offset}"));
        self.servers[at].sound = false;
    }
}
