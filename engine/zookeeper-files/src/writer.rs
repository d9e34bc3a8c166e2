//! A tree of ours as a snapshot that ZooKeeper starts from.

use crate::digest;
use crate::output::Output;
use crate::snapshot::{MAGIC, OPEN_ACL, Stat, VERSION};
use ringkeeper_core::acl::Acl;
use ringkeeper_core::tree::{Node, Tree};
use std::collections::HashMap;
use std::io::{self, Write};

/// What ZooKeeper itself writes there.
const DBID: i64 = -1;

/// Writes the whole tree with its sessions. Returns how many bytes that were. With `digest`, ZooKeeper's digest comes
/// behind it, which versions before 3.6 ignore, and later ones expect unless they were told to do without
/// (`digest.enabled=false`).
///
/// # Errors
/// Of the stream.
pub fn write_snapshot(tree: &Tree, digest: bool, to: impl Write) -> io::Result<u64> {
    let mut out = Output::new(to);
    out.int(i32::from_be_bytes(MAGIC))?;
    out.int(VERSION)?;
    out.long(DBID)?;
    out.count(tree.session_count())?;
    for (id, entry) in tree.sessions() {
        out.long(id.0)?;
        out.int(entry.timeout_ms)?;
    }
    let lists = write_lists(tree, &mut out)?;
    walk(tree, |path, node| {
        out.string(path)?;
        out.buffer(node.data())?;
        out.long(node.acl().as_ref().map_or(OPEN_ACL, |acl| lists[&**acl]))?;
        write_stat(&mut out, &stat_of(&node))
    })?;
    out.string("/")?;
    seal(&mut out)?;
    if digest {
        let digest = digest::of_tree(tree);
        out.long(tree.last_zxid().wire())?;
        out.int(digest.version)?;
        out.long(digest.value as i64)?;
        seal(&mut out)?;
    }
    out.flush()?;
    Ok(out.at())
}

/// The lists with the numbers that nodes will name them by.
fn write_lists<'a, W: Write>(tree: &'a Tree, out: &mut Output<W>) -> io::Result<HashMap<&'a [Acl], i64>> {
    let mut lists: HashMap<&[Acl], i64> = HashMap::new();
    let mut in_order: Vec<&[Acl]> = Vec::new();
    walk(tree, |_, node| {
        if let Some(acl) = node.acl().as_deref()
            && !lists.contains_key(acl)
        {
            in_order.push(acl);
            lists.insert(acl, in_order.len() as i64);
        }
        Ok::<(), io::Error>(())
    })?;
    out.count(in_order.len())?;
    for (at, acl) in in_order.iter().enumerate() {
        out.long(at as i64 + 1)?;
        out.acl(acl)?;
    }
    Ok(lists)
}

fn write_stat<W: Write>(out: &mut Output<W>, stat: &Stat) -> io::Result<()> {
    for field in [stat.czxid, stat.mzxid, stat.ctime, stat.mtime] {
        out.long(field)?;
    }
    for field in [stat.version, stat.cversion, stat.aversion] {
        out.int(field)?;
    }
    out.long(stat.owner)?;
    out.long(stat.pzxid)
}

fn seal<W: Write>(out: &mut Output<W>) -> io::Result<()> {
    out.long(out.checksum().into())?;
    out.string("/")
}

/// The stat as ZooKeeper stores it.
pub(crate) fn stat_of(node: &Node<'_>) -> Stat {
    let stat = node.stat();
    Stat {
        czxid: stat.czxid,
        mzxid: stat.mzxid,
        ctime: stat.ctime,
        mtime: stat.mtime,
        version: stat.version,
        cversion: node.create_count(),
        aversion: stat.aversion,
        owner: node.owner(),
        pzxid: stat.pzxid,
    }
}

/// Visits all nodes, parents before their children and siblings in the order of their names. The root's path is "".
///
/// # Errors
/// The first that `visit` returns.
pub fn walk<'a, E>(tree: &'a Tree, mut visit: impl FnMut(&str, Node<'a>) -> Result<(), E>) -> Result<(), E> {
    let mut open = vec![String::new()];
    while let Some(path) = open.pop() {
        let Some(node) = tree.get(if path.is_empty() { "/" } else { &path }) else { continue };
        visit(&path, node)?;
        let mut names: Vec<&str> = node.children().collect();
        names.sort_unstable();
        open.extend(names.into_iter().rev().map(|name| format!("{path}/{name}")));
    }
    Ok(())
}
