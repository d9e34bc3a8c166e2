//! Watches: each fires once, for a reason, and before its session sees anything newer.

use super::super::history::{Ask, Entry, Op};
use super::model::Model;
use super::{Case, Verdict};
use ringkeeper_core::jute::WatcherEvent;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

const BEFORE: &str = "a watch fires before anything newer is seen";
const ONCE: &str = "a watch fires once, and for a reason";

/// Of a node's data and existence, or of its children.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Kind {
    Data,
    Child,
}

/// A watch that has not fired.
#[derive(Clone, Copy)]
struct Watch {
    /// The zxid of the answer that left it.
    since: i64,
    /// The operation.
    op: usize,
    /// The node was there. Otherwise a server that takes the watch up again cannot know that it came and went meanwhile.
    existed: bool,
}

/// What a session waits for.
#[derive(Default)]
struct Waiting<'h> {
    watches: HashMap<(&'h str, Kind), Watch>,
    /// The changes that are to be told, the next one first, with the watch and what it dates from.
    due: BinaryHeap<Reverse<(i64, &'h str, Kind, i64)>>,
}

pub fn check<'h>(case: &Case<'h>, model: &Model<'h>, verdict: &mut Verdict) {
    let mut sessions: HashMap<i64, Waiting<'h>> = HashMap::new();
    let lists = ChildChanges::new(model);
    for (entry, &at) in case.entries.iter().zip(&case.op_of) {
        match entry {
            Entry::Op(op) if op.returned.is_some() => {
                let waiting = sessions.entry(op.session).or_default();
                waiting.answered(case, at, verdict);
                waiting.left(op, at, model, &lists);
            }
            Entry::Event { session, zxid, kind, path, client, at: when } => {
                let waiting = sessions.entry(*session).or_default();
                if let Err(why) = waiting.fired(path, *kind, *zxid, model, &lists) {
                    verdict.broken(ONCE, || {
                        format!(
                            "client {client} (session 0x{session:x}) was told at {:.6} s that {path} {}: {why}",
                            *when as f64 / 1e9,
                            told(*kind)
                        )
                    });
                }
            }
            _ => {}
        }
    }
}

fn told(kind: i32) -> &'static str {
    match kind {
        WatcherEvent::CREATED => "was created",
        WatcherEvent::DELETED => "was deleted",
        WatcherEvent::DATA_CHANGED => "has other data",
        WatcherEvent::CHILDREN_CHANGED => "has other children",
        _ => "was changed in an unknown way",
    }
}

/// Zxids at which the children of each node changed.
struct ChildChanges<'h> {
    zxids: HashMap<&'h str, Vec<i64>>,
}

impl<'h> ChildChanges<'h> {
    fn new(model: &Model<'h>) -> ChildChanges<'h> {
        let mut zxids: HashMap<&'h str, Vec<i64>> = HashMap::new();
        for (&parent, children) in &model.children {
            let zxids = zxids.entry(parent).or_default();
            for child in children {
                let changes = model.path(child).changes.iter();
                zxids.extend(changes.filter(|change| change.is_of_existence()).map(|change| change.zxid));
            }
            zxids.sort_unstable();
        }
        ChildChanges { zxids }
    }

    /// The first change after a zxid that a watch of this kind is for.
    fn next(&self, model: &Model<'h>, path: &str, kind: Kind, since: i64) -> Option<i64> {
        let own = model.path(path);
        match kind {
            Kind::Data => own.after(since).map(|change| change.zxid),
            Kind::Child => {
                let gone = own.changes[own.until(since)..].iter().find(|change| change.after.is_none());
                let zxids = self.zxids.get(path).map_or(&[][..], Vec::as_slice);
                let child = zxids.get(zxids.partition_point(|zxid| *zxid <= since)).copied();
                child.into_iter().chain(gone.map(|change| change.zxid)).min()
            }
        }
    }

    /// Whether something that is not known may have set the watch off.
    fn is_uncertain(&self, model: &Model<'h>, path: &str, kind: Kind, since: i64) -> bool {
        let unknown = |path: &str| model.path(path).maybes.iter().any(|maybe| maybe.high > since);
        let mut children = model.children.get(path).into_iter().flatten();
        unknown(path)
            || kind == Kind::Child
                && (children.any(|child| unknown(child))
                    || model.stray.keys().any(|stray| super::model::parent(stray) == Some(path)))
    }
}

impl<'h> Waiting<'h> {
    /// An answer came: what had changed by then was to be told before.
    fn answered(&mut self, case: &Case<'h>, at: usize, verdict: &mut Verdict) {
        let op = case.ops[at];
        // A session does not hear of what its own end does.
        let through = if op.ask == Ask::Close { op.zxid.saturating_sub(1) } else { op.zxid };
        if let Ask::SetWatches { .. } = op.ask {
            for watch in self.watches.values_mut().filter(|watch| !watch.existed) {
                watch.since = watch.since.max(op.zxid);
            }
        }
        while let Some(Reverse((zxid, path, kind, since))) = self.due.peek().copied().filter(|due| due.0.0 <= through) {
            self.due.pop();
            if let Some(watch) = self.watches.get(&(path, kind)).filter(|watch| watch.since == since) {
                verdict.broken(BEFORE, || {
                    format!(
                        "{op} came before the event of the change of {path} at 0x{zxid:x}, \
                         which was watched by {}",
                        case.ops[watch.op]
                    )
                });
            }
        }
    }

