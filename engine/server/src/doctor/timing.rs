//! How long it takes until a write is on the disk, by each driver that the log has. What is timed is the log itself, in a
//! directory of its own beside the server's files: one small transaction at a time, as a lone client sees it.

use super::facts::Scratch;
use crate::executor;
use anyhow::{Context, Result, bail};
use ringkeeper_core::frame::{FrameBatch, FrameBuf, FrameHeader, encode};
use ringkeeper_core::ids::{Epoch, Instant, SessionId, Tag, WallMs, Zxid};
use ringkeeper_txnlog::config::{DriverKind, LogConfig, SnapshotConfig};
use ringkeeper_txnlog::disk::FsDisk;
use ringkeeper_txnlog::epochs::Epochs;
use ringkeeper_txnlog::recovery::{Dirs, Ignore, Recovery};
use ringkeeper_txnlog::{Log, LogEvent};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// The drivers; `auto` is made of two of them.
const DRIVERS: [(DriverKind, &str); 3] = [
    (DriverKind::UringDsync, "uring-dsync"),
    (DriverKind::UringFdatasync, "uring-fdatasync"),
    (DriverKind::Thread, "thread"),
];
/// They take turns so often, so that a machine that drifts hurts all alike.
const TURNS: u32 = 6;
/// A slow disk gets no more time than this, for all drivers together.
const LIMIT: Duration = Duration::from_secs(15);
/// A disk that has not answered after this long hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// Small, so that it is quickly filled with zeros.
const SEGMENT_BYTES: u64 = 8 << 20;
/// Bytes of a transaction: with its header it fills one block of the log.
const BODY_BYTES: usize = 200;
const EPOCH: Epoch = Epoch(1);

/// How long writes took with one driver.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Timing {
    /// Its name.
    pub driver: &'static str,
    /// Writes that were timed.
    pub writes: usize,
    /// How long they took, microseconds.
    pub latency_us: Option<Percentiles>,
    /// Why it could not be timed.
    pub unavailable: Option<String>,
}

/// Of sorted times, microseconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(super) struct Percentiles {
    /// The median.
    pub p50: f64,
    /// Of ten, one takes longer.
    pub p90: f64,
    /// Of a hundred, one takes longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Percentiles {
    fn of(mut times: Vec<f64>) -> Option<Percentiles> {
        times.sort_by(f64::total_cmp);
        let max = *times.last()?;
        // The smallest that so many are not above.
        let at = |share: f64| times[((times.len() as f64 * share).ceil() as usize).clamp(1, times.len()) - 1];
        Some(Percentiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), max })
    }
}

/// Times `writes` writes by each driver in `dir`. `progress` hears how many of how many are done.
///
/// # Errors
/// If the directory cannot be written to, or if the disk does not answer.
pub(super) fn measure(
    dir: &Path,
    writes: u32,
    stop: &Arc<AtomicBool>,
    mut progress: impl FnMut(u32, u32),
) -> Result<Vec<Timing>> {
    let scratch = Scratch::new(dir).with_context(|| format!("cannot write in {}", dir.display()))?;
    let (path, stop) = (scratch.path().to_path_buf(), Arc::clone(stop));
    let (tell, told) = channel();
    let thread = std::thread::spawn(move || {
        executor::run_alone("doctor", move || async move { time_all(&path, writes, &stop, &tell).await })
    });
    let all = writes * DRIVERS.len() as u32;
    loop {
        match told.recv_timeout(PATIENCE) {
            Ok(done) => progress(done, all),
            // It has ended, well or not.
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                bail!("a write in {} has not ended after {} s: the disk hangs", dir.display(), PATIENCE.as_secs())
            }
        }
    }
    match thread.join() {
        Ok(result) => Ok(result?),
        Err(_) => bail!("timing the log in {} ended by a panic", dir.display()),
    }
}

async fn time_all(dir: &Path, writes: u32, stop: &AtomicBool, tell: &Sender<u32>) -> Vec<Timing> {
    let began = std::time::Instant::now();
    let mut timed = Vec::new();
    for (kind, name) in DRIVERS {
        timed.push((name, Timed::open(&dir.join(name), kind).await));
    }
    let mut done = 0;
    for turn in 0..TURNS {
        // As many in all as were asked for, whether or not that can be divided.
        let share = |turn: u32| writes * turn / TURNS;
        for (_, driver) in &mut timed {
            for _ in share(turn)..share(turn + 1) {
                if stop.load(Ordering::Relaxed) || began.elapsed() > LIMIT {
                    break;
                }
                if let Ok(open) = driver
                    && let Err(error) = open.write().await
                {
                    *driver = Err(error);
                }
                done += 1;
            }
            // Nobody listens if the waiting was given up.
            let _ = tell.send(done);
        }
    }
    let mut timings = Vec::new();
    for (name, driver) in timed {
        timings.push(Timing::of(name, driver).await);
    }
    timings
}

