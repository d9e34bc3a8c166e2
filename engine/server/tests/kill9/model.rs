//! What a session's directory must look like after its operations.

use super::support::client::create_body;
use super::support::rng::Rng;
use super::support::wire::{Dec, Enc, op, open_acl};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Nodes whose data is written over and over.
pub const NODES: u64 = 8;

/// Ephemeral nodes that a session has at most.
const EPHEMERALS: usize = 20;

/// One write.
#[derive(Clone, Debug)]
pub enum Op {
    Set(u64, Vec<u8>),
    Sequential,
    Ephemeral(u64),
    DeleteEphemeral(String),
    /// A set and a sequential create, or neither.
    Both(u64, Vec<u8>),
}

/// What the reply to a write must say.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    version: Option<i32>,
    name: Option<String>,
}

/// A directory as it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actual {
    /// Data and version.
    pub data: BTreeMap<u64, (Vec<u8>, i32)>,
    pub sequential: BTreeSet<String>,
    pub ephemeral: BTreeSet<String>,
}

/// A directory as it must be.
#[derive(Clone, Debug, Default)]
pub struct Model {
    data: BTreeMap<u64, (Vec<u8>, i32)>,
    pub sequential: BTreeSet<String>,
    ephemeral: BTreeSet<String>,
    creates: u64,
    ephemerals_made: u64,
    applied: u64,
}

impl Model {
    /// The next write of a session whose directory is this.
    pub fn next_op(&self, rng: &mut Rng) -> Op {
        let value = |rng: &mut Rng| {
            let len = rng.below(200) as usize;
            let mut value = format!("{}:", self.applied).into_bytes();
            value.resize(value.len() + len, b'.');
            value
        };
        match rng.below(10) {
            0..=3 => Op::Set(rng.below(NODES), value(rng)),
            4..=6 => Op::Sequential,
            7 => Op::Both(rng.below(NODES), value(rng)),
            _ => match self.ephemeral.first() {
                Some(oldest) if self.ephemeral.len() >= EPHEMERALS || rng.percent(40) => {
                    Op::DeleteEphemeral(oldest.clone())
                }
                _ => Op::Ephemeral(self.ephemerals_made),
            },
        }
    }

    /// Takes a write in; returns what its reply must say.
    pub fn apply(&mut self, op: &Op) -> Expected {
        self.applied += 1;
        let mut expected = Expected::default();
        if let Op::Set(node, value) | Op::Both(node, value) = op {
            let entry = self.data.entry(*node).or_default();
            *entry = (value.clone(), entry.1 + 1);
            expected.version = Some(entry.1);
        }
        if let Op::Sequential | Op::Both(..) = op {
            let name = format!("s{:010}", self.creates);
            self.creates += 1;
            self.sequential.insert(name.clone());
            expected.name = Some(name);
        }
        match op {
            Op::Ephemeral(n) => {
                self.ephemerals_made = n + 1;
                self.ephemeral.insert(ephemeral_name(*n));
            }
            Op::DeleteEphemeral(name) => {
                self.ephemeral.remove(name);
            }
            _ => {}
        }
        expected
    }

    /// Writes taken in.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// As it would be read.
    pub fn as_actual(&self) -> Actual {
        let data = (0..NODES).map(|n| (n, self.data.get(&n).cloned().unwrap_or_default())).collect();
        Actual { data, sequential: self.sequential.clone(), ephemeral: self.ephemeral.clone() }
    }
}

fn ephemeral_name(n: u64) -> String {
    format!("e{n:010}")
}

/// The model that matches what was read: after the acknowledged writes and some first part of those on their way. `None`
/// if there is none.
pub fn settle(acknowledged: &Model, waiting: &VecDeque<Op>, actual: &Actual) -> Option<(Model, usize)> {
    let mut model = acknowledged.clone();
    for more in 0..=waiting.len() {
        if model.as_actual() == *actual {
            return Some((model, more));
        }
        if let Some(op) = waiting.get(more) {
            model.apply(op);
        }
    }
    None
}

