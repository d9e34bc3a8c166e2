//! What a run asks: a random mix of operations on a key space.

mod choice;
mod mix;
mod values;

use crate::engine::{Job, Next, Verdict};
use crate::keyspace::{Fresh, KeySpace, Own};
use crate::op::OpKind;
use crate::random::Random;
pub use choice::{Choice, Distribution};
pub use mix::Mix;
use ringkeeper_core::jute::append_request;
use ringkeeper_core::jute::{Create, List, MultiOp, SetData};
use ringkeeper_core::jute::{OPEN_ACL, OpCode, Request, Response};
use std::borrow::Cow;
pub use values::{Sizes, Values};

/// Flag of a create: the node goes with its session.
const EPHEMERAL: i32 = 1;

/// Draws operations for one thread's connections.
#[derive(Debug)]
pub struct Workload {
    thresholds: Vec<(u32, OpKind)>,
    keys: KeySpace,
    choice: Choice,
    values: Values,
    random: Random,
    connections: Vec<Nodes>,
    path: String,
    /// Paths of a multi.
    paths: Vec<String>,
}

/// What a connection's operations make and remove.
#[derive(Clone, Debug)]
pub struct Nodes {
    fresh: Fresh,
    own: Own,
}

impl Nodes {
    /// Of connection `connection` of the run `run`.
    pub fn new(prefix: &str, run: u32, connection: usize) -> Nodes {
        Nodes { fresh: Fresh::new(prefix, run, connection), own: Own::new(prefix, run, connection) }
    }
}

impl Workload {
    /// The workload of a thread with these connections.
    pub fn new(
        mix: &Mix,
        keys: KeySpace,
        (distribution, sizes): (Distribution, &Sizes),
        mut random: Random,
        connections: Vec<Nodes>,
    ) -> Workload {
        Workload {
            thresholds: mix.thresholds(),
            choice: Choice::new(distribution, keys.keys()),
            keys,
            values: Values::new(sizes, &mut random),
            random,
            connections,
            path: String::new(),
            paths: vec![String::new(); mix.multi()],
        }
    }

    /// Draws a kind and what it is about.
    fn draw(&mut self, conn: usize) -> OpKind {
        let drawn = (self.random.bits() >> 32) as u32;
        let found = self.thresholds.iter().find(|(bound, _)| drawn <= *bound);
        let kind = found.expect("the last bound is the highest number").1;
        let nodes = &mut self.connections[conn];
        match kind {
            OpKind::Delete if nodes.fresh.delete(&mut self.path) => return OpKind::Delete,
            OpKind::Delete | OpKind::Create => {
                nodes.fresh.create(&mut self.path);
                return OpKind::Create;
            }
            OpKind::Ephemeral if nodes.own.turn(&mut self.path) => return OpKind::Release,
            OpKind::Ephemeral => {}
            OpKind::Children => {
                let parent = self.keys.parent_of(self.choice.draw(&mut self.random));
                self.keys.parent(parent, &mut self.path);
            }
            OpKind::Multi => {
                for path in &mut self.paths {
                    self.keys.key(self.choice.draw(&mut self.random), path);
                }
            }
            _ => self.keys.key(self.choice.draw(&mut self.random), &mut self.path),
        }
        kind
    }

    fn append_multi(&mut self, out: &mut Vec<u8>, xid: i32) {
        let (paths, values, random) = (&self.paths, &self.values, &mut self.random);
        let sets: Vec<MultiOp<'_>> =
            paths.iter().map(|path| MultiOp::SetData(set(path, values.draw(random)))).collect();
        append_request(out, xid, &Request::Multi(List::new(&sets)));
    }

    fn append_check_set(&mut self, out: &mut Vec<u8>, xid: i32) {
        let check = MultiOp::Check { path: Cow::Borrowed(self.path.as_str()), version: -1 };
        let both = [check, MultiOp::SetData(set(&self.path, self.values.draw(&mut self.random)))];
        append_request(out, xid, &Request::Multi(List::new(&both)));
    }
}

impl Job for Workload {
    fn next(&mut self, conn: usize, out: &mut Vec<u8>, xid: i32) -> Next {
        let kind = self.draw(conn);
        let path = Cow::Borrowed(self.path.as_str());
        let request = match kind {
            OpKind::Set => Request::SetData(set(&self.path, self.values.draw(&mut self.random))),
            OpKind::Get => Request::GetData { path, watch: false },
            OpKind::Watch => Request::GetData { path, watch: true },
            OpKind::Exists => Request::Exists { path, watch: false },
            OpKind::Children => Request::GetChildren { path, watch: false },
            OpKind::Delete | OpKind::Release => Request::Delete { path, version: -1 },
            OpKind::Create => create(path, self.values.draw(&mut self.random)),
            OpKind::Ephemeral => create_with(EPHEMERAL, path, self.values.draw(&mut self.random)),
            OpKind::Multi => {
                self.append_multi(out, xid);
                return Next::Ask(kind, 0);
            }
            OpKind::CheckSet => {
                self.append_check_set(out, xid);
                return Next::Ask(kind, 0);
            }
            OpKind::Ping | OpKind::Sync => unreachable!("a mix has neither"),
        };
        append_request(out, xid, &request);
        Next::Ask(kind, 0)
    }

