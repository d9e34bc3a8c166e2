//! Paths as ZooKeeper's clients judge them, before a server is asked, and the root that a session may be confined to.

use thiserror::Error;

/// Why a text is no path, in the words of ZooKeeper's Java client (`PathUtils`).
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PathError {
    /// It is empty.
    #[error("Path length must be > 0")]
    Empty,
    /// It is not absolute.
    #[error("Path must start with / character")]
    Relative,
    /// Only the root ends with a slash.
    #[error("Path must not end with / character")]
    Trailing,
    /// A name that is not allowed.
    #[error("Invalid path string \"{path}\" caused by {reason} @{at}")]
    Name {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
        /// Where, in UTF-16 units.
        at: usize,
    },
}

/// Judges a path.
///
/// # Errors
/// [`PathError`]
pub fn validate(path: &str) -> Result<(), PathError> {
    let units: Vec<u16> = path.encode_utf16().collect();
    match units.as_slice() {
        [] => return Err(PathError::Empty),
        [first, ..] if *first != u16::from(b'/') => return Err(PathError::Relative),
        [_] => return Ok(()),
        [.., last] if *last == u16::from(b'/') => return Err(PathError::Trailing),
        _ => {}
    }
    match (1..units.len()).find_map(|at| fault(&units, at).map(|reason| (reason, at))) {
        None => Ok(()),
        Some((reason, at)) => Err(PathError::Name { path: path.to_owned(), reason, at }),
    }
}

/// Judges the path of a sequential node, to which the server will append digits.
///
/// # Errors
/// [`PathError`]
pub fn validate_sequential(path: &str) -> Result<(), PathError> {
    match validate(&format!("{path}1")) {
        Err(PathError::Name { reason, at, .. }) => Err(PathError::Name { path: path.to_owned(), reason, at }),
        other => other,
    }
}

/// What is wrong with the unit at `at`, if anything; it is not the first one.
fn fault(units: &[u16], at: usize) -> Option<&'static str> {
    const SLASH: u16 = b'/' as u16;
    const DOT: u16 = b'.' as u16;
    let name_ends = at + 1 == units.len() || units[at + 1] == SLASH;
    let before = units[at - 1];
    match units[at] {
        0 => Some("null character not allowed"),
        SLASH if before == SLASH => Some("empty node name specified"),
        DOT if name_ends && (before == SLASH || (before == DOT && at >= 2 && units[at - 2] == SLASH)) => {
            Some("relative paths not allowed")
        }
        0x01..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..=0xffff => Some("invalid character"),
        _ => None,
    }
}

/// The path of a child.
#[must_use]
pub fn child(parent: &str, name: &str) -> String {
    if parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") }
}

/// The path on the server of a client's path, for a client that is confined to `chroot` (empty: not confined).
#[must_use]
pub fn to_server(chroot: &str, path: &str) -> String {
    match (chroot, path) {
        ("", path) => path.to_owned(),
        (chroot, "/") => chroot.to_owned(),
        (chroot, path) => format!("{chroot}{path}"),
    }
}

/// The client's path of a path on the server; one outside of the chroot stays as it is.
#[must_use]
pub fn to_client<'p>(chroot: &str, path: &'p str) -> &'p str {
    match path.strip_prefix(chroot) {
        Some("") => "/",
        Some(below) if below.starts_with('/') => below,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(path: &str) -> String {
        validate(path).map_or_else(|error| error.to_string(), |()| "ok".into())
    }

    #[test]
    fn paths_are_judged_in_zookeepers_words() {
        for good in ["/", "/a", "/a/b", "/.a", "/a.", "/a..", "/...", "/ü", "/a b"] {
            assert_eq!(words(good), "ok", "{good}");
        }
        assert_eq!(words(""), "Path length must be > 0");
        assert_eq!(words("a"), "Path must start with / character");
        assert_eq!(words("/a/"), "Path must not end with / character");
        assert_eq!(words("//x"), "Invalid path string \"//x\" caused by empty node name specified @1");
        assert_eq!(words("/x/../y"), "Invalid path string \"/x/../y\" caused by relative paths not allowed @4");
        assert_eq!(words("/./y"), "Invalid path string \"/./y\" caused by relative paths not allowed @1");
        assert_eq!(words("/a\tb"), "Invalid path string \"/a\tb\" caused by invalid character @2");
        assert_eq!(words("/a\0"), "Invalid path string \"/a\0\" caused by null character not allowed @2");
    }

    #[test]
    fn a_sequential_node_may_have_no_name_of_its_own() {
        assert_eq!(validate_sequential("/a/"), Ok(()));
        assert!(validate_sequential("a").is_err());
        assert!(validate_sequential("").is_err());
    }

    #[test]
    fn a_chroot_is_put_before_and_taken_away() {
        assert_eq!(to_server("", "/a"), "/a");
        assert_eq!(to_server("/app", "/"), "/app");
        assert_eq!(to_server("/app", "/a"), "/app/a");
        assert_eq!(to_client("/app", "/app/a"), "/a");
        assert_eq!(to_client("/app", "/app"), "/");
        assert_eq!(to_client("/app", "/apple"), "/apple");
        assert_eq!(to_client("", "/a"), "/a");
    }
}