    /// A read may leave a watch.
    fn left(&mut self, op: &'h Op, at: usize, model: &Model<'h>, changes: &ChildChanges<'h>) {
        let (path, kind) = match &op.ask {
            Ask::Get { path, watch: true } if op.err == 0 => (path, Kind::Data),
            Ask::Exists { path, watch: true } => (path, Kind::Data),
            Ask::Children { path, watch: true } if op.err == 0 => (path, Kind::Child),
            Ask::SetWatches { .. } => {
                let taken_up: Vec<(&str, Kind, i64)> =
                    self.watches.iter().filter(|(_, w)| !w.existed).map(|((p, k), w)| (*p, *k, w.since)).collect();
                for (path, kind, since) in taken_up {
                    self.expect(path, kind, since, model, changes);
                }
                return;
            }
            _ => return,
        };
        let key = (path.as_str(), kind);
        let known = self.watches.entry(key).or_insert(Watch { since: op.zxid, op: at, existed: op.err == 0 });
        known.existed = op.err == 0;
        let since = known.since;
        self.expect(path, kind, since, model, changes);
    }

    fn expect(&mut self, path: &'h str, kind: Kind, since: i64, model: &Model<'h>, changes: &ChildChanges<'h>) {
        if let Some(zxid) = changes.next(model, path, kind, since) {
            self.due.push(Reverse((zxid, path, kind, since)));
        }
    }

    /// An event came.
    fn fired(
        &mut self,
        path: &'h str,
        kind: i32,
        zxid: i64,
        model: &Model<'h>,
        changes: &ChildChanges<'h>,
    ) -> Result<(), String> {
        let kinds: &[Kind] = match kind {
            WatcherEvent::CREATED | WatcherEvent::DATA_CHANGED => &[Kind::Data],
            WatcherEvent::DELETED => &[Kind::Data, Kind::Child],
            WatcherEvent::CHILDREN_CHANGED => &[Kind::Child],
            _ => return Err(format!("there is no event of kind {kind}")),
        };
        let left: Vec<(Kind, Watch)> =
            kinds.iter().filter_map(|&kind| Some((kind, self.watches.remove(&(path, kind))?))).collect();
        if left.is_empty() {
            return Err("it had left no watch there, or had been told already".into());
        }
        for (kind, watch) in left {
            let next = changes.next(model, path, kind, watch.since);
            // Some servers tell the zxid of the change, others -1.
            let fits = next.is_some_and(|next| zxid <= 0 || next == zxid);
            if fits || changes.is_uncertain(model, path, kind, watch.since) {
                return Ok(());
            }
        }
        Err("nothing had happened there, or something else before".into())
    }
}