    fn answered(&mut self, kind: OpKind, _: u32, err: i32, body: &[u8]) -> Verdict {
        check_body(kind, err, body)
    }

    fn noticed(&mut self) -> Verdict {
        Ok(())
    }
}

fn set<'a>(path: &'a str, data: &'a [u8]) -> SetData<'a> {
    SetData { path: Cow::Borrowed(path), data: Some(data), version: -1 }
}

/// A persistent node, open to all.
pub fn create<'a>(path: Cow<'a, str>, data: &'a [u8]) -> Request<'a> {
    create_with(0, path, data)
}

fn create_with<'a>(flags: i32, path: Cow<'a, str>, data: &'a [u8]) -> Request<'a> {
    let acl = Some(OPEN_ACL);
    Request::Create(Create { op: OpCode::Create, path: Some(path), data: Some(data), acl, flags, ttl: None })
}

/// Whether the body is one that belongs to the kind of operation.
///
/// # Errors
/// What is wrong with it.
pub fn check_body(kind: OpKind, err: i32, body: &[u8]) -> Verdict {
    if err != 0 {
        return Ok(());
    }
    match Response::decode(kind.code(), body) {
        Ok(_) => Ok(()),
        Err(e) => Err(format!("reply to a {} with a body of {} bytes: {e}", kind.name(), body.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringkeeper_core::jute::RequestHeader;

    fn workload(mix: &Mix) -> Workload {
        let keys = KeySpace::new("/p", 10, 3).unwrap();
        let values = (Distribution::Uniform, &Sizes::fixed(8));
        Workload::new(mix, keys, values, Random::new(3), vec![Nodes::new("/p", 0, 0)])
    }

    fn drawn(work: &mut Workload) -> OpKind {
        match work.next(0, &mut Vec::new(), 1) {
            Next::Ask(kind, _) => kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn operations_are_drawn_by_weight() {
        let mix: Mix = "set=1,get=2,exists=1".parse().unwrap();
        let mut work = workload(&mix);
        let mut counts = [0u32; OpKind::COUNT];
        for _ in 0..40_000 {
            counts[drawn(&mut work) as usize] += 1;
        }
        let near = |kind: OpKind, expected: u32| counts[kind as usize].abs_diff(expected) < 400;
        assert!(near(OpKind::Set, 10_000) && near(OpKind::Get, 20_000) && near(OpKind::Exists, 10_000), "{counts:?}");
        assert_eq!(counts.iter().sum::<u32>(), 40_000);
    }

    #[test]
    fn deletes_without_creates_are_stood_in_for() {
        let mix: Mix = "delete=1".parse().unwrap();
        assert_eq!(mix.kinds(), [OpKind::Delete, OpKind::Create]);
        assert!(!mix.uses_keys());
        let mut work = workload(&mix);
        let kinds: Vec<_> = (0..5).map(|_| drawn(&mut work)).collect();
        use OpKind::{Create, Delete};
        assert_eq!(kinds, [Create, Create, Delete, Create, Delete]);
    }

    #[test]
    fn transactions_and_watches_are_what_they_are_called() {
        let ask = |mix: &str| {
            let mut out = Vec::new();
            workload(&mix.parse().unwrap()).next(0, &mut out, 7);
            out
        };
        let out = ask("multi:3=1");
        let (header, body) = RequestHeader::decode(&out[4..]).unwrap();
        let Ok(Request::Multi(ops)) = Request::decode(header.op, body) else { panic!() };
        assert_eq!(ops.iter().map(|op| op.op()).collect::<Vec<_>>(), [OpCode::SetData; 3]);
        let out = ask("check-set=1");
        let (header, body) = RequestHeader::decode(&out[4..]).unwrap();
        let Ok(Request::Multi(ops)) = Request::decode(header.op, body) else { panic!() };
        assert_eq!(ops.iter().map(|op| op.op()).collect::<Vec<_>>(), [OpCode::Check, OpCode::SetData]);
        assert_eq!(ask("watch=1").last(), Some(&1), "a watch is left");
        assert_eq!(ask("get=1").last(), Some(&0));
    }

    #[test]
    fn ephemeral_nodes_are_made_and_removed_in_turn() {
        let mut work = workload(&"ephemeral=1".parse().unwrap());
        let kinds: Vec<_> = (0..3).map(|_| drawn(&mut work)).collect();
        assert_eq!(kinds, [OpKind::Ephemeral, OpKind::Release, OpKind::Ephemeral]);
        let mut out = Vec::new();
        workload(&"ephemeral=1".parse().unwrap()).next(0, &mut out, 7);
        let (header, body) = RequestHeader::decode(&out[4..]).unwrap();
        let Ok(Request::Create(create)) = Request::decode(header.op, body) else { panic!() };
        assert_eq!(create.flags, EPHEMERAL);
    }
}
