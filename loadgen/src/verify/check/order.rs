//! What follows from zxids and times alone.

use super::super::history::{Answer, Ask, Entry, Op};
use super::{Case, Promises, Verdict};
use std::collections::HashMap;

pub fn check(case: &Case<'_>, promises: Promises, verdict: &mut Verdict) {
    sessions(case, verdict);
    real_time(case, promises, verdict);
    sequences(case, verdict);
    expiry(case, verdict);
}

/// Zxids of a session never go back, and its writes come in order.
fn sessions(case: &Case<'_>, verdict: &mut Verdict) {
    let mut newest: HashMap<i64, usize> = HashMap::new();
    let mut last_write: HashMap<i64, usize> = HashMap::new();
    let mut closed: HashMap<i64, usize> = HashMap::new();
    for (at, op) in case.ops.iter().enumerate().filter(|(_, op)| op.returned.is_some()) {
        if let Some(&before) = newest.get(&op.session)
            && case.ops[before].zxid > op.zxid
        {
            verdict.broken("a session's zxids never go back", || format!("{op} came after {}", case.ops[before]));
        }
        newest.insert(op.session, at);
        if let Some(&close) = closed.get(&op.session) {
            verdict.broken("a session that has ended does nothing more", || {
                format!("{op} was answered after {}", case.ops[close])
            });
        }
        if op.is_done() && op.ask.is_write() {
            if let Some(&before) = last_write.get(&op.session)
                && case.ops[before].zxid >= op.zxid
            {
                verdict.broken("a session's writes take effect in order", || {
                    format!("{op} was asked after {}", case.ops[before])
                });
            }
            last_write.insert(op.session, at);
            if op.ask == Ask::Close {
                closed.insert(op.session, at);
            }
        }
    }
}

/// Writes come after everything that was seen before they were asked, and each has a zxid of its own; so do syncs and
/// refusals, but they share the zxid with what they follow.
fn real_time(case: &Case<'_>, promises: Promises, verdict: &mut Verdict) {
    let mut taken: HashMap<i64, usize> = HashMap::new();
    for (at, op) in case.ops.iter().enumerate().filter(|(_, op)| op.returned.is_some()) {
        let (floor, whose) = case.floor[at];
        let before = || format!("{op} was asked after {} had been answered", case.ops[whose]);
        if op.is_done() && op.ask.is_write() {
            if op.zxid <= floor {
                verdict.broken("writes are in real-time order", before);
            }
            if let Some(other) = taken.insert(op.zxid, at) {
                verdict.broken("each write has a zxid of its own", || format!("{op} and {}", case.ops[other]));
            }
        } else if promises.sync && matches!(op.ask, Ask::Sync { .. }) && op.is_done() && op.zxid < floor {
            verdict.broken("after a sync nothing is older than what was seen before it", before);
        } else if op.ask.is_write() && op.zxid < floor {
            verdict.broken("refusals are as current as writes", before);
        }
    }
}

/// Numbers of sequential nodes rise under each parent.
fn sequences(case: &Case<'_>, verdict: &mut Verdict) {
    let mut made: HashMap<&str, Vec<(i64, i64, &Op)>> = HashMap::new();
    for op in case.ops.iter().filter(|op| op.is_done()) {
        for (ask, path) in created(op) {
            if let Ask::Create { path: prefix, sequential: true, .. } = ask {
                let parent = prefix.rsplit_once('/').map_or("", |(parent, _)| parent);
                match path.strip_prefix(prefix.as_str()).filter(|digits| digits.len() == 10).map(str::parse) {
                    Some(Ok(number)) => made.entry(parent).or_default().push((op.zxid, number, op)),
                    _ => verdict.broken("sequence numbers rise", || format!("{op} made {path}")),
                }
            }
        }
    }
    for nodes in made.values_mut() {
        nodes.sort_by_key(|(zxid, ..)| *zxid);
        for pair in nodes.windows(2) {
            if pair[1].1 <= pair[0].1 {
                verdict.broken("sequence numbers rise", || {
                    format!("{} got number {} and {} number {}", pair[0].2, pair[0].1, pair[1].2, pair[1].1)
                });
            }
        }
    }
}

/// The creates of an operation with the paths that they made.
pub fn created(op: &Op) -> impl Iterator<Item = (&Ask, &str)> {
    let answers = match &op.answer {
        Answer::Results(results) => results.as_slice(),
        one => std::slice::from_ref(one),
    };
    op.ask.parts().iter().zip(answers).filter_map(|(ask, answer)| match answer {
        Answer::Created(path, _) => Some((ask, path.as_str())),
        _ => None,
    })
}

/// A session does not expire while its client is heard.
fn expiry(case: &Case<'_>, verdict: &mut Verdict) {
    let mut timeout: HashMap<i64, u64> = HashMap::new();
    let mut heard: HashMap<i64, &Op> = HashMap::new();
    for entry in case.entries {
        match entry {
            Entry::Session { session, timeout_ms, .. } => drop(timeout.insert(*session, *timeout_ms)),
            Entry::Op(op) if op.returned.is_some() => drop(heard.insert(op.session, op)),
            Entry::Expired { session, at, client } => {
                // The server has heard of the session when it got this operation: not before it was sent.
                if let (Some(op), Some(limit)) = (heard.get(session), timeout.get(session))
                    && at.saturating_sub(op.called) < limit * 1_000_000
                {
                    verdict.broken("a session lives as long as it is heard", || {
                        format!(
                            "session 0x{session:x} of client {client} had expired at {:.6} s, less than its \
                             timeout of {limit} ms after {op}",
                            *at as f64 / 1e9
                        )
                    });
                }
            }
            _ => {}
        }
    }
}
