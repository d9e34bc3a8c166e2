//! Whether writes, refusals and reads fit what the nodes were at the time.

use super::super::history::{Answer, Ask, Op, Stat};
use super::model::{Change, Model, Node, Path, answers, parent};
use super::{Case, Verdict};
use std::collections::{BTreeSet, HashMap};

const FITS: &str = "every write fits what was there";
const REASON: &str = "every refusal has a reason";
const READS: &str = "reads show the state at some point between what the session has seen and the answer";
const LISTS: &str = "lists of children are what was created and not deleted";

/// An answer to a request for children: the operation, the names, the stat of the parent.
type Listing<'h> = (usize, &'h Vec<String>, &'h Stat);

pub fn check(case: &Case<'_>, model: &Model<'_>, verdict: &mut Verdict) {
    let mut lists: HashMap<&str, Vec<Listing<'_>>> = HashMap::new();
    for (path, over_time) in model.paths() {
        writes(case, model, path, over_time, verdict);
    }
    for (at, op) in case.ops.iter().enumerate() {
        if op.is_refused() {
            refusal(case, model, at, verdict);
            continue;
        }
        match (&op.ask, &op.answer) {
            (Ask::Get { path, .. }, Answer::Data(_, stat)) | (Ask::Exists { path, .. }, Answer::Stat(stat)) => {
                read(case, model.path(path), at, stat, verdict);
            }
            (Ask::Children { path, .. }, Answer::Children(names, stat)) => {
                read(case, model.path(path), at, stat, verdict);
                lists.entry(path).or_default().push((at, names, stat));
            }
            _ => {}
        }
    }
    for (path, lists) in lists {
        children(case, model, path, lists, verdict);
    }
}

fn by(case: &Case<'_>, change: Option<&Change>) -> String {
    change.map_or("nothing was done to it before".into(), |change| {
        format!("the change before was {}", case.ops[change.op])
    })
}

/// The changes of a node, one after the other.
fn writes(case: &Case<'_>, model: &Model<'_>, path: &str, over_time: &Path, verdict: &mut Verdict) {
    let mut before: Option<&Change> = None;
    for change in &over_time.changes {
        let op = case.ops[change.op];
        let known = before.map_or(0, |before| before.zxid);
        let uncertain = over_time.maybes.iter().any(|maybe| maybe.low < change.zxid && maybe.high > known);
        if !uncertain && op.ask != Ask::Close {
            let was = before.and_then(|before| before.after);
            if let Some(wrong) = misfit(op, path, change, was) {
                verdict.broken(FITS, || format!("{op}: {path} {wrong}; {}", by(case, before)));
            }
        }
        let above = parent(path).map(|above| model.path(above)).filter(|above| !above.changes.is_empty());
        let just_before = change.zxid - 1;
        // A multi may have made the parent itself.
        if let (Some(above), Some(_), true) = (above, change.after, op.ask.parts().len() == 1)
            && !above.may_be(just_before, just_before, |node| node.is_some())
        {
            verdict.broken(FITS, || format!("{op}: its parent was not there; {}", by(case, above.last(just_before))));
        }
        if change.after.is_none() && op.ask.parts().len() == 1 && op.ask != Ask::Close {
            for child in model.children.get(path).into_iter().flatten() {
                let child = model.path(child);
                if !child.may_be(just_before, just_before, |node| node.is_none()) {
                    verdict.broken(FITS, || format!("{op}: it had a child; {}", by(case, child.last(just_before))));
                }
            }
        }
        before = Some(change);
    }
}

/// Why a change cannot have been made to a node that was like this.
fn misfit(op: &Op, path: &str, change: &Change, was: Option<Node>) -> Option<String> {
    let mut parts = op.ask.parts().iter();
    match parts.nth(change.part)? {
        Ask::Create { .. } => was.map(|_| "was there already".into()),
        Ask::Set { version, .. } => {
            let Some(was) = was else { return Some("was not there".into()) };
            let now = change.after?;
            match (was.version, now.version) {
                (Some(was), _) if *version >= 0 && was != *version => Some(format!("was at version {was}")),
                (Some(was), Some(now)) if now != was + 1 => Some(format!("went from version {was} to {now}")),
                _ if differ(was.czxid, now.czxid) => Some(format!("{path} was another node, of the same path")),
                _ => None,
            }
        }
        Ask::Delete { version, .. } => match was {
            None => Some("was not there".into()),
            Some(was) => {
                was.version.filter(|was| *version >= 0 && was != version).map(|was| format!("was at version {was}"))
            }
        },
        _ => None,
    }
}

fn differ<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

/// A node that was found.
fn read(case: &Case<'_>, path: &Path, at: usize, stat: &Stat, verdict: &mut Verdict) {
    let op = case.ops[at];
    let change = path.last(stat.mzxid).filter(|change| change.zxid == stat.mzxid);
    let wrong = match change {
        None if path.maybes.iter().any(|maybe| maybe.low < stat.mzxid && stat.mzxid < maybe.high) => return,
        None => format!("its mzxid 0x{:x} is no change of it", stat.mzxid),
        Some(change) => match change.after {
            None => format!("it had been deleted by {}", case.ops[change.op]),
            Some(node) if differ(node.version, Some(stat.version)) => {
                format!("version {}, but {} made {:?}", stat.version, case.ops[change.op], node.version.unwrap_or(-1))
            }
            Some(node) if differ(node.czxid, Some(stat.czxid)) => {
                format!("czxid 0x{:x} is not that of {}", stat.czxid, case.ops[change.op])
            }
            Some(_) if stat.mzxid > op.zxid => format!("mzxid 0x{:x} is newer than the answer", stat.mzxid),
            Some(_) => match path.after(stat.mzxid).filter(|next| next.zxid <= case.seen[at]) {
                Some(next) => format!("mzxid 0x{:x}, though the session had seen {}", stat.mzxid, case.ops[next.op]),
                None => return,
            },
        },
    };
    verdict.broken(READS, || format!("{op}: {wrong}"));
}

