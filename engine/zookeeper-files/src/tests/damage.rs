//! Whatever the bytes are, there is an error that says where, or a state that is right.

use super::making::{Memory, Rng, create, imported, log, payload, set_data, snapshot, tree, with_last_zxid};
use crate::{into_tree, write_snapshot};

/// The byte of a file's header that nobody looks at: the id of a database, which ZooKeeper does not use either.
fn means_nothing(at: usize) -> bool {
    (8..16).contains(&at)
}

#[test]
fn every_flipped_bit_of_a_snapshot_is_noticed() {
    let tree = tree(3, 12);
    // Each part behind the nodes has a checksum of its own, and may be the last one.
    let mut short = Vec::new();
    write_snapshot(&tree, false, &mut short).unwrap();
    let forms = [snapshot(&tree), with_last_zxid(short.clone(), 7), short];
    for good in forms {
        assert!(Memory::with(&[("snapshot.300000123", &good)]).load().is_ok());
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            match Memory::with(&[("snapshot.300000123", &bad)]).load() {
                Err(_) => {}
                Ok(_) => panic!("bit {bit} of {}", good.len()),
            }
        }
    }
}

#[test]
fn every_cut_of_a_snapshot_is_noticed_unless_it_is_where_older_ones_end() {
    let good = snapshot(&tree(4, 12));
    for len in 0..good.len() {
        let loaded = Memory::with(&[("snapshot.300000123", &good[..len])]).load();
        // Without the digest: 33 bytes less.
        assert_eq!(loaded.is_ok(), len == good.len() - 33, "{len} of {}", good.len());
    }
}

#[test]
fn flipped_bits_of_a_log_are_noticed_or_look_like_a_torn_end() {
    let tree = tree(5, 12);
    let snapshot = snapshot(&tree);
    let payloads: Vec<Vec<u8>> = (0x3_0000_0124..0x3_0000_012a)
        .map(|zxid| match zxid % 2 {
            0 => payload(zxid, 1, &create(&format!("/new-{zxid}"), false, -1)),
            _ => payload(zxid, 5, &set_data("/ephemeral-0000000001", "changed", 9)),
        })
        .collect();
    let mut good = log(&payloads);
    let end = good.len();
    good.extend([0; 200]);
    let files = |log: &[u8]| Memory::with(&[("snapshot.300000123", &snapshot), ("log.300000124", log)]);
    let whole = imported(files(&good).load().unwrap().tree).digest();
    let last = end - payloads.last().unwrap().len() - 13;
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let Ok(loaded) = files(&bad).load() else { continue };
        let torn = !loaded.report.torn.is_empty();
        let digest = imported(loaded.tree).digest();
        let excused = means_nothing(bit / 8) || bit / 8 >= end && digest == whole || bit / 8 >= last && torn;
        assert!(excused, "bit {bit}: torn {torn}");
    }
}

#[test]
fn random_bytes_are_no_files() {
    for seed in 0..2000 {
        eprintln!("seed {seed}");
        let mut rng = Rng(seed);
        let mut good = snapshot(&tree(6, 20));
        let mut log = log(&[payload(0x3_0000_0124, 1, &create("/new", true, 7))]);
        let bytes = if rng.below(2) == 0 { &mut good } else { &mut log };
        for _ in 0..1 + rng.below(20) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.next() as u8;
        }
        // No panic; and what is read makes a tree or is refused.
        let files = Memory::with(&[("snapshot.300000123", &good), ("log.300000124", &log)]);
        if let Ok(loaded) = files.load() {
            let _ = into_tree(loaded.tree);
        }
    }
}

#[test]
fn lies_with_a_valid_checksum_are_refused() {
    for seed in 0..3000 {
        eprintln!("seed {seed}");
        let mut rng = Rng(seed);
        let mut body = payload(0x3_0000_0124, [1, 2, 5, 7, 14, 15, 19, 20, 21, -1, -10, -11][seed as usize % 12], &{
            let mut body = create("/new", true, 7);
            body.extend(set_data("/other", "data", 3));
            body
        });
        for _ in 0..1 + rng.below(8) {
            let at = 32 + rng.below(body.len() as u64 - 32) as usize;
            body[at] = if rng.below(2) == 0 { 0 } else { rng.next() as u8 };
        }
        body.truncate(32 + rng.below(body.len() as u64 - 31) as usize);
        let files = Memory::with(&[("snapshot.300000123", &snapshot(&tree(6, 20))), ("log.300000124", &log(&[body]))]);
        if let Ok(loaded) = files.load() {
            let _ = into_tree(loaded.tree);
        }
    }
}
