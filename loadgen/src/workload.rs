//! What a run asks: a random mix of operations on a key space.

use crate::engine::{Job, Next, Verdict};
use crate::keyspace::{Fresh, KeySpace};
use crate::op::OpKind;
use crate::random::Random;
use ringkeeper_core::jute::append_request;
use ringkeeper_core::jute::{Create, SetData};
use ringkeeper_core::jute::{OPEN_ACL, OpCode, Request, Response};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// How often each kind of operation is drawn.
#[derive(Clone, PartialEq, Debug)]
pub struct Mix {
    /// Kinds with their weights, which need not add up to anything.
    weights: Vec<(OpKind, f64)>,
}

impl Mix {
    /// `ratio` (0 to 1) gets, the rest sets.
    pub fn reads(ratio: f64) -> Mix {
        let weights = [(OpKind::Get, ratio * 100.0), (OpKind::Set, 100.0 - ratio * 100.0)];
        Mix { weights: weights.into_iter().filter(|(_, weight)| *weight > 0.0).collect() }
    }

    /// The kinds that are drawn, and those that may stand in for them.
    pub fn kinds(&self) -> Vec<OpKind> {
        let mut kinds: Vec<OpKind> = self.weights.iter().map(|(kind, _)| *kind).collect();
        if kinds.contains(&OpKind::Delete) && !kinds.contains(&OpKind::Create) {
            kinds.push(OpKind::Create);
        }
        kinds
    }

    /// Whether any operation needs the keys.
    pub fn uses_keys(&self) -> bool {
        self.weights.iter().any(|(kind, _)| !matches!(kind, OpKind::Create | OpKind::Delete))
    }

    /// Upper bounds of the kinds' shares of all 32-bit numbers.
    fn thresholds(&self) -> Vec<(u32, OpKind)> {
        let total: f64 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        let mut thresholds: Vec<(u32, OpKind)> = Vec::new();
        for (kind, weight) in &self.weights {
            sum += weight;
            thresholds.push(((sum / total * f64::from(u32::MAX)) as u32, *kind));
        }
        if let Some((last, _)) = thresholds.last_mut() {
            *last = u32::MAX;
        }
        thresholds
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (kind, weight)) in self.weights.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}={weight}", kind.name())?;
        }
        Ok(())
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Mix, String> {
        let mut weights: Vec<(OpKind, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').ok_or_else(|| format!("{part:?}: write KIND=WEIGHT"))?;
            let kind = OpKind::MIXED.into_iter().find(|kind| kind.name() == name.trim());
            let kind = kind.ok_or_else(|| {
                let known: Vec<_> = OpKind::MIXED.iter().map(|kind| kind.name()).collect();
                format!("{name:?} is no operation; there are {}", known.join(", "))
            })?;
            let weight: f64 = weight.trim().parse().map_err(|_| format!("{weight:?} is no number"))?;
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(format!("weight {weight} of {name}: it must not be negative"));
            }
            if weights.iter().any(|(known, _)| *known == kind) {
                return Err(format!("{name} is named twice"));
            }
            if weight > 0.0 {
                weights.push((kind, weight));
            }
        }
        if weights.is_empty() {
            return Err("every weight is 0: there is nothing to do".into());
        }
        Ok(Mix { weights })
    }
}

/// Values are slices of a pool of random bytes at random offsets: they differ, and do not compress.
#[derive(Clone, Debug)]
pub struct Values {
    pool: Vec<u8>,
    size: usize,
}

const OFFSETS: usize = 4096;

impl Values {
    /// Values of `size` bytes.
    pub fn new(size: usize, random: &mut Random) -> Values {
        let mut pool = vec![0; size + OFFSETS];
        random.fill(&mut pool);
        Values { pool, size }
    }

    /// One of them.
    pub fn draw(&self, random: &mut Random) -> &[u8] {
        let start = random.below(OFFSETS as u64) as usize;
        &self.pool[start..start + self.size]
    }
}

