//! Faults, as data. Whom one strikes can depend on who leads at that moment; what comes of it cannot.

use crate::time::{MS, Time};
use ringkeeper_txnlog::sim::{CrashStyle, Rng};

/// Whom a fault strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// This one.
    Server(usize),
    /// Whoever leads then; nobody, if nobody does.
    Leader,
    /// The n-th of those who do not lead.
    Other(usize),
}

/// Something that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The process ends at once, and is started again after a while. The disk keeps all that it was given.
    Kill(Who, Time),
    /// The power fails: of what was not synced, `CrashStyle` says what stays.
    PowerLoss(Who, CrashStyle, Time),
    /// The power fails in the middle of the disk's n-th operation from now on.
    CrashDuring(Who, u64, CrashStyle, Time),
    /// The power of all servers fails.
    Blackout(CrashStyle, Time),
    /// The operator stops the server in an orderly way, and starts it again.
    Stop(Who, Time),
    /// The process stands still.
    Pause(Who, Time),
    /// The link between two servers breaks; a new one can be made at once.
    Reset(Who, Who),
    /// Nothing gets from the first to the second for a while; the other way is open.
    CutOneWay(Who, Who, Time),
    /// Nothing gets between two servers.
    Cut(Who, Who, Time),
    /// Nothing gets from this server to any other, or the other way round.
    Isolate(Who, Time),
    /// This server hears the others, but is not heard.
    Mute(Who, Time),
    /// What one server sends to another takes so much longer.
    Clog(Who, Who, Time, Time),
    /// The disk takes so many times as long.
    SlowDisk(Who, u64, Time),
    /// The disk does nothing at all.
    HungDisk(Who, Time),
    /// The disk's n-th sync, write or directory sync from now on fails.
    FailSync(Who, u64),
    /// See [`Fault::FailSync`].
    FailWrite(Who, u64),
    /// See [`Fault::FailSync`].
    FailSyncDir(Who, u64),
    /// The disk takes so many bytes more, then it is full.
    FullDisk(Who, u64, Time),
    /// A bit of the log or of a snapshot changes; it is noticed when it is read.
    Rot(Who, u64),
    /// The server is stopped, and comes back with an empty disk.
    ReplaceDisk(Who, Time),
    /// The wall clock is set by so many milliseconds.
    SetWallClock(Who, i64),
    /// A client goes to another server without a word to the one that it leaves.
    MoveClient(usize),
    /// A client is not heard from for a while.
    SilenceClient(usize, Time),
}

/// A fault and its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Planned {
    /// When it strikes.
    pub at: Time,
    /// What.
    pub fault: Fault,
}

/// Each seed has its own mixture: of the classes, some do not occur at all, others often.
const CLASSES: u64 = 14;

pub(super) fn draw(rng: &mut Rng, calm: Time, servers: usize) -> Vec<Planned> {
    let weights: Vec<u64> = (0..CLASSES).map(|_| if rng.percent(45) { 1 + rng.below(4) } else { 0 }).collect();
    let total: u64 = weights.iter().sum();
    let pause = (60 + rng.below(300)) * MS;
    let mut faults = Vec::new();
    let mut at = 150 * MS;
    while total > 0 && at < calm {
        let mut choice = rng.below(total);
        let class = weights.iter().position(|weight| {
            let here = choice < *weight;
            choice = choice.saturating_sub(*weight);
            here
        });
        let fault = one(rng, class.expect("a number below the sum lies within one of them"), servers);
        faults.push(Planned { at, fault });
        at += pause / 4 + rng.below(pause * 3 / 2);
    }
    faults
}

fn who(rng: &mut Rng, servers: usize) -> Who {
    match rng.below(10) {
        0..5 => Who::Leader,
        5..8 => Who::Other(rng.below(servers as u64) as usize),
        _ => Who::Server(rng.below(servers as u64) as usize),
    }
}

fn other(rng: &mut Rng, servers: usize) -> Who {
    Who::Other(rng.below(servers as u64) as usize)
}

fn style(rng: &mut Rng) -> CrashStyle {
    CrashStyle::ALL[rng.below(CrashStyle::ALL.len() as u64) as usize]
}

fn one(rng: &mut Rng, class: usize, servers: usize) -> Fault {
    let a_while = (20 + rng.below(600)) * MS;
    let soon = rng.below(80) * MS;
    let whom = who(rng, servers);
    match class {
        0 => Fault::Kill(whom, soon),
        1 => Fault::PowerLoss(whom, style(rng), a_while),
        2 => Fault::CrashDuring(whom, rng.below(40), style(rng), soon),
        3 if rng.percent(40) => Fault::Blackout(style(rng), soon),
        3 => Fault::Stop(whom, soon),
        4 => Fault::Pause(whom, a_while),
        5 => match rng.below(3) {
            0 => Fault::Isolate(whom, a_while),
            1 => Fault::Mute(whom, a_while),
            _ => Fault::Cut(whom, other(rng, servers), a_while),
        },
        6 => Fault::CutOneWay(whom, other(rng, servers), a_while),
        7 => Fault::Reset(whom, other(rng, servers)),
        8 => Fault::Clog(whom, other(rng, servers), (1 + rng.below(60)) * MS, a_while),
        9 if rng.percent(30) => Fault::HungDisk(whom, a_while),
        9 => Fault::SlowDisk(whom, 2 + rng.below(60), a_while),
        10 => match rng.below(4) {
            0 => Fault::FailSync(whom, rng.below(6)),
            1 => Fault::FailWrite(whom, rng.below(6)),
            2 => Fault::FailSyncDir(whom, rng.below(3)),
            _ => Fault::FullDisk(whom, rng.below(40) << 10, a_while),
        },
        11 if rng.percent(50) => Fault::ReplaceDisk(whom, soon),
        11 => Fault::Rot(whom, rng.next_u64()),
        12 => Fault::SetWallClock(whom, rng.below(7_200_000) as i64 - 3_600_000),
        _ if rng.percent(60) => Fault::MoveClient(rng.below(8) as usize),
        _ => Fault::SilenceClient(rng.below(8) as usize, a_while * 2),
    }
}
