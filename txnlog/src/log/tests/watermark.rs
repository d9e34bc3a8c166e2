//! What is known to be committed: stated in the log, applied at the next start.

use super::*;
use crate::format::{BatchHeader, BatchKind, SegmentHeader};

/// The last batch of the first segment.
fn last_batch(bench: &Bench) -> BatchHeader {
    let content = bench.file_of(1);
    let generation = SegmentHeader::parse(&content, &segment_name(1), content.len() as u64).unwrap().generation;
    let blocks = content.chunks(BLOCK).skip(1);
    blocks.map_while(|block| BatchHeader::parse(block, generation).ok()).last().expect("the log has begun")
}

fn restarted(bench: Bench) -> (u64, u64) {
    let (_, count) = bench.restart(&config(64 << 10), 1);
    (count.summary.committed.0, count.summary.last.0)
}

#[test]
fn what_nobody_has_called_committed_is_handed_out_as_the_tail() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 5, 100);
    bench.log.committed(Zxid(3));
    assert_eq!(last_batch(&bench).committed, Zxid(0), "nothing has been written since");
    bench.append(6, 6, 100);
    assert_eq!(last_batch(&bench).committed, Zxid(3));
    let (mut bench, count) = bench.restart(&config(64 << 10), 1);
    let summary = count.summary;
    assert_eq!((summary.committed, summary.last, summary.frames), (Zxid(3), Zxid(6), 3));
    bench.append(7, 7, 100);
    assert_eq!(last_batch(&bench).committed, Zxid(3), "what was known before the start is still known");
}

#[test]
fn a_batch_says_nothing_of_what_is_behind_it() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.log.committed(Zxid(9));
    bench.append(1, 1, 100);
    assert_eq!(last_batch(&bench).committed, Zxid(1));
}

#[test]
fn an_idle_log_is_sealed_again_when_more_is_committed() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    let later = |bench: &mut Bench| {
        let mut at = bench.log.next_deadline().map_or(Instant(1), |(at, _)| at);
        for _ in 0..5 {
            bench.log.turn(at, &mut bench.events);
            while !bench.device.waiting().is_empty() {
                bench.device.step(0);
                bench.log.turn(at, &mut bench.events);
            }
            at = bench.log.next_deadline().map_or(at, |(next, _)| next);
        }
        let last = last_batch(bench);
        (last.kind, last.sequence, last.committed.0)
    };
    bench.append(1, 3, 100);
    bench.log.committed(Zxid(2));
    let (kind, sequence, committed) = later(&mut bench);
    assert_eq!((kind, committed), (BatchKind::Seal, 2));
    bench.log.committed(Zxid(1));
    assert_eq!(later(&mut bench), (kind, sequence, 2), "nothing new, nothing written");
    bench.log.committed(Zxid(3));
    assert_eq!(later(&mut bench), (kind, sequence + 1, 3));
    assert_eq!(restarted(bench), (3, 3));
}

#[test]
fn a_log_that_is_closed_knows_everything() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 5, 100);
    bench.log.committed(Zxid(5));
    bench.log.finish();
    bench.settle();
    assert!(bench.log.is_finished());
    assert_eq!(restarted(bench), (5, 5));
}

#[test]
fn a_snapshot_is_of_what_is_committed() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 5, 100);
    bench.snapshot(3, Origin::Local);
    assert_eq!(restarted(bench), (3, 5));
}

#[test]
fn what_is_cut_off_was_not_committed() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 5, 100);
    bench.log.committed(Zxid(3));
    bench.append(6, 8, 100);
    bench.log.cut_back(Zxid(3)).unwrap();
    bench.append(4, 5, 200);
    assert_eq!(restarted(bench), (3, 5));
}

#[test]
#[should_panic(expected = "is committed")]
fn what_is_committed_is_not_cut_off() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 5, 100);
    bench.log.committed(Zxid(3));
    let _ = bench.log.cut_back(Zxid(2));
}

#[test]
fn an_installed_snapshot_begins_with_its_own() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 5, 100);
    bench.hand_over(50, Origin::Installed);
    // Of the tree that is on its way in.
    bench.log.committed(Zxid(50));
    bench.settle();
    bench.append(51, 53, 100);
    bench.log.committed(Zxid(52));
    bench.append(54, 54, 100);
    assert_eq!(restarted(bench), (52, 54));
}