impl Op {
    /// Opcode and body.
    pub fn encode(&self, dir: &str) -> (i32, Enc) {
        match self {
            Op::Set(node, value) => (op::SET_DATA, set_body(dir, *node, value)),
            Op::Sequential => (op::CREATE, create_body(&format!("{dir}/seq/s"), b"", &open_acl(), 2)),
            Op::Ephemeral(n) => {
                (op::CREATE, create_body(&format!("{dir}/e/{}", ephemeral_name(*n)), b"", &open_acl(), 1))
            }
            Op::DeleteEphemeral(name) => (op::DELETE, Enc::new().str(&format!("{dir}/e/{name}")).i32(-1)),
            Op::Both(node, value) => {
                let create = create_body(&format!("{dir}/seq/s"), b"", &open_acl(), 2);
                let body = Enc::new().i32(op::SET_DATA).bool(false).i32(-1).raw(&set_body(dir, *node, value).0);
                let body = body.i32(op::CREATE).bool(false).i32(-1).raw(&create.0);
                (op::MULTI, body.i32(-1).bool(true).i32(-1))
            }
        }
    }

    /// Panics if the reply says something else than it must.
    pub fn check_reply(&self, dir: &str, expected: &Expected, body: &[u8]) {
        let mut d = Dec(body);
        let header = |d: &mut Dec<'_>| {
            if matches!(self, Op::Both(..)) {
                d.take(9).expect("the header of a result");
            }
        };
        if let Some(version) = expected.version {
            header(&mut d);
            assert_eq!(d.stat().expect("a stat").version, version, "version after {self:?}");
        }
        if let Some(name) = &expected.name {
            header(&mut d);
            assert_eq!(d.str().expect("a path"), format!("{dir}/seq/{name}"), "name after {self:?}");
        }
    }
}

fn set_body(dir: &str, node: u64, value: &[u8]) -> Enc {
    Enc::new().str(&format!("{dir}/n{node}")).buf(Some(value)).i32(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some acknowledged operations and some on their way.
    fn history() -> (Model, VecDeque<Op>) {
        let (mut rng, mut model) = (Rng::new(5), Model::default());
        for _ in 0..100 {
            let op = model.next_op(&mut rng);
            model.apply(&op);
        }
        let (mut ahead, mut waiting) = (model.clone(), VecDeque::new());
        for _ in 0..10 {
            let op = ahead.next_op(&mut rng);
            ahead.apply(&op);
            waiting.push_back(op);
        }
        (model, waiting)
    }

    #[test]
    fn every_first_part_of_what_was_on_its_way_is_right() {
        let (model, waiting) = history();
        let mut after = model.clone();
        assert!(settle(&model, &waiting, &after.as_actual()).is_some());
        for op in &waiting {
            after.apply(op);
            let (found, _) = settle(&model, &waiting, &after.as_actual()).expect("a first part");
            assert_eq!(found.as_actual(), after.as_actual());
        }
    }

    #[test]
    fn a_lost_or_invented_or_reordered_write_is_noticed() {
        let (mut model, waiting) = history();
        let before = model.as_actual();
        model.apply(&Op::Set(0, b"acknowledged".to_vec()));
        assert!(settle(&model, &waiting, &before).is_none(), "an acknowledged write is lost");
        let mut invented = model.as_actual();
        invented.sequential.insert("s9999999999".into());
        assert!(settle(&model, &waiting, &invented).is_none(), "a node that nobody made");
        let mut old_version = model.as_actual();
        old_version.data.get_mut(&0).expect("it is there").1 -= 1;
        assert!(settle(&model, &waiting, &old_version).is_none(), "a version that went back");
        let waiting = VecDeque::from([Op::Set(0, b"first".to_vec()), Op::Set(0, b"second".to_vec())]);
        let mut later_only = model.clone();
        later_only.apply(&waiting[1]);
        assert!(settle(&model, &waiting, &later_only.as_actual()).is_none(), "a later write without an earlier one");
    }
}
