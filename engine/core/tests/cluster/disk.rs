//! A simple disk: what is written becomes durable after a while, in order; a crash keeps some of what was not.

use super::Rng;
use ringkeeper_core::frame::{Frame, FrameBatch, FrameBuf};
use ringkeeper_core::ids::Zxid;
use ringkeeper_core::replica::Input;
use ringkeeper_core::tree::{Applied, Tree};
use ringkeeper_core::zab::{Epochs, LogOutcome, LogRead};
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Default)]
pub struct Disk {
    pub epochs: Epochs,
    saving: VecDeque<(u64, Epochs)>,
    base: Option<Tree>,
    /// Batches, and how far transactions were known to be committed when each was written.
    log: Vec<(Arc<FrameBatch>, Zxid)>,
    durable: usize,
    writes: VecDeque<(u64, usize)>,
    committed: Zxid,
    generation: u32,
    /// It was cut back, and nobody has been told yet what is durable since.
    cut: bool,
    /// Reads of the log that are under way, and the generation that each began in.
    reads: VecDeque<(u64, LogRead, u32)>,
    /// One transaction that can be logged, but not read any more.
    damaged: Option<Zxid>,
    /// Reads that have met it.
    pub damaged_reads: u64,
}

impl Disk {
    pub fn save(&mut self, when: u64, epochs: Epochs) {
        let when = self.saving.back().map_or(when, |(last, _)| when.max(*last));
        self.saving.push_back((when, epochs));
    }

    pub fn append(&mut self, when: u64, batch: Arc<FrameBatch>) {
        self.log.push((batch, self.committed));
        let when = self.writes.back().map_or(when, |(last, _)| when.max(*last));
        self.writes.push_back((when, self.log.len()));
    }

    pub fn committed(&mut self, through: Zxid) {
        self.committed = through;
    }

    pub fn truncate(&mut self, to: Zxid) {
        while self.log.last().is_some_and(|(batch, _)| batch.last() > to) {
            let (batch, watermark) = self.log.pop().unwrap();
            if let Some(kept) = batch.through(to) {
                self.log.push((kept, watermark));
                break;
            }
        }
        let len = self.log.len();
        self.durable = self.durable.min(len);
        self.writes.clear();
        if self.durable < len {
            self.durable = len;
        }
        self.cut = true;
        self.generation += 1;
    }

    pub fn install(&mut self, tree: &Tree) {
        self.base = Some(tree.clone());
        (self.log, self.durable, self.cut) = (Vec::new(), 0, false);
        self.writes.clear();
        self.generation += 1;
    }

    /// A snapshot of the state; the log before it is not kept.
    pub fn snapshot(&mut self, tree: &Tree) {
        let kept = self.log.partition_point(|(batch, _)| batch.last() <= tree.last_zxid());
        if self.durable >= kept {
            self.base = Some(tree.clone());
            self.log.drain(..kept);
            self.durable -= kept;
            self.writes.iter_mut().for_each(|(_, len)| *len = len.saturating_sub(kept));
        }
    }

    /// A transaction of the log becomes unreadable.
    pub fn damage(&mut self, rng: &mut Rng) {
        let at = rng.below(self.durable as u64 + 1) as usize;
        self.damaged = self.log.get(at).map(|(batch, _)| batch.last());
    }

    pub fn read(&mut self, when: u64, read: LogRead) {
        self.reads.push_back((when, read, self.generation));
    }

    /// What is durable behind a transaction, in pieces of a few.
    fn read_log(&mut self, read: &LogRead) -> LogOutcome {
        let base = self.base.as_ref().map_or(Zxid::ZERO, Tree::last_zxid);
        if read.after < base {
            return LogOutcome::Gone;
        }
        let durable = self.log[..self.durable].iter().flat_map(|(batch, _)| batch.frames());
        let mut behind = durable.filter(|frame| frame.zxid() > read.after).peekable();
        let Some(first) = behind.peek() else { return LogOutcome::Gone };
        if first.prev_zxid() != read.after {
            return LogOutcome::Diverged(first.prev_zxid());
        }
        let mut bytes = FrameBuf::new();
        for frame in behind.take(5).take_while(|frame| Some(frame.zxid()) != self.damaged) {
            bytes.extend_from_slice(frame.as_bytes());
        }
        if bytes.is_empty() {
            self.damaged_reads += 1;
            return LogOutcome::Damaged;
        }
        LogOutcome::Frames(Arc::new(FrameBatch::new(bytes)))
    }

    /// What has become durable by now.
    pub fn finish(&mut self, now: u64, inputs: &mut Vec<Input>) {
        while let Some((_, epochs)) = self.saving.pop_front_if(|(when, _)| *when <= now) {
            self.epochs = epochs;
            inputs.push(Input::EpochsSaved(epochs));
        }
        let mut told = !std::mem::take(&mut self.cut);
        while let Some((_, len)) = self.writes.pop_front_if(|(when, _)| *when <= now) {
            self.durable = self.durable.max(len);
            told = false;
        }
        if !told {
            let base = self.base.as_ref().map_or(Zxid::ZERO, Tree::last_zxid);
            let through = self.durable.checked_sub(1).map_or(base, |at| self.log[at].0.last());
            inputs.push(Input::LogDurable { through, generation: self.generation });
        }
        while let Some((_, read, generation)) = self.reads.pop_front_if(|(when, ..)| *when <= now) {
            let outcome = if generation == self.generation { self.read_log(&read) } else { LogOutcome::Gone };
            inputs.push(Input::LogRead(read, outcome));
        }
    }

    pub fn crash(&mut self, rng: &mut Rng) {
        let kept = self.durable + rng.below((self.log.len() - self.durable) as u64 + 1) as usize;
        self.log.truncate(kept);
        self.durable = kept;
        self.writes.clear();
        if let Some((_, epochs)) = self.saving.pop_front()
            && rng.permille(500)
        {
            self.epochs = epochs;
        }
        self.saving.clear();
        self.cut = false;
        self.reads.clear();
        self.generation = 0;
    }

    /// The state as far as it is known to be committed, and what the log has behind it.
    pub fn recover(&mut self) -> (Tree, Vec<Arc<FrameBatch>>) {
        let mut tree = self.base.clone().unwrap_or_default();
        let watermark = self.log.iter().map(|(_, watermark)| *watermark).max().unwrap_or_default();
        let mut tail = Vec::new();
        for (batch, _) in &self.log {
            for frame in batch.frames().filter(|frame| frame.zxid() <= watermark) {
                if frame.zxid() <= tree.last_zxid() {
                    continue;
                }
                tree.apply(&Frame::parse(frame.as_bytes()).unwrap(), &mut Applied::default()).unwrap();
            }
            tail.extend(batch.behind(tree.last_zxid().max(watermark)));
        }
        self.committed = tree.last_zxid();
        (tree, tail)
    }
}
