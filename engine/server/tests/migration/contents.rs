//! Everything that a client can see of a tree.

use crate::support::client::Client;
use crate::support::wire::{Acl, Stat};
use std::collections::BTreeMap;

/// What a client is told of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    data: Option<Vec<u8>>,
    stat: Stat,
    acl: Vec<Acl>,
}

/// All nodes by path, but for those below `without`.
pub fn contents(client: &mut Client, without: &str) -> BTreeMap<String, Seen> {
    let mut seen = BTreeMap::new();
    let mut open = vec!["/".to_owned()];
    while let Some(path) = open.pop() {
        let (data, stat) = client.get(&path, false).unwrap_or_else(|fault| panic!("{path}: {fault:?}"));
        let (acl, _) = client.acl(&path).unwrap();
        if stat.num_children > 0 {
            let base = if path == "/" { "" } else { &path };
            let children = client.children(&path, false).unwrap();
            open.extend(children.into_iter().map(|name| format!("{base}/{name}")).filter(|path| path != without));
        }
        seen.insert(path, Seen { data, stat, acl });
    }
    seen
}

/// # Panics
/// With the first difference, if there is one.
pub fn assert_equal(expected: &BTreeMap<String, Seen>, found: &BTreeMap<String, Seen>) {
    for (path, seen) in expected {
        assert_eq!(Some(seen), found.get(path), "{path}");
    }
    let more: Vec<&String> = found.keys().filter(|path| !expected.contains_key(*path)).collect();
    assert!(more.is_empty(), "nodes that were not there: {more:?}");
}
