//! What the history says about each node over time.

use super::super::history::{Answer, Ask, Op, Stat};
use super::{Case, Verdict};
use std::collections::HashMap;

/// A node, as far as it is known.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Node {
    /// The zxid that made it.
    pub czxid: Option<i64>,
    /// Changes of its data.
    pub version: Option<i32>,
    /// The session that it goes with.
    pub owner: i64,
}

/// A change that is known to have happened.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// When.
    pub zxid: i64,
    /// Place within a multi.
    pub part: usize,
    /// By which operation.
    pub op: usize,
    /// What the node is after it.
    pub after: Option<Node>,
}

impl Change {
    /// Whether the node came or went by it. What was there before may not be known; that a create or a delete was done is.
    pub fn is_of_existence(&self) -> bool {
        self.after.is_none_or(|node| node.czxid == Some(self.zxid))
    }
}

/// A change that nobody knows of whether it happened.
#[derive(Clone, Copy, Debug)]
pub struct Maybe {
    /// Not before this.
    pub low: i64,
    /// Before this.
    pub high: i64,
}

/// A path over time.
#[derive(Default, Debug)]
pub struct Path {
    /// In the order in which they happened.
    pub changes: Vec<Change>,
    /// In no order.
    pub maybes: Vec<Maybe>,
}

impl Path {
    /// A set whose answer nobody got does not tell of what it was a change: of what was there before it.
    fn inherit(&mut self) {
        let mut before: Option<Node> = None;
        for change in &mut self.changes {
            if let (Some(before), Some(after)) = (before, &mut change.after)
                && after.czxid.is_none()
            {
                (after.czxid, after.owner) = (before.czxid, before.owner);
            }
            before = change.after;
        }
    }

    /// The number of changes up to a zxid.
    pub fn until(&self, zxid: i64) -> usize {
        self.changes.partition_point(|change| change.zxid <= zxid)
    }

    /// The first change after a zxid.
    pub fn after(&self, zxid: i64) -> Option<&Change> {
        self.changes.get(self.until(zxid))
    }

    /// The last known change up to a zxid.
    pub fn last(&self, zxid: i64) -> Option<&Change> {
        self.changes[..self.until(zxid)].last()
    }

    /// Whether something that is not known may have changed the node after the last known change before `low`, up to `high`.
    pub fn is_uncertain(&self, low: i64, high: i64) -> bool {
        let known = self.last(low).map_or(0, |change| change.zxid);
        self.maybes.iter().any(|maybe| maybe.low < high && maybe.high > known)
    }

    /// Whether the node can have been so at some point from `low` through `high`.
    pub fn may_be(&self, low: i64, high: i64, so: impl Fn(Option<Node>) -> bool) -> bool {
        let first = self.until(low);
        let before = first.checked_sub(1).and_then(|at| self.changes[at].after);
        let during = self.changes[first..].iter().take_while(|change| change.zxid <= high);
        so(before) || during.into_iter().any(|change| so(change.after)) || self.is_uncertain(low, high)
    }
}

/// All paths.
pub struct Model<'h> {
    paths: HashMap<&'h str, Path>,
    /// The paths of the nodes that were ever under one.
    pub children: HashMap<&'h str, Vec<&'h str>>,
    /// Sequential creates without an answer, by the path that they asked for.
    pub stray: HashMap<&'h str, usize>,
    /// When each operation took effect, and whether that is known only because its effect was seen.
    effect: Vec<Option<i64>>,
}

/// A value and the operation that wrote it.
struct Writer<'h> {
    op: usize,
    ask: &'h Ask,
}