impl Timing {
    async fn of(driver: &'static str, timed: Result<Timed>) -> Timing {
        match timed {
            Ok(timed) => {
                let (writes, latency_us) = (timed.times.len(), Percentiles::of(timed.times));
                // What was timed is thrown away: a log that does not close in order harms nobody.
                let _ = timed.log.close(now).await;
                Timing { driver, writes, latency_us, unavailable: None }
            }
            Err(error) => Timing { driver, writes: 0, latency_us: None, unavailable: Some(format!("{error:#}")) },
        }
    }
}

/// A log that is timed.
struct Timed {
    log: Log,
    last: u32,
    times: Vec<f64>,
}

impl Timed {
    async fn open(dir: &Path, kind: DriverKind) -> Result<Timed> {
        let disk = FsDisk::open(dir)?;
        let dirs = Dirs { log: Arc::clone(&disk) as _, data: Arc::clone(&disk) as _ };
        let config = LogConfig { segment_bytes: SEGMENT_BYTES, seal_after: None, ..LogConfig::default() };
        let mut recovery = Recovery::open(dirs, config, SnapshotConfig::default())?;
        recovery.replay(&mut Ignore)?;
        let mut log = Log::go_live(recovery, &disk, kind, now()).await?;
        let epochs = Epochs { accepted: EPOCH, current: EPOCH, ..Epochs::default() };
        log.save_epochs(epochs);
        until(&mut log, |_, event| matches!(event, Some(LogEvent::EpochsSaved(_)))).await?;
        let mut timed = Timed { log, last: 0, times: Vec::new() };
        // The first write pays for what is set up once.
        timed.write().await?;
        timed.times.clear();
        Ok(timed)
    }

    async fn write(&mut self) -> Result<()> {
        let frame = frame(self.last, self.last + 1);
        self.last += 1;
        let last = Zxid::new(EPOCH, self.last);
        let began = std::time::Instant::now();
        self.log.append(frame);
        until(&mut self.log, |log, _| log.durable() >= last).await?;
        self.times.push(began.elapsed().as_nanos() as f64 / 1e3);
        self.log.committed(last);
        Ok(())
    }
}

/// Turns until it is so; asked after each turn, and for each event.
async fn until(log: &mut Log, mut is_so: impl FnMut(&Log, Option<&LogEvent>) -> bool) -> Result<()> {
    let mut events = Vec::new();
    loop {
        log.turn(now(), &mut events);
        for event in events.drain(..) {
            match &event {
                LogEvent::Failed(failure) => bail!("{failure}"),
                LogEvent::Room(false) => bail!("the disk is full"),
                event if is_so(log, Some(event)) => return Ok(()),
                _ => {}
            }
        }
        if is_so(log, None) {
            return Ok(());
        }
        log.ready().await;
    }
}

fn frame(before: u32, counter: u32) -> Arc<FrameBatch> {
    let mut buf = FrameBuf::new();
    let header = FrameHeader {
        zxid: Zxid::new(EPOCH, counter),
        prev_zxid: if before == 0 { Zxid::ZERO } else { Zxid::new(EPOCH, before) },
        session: SessionId(1),
        wall: WallMs(0),
        cxid: 0,
        txn_type: 1,
        tag: Tag::NONE,
    };
    encode(&mut buf, &header, |out| out.extend_from_slice(&[0x5a; BODY_BYTES]));
    Arc::new(FrameBatch::new(buf))
}

fn now() -> Instant {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let elapsed = START.get_or_init(std::time::Instant::now).elapsed();
    Instant(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_seen() {
        let times = (1..=200).rev().map(f64::from).collect();
        let expected = Percentiles { p50: 100.0, p90: 180.0, p99: 198.0, max: 200.0 };
        assert_eq!(Percentiles::of(times), Some(expected));
        assert_eq!(Percentiles::of(vec![7.0]).unwrap().p50, 7.0);
        assert_eq!(Percentiles::of(Vec::new()), None);
    }

    #[test]
    fn every_driver_is_timed_and_nothing_is_left() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let mut last = (0, 0);
        let timings = measure(dir.path(), 13, &Arc::default(), |done, all| last = (done, all)).unwrap();
        assert_eq!(timings.iter().map(|timing| timing.driver).collect::<Vec<_>>(), DRIVERS.map(|(_, name)| name));
        for timing in &timings {
            assert_eq!((timing.writes, timing.unavailable.as_deref()), (13, None), "{timing:?}");
        }
        assert_eq!(last, (39, 39));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = measure(Path::new("/nowhere/at all"), 1, &Arc::default(), |_, _| {}).unwrap_err();
        assert!(format!("{error:#}").contains("/nowhere/at all"), "{error:#}");
    }
}
