//! A directory that a server starts from with a given state and without a past: what a server leaves that has received the
//! state as a whole, stood alone, and was stopped.
//!
//! Its ensemble is a new one. So it starts alone; it starts beside empty servers, who get the state from it, when its
//! operator says so (`ensemble.bootstrap`); and to the servers of any other ensemble it is a stranger, whatever history
//! the state once had.

use super::Directories;
use crate::executor::clock::Clock;
use ringkeeper_core::frame::Frame;
use ringkeeper_core::ids::Epoch;
use ringkeeper_core::tree::Tree;
use ringkeeper_node::Clock as _;
use ringkeeper_txnlog::config::{DriverKind, LogConfig, SnapshotConfig};
use ringkeeper_txnlog::epochs::Epochs;
use ringkeeper_txnlog::error::OpenError;
use ringkeeper_txnlog::recovery::{Rebuild, Recovery};
use ringkeeper_txnlog::snapshot::{Origin, SnapshotHead};
use ringkeeper_txnlog::{Log, LogEvent};
use std::hash::{BuildHasher, RandomState};

/// Nodes that are written between two looks at the log.
const SLICE: usize = 4096;
/// The log has only a mark in it: the server makes segments of the size that it wants.
const SEGMENT_BYTES: u64 = 64 << 10;

/// Writes the state into directories, which must be empty. `epoch` is the newest one of its past.
///
/// # Errors
/// [`OpenError`]
pub(crate) fn found(directories: &Directories, tree: &mut Tree, epoch: Epoch) -> Result<(), OpenError> {
    let clock = Clock::start();
    let (dirs, log_disk) = directories.take()?;
    let log_config = LogConfig { segment_bytes: SEGMENT_BYTES, ..LogConfig::default() };
    let snapshot_config = SnapshotConfig { rate: 0, ..SnapshotConfig::default() };
    let mut recovery = Recovery::open(dirs, log_config, snapshot_config)?;
    recovery.replay(&mut Blank)?;
    let mut log = pollster::block_on(Log::go_live(recovery, &log_disk, DriverKind::Thread, clock.now()))?;
    // First, with an epoch that is none of a server's without history: no server starts on what an interruption leaves.
    let epoch = epoch.max(Epoch(1));
    log.save_epochs(Epochs {
        accepted: epoch,
        current: epoch,
        ensemble: new_identity(),
        member: true,
        lapsed: false,
        shared: false,
    });
    run(&mut log, clock, |_| false, |event| matches!(event, LogEvent::EpochsSaved(_)))?;
    install(&mut log, tree, clock)?;
    let failed = |failure: ringkeeper_txnlog::error::LogFailed| OpenError::Refused(failure.to_string());
    pollster::block_on(log.close(|| clock.now())).map_err(failed)
}

/// Random, and not 0.
fn new_identity() -> u64 {
    RandomState::new().hash_one(std::process::id()) | 1
}

fn install(log: &mut Log, tree: &mut Tree, clock: Clock) -> Result<(), OpenError> {
    let head = tree.snapshot_begin();
    let (zxid, digest) = (head.zxid, head.digest);
    let head = SnapshotHead { zxid, digest, nodes: head.node_count, sessions: head.session_count, wall: clock.wall() };
    log.begin_snapshot(head, Origin::Installed)?;
    let mut complete = false;
    let feed = |log: &mut Log| {
        let more = !complete && log.snapshot_wants_more();
        if more {
            let mut bytes = log.snapshot_buffer();
            complete = tree.snapshot_slice(SLICE, &mut bytes);
            log.snapshot_chunk(bytes, complete);
        }
        more
    };
    run(log, clock, feed, |event| matches!(event, LogEvent::SnapshotDone { .. }))
}

/// Runs the log until it tells what is waited for. `feed` gives it something to do; false if it takes no more for now.
fn run(
    log: &mut Log,
    clock: Clock,
    mut feed: impl FnMut(&mut Log) -> bool,
    awaited: impl Fn(&LogEvent) -> bool,
) -> Result<(), OpenError> {
    let mut events = Vec::new();
    loop {
        log.turn(clock.now(), &mut events);
        for event in events.drain(..) {
            match event {
                LogEvent::SnapshotFailed { reason, .. } => return Err(OpenError::Refused(reason)),
                LogEvent::Failed(failure) => return Err(OpenError::Refused(failure.to_string())),
                LogEvent::Room(false) => return Err(OpenError::Refused("the disk is full".into())),
                event if awaited(&event) => return Ok(()),
                _ => {}
            }
        }
        if !feed(log) {
            pollster::block_on(log.ready());
        }
    }
}

/// There is nothing to rebuild.
struct Blank;

impl Rebuild for Blank {
    fn begin(&mut self, _: &SnapshotHead) {}
    fn chunk(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }
    fn empty(&mut self) {}
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        Err(format!("the log should be empty, and has {}", frame.zxid()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offline::stored;
    use ringkeeper_core::ids::Zxid;
    use ringkeeper_core::tree::{Builder, NodeState};

    fn state(name: &str) -> NodeState<'_> {
        NodeState {
            name,
            data: Some(b"data"),
            acl: 0,
            czxid: 1,
            mzxid: 1,
            pzxid: 1,
            ctime: 1,
            mtime: 1,
            version: 0,
            create_count: 0,
            aversion: 0,
            owner: 0,
        }
    }

    fn tree(nodes: u32) -> Tree {
        let mut builder = Builder::default();
        let root = builder.node(0, &state("")).unwrap();
        for n in 0..nodes {
            let name = format!("node-{n}");
            builder.node(root, &state(&name)).unwrap();
        }
        builder.finish(Zxid(0x5_0000_0007)).unwrap()
    }

    #[test]
    fn what_is_founded_is_taken_up() {
        let tmp = tempfile::tempdir().unwrap();
        let directories = Directories::new(&tmp.path().join("data"), Some(&tmp.path().join("log")));
        directories.must_be_empty().unwrap();
        let mut tree = tree(20_000);
        found(&directories, &mut tree, Epoch(6)).unwrap();
        let found = stored::read(directories.look_at().unwrap()).unwrap();
        assert_eq!((found.tree.last_zxid(), found.tree.digest()), (Zxid(0x5_0000_0007), tree.digest()));
        assert_eq!((found.epochs.accepted, found.epochs.current, found.unknown_through), (Epoch(6), Epoch(6), None));
        assert!(found.epochs.member && !found.epochs.shared && found.epochs.ensemble != 0);
        assert!(directories.must_be_empty().is_err());
        let again = Directories::new(&tmp.path().join("again"), None);
        super::found(&again, &mut tree, Epoch(6)).unwrap();
        let other = stored::read(again.look_at().unwrap()).unwrap().epochs.ensemble;
        assert_ne!(found.epochs.ensemble, other, "two ensembles from one state are strangers");
    }
}
