//! Situations that chance meets too rarely, forced: a plan made by hand, run with many seeds so that what happens at
//! the same time differs.

use crate::plan::{Fault, Limits, Mode, Permanent, Plan, Planned, Who};
use crate::runner;
use crate::seen::Seen;
use crate::time::{MS, Time};
use ringkeeper_txnlog::sim::CrashStyle;

/// One of them.
pub struct Scenario {
    /// What it forces.
    pub name: &'static str,
    /// What must have happened in the runs of all its seeds together.
    pub shows: &'static [&'static str],
    /// What must never have happened.
    pub spares: &'static [&'static str],
    make: fn(&mut Plan),
}

impl Scenario {
    /// Runs it with so many seeds.
    ///
    /// # Errors
    /// What must not have happened, or what should have.
    pub fn run(&self, seeds: u64, trace: bool) -> Result<Seen, String> {
        let mut seen = Seen::default();
        for seed in 0..seeds {
            let mut plan = quiet(seed);
            (self.make)(&mut plan);
            let ended = runner::run(plan, trace && seed == 0).map_err(|what| format!("variation {seed}: {what}"))?;
            seen.merge(&ended.seen);
        }
        if let Some(what) = self.shows.iter().find(|what| seen.times(what) == 0) {
            return Err(format!("in {seeds} variations there was never: {what}"));
        }
        match self.spares.iter().find(|what| seen.times(what) > 0) {
            Some(what) => Err(format!("in {seeds} variations there was {} times: {what}", seen.times(what))),
            None => Ok(seen),
        }
    }
}

/// Three servers of usual sizes to which nothing happens.
fn quiet(seed: u64) -> Plan {
    let mut plan = Plan::of(seed, Mode::Safety);
    plan.limits = Limits {
        voters: 3,
        observers: 0,
        last_counter: u32::MAX,
        snap_count: 1_000,
        history_bytes: 8 << 20,
        silence: 120 * MS,
        read_only_after: None,
        drift_ppm: 0,
        client_pause: 8 * MS,
        ..plan.limits
    };
    plan.faults.clear();
    plan.clients = 4;
    plan.calm = 1_500 * MS;
    plan
}

fn at(plan: &mut Plan, ms: Time, fault: Fault) {
    plan.faults.push(Planned { at: ms * MS, fault });
}

