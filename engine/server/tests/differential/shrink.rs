//! Makes a failing case smaller: leaves out steps and requests as long as it still fails.

use super::plan::{Op, Step};

/// The smallest sequence that `fails` finds, in at most `tries` runs.
pub fn shrink(steps: Vec<Step>, mut tries: usize, fails: &mut dyn FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut best = steps;
    loop {
        let before = size(&best);
        best = fewer_steps(best, &mut tries, fails);
        best = fewer_ops(best, &mut tries, fails);
        best = fewer_parts(best, &mut tries, fails);
        if size(&best) == before || tries == 0 {
            return best;
        }
    }
}

fn parts(op: &Op) -> usize {
    match op {
        Op::Multi { ops, .. } | Op::MultiRead { ops, .. } => 1 + ops.len(),
        _ => 1,
    }
}

fn size(steps: &[Step]) -> usize {
    let ops = |s: &Step| if let Step::Burst(_, ops) = s { ops.iter().map(parts).sum() } else { 1 };
    steps.iter().map(ops).sum::<usize>() + steps.len()
}

fn attempt(candidate: &[Step], tries: &mut usize, fails: &mut dyn FnMut(&[Step]) -> bool) -> bool {
    if *tries == 0 {
        return false;
    }
    *tries -= 1;
    fails(candidate)
}

/// Leaves out runs of steps, long ones first.
fn fewer_steps(mut best: Vec<Step>, tries: &mut usize, fails: &mut dyn FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut chunk = best.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < best.len() && best.len() > 1 {
            let mut candidate = best.clone();
            candidate.drain(at..(at + chunk).min(candidate.len()));
            if !candidate.is_empty() && attempt(&candidate, tries, fails) {
                best = candidate;
            } else {
                at += chunk;
            }
        }
        if chunk == 1 {
            return best;
        }
        chunk = chunk.div_ceil(2);
    }
}

/// Leaves out requests of bursts, long runs first.
fn fewer_ops(mut best: Vec<Step>, tries: &mut usize, fails: &mut dyn FnMut(&[Step]) -> bool) -> Vec<Step> {
    for step in 0..best.len() {
        let Step::Burst(slot, ops) = &best[step] else { continue };
        let (slot, mut ops) = (*slot, ops.clone());
        let mut chunk = ops.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            while at < ops.len() && ops.len() > 1 {
                let mut fewer = ops.clone();
                fewer.drain(at..(at + chunk).min(fewer.len()));
                let mut candidate = best.clone();
                candidate[step] = Step::Burst(slot, fewer.clone());
                if !fewer.is_empty() && attempt(&candidate, tries, fails) {
                    (ops, best) = (fewer, candidate);
                } else {
                    at += chunk;
                }
            }
            if chunk == 1 {
                break;
            }
            chunk = chunk.div_ceil(2);
        }
    }
    best
}

/// Leaves out operations of multis.
fn fewer_parts(mut best: Vec<Step>, tries: &mut usize, fails: &mut dyn FnMut(&[Step]) -> bool) -> Vec<Step> {
    for step in 0..best.len() {
        let Step::Burst(slot, ops) = best[step].clone() else { continue };
        for index in 0..ops.len() {
            let (Op::Multi { ops: parts, .. } | Op::MultiRead { ops: parts, .. }) = &ops[index] else { continue };
            for part in (0..parts.len()).rev() {
                let mut candidate = best.clone();
                let Step::Burst(_, burst) = &mut candidate[step] else { unreachable!("{slot} has a burst") };
                let (Op::Multi { ops: parts, .. } | Op::MultiRead { ops: parts, .. }) = &mut burst[index] else {
                    unreachable!("it was one")
                };
                if part >= parts.len() {
                    continue;
                }
                parts.remove(part);
                if attempt(&candidate, tries, fails) {
                    best = candidate;
                }
            }
        }
    }
    best
}
