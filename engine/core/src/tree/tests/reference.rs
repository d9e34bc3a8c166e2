//! The tree once more, as simple as can be: a map of paths, everything else computed when it is asked for.

use crate::stat::Stat;
use std::collections::BTreeMap;

pub type AclList = Vec<(i32, String, String)>;

#[derive(Clone, Debug)]
pub struct RefNode {
    pub stat: Stat,
    pub create_count: i32,
    pub owner: i64,
    pub data: Option<Vec<u8>>,
    pub acl: AclList,
}

#[derive(Clone, Default, Debug)]
pub struct RefTree {
    pub nodes: BTreeMap<String, RefNode>,
    pub sessions: BTreeMap<i64, i32>,
}

/// What a watch would be told: what happened, and the two lists that decide who may know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefChange {
    pub what: &'static str,
    pub path: String,
    pub acl: AclList,
    pub parent_acl: AclList,
}

#[derive(Clone, Debug)]
pub enum RefOp {
    Create { path: String, data: Option<Vec<u8>>, acl: AclList, owner: i64 },
    Delete { path: String },
    Set { path: String, data: Option<Vec<u8>> },
    SetAcl { path: String, acl: AclList },
}

/// "/a/b" to ("/a", "b"); what is above the root's children is "".
pub fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap()
}

impl RefTree {
    pub fn new() -> RefTree {
        let mut tree = RefTree::default();
        let node = RefNode { stat: Stat::default(), create_count: 0, owner: 0, data: Some(vec![]), acl: vec![] };
        for path in ["", "/zookeeper", "/zookeeper/quota"] {
            tree.nodes.insert(path.into(), node.clone());
        }
        let acl = vec![(1, "world".into(), "anyone".into())];
        let stat = Stat { aversion: -1, ..Stat::default() };
        tree.nodes.insert("/zookeeper/config".into(), RefNode { stat, acl, ..node });
        tree
    }

