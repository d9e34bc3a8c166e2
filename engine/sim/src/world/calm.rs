//! The end of all faults: everything is mended, or left as it is to stay for good.

use super::World;
use super::events::Event;
use super::turns::End;
use crate::plan::Permanent;
use crate::time::{MS, Time};

impl World {
    /// Mends everything, and starts whoever is down. Pauses run out by themselves.
    pub(super) fn mend(&mut self) {
        self.calm = true;
        for at in 0..self.servers.len() {
            let now = self.now;
            let server = &mut self.servers[at];
            server.slow = (1, 0);
            server.disk.set_capacity(u64::MAX);
            if server.process.is_some() && !server.disk.has_crashed() {
                server.disk.heal();
                server.crashes = None;
            }
            for other in 0..self.servers.len() {
                let lane = self.net.lane(at, other);
                lane.cut_until = 0;
                lane.clog = (0, 0);
                self.queue.at(now, Event::Healed(at, other));
            }
            self.queue.at(now + self.rng.below(10 * MS), Event::Start(at));
        }
        self.trace.say(self.now, || "everything is mended".to_owned());
    }

    /// What stays wrong for good begins.
    pub(super) fn go_wrong_for_good(&mut self) {
        for permanent in self.plan.permanent.clone() {
            self.trace.say(self.now, || format!("for good: {permanent:?}"));
            match permanent {
                Permanent::Down(at) => self.end(at, End::Process),
                Permanent::Paused(at) => self.servers[at].paused_until = Time::MAX,
                Permanent::Mute(at) => self.cut_off(at, Time::MAX, true, false),
                Permanent::Deaf(at) => self.cut_off(at, Time::MAX, false, true),
                Permanent::Cut(a, b) => {
                    self.cut(a, b, Time::MAX);
                    self.cut(b, a, Time::MAX);
                }
                Permanent::OneWay(a, b) => self.cut(a, b, Time::MAX),
                Permanent::HungDisk(at) => self.servers[at].hung_until = Time::MAX,
            }
        }
    }

    pub(super) fn is_down_for_good(&self, at: usize) -> bool {
        self.calm && self.is_liveness() && self.went_wrong && self.plan.permanent.contains(&Permanent::Down(at))
    }

    /// Whether nothing that stays wrong touches this server itself. (Its links may be cut.)
    pub(super) fn is_well(&self, at: usize) -> bool {
        !self.went_wrong
            || !self.plan.permanent.iter().any(|permanent| match permanent {
                Permanent::Down(who)
                | Permanent::Paused(who)
                | Permanent::Mute(who)
                | Permanent::Deaf(who)
                | Permanent::HungDisk(who) => *who == at,
                Permanent::Cut(..) | Permanent::OneWay(..) => false,
            })
    }
}
