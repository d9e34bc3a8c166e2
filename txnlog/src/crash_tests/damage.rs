//! Damage that no crash explains: rot, unreadable sectors, lost files, blocks in the wrong place. Recovery finds
//! everything nevertheless, or says what is wrong. It never drops anything silently.

use super::model::Entry;
use super::world::World;
use crate::error::{Corruption, OpenError};
use crate::format::{BATCH_HEADER, BLOCK, BatchHeader, BatchKind, SegmentHeader, segment_sequence};
use crate::sim::{Rng, SimDisk};

/// Trials after each seed's lives.
const TRIALS: u64 = 6;

/// A batch on the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) offset: u64,
    pub(super) header: BatchHeader,
}

/// The batches of a segment, as they stand.
pub(super) fn batches(disk: &SimDisk, name: &str) -> Vec<Placed> {
    let content = disk.content(name).expect("the segment exists");
    let header = SegmentHeader::parse(&content, name, content.len() as u64).expect("the segment is intact");
    let mut offset = BLOCK as u64;
    let mut found = Vec::new();
    while let Some(block) = content.get(offset as usize..offset as usize + BLOCK) {
        let Ok(header) = BatchHeader::parse(block, header.generation) else { break };
        found.push(Placed { offset, header });
        offset += header.padded_len();
    }
    found
}

/// What was done, and where.
#[derive(Debug)]
enum Damage {
    Flip {
        name: String,
        offset: u64,
    },
    Unreadable {
        name: String,
        offset: u64,
    },
    Lost {
        name: String,
    },
    /// A block from elsewhere in the file.
    Overwritten {
        name: String,
        at: u64,
    },
}

fn pick_name(rng: &mut Rng, disk: &SimDisk) -> String {
    let names = disk.names();
    names[rng.below(names.len() as u64) as usize].clone()
}

/// A place worth damaging: in half of the cases one that holds something.
fn pick_offset(rng: &mut Rng, disk: &SimDisk, name: &str) -> u64 {
    let len = disk.content(name).expect("the file exists").len() as u64;
    if segment_sequence(name).is_some() && rng.percent(70) {
        let batches = batches(disk, name);
        if !batches.is_empty() {
            let batch = batches[rng.below(batches.len() as u64) as usize];
            let used = BATCH_HEADER as u64 + u64::from(batch.header.payload);
            return batch.offset + rng.below(used);
        }
    }
    if rng.percent(50) { rng.below(len.min(512)) } else { rng.below(len) }
}

fn inflict(rng: &mut Rng, disk: &SimDisk) -> Damage {
    let name = pick_name(rng, disk);
    let offset = pick_offset(rng, disk, &name);
    match rng.below(10) {
        0..6 => {
            disk.flip(&name, offset, rng.below(8) as u8);
            Damage::Flip { name, offset }
        }
        6 => {
            disk.make_unreadable(&name, offset);
            Damage::Unreadable { name, offset }
        }
        7 => {
            disk.lose_file(&name);
            Damage::Lost { name }
        }
        _ => {
            let content = disk.content(&name).expect("the file exists");
            let block = BLOCK as u64;
            let (from, to) = (offset / block * block, rng.below(content.len() as u64) / block * block);
            disk.scribble(&name, to, &content[from as usize..from as usize + BLOCK]);
            Damage::Overwritten { name, at: to }
        }
    }
}

impl World {
    /// Damages copies of the disk in one place each.
    pub(crate) fn damage(&mut self) {
        for _ in 0..TRIALS {
            let disk = self.disk.copy();
            let damage = inflict(&mut self.rng, &disk);
            match self.read(&disk) {
                Ok((recovery, state, summary)) => {
                    let fell_back = !summary.damaged_snapshots.is_empty();
                    self.note(if fell_back { "older snapshot used" } else { "damage did not matter" });
                    assert!(state.given <= self.model.now.told, "{damage:?}: {} called committed", state.given);
                    let complete = state.entries == self.model.now.entries && recovery.epochs() == self.model.epochs;
                    assert!(
                        complete || self.is_excused(&damage, &state.entries),
                        "{damage:?} goes unnoticed: {} transactions of {}, {:?}",
                        state.entries.len(),
                        self.model.now.entries.len(),
                        recovery.epochs(),
                    );
                }
                Err(OpenError::Corrupt(corruption)) => {
                    self.note("damage reported");
                    self.check_report(&damage, &corruption);
                }
                Err(OpenError::Incomplete(_)) => self.note("incompleteness reported"),
                Err(e) => panic!("{damage:?} is reported as {e}"),
            }
        }
    }

    /// The batches at the end of the log that no later one proves to have been durable: rot of these cannot be told
    /// from a torn write. None if a seal closes the log.
    fn unproven(&self) -> Vec<(String, Placed)> {
        let names = self.disk.names().into_iter().rev().filter(|n| segment_sequence(n).is_some());
        let last = names.map(|n| (n.clone(), batches(&self.disk, &n))).find(|(_, b)| !b.is_empty());
        let Some((name, batches)) = last else { return Vec::new() };
        let proven = batches.iter().map(|b| b.header.durable_before()).max().unwrap_or(0);
        let tail = batches.into_iter().filter(|b| b.header.sequence >= proven);
        tail.map(|b| (name.clone(), b)).collect()
    }

    /// Whether what was found ends before a batch that was hit and that nothing proves to have existed.
    fn is_excused(&self, damage: &Damage, found: &[Entry]) -> bool {
        let hit = |(segment, batch): &(String, Placed)| {
            let within = |at: u64| (batch.offset..batch.offset + batch.header.padded_len()).contains(&at);
            match damage {
                Damage::Flip { name, offset } | Damage::Unreadable { name, offset } => {
                    name == segment && within(*offset)
                }
                Damage::Overwritten { name, at } => name == segment && within(*at),
                Damage::Lost { .. } => false,
            }
        };
        if let Damage::Lost { name } = damage {
            // A segment that is lost as a whole leaves a gap, unless there was none behind it yet.
            let last = self.disk.names().into_iter().rfind(|n| segment_sequence(n).is_some());
            return last.as_ref() == Some(name);
        }
        let Some((_, batch)) = self.unproven().into_iter().find(hit) else { return false };
        found == &self.model.now.entries[..self.model.now.through(batch.header.prev)]
    }

    /// A flipped bit in a batch is reported with the batch's place and the transactions that it concerns.
    fn check_report(&self, damage: &Damage, report: &Corruption) {
        let Damage::Flip { name, offset } = damage else { return };
        assert_eq!(&report.file, name, "{damage:?} is reported as {report}");
        if segment_sequence(name).is_none() || *offset < BLOCK as u64 {
            return;
        }
        let placed = batches(&self.disk, name);
        let hit = placed.iter().find(|b| (b.offset..b.offset + b.header.padded_len()).contains(offset));
        let hit = hit.unwrap_or_else(|| panic!("{damage:?} hits no batch but is reported as {report}"));
        assert_eq!(report.offset, hit.offset, "{damage:?} is reported as {report}");
        let Placed { header, .. } = hit;
        if !matches!(header.kind, BatchKind::Cut | BatchKind::Restart) {
            assert_eq!(report.after.unwrap_or(header.prev), header.prev, "{report}");
        }
        let until = report.until.unwrap_or(header.last);
        assert!(until >= header.last || self.was_cut(), "{report}, but the batch goes to {}", header.last);
    }

    fn was_cut(&self) -> bool {
        self.seen.contains_key("cut back") || self.seen.contains_key("snapshot installed")
    }
}
