//! What is shown while a measurement runs: one live line on a terminal, plain lines elsewhere. All on standard error.

use crate::leader::Lookout;
use crate::stats::Phase;
use crate::units;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Where the line goes, and how often.
#[derive(Debug)]
pub struct LiveLine {
    terminal: bool,
    quiet: bool,
    every: u64,
    seen: u64,
    shown: bool,
    lookout: Option<Lookout>,
}

/// A second of a measurement, all threads together.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Part of the measurement.
    pub phase: Phase,
    /// Seconds since the load began.
    pub at: f64,
    /// Planned seconds, if time ends it.
    pub of: Option<f64>,
    /// Replies per second.
    pub rate: f64,
    /// Median and 99th percentile, nanoseconds.
    pub latency: Option<(u64, u64)>,
    /// Errors so far, by kind.
    pub errors: Vec<(String, u64)>,
}

impl LiveLine {
    /// A line every `every` seconds; by default every second on a terminal, every five elsewhere.
    pub fn new(quiet: bool, every: Option<u64>) -> LiveLine {
        let terminal = std::io::stderr().is_terminal();
        let every = every.unwrap_or(if terminal { 1 } else { 5 }).max(1);
        LiveLine { terminal, quiet, every, seen: 0, shown: false, lookout: None }
    }

    /// The line also says which of these servers leads, if they tell.
    pub fn with_leader_of(self, servers: &[SocketAddr]) -> LiveLine {
        let lookout = (!self.quiet).then(|| Lookout::begin(servers));
        LiveLine { lookout, ..self }
    }

    /// Shows a second.
    pub fn show(&mut self, moment: &Moment) {
        self.seen += 1;
        if self.quiet || !self.seen.is_multiple_of(self.every) {
            return;
        }
        let mut text = describe(moment);
        if let Some(leader) = self.lookout.as_ref().and_then(Lookout::leader) {
            text.push_str(&format!("  leader {leader}"));
        }
        if self.terminal {
            // Carriage return, text, erase to the end of the line: no flicker.
            write_all(&format!("\r{text}\x1b[K"));
            self.shown = true;
        } else {
            write_all(&format!("{text}\n"));
        }
    }

    /// Takes the live line away.
    pub fn clear(&mut self) {
        if self.shown {
            write_all("\r\x1b[K");
            self.shown = false;
        }
    }
}

fn describe(moment: &Moment) -> String {
    let time = moment.of.map_or_else(|| format!("{:4.0} s", moment.at), |of| format!("{:4.0}/{of:.0} s", moment.at));
    let phase = match moment.phase {
        Phase::Warmup => "  warming up",
        Phase::Measure => "",
        Phase::Drain => "  awaiting replies",
    };
    let latency = moment.latency.map_or_else(String::new, |(p50, p99)| {
        format!("  p50 {}  p99 {}", units::duration(p50 as f64), units::duration(p99 as f64))
    });
    format!("{time}  {}/s{latency}  {}{phase}", units::count(moment.rate), errors(&moment.errors))
}

/// Errors by kind, in words.
pub fn errors(errors: &[(String, u64)]) -> String {
    if errors.is_empty() {
        return "no errors".into();
    }
    let kinds: Vec<_> = errors.iter().map(|(kind, n)| format!("{kind}: {}", units::count(*n as f64))).collect();
    format!("errors: {}", kinds.join(", "))
}

/// Progress of work that has a known end, if it lasts long enough to be worth showing.
#[derive(Debug)]
pub struct Progress {
    title: String,
    total: u64,
    done: u64,
    unlooked: u64,
    began: Instant,
    last: Instant,
    terminal: bool,
    shown: bool,
}

const SHOW_AFTER: Duration = Duration::from_millis(700);

impl Progress {
    /// Of `total` steps; 0 if nobody knows. Without a title, nothing is shown.
    pub fn new(title: &str, total: u64, quiet: bool) -> Progress {
        let now = Instant::now();
        let title = if quiet { String::new() } else { title.to_owned() };
        let terminal = std::io::stderr().is_terminal();
        Progress { title, total, done: 0, unlooked: 0, began: now, last: now, terminal, shown: false }
    }

    /// So many steps more are done.
    pub fn advance(&mut self, steps: u64) {
        self.done += steps;
        self.unlooked += steps;
        // The clock is not for every step.
        if self.title.is_empty() || self.unlooked < 64 {
            return;
        }
        self.unlooked = 0;
        let now = Instant::now();
        let every = if self.terminal { SHOW_AFTER / 4 } else { SHOW_AFTER * 4 };
        if now - self.began > SHOW_AFTER && now - self.last > every {
            self.last = now;
            self.show();
        }
    }

    /// All is done: the last line is left standing if any was shown.
    pub fn finish(mut self) {
        if self.shown {
            self.show();
            if self.terminal {
                write_all("\n");
            }
        }
    }

    fn show(&mut self) {
        self.shown = true;
        let rate = units::count(self.done as f64 / self.began.elapsed().as_secs_f64());
        let done = units::count(self.done as f64);
        let share = if self.total == 0 {
            String::new()
        } else {
            let percent = 100.0 * self.done as f64 / self.total as f64;
            format!(" of {} ({percent:.0} %)", units::count(self.total as f64))
        };
        let text = format!("{}: {done}{share}, {rate}/s", self.title);
        write_all(&if self.terminal { format!("\r{text}\x1b[K") } else { format!("{text}\n") });
    }
}

fn write_all(text: &str) {
    // A closed standard error is no reason to stop measuring.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
