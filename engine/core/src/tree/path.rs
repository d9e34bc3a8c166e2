//! Paths: their rules, their parts, and the hash by which nodes are found.

/// Checks the rules for paths of writes: begins with `/`, does not end with it (except the root), no component that is
/// empty, `.` or `..`, no character that ZooKeeper refuses.
///
/// Source: `PathUtils.validatePath`; surface 1.10.
///
/// # Errors
/// `()` if a rule is broken; clients are told only `BadArguments`.
#[expect(clippy::result_unit_err, reason = "there is nothing to tell but that it is wrong")]
pub fn validate(path: &str) -> Result<(), ()> {
    if path == "/" {
        return Ok(());
    }
    let rest = path.strip_prefix('/').ok_or(())?;
    let component_ok = |name: &str| !matches!(name, "" | "." | "..") && !name.chars().any(is_refused);
    if rest.split('/').all(component_ok) { Ok(()) } else { Err(()) }
}

/// The path of the node above. The root is above itself.
#[must_use]
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(slash) => &path[..slash],
    }
}

/// The last component; empty for the root.
#[must_use]
pub fn name(path: &str) -> &str {
    path.rfind('/').map_or(path, |slash| &path[slash + 1..])
}

/// The nodes above `path`, nearest first, the root last. Without `path` itself: the root has none.
pub fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let mut path = path;
    std::iter::from_fn(move || {
        if path.len() <= 1 {
            return None;
        }
        path = parent(path);
        Some(path)
    })
}

/// Characters of a component that are refused: controls, surrogates and with them all that is beyond the basic plane,
/// the private use area, the specials at its end.
fn is_refused(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}

/// Hash of a path, folded component by component, so that a child's hash follows from its parent's.
/// The same on every server and for all time: the digest of the tree rests on it.
pub(super) type PathHash = u64;

/// Hash of the root.
pub(super) const ROOT_HASH: PathHash = 0x9E37_79B9_7F4A_7C15;

const MULTIPLIER: u64 = 0xD6E8_FEB8_6659_FD93;

/// The hash of the child `name` of a node with the hash `parent`.
pub(super) fn child_hash(parent: PathHash, name: &[u8]) -> PathHash {
    let mut hash = parent ^ (name.len() as u64).wrapping_mul(MULTIPLIER);
    let mut chunks = name.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("chunks of eight"));
        hash = fold(hash ^ word, MULTIPLIER);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = fold(hash ^ u64::from_le_bytes(word), MULTIPLIER);
    }
    fold(hash, ROOT_HASH)
}

/// Both halves of the 128-bit product, added into one another.
pub(super) const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A path split and hashed for looking up: the root has neither parent nor name.
#[derive(Clone, Copy)]
pub(super) struct Hashed<'a> {
    /// All but the last component: "" for the root and its children.
    pub parent_path: &'a str,
    pub name: &'a str,
    pub parent_hash: PathHash,
    pub hash: PathHash,
}

impl<'a> Hashed<'a> {
    /// `None` if the path does not begin with `/`; "" counts as the root.
    pub fn new(path: &'a str) -> Option<Hashed<'a>> {
        if path.len() <= 1 {
            let root = Hashed { parent_path: "", name: "", parent_hash: ROOT_HASH, hash: ROOT_HASH };
            return matches!(path, "" | "/").then_some(root);
        }
        let bytes = path.as_bytes();
        if bytes[0] != b'/' {
            return None;
        }
        let (mut parent_hash, mut start) = (ROOT_HASH, 1);
        for (at, byte) in bytes.iter().enumerate().skip(1) {
            if *byte == b'/' {
                parent_hash = child_hash(parent_hash, &bytes[start..at]);
                start = at + 1;
            }
        }
        let hash = child_hash(parent_hash, &bytes[start..]);
        Some(Hashed { parent_path: &path[..start - 1], name: &path[start..], parent_hash, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_validated_as_zookeeper_does() {
        let good = [
            "/",
            "/a",
            "/a/b",
            "/...",
            "/a../b",
            "/..a",
            "/.a/a.",
            "/a b",
            "/\u{20}",
            "/\u{7e}",
            "/\u{a0}",
            "/\u{d7ff}",
            "/\u{f900}",
            "/\u{ffef}",
            "/ä/字",
        ];
        for path in good {
            assert_eq!(validate(path), Ok(()), "{path:?}");
        }
        let bad = [
            "",
            "a",
            "a/b",
            "//",
            "/a/",
            "/a//b",
            "//a",
            "/.",
            "/..",
            "/a/./b",
            "/a/../b",
            "/a/..",
            "/a/.",
            "/\0",
            "/a\u{1}",
            "/\u{1f}",
            "/\u{7f}",
            "/\u{9f}",
            "/\u{e000}",
            "/\u{f8ff}",
            "/\u{fff0}",
            "/\u{fffd}",
            "/\u{ffff}",
            "/\u{10000}",
            "/😀",
            "/a/b\u{0}c",
        ];
        for path in bad {
            assert_eq!(validate(path), Err(()), "{path:?}");
        }
    }

    #[test]
    fn parts_of_paths() {
        assert_eq!((parent("/a/b"), name("/a/b")), ("/a", "b"));
        assert_eq!((parent("/a"), name("/a")), ("/", "a"));
        assert_eq!((parent("/"), name("/")), ("/", ""));
        assert_eq!(ancestors("/a/b/c").collect::<Vec<_>>(), ["/a/b", "/a", "/"]);
        assert_eq!(ancestors("/a").collect::<Vec<_>>(), ["/"]);
        assert_eq!(ancestors("/").count(), 0);
        assert_eq!(ancestors("").count(), 0);
    }

    #[test]
    fn hashes_fold_by_component_and_tell_paths_apart() {
        let of = |path: &str| Hashed::new(path).unwrap().hash;
        assert_eq!(of("/a/b"), child_hash(of("/a"), b"b"));
        assert_eq!(Hashed::new("/a/b").unwrap().parent_hash, of("/a"));
        assert_eq!((of(""), of("/")), (ROOT_HASH, ROOT_HASH));
        assert!(Hashed::new("a").is_none() && Hashed::new("a/b").is_none());
        let mut seen = std::collections::BTreeSet::new();
        for a in 0..40 {
            for b in 0..1000 {
                assert!(seen.insert(of(&format!("/dir{a}/node-{b:010}"))));
                assert!(seen.insert(of(&format!("/dir{a}node-{b:010}"))));
            }
        }
        for path in ["/a", "/a\0", "/a\0\0", "/a/", "/a//", "/aaaaaaaa", "/aaaaaaaa\0", "/aaaaaaa/a"] {
            assert!(seen.insert(of(path)), "{path:?}");
        }
    }

    /// The digest of stored trees rests on these numbers: they may never change.
    #[test]
    fn hashes_are_frozen() {
        let of = |path| Hashed::new(path).unwrap().hash;
        assert_eq!(of("/zookeeper"), 13_439_052_458_026_177_351);
        assert_eq!(of("/zookeeper/config"), 12_260_674_162_130_670_935);
    }
}
