//! One who reads the log back while everything else happens to it.

use super::model::Entry;
use super::world::{Life, World};
use crate::reader::{ReadOutcome, ReadTicket};
use ringkeeper_core::frame::{Frame, FrameBatch};
use ringkeeper_core::ids::Zxid;

/// A read under way.
#[derive(Debug)]
pub(super) struct Asked {
    ticket: ReadTicket,
    after: Zxid,
    max_bytes: usize,
    /// Of the log, when it was asked.
    durable: Zxid,
    generation: u32,
    resetting: bool,
    reached_back_to: Option<Zxid>,
}

impl World {
    /// Asks for what follows what was read last, or for something else, which may not exist.
    pub(super) fn ask(&mut self, life: &mut Life) {
        if life.asked.is_some() {
            return;
        }
        let entries = &self.model.now.entries;
        let after = match self.rng.below(20) {
            0 => Zxid(self.rng.below(1 << 34)),
            1 => Zxid::ZERO,
            2..8 if !entries.is_empty() => entries[self.rng.below(entries.len() as u64) as usize].zxid,
            _ => life.read,
        };
        let max_bytes = [0, 300, 3_000, 30_000][self.rng.below(4) as usize];
        life.asked = Some(Asked {
            after,
            max_bytes,
            durable: life.log.durable(),
            generation: life.log.generation(),
            resetting: life.is_resetting(),
            reached_back_to: life.log.writer().reaches_back_to(),
            ticket: life.log.read_after(&life.reader, after, max_bytes),
        });
    }

    pub(super) fn answered(&mut self, life: &mut Life, ticket: ReadTicket, outcome: ReadOutcome) {
        let asked = life.asked.take().expect("only what was asked is answered");
        assert_eq!(ticket, asked.ticket);
        match outcome {
            ReadOutcome::Frames(frames) => {
                self.note("read");
                assert_eq!(life.log.generation(), asked.generation, "the log was reset since {asked:?}");
                self.check_frames(&asked, &frames);
                life.read = frames.last();
            }
            ReadOutcome::End => assert_eq!(asked.after, asked.durable),
            ReadOutcome::Diverged(before) => {
                self.note("read of what is unknown");
                let entries = &self.model.now.entries;
                assert!(
                    entries.iter().all(|e| e.zxid != asked.after) && asked.after != Zxid::ZERO,
                    "{asked:?} is known"
                );
                let newest = entries.iter().map(|e| e.zxid).rfind(|zxid| *zxid < asked.after);
                // What a snapshot stands for is no entry any more.
                let newest = newest.max(asked.reached_back_to).unwrap_or(Zxid::ZERO);
                assert_eq!(before, newest, "{asked:?}");
                life.read = before;
            }
            ReadOutcome::Gone => {
                let what = self.why_gone(life, &asked);
                self.note(what);
                life.read = life.log.writer().reaches_back_to().unwrap_or(Zxid::ZERO);
            }
            ReadOutcome::Damaged(corruption) => panic!("{asked:?}: nothing is damaged, but {corruption}"),
        }
    }

    /// Exactly what follows in the history, whole frames, as many as were wanted.
    fn check_frames(&self, asked: &Asked, frames: &FrameBatch) {
        let found: Vec<Entry> =
            frames.frames().map(|f| Entry { zxid: f.zxid(), flavour: f.session().0 as u64 }).collect();
        let from = self.model.now.through(asked.after);
        assert_eq!(found, self.model.now.entries[from..from + found.len()], "{asked:?}");
        assert_eq!(frames.prev(), asked.after, "{asked:?}");
        assert!(frames.last() <= asked.durable, "{asked:?}, but read through {}", frames.last());
        assert!(found.len() == 1 || frames.as_bytes().len() <= asked.max_bytes.max(1), "{asked:?}");
        assert!(frames.frames().all(|f| Frame::parse(f.as_bytes()).is_ok()));
    }

    fn why_gone(&self, life: &Life, asked: &Asked) -> &'static str {
        if asked.resetting || asked.generation != life.log.generation() {
            "read after a reset"
        } else if life.log.writer().reaches_back_to().is_none_or(|z| asked.after < z) {
            "read of what is gone"
        } else if asked.after > asked.durable {
            "read of what is not durable"
        } else {
            panic!("{asked:?} is called gone, but the log has it");
        }
    }
}