    pub fn children<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        self.nodes.keys().filter(move |other| !other.is_empty() && split(other).0 == path).map(|other| split(other).1)
    }

    pub fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a String, &'a RefNode)> {
        let is_below = move |other: &str| other.starts_with(path) && other[path.len()..].starts_with('/');
        self.nodes.iter().filter(move |(other, _)| is_below(other))
    }

    pub fn stat(&self, path: &str) -> Stat {
        let node = &self.nodes[path];
        let children = self.children(path).count() as i32;
        let is_session = node.owner != i64::MIN && (node.owner as u64) >> 56 != 0xFF;
        Stat {
            num_children: children,
            cversion: 2 * node.create_count - children,
            data_length: node.data.as_ref().map_or(0, |data| data.len() as i32),
            ephemeral_owner: if is_session { node.owner } else { 0 },
            ..node.stat
        }
    }

    pub fn size(&self) -> u64 {
        let of = |(path, node): (&String, &RefNode)| path.len() + node.data.as_ref().map_or(0, Vec::len);
        1 + self.nodes.iter().map(of).sum::<usize>() as u64
    }

    /// Paths of the session's ephemerals, the oldest first.
    pub fn ephemerals(&self, session: i64) -> Vec<String> {
        let mut owned: Vec<_> =
            self.nodes.iter().filter(|(_, n)| n.owner == session).map(|(p, n)| (n.stat.czxid, p.clone())).collect();
        owned.sort();
        owned.into_iter().map(|(_, path)| path).collect()
    }

    pub fn reapable(&self, now: i64, never_used: i64) -> Vec<String> {
        let due = |(path, node): &(&String, &RefNode)| {
            let age = now - node.stat.mtime;
            let ttl = node.owner & 0xFF_FFFF_FFFF;
            self.children(path).next().is_none()
                && if node.owner == i64::MIN {
                    node.create_count > 0 || (never_used > 0 && age > never_used)
                } else {
                    (node.owner as u64) >> 56 == 0xFF && ttl > 0 && age > ttl
                }
        };
        self.nodes.iter().filter(due).map(|(path, _)| path.clone()).collect()
    }

    pub fn is_legal(&self, op: &RefOp) -> bool {
        let is_session = |owner: i64| owner != 0 && owner != i64::MIN && (owner as u64) >> 56 != 0xFF;
        match op {
            RefOp::Create { path, owner, .. } => {
                let parent = self.nodes.get(split(path).0);
                !self.nodes.contains_key(path)
                    && parent.is_some_and(|parent| !is_session(parent.owner))
                    && (!is_session(*owner) || self.sessions.contains_key(owner))
            }
            RefOp::Delete { path } => {
                !path.is_empty() && self.nodes.contains_key(path) && self.children(path).next().is_none()
            }
            RefOp::Set { path, .. } | RefOp::SetAcl { path, .. } => self.nodes.contains_key(path),
        }
    }

    /// Does what is legal. Returns the state that the client is told, and what watches are told.
    pub fn apply(&mut self, op: &RefOp, zxid: i64, wall: i64) -> (Stat, Option<RefChange>) {
        match op {
            RefOp::Create { path, data, acl, owner } => {
                let stat = Stat { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: wall, mtime: wall, ..Stat::default() };
                let parent = self.nodes.get_mut(split(path).0).unwrap();
                parent.create_count += 1;
                parent.stat.pzxid = zxid;
                let parent_acl = parent.acl.clone();
                let node = RefNode { stat, create_count: 0, owner: *owner, data: data.clone(), acl: acl.clone() };
                self.nodes.insert(path.clone(), node);
                let stat = self.stat(path);
                self.quota_created(path, data.as_ref().map_or(0, Vec::len) as i64);
                (stat, Some(RefChange { what: "Created", path: path.clone(), acl: acl.clone(), parent_acl }))
            }
            RefOp::Delete { path } => {
                let node = self.nodes.remove(path).unwrap();
                let parent = self.nodes.get_mut(split(path).0).unwrap();
                parent.stat.pzxid = parent.stat.pzxid.max(zxid);
                let parent_acl = parent.acl.clone();
                self.quota_moves(path, -1, -(node.data.map_or(0, |data| data.len() as i64)));
                (Stat::default(), Some(RefChange { what: "Deleted", path: path.clone(), acl: node.acl, parent_acl }))
            }
            RefOp::Set { path, data } => {
                let node = self.nodes.get_mut(path).unwrap();
                (node.stat.mzxid, node.stat.mtime) = (zxid, wall);
                node.stat.version += 1;
                let old = std::mem::replace(&mut node.data, data.clone());
                let len = |data: &Option<Vec<u8>>| data.as_ref().map_or(0, |data| data.len() as i64);
                let (more, acl) = (len(data) - len(&old), node.acl.clone());
                let stat = self.stat(path);
                if more != 0 {
                    self.quota_moves(path, 0, more);
                }
                let path = if path.is_empty() { "/".into() } else { path.clone() };
                (stat, Some(RefChange { what: "DataChanged", path, acl, parent_acl: vec![] }))
            }
            RefOp::SetAcl { path, acl } => {
                let node = self.nodes.get_mut(path).unwrap();
                node.acl = acl.clone();
                node.stat.aversion += 1;
                (self.stat(path), None)
            }
        }
    }

    pub fn close(&mut self, session: i64, zxid: i64) -> Vec<RefChange> {
        self.sessions.remove(&session);
        let gone = self.ephemerals(session);
        gone.into_iter().map(|path| self.apply(&RefOp::Delete { path }, zxid, 0).1.unwrap()).collect()
    }

    /// The deepest path with a limits leaf, at or above `path`.
    pub fn quota_root(&self, path: &str) -> Option<String> {
        let mut at = path;
        while !at.is_empty() {
            if self.nodes.contains_key(&format!("/zookeeper/quota{at}/zookeeper_limits")) {
                return Some(at.into());
            }
            at = split(at).0;
        }
        None
    }

    fn quota_created(&mut self, path: &str, bytes: i64) {
        let quota_for = path.strip_prefix("/zookeeper/quota/").and_then(|rest| rest.strip_suffix("/zookeeper_stats"));
        if let Some(root) = quota_for.map(|root| format!("/{root}")) {
            let mut nodes: Vec<&RefNode> = self.below(&root).map(|(_, node)| node).collect();
            nodes.extend(self.nodes.get(&root));
            let bytes: usize = nodes.iter().map(|node| node.data.as_ref().map_or(0, Vec::len)).sum();
            let text = format!("count={},bytes={bytes}", nodes.len());
            self.nodes.get_mut(path).unwrap().data = Some(text.into());
        }
        self.quota_moves(path, 1, bytes);
    }

    fn quota_moves(&mut self, path: &str, count: i64, bytes: i64) {
        let Some(root) = self.quota_root(path) else { return };
        let Some(stats) = self.nodes.get_mut(&format!("/zookeeper/quota{root}/zookeeper_stats")) else { return };
        let text = stats.data.take().map(|text| String::from_utf8(text).unwrap()).unwrap_or_default();
        let said = |key: &str| -> i64 {
            let pair = text.split([',', ';']).find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
            pair.and_then(|number| number.trim_end_matches('=').parse().ok()).unwrap_or(-1)
        };
        stats.data = Some(format!("count={},bytes={}", said("count") + count, said("bytes") + bytes).into());
    }
}
