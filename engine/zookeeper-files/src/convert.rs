//! From ZooKeeper's state to ours.

use crate::data_tree::{DataTree, parent};
use crate::error::FileError;
use crate::snapshot::{Node, OPEN_ACL, Stat};
use ringkeeper_core::acl::{Acl, perms};
use ringkeeper_core::frame::MAX_LEN;
use ringkeeper_core::ids::{SessionId, Tag, Zxid};
use ringkeeper_core::session::password;
use ringkeeper_core::tree::{Builder, Kind, LoadError, NodeState, SessionEntry, Tree};
use std::collections::HashMap;

const QUOTA: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";
/// Room that a node needs in a snapshot of ours beside name and data.
const NODE_OVERHEAD: usize = 1024;

/// What ZooKeeper would not have kept at its next start either.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Dropped {
    /// Ephemeral nodes of sessions that are not there any more.
    pub orphans: usize,
}

/// Makes a tree of ours, as ZooKeeper's next start would find it: ephemeral nodes whose session is gone go, the usage of
/// quotas is counted, and nodes that every version since has are added if an old one had not.
///
/// Sessions keep their ids and timeouts. Their passwords follow from the ids.
///
/// # Errors
/// [`FileError::Node`] if there is a node that Ringkeeper cannot hold.
pub fn into_tree(mut from: DataTree) -> Result<(Tree, Dropped), FileError> {
    let dropped = Dropped { orphans: drop_orphans(&mut from)? };
    add_own_nodes(&mut from);
    count_quotas(&mut from);
    Ok((build(&from)?, dropped))
}

/// Source: `ZooKeeperServer.loadData`.
fn drop_orphans(from: &mut DataTree) -> Result<usize, FileError> {
    let mut gone = Vec::new();
    for owner in from.owners() {
        match Kind::from_owner(owner) {
            Some(Kind::Ephemeral(_)) if !from.sessions.contains_key(&owner) => gone.push(owner),
            Some(Kind::Ttl(_)) if from.sessions.contains_key(&owner) => {
                let what = format!(
                    "session 0x{owner:x} was made by server 255, whose ids are those of TTL nodes: close it before"
                );
                return Err(FileError::Node { path: "(of that session)".to_owned(), what });
            }
            _ => {}
        }
    }
    let zxid = from.last_zxid;
    Ok(gone.into_iter().map(|owner| from.delete_owned(owner, zxid)).sum())
}

/// Source: `DataTree` (constructor), `ZKDatabase.initConfigInZKDatabase`.
fn add_own_nodes(from: &mut DataTree) {
    for path in ["/zookeeper", QUOTA, "/zookeeper/config"] {
        if !from.nodes.contains_key(path) {
            let config = path.ends_with("/config");
            let read_only = [Acl::new(perms::READ, "world", "anyone")];
            let acl = from.acls.acquire(config.then_some(&read_only));
            let stat = Stat { aversion: if config { -1 } else { 0 }, ..Stat::default() };
            let node = Node { path: path.to_owned(), data: Some(Vec::new()), acl, stat };
            from.nodes.insert(path.to_owned(), node);
        }
    }
}

/// Source: `DataTree.setupQuota`.
fn count_quotas(from: &mut DataTree) {
    let below = |path: &str| format!("{path}/");
    let limits: Vec<String> = (from.nodes.range(below(QUOTA)..).map(|(path, _)| path))
        .take_while(|path| path.starts_with(&below(QUOTA)))
        .filter_map(|path| path.strip_prefix(QUOTA)?.strip_suffix(LIMITS)?.strip_suffix('/'))
        .filter(|root| !root.is_empty())
        .map(str::to_owned)
        .collect();
    for root in limits {
        let (mut count, mut bytes) = (0_u64, 0_u64);
        let subtree = from.nodes.range(below(&root)..).take_while(|(path, _)| path.starts_with(&below(&root)));
        for (_, node) in from.nodes.get_key_value(&root).into_iter().chain(subtree) {
            count += 1;
            bytes += node.data.as_ref().map_or(0, Vec::len) as u64;
        }
        if let Some(stats) = from.nodes.get_mut(&format!("{QUOTA}{root}/{STATS}")) {
            stats.data = Some(format!("count={count},bytes={bytes}").into_bytes());
        }
    }
}

fn build(from: &DataTree) -> Result<Tree, FileError> {
    let mut builder = Builder::default();
    let mut lists: HashMap<i64, u32> = HashMap::from([(OPEN_ACL, 0)]);
    let mut numbers: HashMap<&str, u32> = HashMap::with_capacity(from.nodes.len());
    for (path, node) in &from.nodes {
        let wrong = |what: &str| FileError::Node { path: display(path), what: what.to_owned() };
        let acl = match lists.get(&node.acl) {
            Some(number) => *number,
            None => {
                let acl = from.acls.get(node.acl).ok_or_else(|| wrong("its access control list is not there"))?;
                *lists.entry(node.acl).or_insert(builder.list(acl))
            }
        };
        let above = match parent(path) {
            Some(parent) => *numbers.get(parent).ok_or_else(|| wrong("there is no node above it"))?,
            None => 0,
        };
        if path.len() + node.data.as_ref().map_or(0, Vec::len) > MAX_LEN - NODE_OVERHEAD {
            return Err(wrong("it is too large"));
        }
        let number = builder.node(above, &state(path, node, acl)).map_err(|error| wrong(reason(&error)))?;
        numbers.insert(path, number);
    }
    for (id, timeout_ms) in &from.sessions {
        let id = SessionId(*id);
        let entry = SessionEntry { timeout_ms: *timeout_ms, passwd: password(id), owner: Tag::NONE };
        builder.session(id, entry).map_err(|error| FileError::Incomplete(error.to_string()))?;
    }
    builder.finish(Zxid(from.last_zxid as u64)).map_err(|error| FileError::Incomplete(error.to_string()))
}

/// Without the place in a snapshot of ours, which there is none of.
fn reason(error: &LoadError) -> &'static str {
    match error {
        LoadError::Record { what, .. } | LoadError::Structure { what, .. } => what,
        _ => "it does not fit in",
    }
}

fn state<'a>(path: &'a str, node: &'a Node, acl: u32) -> NodeState<'a> {
    let stat = &node.stat;
    NodeState {
        name: path.rsplit_once('/').map_or("", |(_, name)| name),
        data: node.data.as_deref(),
        acl,
        czxid: stat.czxid as u64,
        mzxid: stat.mzxid as u64,
        pzxid: stat.pzxid as u64,
        ctime: stat.ctime,
        mtime: stat.mtime,
        version: stat.version,
        create_count: stat.cversion,
        aversion: stat.aversion,
        owner: stat.owner,
    }
}

fn display(path: &str) -> String {
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}
