//! From what the core and the system tell to the facts that the words show.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ringkeeper_core::frontend::{ConnInfo, Latency as CoreLatency};
use ringkeeper_core::ids::{Instant, SessionId, WallMs, Zxid};
use ringkeeper_core::jute::OpCode;

use super::{Connection, ConnectionSession, Deadlines, Descriptors, Directories, Latency, Watches};

/// The two clocks, read together: the core knows moments of the monotonic one, people those of the wall.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    /// The monotonic clock.
    pub now: Instant,
    /// The wall clock.
    pub wall: WallMs,
}

impl Clocks {
    /// The wall clock's reading at a moment in the past or in the future.
    pub fn wall_at(self, at: Instant) -> WallMs {
        let ahead = i64::try_from(at.since(self.now).as_millis()).unwrap_or(i64::MAX);
        let behind = i64::try_from(self.now.since(at).as_millis()).unwrap_or(i64::MAX);
        WallMs(self.wall.0.saturating_add(ahead).saturating_sub(behind))
    }
}

impl From<&CoreLatency> for Latency {
    fn from(measured: &CoreLatency) -> Latency {
        let avg_ns = if measured.count == 0 { 0.0 } else { measured.total_ns as f64 / measured.count as f64 };
        Latency { min_us: measured.min_ns / 1000, avg_us: avg_ns / 1000.0, max_us: measured.max_ns / 1000 }
    }
}

impl Connection {
    /// What is known of a connection. `reading` tells whether the server takes more requests from it at the moment.
    pub fn of(info: &ConnInfo, reading: bool, clocks: Clocks) -> Connection {
        let session = ConnectionSession {
            id: info.session,
            last_operation: OpCode::from_wire(info.last_op).map_or("NA", OpCode::short_name),
            established: clocks.wall_at(info.established),
            timeout_ms: u32::try_from(info.timeout_ms).unwrap_or(0),
            last_cxid: Some(info.last_cxid),
            last_zxid: Zxid(info.last_zxid.cast_unsigned()),
            last_response_ms: info.last_response.millis(),
            last_latency_us: info.last_latency_ns / 1000,
            latency: Latency::from(&info.latency),
        };
        Connection {
            peer: info.peer,
            secure: info.secure,
            interest: u8::from(reading),
            queued: info.outstanding as u64,
            received: info.received,
            sent: info.sent,
            session: Some(session).filter(|session| session.id != SessionId::NONE),
        }
    }
}

impl Watches {
    /// From the sessions that watch each path, over all client executors.
    pub fn of<'a>(by_path: impl IntoIterator<Item = (&'a str, Vec<SessionId>)>) -> Watches {
        let mut by_session: BTreeMap<SessionId, Vec<String>> = BTreeMap::new();
        for (path, sessions) in by_path {
            for session in sessions {
                let paths = by_session.entry(session).or_default();
                if paths.last().is_none_or(|last| last != path) {
                    paths.push(path.to_owned());
                }
            }
        }
        Watches { by_session: by_session.into_iter().collect() }
    }
}

impl<T> Deadlines<T> {
    /// From moments of the wall clock, each rounded up to the next second.
    pub fn by_second(ends: impl IntoIterator<Item = (WallMs, T)>) -> Deadlines<T> {
        let mut seconds: BTreeMap<i64, Vec<T>> = BTreeMap::new();
        for (at, thing) in ends {
            seconds.entry(at.0.div_euclid(1000) + 1).or_default().push(thing);
        }
        Deadlines(seconds.into_iter().map(|(second, things)| (WallMs(second * 1000), things)).collect())
    }

    /// From moments of the monotonic clock.
    pub fn of(buckets: impl IntoIterator<Item = (Instant, Vec<T>)>, clocks: Clocks) -> Deadlines<T> {
        Deadlines(buckets.into_iter().map(|(at, things)| (clocks.wall_at(at), things)).collect())
    }
}

impl Descriptors {
    /// Of this process. What the system does not tell is 0.
    pub fn gather() -> Descriptors {
        // One of the entries is the directory that is being read.
        let open = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count().saturating_sub(1));
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
        Descriptors { open: open as u64, max: soft.and_then(|text| text.parse().ok()).unwrap_or(0) }
    }
}

impl Directories {
    /// Measures two directories and what is below them. What cannot be read counts as nothing.
    pub fn measure(data: PathBuf, log: PathBuf) -> Directories {
        let (data_bytes, log_bytes) = (bytes_below(&data), bytes_below(&log));
        Directories { data, data_bytes, log, log_bytes }
    }
}

/// The sum of the lengths of all files below a directory. Links are not followed, so that there is an end.
fn bytes_below(top: &Path) -> u64 {
    let mut pending = vec![top.to_owned()];
    let mut total = 0;
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => pending.push(entry.path()),
                Ok(metadata) if metadata.is_file() => total += metadata.len(),
                _ => {}
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCKS: Clocks = Clocks { now: Instant(5_000_000_000), wall: WallMs(1_000_000) };

    #[test]
    fn moments_are_moved_to_the_wall() {
        assert_eq!(CLOCKS.wall_at(Instant(5_000_000_000)), WallMs(1_000_000));
        assert_eq!(CLOCKS.wall_at(Instant(3_000_000_000)), WallMs(998_000));
        assert_eq!(CLOCKS.wall_at(Instant(65_000_000_000)), WallMs(1_060_000));
    }

    #[test]
    fn watches_are_turned_round_and_each_path_counts_once() {
        let (a, b) = (SessionId(1), SessionId(2));
        let watches = Watches::of([("/x", vec![b, a]), ("/x", vec![a]), ("/y", vec![a])]);
        assert_eq!(watches.by_session, [(a, vec!["/x".to_owned(), "/y".to_owned()]), (b, vec!["/x".to_owned()])]);
    }

    #[test]
    fn what_ends_in_the_same_second_ends_together() {
        let ends = [(WallMs(1_999), 'a'), (WallMs(2_000), 'b'), (WallMs(1_001), 'c')];
        assert_eq!(Deadlines::by_second(ends).0, [(WallMs(2_000), vec!['a', 'c']), (WallMs(3_000), vec!['b'])]);
    }

    #[test]
    fn averages_of_nothing_are_zero() {
        assert_eq!(Latency::from(&CoreLatency::default()), Latency::default());
        let measured = CoreLatency { count: 4, total_ns: 10_000_000, min_ns: 1_000_000, max_ns: 4_999_999 };
        assert_eq!(Latency::from(&measured), Latency { min_us: 1000, avg_us: 2500.0, max_us: 4999 });
    }

    #[test]
    fn directories_are_measured_with_all_that_is_below() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join("below")).unwrap();
        fs::write(top.path().join("a"), [0; 10]).unwrap();
        fs::write(top.path().join("below/b"), [0; 100]).unwrap();
        std::os::unix::fs::symlink(top.path(), top.path().join("below/loop")).unwrap();
        let measured = Directories::measure(top.path().to_owned(), top.path().join("below"));
        assert_eq!((measured.data_bytes, measured.log_bytes), (110, 100));
        assert_eq!(Directories::measure("/nowhere".into(), "/nowhere".into()).data_bytes, 0);
    }

    #[test]
    fn this_process_has_descriptors() {
        let descriptors = Descriptors::gather();
        assert!(descriptors.open >= 3 && descriptors.max > descriptors.open, "{descriptors:?}");
    }
}
