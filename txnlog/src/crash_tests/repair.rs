//! Damage that a member of an ensemble gives up, with the power failing at every step: whatever is lost, the server
//! either still refuses to start or says that it is no member.

use super::World;
use super::damage::batches;
use super::world::{Sometimes, pick};
use crate::disk::Disk;
use crate::epochs::{self, EPOCHS, Epochs};
use crate::error::OpenError;
use crate::format::{BATCH_HEADER, BLOCK, BatchKind, segment_sequence};
use crate::planted::Defects;
use crate::recovery::{Damage, Dirs, start_over};
use crate::sim::{CrashStyle, SimDisk};
use crate::snapshot::snapshot_zxid;
use std::sync::Arc;

const SEEDS: u64 = 400;

fn dirs(disk: &SimDisk) -> Dirs {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Dirs { log: Arc::clone(&disk), data: disk }
}

/// What is put aside, or was before.
fn is_stored(name: &str) -> bool {
    name.ends_with(".damaged") || segment_sequence(name).is_some() || snapshot_zxid(name).is_some() || name == EPOCHS
}

/// The disk of a member, after a long life.
fn member(seed: u64) -> Option<(World, SimDisk, Epochs)> {
    let mut world = World::new(seed, Defects::default());
    world.run();
    let epochs = Epochs { ensemble: 7, member: true, ..world.model.epochs };
    if epochs.accepted.0 == 0 || world.model.now.entries.is_empty() {
        return None;
    }
    let disk = world.disk.copy();
    epochs::save(&disk, epochs, Defects::default()).unwrap();
    Some((world, disk, epochs))
}

/// Damages one batch of transactions. `None` if that does not matter; otherwise what is said about it, if it can be
/// given up alone.
fn damage_a_batch(world: &mut World, disk: &SimDisk) -> Option<Option<Damage>> {
    let segments: Vec<String> = disk.names().into_iter().filter(|n| segment_sequence(n).is_some()).collect();
    let placed: Vec<_> = segments.iter().flat_map(|n| batches(disk, n).into_iter().map(move |b| (n, b))).collect();
    let frames: Vec<_> = placed.into_iter().filter(|(_, b)| b.header.kind == BatchKind::Frames).collect();
    if frames.is_empty() {
        return None;
    }
    let (name, batch) = frames[world.rng.below(frames.len() as u64) as usize];
    let within = world.rng.below(BATCH_HEADER as u64 + u64::from(batch.header.payload));
    if world.rng.percent(80) {
        disk.flip(name, batch.offset + within, world.rng.below(8) as u8);
    } else {
        disk.make_unreadable(name, batch.offset + within);
    }
    let mut recovery = world.open(disk).ok()?;
    let error = recovery.replay(&mut super::model::State::default()).err()?;
    assert!(error.is_damage(), "{error}");
    let Some(damage) = recovery.damage().cloned() else { return Some(None) };
    assert!(damage.good_through <= batch.header.prev, "{damage:?}, but {:?} is hit", batch.header);
    if let Some((after, through)) = damage.good_again {
        assert!(damage.good_through <= after && after < through, "{damage:?}");
    }
    Some(Some(damage))
}

impl World {
    /// What the next start finds. `done` if nothing has failed.
    fn check_afterwards(&mut self, disk: &SimDisk, before: Epochs, least: usize, done: bool) -> usize {
        match self.read(disk) {
            Ok((mut recovery, state, _)) => {
                let found = recovery.epochs();
                let nothing = Epochs { lapsed: true, ..Epochs::default() };
                assert!(found.lapsed || !done, "{found:?}");
                let whole = state.entries == self.model.now.entries;
                assert!(!found.member || whole && !done, "a member has {} transactions left", state.entries.len());
                assert!(found.accepted == before.accepted || found == nothing, "{found:?} after {before:?}");
                let expected = self.model.now.entries.get(..state.entries.len());
                assert!(expected == Some(&state.entries[..]), "another history: {:?}", state.entries.last());
                assert!(state.entries.len() >= least, "{} transactions of {least} that were good", state.entries.len());
                recovery.repair(1).unwrap();
                self.read(disk).expect("what was repaired can be read again");
                self.note(if done { "given up" } else { "crash: no member" });
                state.entries.len()
            }
            Err(e) => {
                assert!(e.is_damage() && !done, "{e}");
                self.note("crash: still reported");
                0
            }
        }
    }

    fn give_up(&mut self, disk: &SimDisk, before: Epochs, damage: &Damage) {
        let good = self.model.now.through(damage.good_through);
        for step in 0.. {
            let trial = disk.copy();
            let mut recovery = self.open(&trial).unwrap();
            assert!(recovery.replay(&mut super::model::State::default()).is_err());
            let names = trial.names();
            trial.crash_after(step);
            let result = recovery.discard_after(damage.good_through);
            if matches!(result, Err(OpenError::Refused(_))) && !trial.has_crashed() {
                trial.heal();
                self.note("too little left");
                assert_eq!(trial.names(), names);
                assert_eq!(epochs::load(&trial).unwrap(), Some(before));
                return self.start_over(disk, before);
            }
            let style = pick(&mut self.rng, &CrashStyle::ALL);
            trial.power_loss(style);
            let found = self.check_afterwards(&trial, before, good, result.is_ok());
            if self.read(&trial).is_err() {
                self.give_up_again(&trial, damage);
            }
            if let Ok(epochs) = result {
                assert_eq!(epochs, Epochs { member: false, lapsed: true, ..before });
                assert_eq!(epochs::load(&trial).unwrap(), Some(epochs));
                assert_eq!(found, good, "nothing behind the damage is taken for a part of the log");
                return;
            }
        }
    }