/// Draws operations for one thread's connections.
#[derive(Debug)]
pub struct Workload {
    thresholds: Vec<(u32, OpKind)>,
    keys: KeySpace,
    values: Values,
    random: Random,
    fresh: Vec<Fresh>,
    path: String,
}

impl Workload {
    /// The workload of a thread whose connections make their new nodes as `fresh` says.
    pub fn new(mix: &Mix, keys: KeySpace, value_size: usize, mut random: Random, fresh: Vec<Fresh>) -> Workload {
        let values = Values::new(value_size, &mut random);
        Workload { thresholds: mix.thresholds(), keys, values, random, fresh, path: String::new() }
    }

    fn draw(&mut self, conn: usize) -> OpKind {
        let drawn = (self.random.bits() >> 32) as u32;
        let found = self.thresholds.iter().find(|(bound, _)| drawn <= *bound);
        let kind = found.expect("the last bound is the highest number").1;
        match kind {
            OpKind::Delete if self.fresh[conn].delete(&mut self.path) => OpKind::Delete,
            OpKind::Delete | OpKind::Create => {
                self.fresh[conn].create(&mut self.path);
                OpKind::Create
            }
            OpKind::Children => {
                self.keys.parent(self.random.below(self.keys.parents()), &mut self.path);
                kind
            }
            _ => {
                self.keys.key(self.random.below(self.keys.keys()), &mut self.path);
                kind
            }
        }
    }
}

impl Job for Workload {
    fn next(&mut self, conn: usize, out: &mut Vec<u8>, xid: i32) -> Next {
        let kind = self.draw(conn);
        let path = Cow::Borrowed(self.path.as_str());
        let request = match kind {
            OpKind::Set => {
                let data = Some(self.values.draw(&mut self.random));
                Request::SetData(SetData { path, data, version: -1 })
            }
            OpKind::Get => Request::GetData { path, watch: false },
            OpKind::Exists => Request::Exists { path, watch: false },
            OpKind::Children => Request::GetChildren { path, watch: false },
            OpKind::Delete => Request::Delete { path, version: -1 },
            OpKind::Create => create(path, self.values.draw(&mut self.random)),
            OpKind::Ping | OpKind::Sync => unreachable!("a mix has neither"),
        };
        append_request(out, xid, &request);
        Next::Ask(kind, 0)
    }

    fn answered(&mut self, kind: OpKind, _: u32, err: i32, body: &[u8]) -> Verdict {
        check_body(kind, err, body)
    }
}

/// A persistent node, open to all.
pub fn create<'a>(path: Cow<'a, str>, data: &'a [u8]) -> Request<'a> {
    let acl = Some(OPEN_ACL);
    Request::Create(Create { op: OpCode::Create, path: Some(path), data: Some(data), acl, flags: 0, ttl: None })
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

    #[test]
    fn mixes_are_read_and_written() {
        let mix: Mix = "set=50,get=40,create=5,delete=5,children=0".parse().unwrap();
        assert_eq!(mix.to_string(), "set=50,get=40,create=5,delete=5");
        assert_eq!(Mix::reads(1.0).to_string(), "get=100");
        for (bad, why) in [
            ("set", "KIND=WEIGHT"),
            ("sat=1", "no operation"),
            ("set=x", "no number"),
            ("set=-1", "negative"),
            ("set=1,set=2", "twice"),
            ("set=0", "nothing to do"),
        ] {
            let error = bad.parse::<Mix>().unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
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
        let keys = KeySpace::new("/p", 10, 3).unwrap();
        let mut work = Workload::new(&mix, keys, 8, Random::new(3), vec![Fresh::new("/p", 0, 0)]);
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
        let keys = KeySpace::new("/p", 10, 3).unwrap();
        let mut work = Workload::new(&mix, keys, 8, Random::new(3), vec![Fresh::new("/p", 0, 0)]);
        let kinds: Vec<_> = (0..5).map(|_| drawn(&mut work)).collect();
        use OpKind::{Create, Delete};
        assert_eq!(kinds, [Create, Create, Delete, Create, Delete]);
    }
}
