//! What is exported is imported again as it was.

use super::making::{Memory, Rng, imported, snapshot, tree};
use crate::{DigestCheck, FileError, Loaded, write_snapshot};
use std::io::Write as _;

#[test]
fn what_is_exported_comes_back() {
    for seed in 0..20 {
        let tree = tree(seed, 300);
        let files = Memory::with(&[("snapshot.300000123", &snapshot(&tree))]);
        let loaded = files.load().unwrap();
        assert!(matches!(loaded.report.digest, DigestCheck::Agrees(_)), "seed {seed}: {:?}", loaded.report);
        assert_eq!(crate::of_tree(&tree), loaded.tree.digest());
        let back = imported(loaded.tree);
        assert_eq!((back.digest(), back.last_zxid()), (tree.digest(), tree.last_zxid()), "seed {seed}");
        assert_eq!(snapshot(&back), snapshot(&tree), "seed {seed}");
    }
}

#[test]
fn a_digest_can_be_left_out() {
    let (tree, mut bytes) = (tree(1, 50), Vec::new());
    write_snapshot(&tree, false, &mut bytes).unwrap();
    let loaded = Memory::with(&[("snapshot.300000123", &bytes)]).load().unwrap();
    assert_eq!(loaded.report.digest, DigestCheck::Absent);
    assert_eq!(imported(loaded.tree).digest(), tree.digest());
}

#[test]
fn compressed_snapshots_are_read() {
    let tree = tree(2, 500);
    let plain = snapshot(&tree);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let mut snappy = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for chunk in plain.chunks(32 << 10) {
        let compressed = snap::raw::Encoder::new().compress_vec(chunk).unwrap();
        snappy.extend((compressed.len() as u32).to_be_bytes());
        snappy.extend(compressed);
    }
    for (name, bytes) in [("snapshot.300000123.gz", gzip.finish().unwrap()), ("snapshot.300000123.snappy", snappy)] {
        let loaded = Memory::with(&[(name, &bytes)]).load().unwrap();
        assert_eq!(imported(loaded.tree).digest(), tree.digest(), "{name}");
        let mut newer = bytes.clone();
        newer[15] ^= 3;
        let same = |loaded: Loaded| imported(loaded.tree).digest() == tree.digest();
        // The version of a snappy stream; a byte of gzip's that is compressed already.
        assert!(!Memory::with(&[(name, &newer)]).load().is_ok_and(same), "{name}");
        for cut in [0, 1, 15, 17, 30, bytes.len() / 2, bytes.len() - 1] {
            let result = Memory::with(&[(name, &bytes[..cut])]).load();
            assert!(matches!(result, Err(FileError::Incomplete(_))), "{name} cut to {cut}");
        }
        let mut rng = Rng(7);
        for _ in 0..200 {
            let mut bad = bytes.clone();
            let at = rng.below(bad.len() as u64) as usize;
            bad[at] ^= 1 << rng.below(8);
            // A bit that means nothing (of a header's time, say) may be another.
            if let Ok(loaded) = Memory::with(&[(name, &bad)]).load() {
                assert_eq!(imported(loaded.tree).digest(), tree.digest(), "{name}, byte {at}");
            }
        }
    }
}
