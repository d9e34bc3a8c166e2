//! What is known to be committed, and what the log has said about it.

use super::model::History;
use super::world::{Life, World};
use crate::format::BatchKind;
use crate::sim::Waiting;
use crate::writer::LogWriter;
use ringkeeper_core::ids::Zxid;

/// Batches on their way to the disk, with what they must say. It is not asked what they do say.
#[derive(Default, Debug)]
pub(super) struct Stating {
    batches: Vec<Placed>,
    /// The newest: its number, what it says, and whether it says nothing else.
    newest: (u64, Zxid, bool),
}

#[derive(Debug)]
struct Placed {
    sequence: u64,
    committed: Zxid,
    /// The last frame, if there is one: that it is acknowledged tells the same of the batch.
    last: Option<Zxid>,
}

impl Stating {
    pub(super) fn clear(&mut self) {
        self.batches.clear();
    }

    /// What is acknowledged or stable by now must be found.
    pub(super) fn settle(&mut self, writer: &LogWriter, now: &mut History) {
        for batch in &self.batches {
            let count = now.through(batch.committed);
            let stable = batch.sequence < writer.durable_before();
            if stable || batch.last.is_some_and(|last| last <= writer.durable()) {
                now.stated.0 = now.stated.0.max(count);
            }
            if stable {
                now.stated.1 = now.stated.1.max(count);
            }
        }
        self.batches.retain(|batch| batch.sequence >= writer.durable_before());
    }
}

impl World {
    /// More is committed, usually of what is durable here; others may have been faster.
    pub(super) fn commit(&mut self) {
        let now = &self.model.now;
        let most = if self.rng.percent(80) { now.acked } else { now.entries.len() };
        if self.model.installing.is_some() || most <= now.told {
            return;
        }
        self.model.now.told = match self.rng.below(3) {
            0 => most,
            _ => now.told + self.rng.below((most - now.told) as u64 + 1) as usize,
        };
    }

    fn told(&self) -> Zxid {
        let now = &self.model.now;
        now.told.checked_sub(1).map_or(Zxid::ZERO, |last| now.entries[last].zxid)
    }

    /// As the owner of a log does it in each turn.
    pub(super) fn tell(&self, life: &mut Life) {
        life.log.committed(self.told());
    }

    /// Batches that were given to the device in the last turn.
    pub(super) fn placed(&mut self, life: &mut Life) {
        let told = self.told();
        for waiting in life.device.waiting() {
            let Waiting::Write { header, .. } = waiting else { continue };
            let (newest, before, sealed) = life.stating.newest;
            if header.sequence <= newest {
                continue;
            }
            let committed = told.min(header.last);
            let seals = header.kind == BatchKind::Seal;
            life.stating.newest = (header.sequence, committed, seals);
            if header.prev < told && told < header.last {
                self.note("a part of a batch is committed");
            }
            if seals && sealed && committed > before {
                self.note("watermark alone");
            }
            let last = (header.kind == BatchKind::Frames).then_some(header.last);
            life.stating.batches.push(Placed { sequence: header.sequence, committed, last });
        }
    }

    /// After a clean end.
    pub(super) fn check_end(&self, life: &Life) {
        let now = &self.model.now;
        assert_eq!(now.stable, now.entries.len(), "all is durable after a clean end");
        // A seal is not waited for when the segment is full to the last block and the next one is not there yet.
        let seals = self.log.seal_after.is_some() && life.log.writer().has_room_for_seal();
        assert!(!seals || now.stated.1 == now.told, "and the log says what is committed: {:?}", life.stating);
    }
}
