//! Everything that a client can see of a tree.

use crate::support::client::Client;
use crate::support::wire::{Acl, Dec, Enc, Stat, op};
use std::collections::BTreeMap;

/// What a client is told of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    data: Option<Vec<u8>>,
    stat: Stat,
    acl: Vec<Acl>,
}

/// Nodes that are asked for before the first answer is read.
const TOGETHER: usize = 100;

/// All nodes by path, but for those below `without`.
pub fn contents(client: &mut Client, without: &str) -> BTreeMap<String, Seen> {
    let mut seen = BTreeMap::new();
    let mut open = vec!["/".to_owned()];
    while !open.is_empty() {
        let paths = open.split_off(open.len().saturating_sub(TOGETHER));
        for path in &paths {
            client.send(op::GET_DATA, &Enc::new().str(path).bool(false).0);
            client.send(op::GET_ACL, &Enc::new().str(path).0);
            client.send(op::GET_CHILDREN, &Enc::new().str(path).bool(false).0);
        }
        for path in paths {
            let (node, children) = answers(client, &path);
            assert_eq!(children.len(), node.stat.num_children as usize, "{path}");
            let base = if path == "/" { "" } else { &path };
            open.extend(children.into_iter().map(|name| format!("{base}/{name}")).filter(|path| path != without));
            seen.insert(path, node);
        }
    }
    seen
}

/// What comes back for one node: itself, and the names of its children.
fn answers(client: &mut Client, path: &str) -> (Seen, Vec<String>) {
    let mut answer = || match client.reply().unwrap() {
        (header, body) if header.err == 0 => body,
        (header, _) => panic!("{path}: {header:?}"),
    };
    let (data, acl, children) = (answer(), answer(), answer());
    let mut dec = Dec(&data);
    let (data, stat) = (dec.buf().unwrap().map(<[u8]>::to_vec), dec.stat().unwrap());
    let acl = Dec(&acl).acl().unwrap().unwrap();
    (Seen { data, stat, acl }, Dec(&children).strs().unwrap().unwrap())
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
