use ringkeeper_sim::plan::{Mode, Plan};
use ringkeeper_sim::runner;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let from: u64 = args[1].parse().unwrap();
    let count: u64 = args[2].parse().unwrap();
    let mode = if args.get(3).is_some_and(|m| m == "liveness") { Mode::Liveness } else { Mode::Safety };
    let printed = args.get(4).is_some();
    runner::keep_panics();
    let mut seen = ringkeeper_sim::seen::Seen::default();
    let mut bad = 0;
    for seed in from..from + count {
        match runner::run(Plan::of(seed, mode), printed) {
            Ok(ended) => seen.merge(&ended.seen),
            Err(e) => { bad += 1; println!("seed {seed}: {e}"); if bad > 5 { break; } }
        }
    }
    for (what, times) in seen.iter() { println!("{times:>10} {what}"); }
}