    /// What is still reported after a crash can be given up as before. It may have become less: a sector that could
    /// not be read can be read again when zeros in it were written over with zeros.
    fn give_up_again(&self, disk: &SimDisk, damage: &Damage) {
        let mut recovery = self.open(disk).expect("no gap is left");
        recovery.replay(&mut super::model::State::default()).expect_err("it was just reported");
        let good_through = recovery.damage().expect("of the log").good_through;
        assert!(good_through >= damage.good_through);
        recovery.discard_after(good_through).expect("as before");
        let (_, state, _) = self.read(disk).expect("then the start succeeds");
        assert_eq!(state.entries.len(), self.model.now.through(good_through));
    }

    fn start_over(&mut self, disk: &SimDisk, before: Epochs) {
        for step in 0.. {
            let trial = disk.copy();
            let intact = epochs::load(&trial).is_ok_and(|e| e.is_some());
            let stored = trial.names().into_iter().filter(|n| is_stored(n)).count() - usize::from(intact);
            trial.crash_after(step);
            let result = start_over(&dirs(&trial), Defects::default());
            let style = pick(&mut self.rng, &CrashStyle::ALL);
            trial.power_loss(style);
            let aside = trial.names().into_iter().filter(|n| n.ends_with(".damaged")).count();
            let found = self.check_afterwards(&trial, before, 0, result.is_ok());
            if result.is_ok() {
                self.note("started over");
                assert_eq!((found, aside), (0, stored), "{:?}", trial.names());
                let kept = if intact { before.accepted } else { Epochs::default().accepted };
                assert_eq!(self.open(&trial).unwrap().epochs().accepted, kept);
                return;
            }
        }
    }
}

fn add(seen: &mut Sometimes, world: World) {
    for (what, n) in world.seen {
        *seen.entry(what).or_default() += n;
    }
}

#[test]
fn what_is_damaged_is_given_up_without_ever_voting_on_it() {
    let mut seen = Sometimes::new();
    for seed in 0..SEEDS {
        let Some((mut world, disk, epochs)) = member(seed) else { continue };
        match damage_a_batch(&mut world, &disk) {
            Some(Some(damage)) => world.give_up(&disk, epochs, &damage),
            Some(None) => world.start_over(&disk, epochs),
            None => {}
        }
        add(&mut seen, world);
    }
    for what in ["given up", "too little left", "crash: no member", "crash: still reported", "started over"] {
        assert!(seen.contains_key(what), "`{what}` has not happened: {seen:#?}");
    }
}

#[test]
fn a_server_that_has_lost_its_files_starts_over_as_no_member() {
    let mut seen = Sometimes::new();
    for seed in 0..SEEDS {
        let Some((mut world, disk, epochs)) = member(seed) else { continue };
        let lost = |which: &dyn Fn(&str) -> bool| {
            for name in disk.names().iter().filter(|n| which(n)) {
                disk.lose_file(name);
            }
        };
        match seed % 4 {
            0 => disk.flip(EPOCHS, world.rng.below(BLOCK as u64), 3),
            1 => lost(&|n| n == EPOCHS),
            2 => lost(&|n| segment_sequence(n).is_some()),
            _ => lost(&|n| n != EPOCHS),
        }
        let error = world.open(&disk).map(drop).expect_err("something is missing");
        assert!(error.is_damage(), "{error}");
        world.start_over(&disk, epochs);
        add(&mut seen, world);
    }
    for what in ["started over", "crash: no member", "crash: still reported"] {
        assert!(seen.contains_key(what), "`{what}` has not happened: {seen:#?}");
    }
}

/// Also of whole data, of which a part was cut off once: that part must not come back when its end is put aside.
#[test]
fn starting_over_brings_nothing_back() {
    for seed in 0..SEEDS * 2 {
        let Some((mut world, disk, epochs)) = member(seed) else { continue };
        if world.seen.contains_key("cut back") {
            world.start_over(&disk, epochs);
        }
    }
}

#[test]
fn a_server_that_stands_alone_gives_nothing_up() {
    let mut refused = 0;
    for seed in 0..50 {
        let Some((mut world, disk, epochs)) = member(seed) else { continue };
        let alone = Epochs { ensemble: 0, member: false, ..epochs };
        epochs::save(&disk, alone, Defects::default()).unwrap();
        let Some(Some(damage)) = damage_a_batch(&mut world, &disk) else { continue };
        let names = disk.names();
        let mut recovery = world.open(&disk).unwrap();
        recovery.replay(&mut super::model::State::default()).unwrap_err();
        let result = recovery.discard_after(damage.good_through);
        assert!(matches!(result, Err(OpenError::Refused(_))), "{result:?}");
        let result = start_over(&dirs(&disk), Defects::default());
        assert!(matches!(result, Err(OpenError::Refused(_))), "{result:?}");
        assert_eq!(disk.names(), names);
        refused += 1;
    }
    assert!(refused > 10);
}