impl<'h> Model<'h> {
    /// From a history; values that nobody can have written are violations.
    pub fn new(case: &Case<'h>, verdict: &mut Verdict) -> Model<'h> {
        let effect = case.ops.iter().map(|op| (op.is_done() && op.ask.is_write()).then_some(op.zxid)).collect();
        let mut model = Model { paths: HashMap::new(), children: HashMap::new(), stray: HashMap::new(), effect };
        let found = model.evidence(case, verdict);
        verdict.unknown_done =
            case.ops.iter().zip(&model.effect).filter(|(op, at)| op.returned.is_none() && at.is_some()).count() as u64;
        model.known(case, &found);
        model.unknown(case, &found);
        for path in model.paths.values_mut() {
            path.changes.sort_by_key(|change| (change.zxid, change.part));
            path.inherit();
        }
        model.endings(case);
        let parents: Vec<(&str, &str)> = model.paths.keys().filter_map(|&path| Some((parent(path)?, path))).collect();
        for (parent, path) in parents {
            model.children.entry(parent).or_default().push(path);
        }
        model
    }

    /// A path over time; one that nobody ever wrote to is empty.
    pub fn path(&self, path: &str) -> &Path {
        static NEVER: Path = Path { changes: Vec::new(), maybes: Vec::new() };
        self.paths.get(path).unwrap_or(&NEVER)
    }

    /// All paths.
    pub fn paths(&self) -> impl Iterator<Item = (&'h str, &Path)> {
        self.paths.iter().map(|(path, over_time)| (*path, over_time))
    }

    /// Looks at every value that was read: who wrote it, and when. The paths of sequential nodes that were found so.
    fn evidence(&mut self, case: &Case<'h>, verdict: &mut Verdict) -> HashMap<usize, &'h str> {
        let mut writers: HashMap<&str, Writer<'h>> = HashMap::new();
        for (at, op) in case.ops.iter().enumerate() {
            for ask in op.ask.parts() {
                if let Ask::Create { data, .. } | Ask::Set { data, .. } = ask {
                    writers.insert(data, Writer { op: at, ask });
                }
            }
        }
        let mut found = HashMap::new();
        for op in &case.ops {
            let (Ask::Get { path, .. }, Answer::Data(data, stat)) = (&op.ask, &op.answer) else { continue };
            let Some(Writer { op: at, ask }) = writers.get(data.as_str()) else {
                verdict.broken("what is read was written", || format!("{op} read {data:?}, which nobody wrote"));
                continue;
            };
            let writer = case.ops[*at];
            let fits = match ask {
                Ask::Create { path: prefix, sequential: true, .. } => {
                    path.strip_prefix(prefix.as_str()).is_some_and(|digits| digits.len() == 10)
                }
                Ask::Create { path: written, .. } | Ask::Set { path: written, .. } => written == path,
                _ => false,
            };
            let wrong = if !fits {
                Some("which was written elsewhere")
            } else if writer.is_refused() {
                Some("which was refused")
            } else if self.effect[*at].is_some_and(|zxid| zxid != stat.mzxid) {
                Some("which took effect at another zxid")
            } else {
                None
            };
            if let Some(wrong) = wrong {
                verdict.broken("what is read was written", || {
                    format!("{op} read {data:?} with mzxid 0x{:x}, {wrong}: {writer}", stat.mzxid)
                });
                continue;
            }
            self.effect[*at] = Some(stat.mzxid);
            if writer.returned.is_none() {
                found.insert(*at, path.as_str());
                if stat.mzxid <= case.low(*at) {
                    verdict.broken("what is read was written", || {
                        format!("{op} read {data:?} with mzxid 0x{:x}, which is older than {writer}", stat.mzxid)
                    });
                }
            }
        }
        found
    }

    /// What is known to have happened.
    fn known(&mut self, case: &Case<'h>, found: &HashMap<usize, &'h str>) {
        for (at, op) in case.ops.iter().enumerate() {
            let Some(zxid) = self.effect[at] else { continue };
            let answers = answers(op);
            for (part, ask) in op.ask.parts().iter().enumerate() {
                let (path, after) = match ask {
                    Ask::Create { path, ephemeral, sequential, .. } => {
                        let path = match answers.get(part) {
                            Some(Answer::Created(path, _)) => path,
                            _ if !sequential => path,
                            _ => match found.get(&at) {
                                Some(path) => *path,
                                None => continue,
                            },
                        };
                        let owner = if *ephemeral { op.session } else { 0 };
                        (path, Some(Node { czxid: Some(zxid), version: Some(0), owner }))
                    }
                    Ask::Set { path, .. } => {
                        let stat = answers.get(part).and_then(stat_of);
                        let (czxid, version) = (stat.map(|stat| stat.czxid), stat.map(|stat| stat.version));
                        (path.as_str(), Some(Node { czxid, version, owner: stat.map_or(0, |stat| stat.owner) }))
                    }
                    Ask::Delete { path, .. } => (path.as_str(), None),
                    _ => continue,
                };
                self.paths.entry(path).or_default().changes.push(Change { zxid, part, op: at, after });
            }
        }
    }

    /// What may have happened.
    fn unknown(&mut self, case: &Case<'h>, found: &HashMap<usize, &'h str>) {
        // The next acknowledged write of a session comes after all that it had asked before.
        let mut next: HashMap<i64, i64> = HashMap::new();
        for (at, op) in case.ops.iter().enumerate().rev() {
            if op.is_done() && op.ask.is_write() {
                next.insert(op.session, op.zxid);
            }
            if op.returned.is_some() || !op.ask.is_write() || self.effect[at].is_some() {
                continue;
            }
            let high = next.get(&op.session).copied().unwrap_or(i64::MAX);
            let maybe = Maybe { low: case.low(at), high };
            for ask in op.ask.parts() {
                match ask {
                    Ask::Create { path, sequential: true, .. } if !found.contains_key(&at) => {
                        self.stray.insert(path, at);
                    }
                    Ask::Create { path, .. } | Ask::Set { path, .. } | Ask::Delete { path, .. } => {
                        self.paths.entry(path).or_default().maybes.push(maybe);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Sessions end, and their ephemeral nodes with them: at a zxid that is known if the session was closed.
    fn endings(&mut self, case: &Case<'h>) {
        let (mut closed, mut newest) = (HashMap::new(), HashMap::new());
        for (at, op) in case.ops.iter().enumerate() {
            if op.ask == Ask::Close && op.is_done() {
                closed.insert(op.session, at);
            }
            newest.insert(op.session, case.seen[at].max(op.zxid));
        }
        for path in self.paths.values_mut() {
            let (mut endings, lost) = (Vec::new(), path.maybes.clone());
            for (at, change) in path.changes.iter().enumerate() {
                let Some(Node { owner, .. }) = change.after.filter(|node| node.owner != 0) else { continue };
                let next = path.changes.get(at + 1).map_or(i64::MAX, |next| next.zxid);
                let may_be_gone = |by: i64| lost.iter().any(|maybe| maybe.low < by && maybe.high > change.zxid);
                match closed.get(&owner).map(|&op| (op, case.ops[op].zxid)) {
                    Some((_, end)) if end < next && may_be_gone(end) => {
                        path.maybes.push(Maybe { low: change.zxid, high: end.saturating_add(1) });
                    }
                    // The part that no multi reaches: closing is the last that happens at its zxid.
                    Some((op, end)) if end < next => {
                        endings.push(Change { zxid: end, part: usize::MAX, op, after: None });
                    }
                    Some(_) => {}
                    None => path
                        .maybes
                        .push(Maybe { low: newest.get(&owner).copied().unwrap_or(0).max(change.zxid), high: i64::MAX }),
                }
            }
            path.changes.extend(endings);
            path.changes.sort_by_key(|change| (change.zxid, change.part));
        }
    }
}

/// The path above one.
pub fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty())
}

/// The answers to the parts of an operation.
pub fn answers(op: &Op) -> &[Answer] {
    match &op.answer {
        Answer::Results(results) => results,
        one => std::slice::from_ref(one),
    }
}

/// The stat that an answer tells.
pub fn stat_of(answer: &Answer) -> Option<&Stat> {
    match answer {
        Answer::Created(_, stat) => stat.as_ref(),
        Answer::Stat(stat) | Answer::Data(_, stat) | Answer::Children(_, stat) => Some(stat),
        Answer::Nothing | Answer::Results(_) | Answer::Error(_) => None,
    }
}