/// An operation that was answered with an error.
fn refusal(case: &Case<'_>, model: &Model<'_>, at: usize, verdict: &mut Verdict) {
    let op = case.ops[at];
    let low = if op.ask.is_write() { case.low(at) } else { case.seen[at] };
    let (ask, err) = match (&op.ask, answers(op)) {
        (Ask::Multi(parts), results) => {
            let failed = results.iter().position(|result| matches!(result, Answer::Error(err) if *err == op.err));
            match failed.and_then(|failed| parts.get(failed)) {
                Some(part) => (part, op.err),
                None => return,
            }
        }
        (ask, _) => (ask, op.err),
    };
    let so = |path: &str, so: &dyn Fn(Option<Node>) -> bool| model.path(path).may_be(low, op.zxid, so);
    let absent = |path: &str| so(path, &|node| node.is_none());
    let (justified, whose) = match (err, ask) {
        (NO_NODE, Ask::Create { path, .. }) => {
            let above = parent(path).unwrap_or("/");
            (absent(above), above)
        }
        (
            NO_NODE,
            Ask::Set { path, .. }
            | Ask::Delete { path, .. }
            | Ask::Check { path, .. }
            | Ask::Get { path, .. }
            | Ask::Exists { path, .. }
            | Ask::Children { path, .. },
        ) => (absent(path), path.as_str()),
        (NODE_EXISTS, Ask::Create { path, .. }) => (so(path, &|node| node.is_some()), path.as_str()),
        (
            BAD_VERSION,
            Ask::Set { path, version, .. } | Ask::Delete { path, version } | Ask::Check { path, version },
        ) => {
            let other = |node: Option<Node>| node.is_some_and(|node| node.version.is_none_or(|is| is != *version));
            (*version >= 0 && so(path, &other), path.as_str())
        }
        (NOT_EMPTY, Ask::Delete { path, .. }) => {
            let mut children = model.children.get(path.as_str()).into_iter().flatten();
            let stray = model.stray.keys().any(|stray| parent(stray) == Some(path));
            (stray || children.any(|child| so(child, &|node| node.is_some())), path.as_str())
        }
        // The request was not executed where it came too late: a server may say so at any time.
        (SESSION_MOVED, _) => return,
        _ => (false, "/"),
    };
    if !justified {
        let node = model.path(whose);
        let promise = if op.ask.is_write() { REASON } else { READS };
        verdict.broken(promise, || {
            format!("{op}: {whose} was never so from 0x{low:x} on; {}", by(case, node.last(op.zxid)))
        });
    }
}

const NO_NODE: i32 = -101;
const BAD_VERSION: i32 = -103;
const NODE_EXISTS: i32 = -110;
const NOT_EMPTY: i32 = -111;
const SESSION_MOVED: i32 = -118;

/// Lists of the children of one node: each is the state at its pzxid.
fn children(case: &Case<'_>, model: &Model<'_>, path: &str, mut lists: Vec<Listing<'_>>, verdict: &mut Verdict) {
    let children = model.children.get(path).map_or(&[][..], Vec::as_slice);
    let mut changes: Vec<(&Change, &str)> = Vec::new();
    for &child in children {
        changes.extend(comings_and_goings(&model.path(child).changes).map(|change| (change, child)));
    }
    changes.sort_by_key(|(change, _)| (change.zxid, change.part));
    lists.sort_by_key(|(_, _, stat)| stat.pzxid);
    let (mut there, mut next) = (BTreeSet::new(), 0);
    for (at, names, stat) in lists {
        let op = case.ops[at];
        while let Some((change, child)) = changes.get(next).filter(|(change, _)| change.zxid <= stat.pzxid) {
            if change.after.is_some() {
                there.insert(*child)
            } else {
                there.remove(child)
            };
            next += 1;
        }
        let listed: BTreeSet<String> = names.iter().map(|name| format!("{path}/{name}")).collect();
        for child in &listed {
            let stray = child.len() > 10 && model.stray.contains_key(&child[..child.len() - 10]);
            if !there.contains(child.as_str()) && !stray && !model.path(child).is_uncertain(stat.pzxid, stat.pzxid) {
                let last = by(case, model.path(child).last(stat.pzxid));
                verdict.broken(LISTS, || format!("{op}: {child} should not be there; {last}"));
            }
        }
        for child in there.iter().filter(|child| !listed.contains(**child)) {
            if !model.path(child).is_uncertain(stat.pzxid, stat.pzxid) {
                let last = by(case, model.path(child).last(stat.pzxid));
                verdict.broken(LISTS, || format!("{op}: {child} is missing; {last}"));
            }
        }
        let late = changes.get(next).filter(|(change, _)| change.zxid <= case.seen[at]);
        if let Some((change, child)) = late {
            verdict.broken(LISTS, || {
                format!(
                    "{op}: it is as of 0x{:x}, though the session had seen what was done to {child} by {}",
                    stat.pzxid, case.ops[change.op]
                )
            });
        }
        if stat.pzxid > op.zxid {
            verdict.broken(LISTS, || format!("{op}: it is as of 0x{:x}, after the answer", stat.pzxid));
        }
    }
}

/// The changes by which a node came or went.
fn comings_and_goings(changes: &[Change]) -> impl Iterator<Item = &Change> {
    let was = |at: usize| at > 0 && changes[at - 1].after.is_some();
    changes.iter().enumerate().filter(move |(at, change)| change.after.is_some() != was(*at)).map(|(_, change)| change)
}
