//! Ensembles of whole servers (requests, sessions, tree, agreement) on a simple network and simple disks, under crashes
//! and cuts, from seeds. Each client changes a node of its own and counts: every write that is answered was executed
//! exactly once, in the order sent; what was answered is there at the end; equal histories make equal trees.

#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]
#![allow(clippy::disallowed_methods, reason = "tests take their seeds from the environment")]

mod cluster;

use cluster::{Client, Cluster, Rng, SyncCounts};
use ringkeeper_core::zab::RoleChange;

/// What a seed has shown.
#[derive(Debug, Default)]
struct Seen {
    answered: u64,
    crashes: u64,
    leaders: usize,
    moves: u64,
    kept: u64,
    synchronised: SyncCounts,
    damaged_reads: u64,
}

fn run(seed: u64, seen: &mut Seen) {
    let mut rng = Rng(seed);
    let mut cluster = Cluster::new(3, seed);
    cluster.run_until_led();
    let mut clients: Vec<Client> = (0..6).map(|n| Client::new(n, n % 3)).collect();
    for _ in 0..3_000 {
        for client in &mut clients {
            client.turn(&mut cluster, &mut rng);
        }
        if rng.permille(3) {
            chaos(&mut cluster, &mut rng, seen);
        }
        cluster.step();
    }
    cluster.heal();
    for _ in 0..3_000 {
        for client in &mut clients {
            client.turn(&mut cluster, &mut rng);
        }
        cluster.step();
    }
    for client in &mut clients {
        client.stop();
    }
    for _ in 0..600 {
        for client in &mut clients {
            client.turn(&mut cluster, &mut rng);
        }
        cluster.step();
    }
    cluster.check_equal();
    for client in &clients {
        client.check(&cluster);
        seen.answered += client.answered;
        seen.moves += client.moves;
        seen.kept += client.kept;
    }
    seen.leaders += cluster.leaders_seen();
    seen.synchronised.add(&cluster.synchronised);
    seen.damaged_reads += cluster.damaged_reads();
}

fn chaos(cluster: &mut Cluster, rng: &mut Rng, seen: &mut Seen) {
    let leader = cluster.leader();
    let at = match leader {
        Some(leader) if rng.permille(500) => leader,
        _ => rng.below(3) as usize,
    };
    if rng.permille(500) {
        cluster.damage(at, rng);
    }
    match rng.below(6) {
        0 | 1 if cluster.is_running(at) && cluster.running() > 2 => {
            seen.crashes += 1;
            cluster.crash(at, rng);
        }
        2 | 3 => cluster.start_all(),
        4 => cluster.cut(at),
        _ => cluster.mend(),
    }
}

#[test]
fn every_answer_holds_for_every_seed() {
    if let Ok(seed) = std::env::var("ENSEMBLE_SEED") {
        let mut seen = Seen::default();
        run(seed.parse().unwrap(), &mut seen);
        println!("{seen:?}");
        return;
    }
    let seeds = std::env::var("ENSEMBLE_SEEDS").map_or(40, |n| n.parse().unwrap());
    let mut seen = Seen::default();
    for seed in 0..seeds {
        println!("seed {seed} (ENSEMBLE_SEED={seed} replays it)");
        run(seed, &mut seen);
    }
    println!("{seeds} seeds: {seen:?}");
    assert!(
        seen.answered > 1_000 && seen.crashes > 10 && seen.leaders > 50 && seen.moves > 10 && seen.kept > 10,
        "{seen:?}"
    );
    let SyncCounts { from_memory, from_log, cut_back, by_state, .. } = seen.synchronised;
    assert!(from_memory > 50 && from_log > 5 && cut_back > 0 && by_state > 5, "{seen:?}");
    assert!(seen.damaged_reads > 0, "{seen:?}");
}

#[test]
fn a_leaders_death_is_not_noticed_by_clients_of_others() {
    for seed in 0..10 {
        let mut rng = Rng(seed);
        let mut cluster = Cluster::new(3, seed);
        cluster.run_until_led();
        let leader = cluster.leader().unwrap();
        let mut clients: Vec<Client> = (0..4).map(|n| Client::new(n, (leader + 1 + n % 2) % 3)).collect();
        for round in 0..1_500 {
            if round == 500 {
                cluster.crash(leader, &mut rng);
            }
            for client in &mut clients {
                client.turn(&mut cluster, &mut rng);
            }
            cluster.step();
        }
        for client in &clients {
            assert_eq!(client.moves, 0, "seed {seed}: a connection was lost");
            assert!(client.answered > 300, "seed {seed}: only {} answers", client.answered);
        }
        assert!(matches!(cluster.role(cluster.leader().unwrap()), RoleChange::Leading { .. }));
    }
}
