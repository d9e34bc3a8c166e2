//! The differential test: the same generated sequences of operations go to Debian's ZooKeeper and to Ringkeeper, and
//! replies, errors, Stats, events, their order and the trees at the end must be the same, except for the differences
//! that `explained` lists.
//!
//! `RINGKEEPER_DIFFERENTIAL_OPS` sets how many operations are played, `RINGKEEPER_SEED` where they start. A failure prints
//! the seed of the case and the shortest sequence that still shows it.

mod explained;
mod generate;
mod plan;
mod render;
mod run;
mod shrink;
#[path = "../support/mod.rs"]
mod support;

use explained::DIFFERENCES;
use generate::Generator;
use plan::{Dialect, Step};
use run::{Side, run_case};
use support::server::{Server, Target};
use support::{env_number, seed, skipped};

/// Runs of a failing case that shrinking may take.
const SHRINK_TRIES: usize = 400;

struct Pair {
    servers: [Server; 2],
}

impl Pair {
    fn start(a: Target, b: Target) -> Pair {
        let digest = ("DigestAuthenticationProvider.superDigest", run::SUPER.1);
        // The old server's log is not what is tested: unsynced it is much faster.
        let old = [digest, ("enforceQuota", "true"), ("forceSync", "no")];
        let current = [digest, ("enforceQuota", "true")];
        let start = |t| Server::start_with(t, if t == Target::ZooKeeper { &old } else { &current });
        Pair { servers: [start(a), start(b)] }
    }

    fn sides(&self) -> [Side; 2] {
        let side = |s: &Server| {
            let dialect = if s.target() == Target::ZooKeeper { Dialect::Old } else { Dialect::Current };
            Side::new(s.addr(), dialect)
        };
        [side(&self.servers[0]), side(&self.servers[1])]
    }
}

fn ops_in(steps: &[Step]) -> u64 {
    steps.iter().map(|s| if let Step::Burst(_, ops) = s { ops.len() as u64 } else { 1 }).sum()
}

/// Plays cases until `ops` operations are done; the first that fails is shrunk and told. With
/// `RINGKEEPER_KEEP_GOING=N` so are the first N, for a view of how much there is to do.
fn play(pair: &Pair, first_seed: u64, ops: u64) -> Result<u64, String> {
    let [mut a, mut b] = pair.sides();
    let (mut done, mut case) = (0, first_seed);
    let mut failures = Vec::new();
    while done < ops {
        let steps = Generator::case(case);
        done += ops_in(&steps);
        if let Err(mismatch) = run_case(&mut a, &mut b, &format!("{case}"), &steps) {
            failures.push(report(&mut a, &mut b, case, steps, mismatch));
            if failures.len() as u64 >= env_number("RINGKEEPER_KEEP_GOING", 1) {
                break;
            }
        }
        case += 1;
    }
    if !failures.is_empty() {
        return Err(format!("{}\ndifferences that are explained:\n{}", failures.join("\n"), explained::list()));
    }
    for ((op, result), n) in a.seen() {
        print!("{op}:{result}={n} ");
    }
    println!();
    Ok(done)
}

/// What there is to say about a case that failed.
fn report(a: &mut Side, b: &mut Side, case: u64, steps: Vec<Step>, first: run::Mismatch) -> String {
    if run_case(a, b, &format!("{case}-again"), &steps).is_ok() {
        let steps: String = steps.iter().map(|s| format!("  {s:?}\n")).collect();
        return format!("seed {case}, and not in a sequence of another name:\n{steps}{}", first.text);
    }
    let (small, last) = minimal(a, b, case, steps, first);
    let small: String = small.iter().map(|s| format!("  {s:?}\n")).collect();
    format!(
        "seed {case} (RINGKEEPER_SEED={case} RINGKEEPER_DIFFERENTIAL_OPS=1 plays it alone)\nshortest sequence:\n{small}{}",
        last.text
    )
}

fn minimal(
    a: &mut Side,
    b: &mut Side,
    case: u64,
    steps: Vec<Step>,
    first: run::Mismatch,
) -> (Vec<Step>, run::Mismatch) {
    let (mut run, mut last) = (0, first);
    let mut fails = |candidate: &[Step]| {
        run += 1;
        match run_case(a, b, &format!("{case}-{run}"), candidate) {
            Ok(()) => false,
            Err(mismatch) => {
                last = mismatch;
                true
            }
        }
    };
    let small = shrink::shrink(steps, SHRINK_TRIES, &mut fails);
    (small, last)
}

#[test]
fn ringkeeper_agrees_with_zookeeper() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return skipped("ringkeeper_agrees_with_zookeeper", &reason);
    }
    let (seed, ops) = (seed(1), env_number("RINGKEEPER_DIFFERENTIAL_OPS", 50_000));
    println!("seed {seed}");
    let pair = Pair::start(Target::ZooKeeper, Target::Ringkeeper);
    match play(&pair, seed, ops) {
        Ok(done) => println!("{done} operations without an unexplained difference"),
        Err(text) => panic!("A is ZooKeeper, B is Ringkeeper\n{text}"),
    }
}

#[test]
fn zookeeper_agrees_with_itself() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return skipped("zookeeper_agrees_with_itself", &reason);
    }
    let (seed, ops) = (seed(1), env_number("RINGKEEPER_SELF_OPS", 3_000));
    println!("seed {seed}");
    let pair = Pair::start(Target::ZooKeeper, Target::ZooKeeper);
    match play(&pair, seed, ops) {
        Ok(done) => println!("{done} operations without a difference"),
        Err(text) => panic!("{text}"),
    }
}

#[test]
fn a_planted_difference_is_found_and_made_small() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return skipped("a_planted_difference_is_found_and_made_small", &reason);
    }
    let pair = Pair::start(Target::ZooKeeper, Target::ZooKeeper);
    let [mut a, mut b] = pair.sides();
    b.omit = Some(0);
    let found = (1..20).find_map(|case| {
        let steps = Generator::case(case);
        run_case(&mut a, &mut b, &format!("p{case}"), &steps).err().map(|m| (case, steps, m))
    });
    let (case, steps, mismatch) = found.expect("a request that one server never got makes a difference");
    let (small, _) = minimal(&mut a, &mut b, case, steps, mismatch);
    assert!(ops_in(&small) <= 2, "the first request alone shows it: {small:?}");
}

#[test]
fn the_document_lists_the_same_differences() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/zookeeper-differences.md");
    let text = std::fs::read_to_string(document).expect("the document is there");
    let mut told: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("### ")).collect();
    let mut known: Vec<&str> = DIFFERENCES.iter().map(|d| d.id).collect();
    told.sort_unstable();
    known.sort_unstable();
    assert_eq!(told, known, "docs/zookeeper-differences.md and tests/differential/explained.rs");
}