const SOON: Time = 40 * MS;

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a leader dies again and again",
        shows: &["kill", "leader established", "session taken up"],
        spares: &["connection closed by a server that lives"],
        make: |plan| (0..12).for_each(|n| at(plan, 200 + n * 100, Fault::Kill(Who::Leader, SOON))),
    },
    Scenario {
        name: "all lose power again and again, in the middle of writes",
        shows: &["blackout", "torn tail"],
        spares: &[],
        make: |plan| {
            plan.limits.disk_delay = MS;
            plan.limits.client_pause = 3 * MS;
            for n in 0..8 {
                at(plan, 200 + n * 150, Fault::Blackout(CrashStyle::ALL[n as usize % CrashStyle::ALL.len()], SOON));
            }
        },
    },
    Scenario {
        name: "a follower syncs by DIFF and all lose power",
        shows: &["synchronised by DIFF", "blackout"],
        spares: &[],
        make: |plan| {
            for n in 0..4 {
                at(plan, 200 + n * 300, Fault::Kill(Who::Other(0), 20 * MS));
                at(plan, 222 + n * 300, Fault::Blackout(CrashStyle::None, SOON));
            }
        },
    },
    Scenario {
        name: "an uncommitted tail is cut, and the power fails meanwhile",
        shows: &["synchronised by TRUNC", "crash during a disk operation"],
        spares: &[],
        make: |plan| {
            plan.limits.disk_delay = 300_000;
            for n in 0..4 {
                // The leader writes what nobody else hears of, and dies; when it is back it must forget it.
                at(plan, 200 + n * 320, Fault::Mute(Who::Leader, 150 * MS));
                at(plan, 300 + n * 320, Fault::Kill(Who::Leader, 10 * MS));
                at(plan, 420 + n * 320, Fault::CrashDuring(Who::Other(0), 3 + n, CrashStyle::None, SOON));
                at(plan, 421 + n * 320, Fault::CrashDuring(Who::Other(1), 3 + n, CrashStyle::None, SOON));
            }
        },
    },
    Scenario {
        name: "a state that is sent whole is interrupted",
        shows: &["synchronised by SNAP", "kill"],
        spares: &[],
        make: |plan| {
            // Neither memory nor the log reaches back.
            plan.limits.history_bytes = 1 << 10;
            plan.limits.snap_count = 5;
            plan.limits.disk_delay = 300_000;
            for n in 0..5 {
                at(plan, 200 + n * 240, Fault::PowerLoss(Who::Other(0), CrashStyle::Half, 100 * MS));
                at(plan, 316 + n * 240, Fault::Kill(Who::Leader, SOON));
            }
        },
    },
    Scenario {
        name: "the leader is cut off with its clients",
        shows: &["cut", "connection lost"],
        spares: &[],
        make: |plan| (0..3).for_each(|n| at(plan, 200 + n * 400, Fault::Isolate(Who::Leader, 350 * MS))),
    },
    Scenario {
        name: "the leader is not heard, for good",
        shows: &["leader established"],
        spares: &[],
        make: |plan| {
            plan.mode = Mode::Liveness;
            plan.permanent = vec![Permanent::Mute((plan.seed % 3) as usize)];
        },
    },
    Scenario {
        name: "two servers do not see each other, for good",
        shows: &["leader established"],
        spares: &[],
        make: |plan| {
            plan.mode = Mode::Liveness;
            plan.permanent = vec![Permanent::Cut((plan.seed % 3) as usize, ((plan.seed + 1) % 3) as usize)];
        },
    },
    Scenario {
        name: "five servers in a ring of majorities",
        shows: &["leader established"],
        spares: &[],
        make: |plan| {
            plan.mode = Mode::Liveness;
            plan.limits.voters = 5;
            plan.permanent = vec![Permanent::Cut(0, 2), Permanent::Cut(1, 3)];
        },
    },
    Scenario {
        name: "the leader sleeps and wakes",
        shows: &["pause", "leader established"],
        spares: &[],
        make: |plan| (0..3).for_each(|n| at(plan, 200 + n * 420, Fault::Pause(Who::Leader, 400 * MS))),
    },
    Scenario {
        name: "orderly stops, one after the other, under load",
        shows: &["orderly stop"],
        spares: &[],
        make: |plan| (0..6).for_each(|n| at(plan, 200 + n * 200, Fault::Stop(Who::Server(n as usize % 3), SOON))),
    },
    Scenario {
        name: "the epoch's counter runs out again and again",
        shows: &["epoch rolled over"],
        spares: &[],
        make: |plan| plan.limits.last_counter = 12,
    },
    Scenario {
        name: "a disk is replaced while another server is down",
        shows: &["disk replaced"],
        spares: &[],
        make: |plan| {
            at(plan, 300, Fault::ReplaceDisk(Who::Other(0), 300 * MS));
            at(plan, 500, Fault::Kill(Who::Leader, 200 * MS));
            at(plan, 900, Fault::ReplaceDisk(Who::Leader, 100 * MS));
        },
    },
    Scenario {
        name: "a sync fails once",
        shows: &["the log has failed"],
        spares: &[],
        make: |plan| {
            for n in 0..4 {
                at(plan, 200 + n * 300, Fault::FailSync(Who::Leader, n % 3));
                at(plan, 350 + n * 300, Fault::FailSync(Who::Other(0), n % 3));
            }
        },
    },
    Scenario {
        name: "a bit of the log rots",
        shows: &["rot", "damage was given up"],
        spares: &[],
        make: |plan| {
            for n in 0..6 {
                at(
                    plan,
                    250 + n * 200,
                    Fault::Rot(
                        Who::Other(n as usize % 2),
                        0x1234_5678_9ABC_DEF1_u64.wrapping_mul(2 * (n + plan.seed) + 1),
                    ),
                );
            }
        },
    },
    Scenario {
        name: "the disk of the leader hangs",
        shows: &["leader established"],
        spares: &[],
        make: |plan| {
            plan.mode = Mode::Liveness;
            plan.permanent = vec![Permanent::HungDisk((plan.seed % 3) as usize)];
        },
    },
    Scenario {
        name: "disks are full for a while",
        shows: &["full disk"],
        spares: &[],
        make: |plan| {
            for n in 0..3 {
                at(plan, 200 + n * 350, Fault::FullDisk(Who::Leader, n << 13, 250 * MS));
                at(plan, 300 + n * 350, Fault::FullDisk(Who::Other(0), n << 13, 250 * MS));
                at(plan, 400 + n * 350, Fault::Kill(Who::Leader, SOON));
            }
        },
    },
    Scenario {
        name: "clients come back elsewhere while what they sent is under way",
        shows: &["client moved", "session taken up"],
        spares: &[],
        make: |plan| {
            for n in 0..10 {
                at(plan, 200 + n * 120, Fault::Clog(Who::Other(n as usize % 2), Who::Leader, 40 * MS, 80 * MS));
                (0..4).for_each(|client| at(plan, 210 + n * 120, Fault::MoveClient(client)));
            }
        },
    },
    Scenario {
        name: "silent clients expire, and not before their time",
        shows: &["session expired"],
        spares: &[],
        make: |plan| {
            plan.limits.session_timeout = 300 * MS;
            at(plan, 300, Fault::SilenceClient(0, 900 * MS));
            at(plan, 320, Fault::SilenceClient(1, 250 * MS));
            at(plan, 400, Fault::Kill(Who::Leader, SOON));
        },
    },
    Scenario {
        name: "the last of three servers is read-only",
        shows: &["reads of a read-only server", "writes refused by a read-only server", "read-only session over"],
        spares: &[],
        make: |plan| {
            plan.limits.read_only_after = Some(100 * MS);
            for n in 0..3 {
                at(plan, 300 + n * 400, Fault::Kill(Who::Server(n as usize), 300 * MS));
                at(plan, 310 + n * 400, Fault::Kill(Who::Server((n as usize + 1) % 3), 300 * MS));
            }
        },
    },
    Scenario {
        name: "a read-only server gets a whole state from the others",
        shows: &["read-only session", "synchronised by SNAP", "read-only session over"],
        spares: &[],
        make: |plan| {
            plan.limits.read_only_after = Some(80 * MS);
            plan.limits.history_bytes = 1 << 10;
            plan.limits.snap_count = 5;
            for n in 0..3 {
                at(plan, 200 + n * 450, Fault::Isolate(Who::Other(n as usize), 400 * MS));
                (0..4).for_each(|client| at(plan, 400 + n * 450, Fault::MoveClient(client)));
            }
        },
    },
    Scenario {
        name: "wall clocks jump by an hour",
        shows: &["acknowledged writes"],
        spares: &[],
        make: |plan| {
            for n in 0..4 {
                at(plan, 200 + n * 200, Fault::SetWallClock(Who::Leader, 3_600_000 * (1 - 2 * (n as i64 % 2))));
            }
        },
    },
];
