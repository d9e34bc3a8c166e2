//! The log of a server, looked at while the server runs.

use super::*;
use crate::recovery::Dirs;

/// Zxids and whether they are committed; `None` if the log does not reach back.
fn frames(bench: &Bench, after: Option<u64>) -> Result<Option<Vec<(u64, bool)>>, OpenError> {
    let disk: Arc<dyn crate::disk::Disk> = Arc::new(bench.disk.clone());
    let dirs = Dirs { log: Arc::clone(&disk), data: disk };
    let recovery = Recovery::open(dirs, config(16 << 10), SnapshotConfig::default()).unwrap();
    let mut seen = Vec::new();
    let summary = recovery.frames(after.map(Zxid), |frame, committed| {
        seen.push((frame.zxid().0, committed));
        Ok(())
    })?;
    Ok(summary.map(|_| seen))
}

fn numbers(bench: &Bench, after: Option<u64>) -> Vec<u64> {
    let seen = frames(bench, after).unwrap().expect("the log reaches back");
    seen.into_iter().map(|(zxid, _)| zxid).collect()
}

fn started() -> Bench {
    let mut bench = Bench::new(&config(16 << 10), 1);
    bench.log.save_epochs(Epochs { accepted: Epoch(1), ..Epochs::default() });
    bench.settle();
    bench
}

#[test]
fn every_transaction_is_seen_and_what_is_committed() {
    let mut bench = started();
    assert!(numbers(&bench, None).is_empty(), "there is none yet");
    bench.append(1, 9, 3000);
    bench.log.committed(Zxid(7));
    bench.append(10, 10, 10);
    let seen: Vec<_> = (1..=10).map(|zxid| (zxid, zxid <= 7)).collect();
    assert_eq!(frames(&bench, None).unwrap().unwrap(), seen);
    assert_eq!(numbers(&bench, Some(4)), [5, 6, 7, 8, 9, 10]);
    assert!(numbers(&bench, Some(10)).is_empty());
    assert!(matches!(frames(&bench, Some(11)), Err(OpenError::Incomplete(_))), "it is not there");
}

#[test]
fn what_a_snapshot_has_made_superfluous_is_out_of_reach() {
    let mut bench = started();
    bench.append(1, 12, 3000);
    bench.log.committed(Zxid(12));
    bench.snapshot(12, Origin::Local);
    bench.append(13, 14, 10);
    bench.settle();
    assert_eq!(frames(&bench, Some(2)).unwrap(), None);
    assert_eq!(numbers(&bench, Some(12)), [13, 14]);
    let first = numbers(&bench, None)[0];
    assert!((2..=13).contains(&first), "{first}");
    bench.snapshot(99, Origin::Installed);
    bench.append_after(99, 100);
    assert_eq!(frames(&bench, Some(12)).unwrap(), None, "of another history");
    assert_eq!(numbers(&bench, Some(99)), [100]);
    bench.append_after(100, 105);
    assert!(matches!(frames(&bench, Some(103)), Err(OpenError::Incomplete(_))), "none of its transactions");
}
