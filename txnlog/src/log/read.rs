//! Reading the running log back.

use super::{Log, LogEvent};
use crate::background::Job;
use crate::driver::Completion;
use crate::reader::{LogReader, ReadOutcome, ReadTicket, Reading};
use ringkeeper_core::ids::Zxid;
use std::sync::Arc;

impl Log {
    /// Reads the transactions directly after `after` that are durable now: about `max_bytes` of them, and at least one
    /// if there is one. [`LogEvent::Read`] follows. `reader` remembers the place for the next read; one reader's reads
    /// should follow each other.
    ///
    /// While a cut or a restart of the log is on its way to the disk, the answer is [`ReadOutcome::Gone`].
    pub fn read_after(&mut self, reader: &LogReader, after: Zxid, max_bytes: usize) -> ReadTicket {
        self.next_ticket += 1;
        let ticket = ReadTicket(self.next_ticket);
        self.reads += 1;
        let through = self.writer.durable();
        let outcome = if self.writer.is_resetting() || after > through {
            ReadOutcome::Gone
        } else if after == through {
            ReadOutcome::End
        } else {
            return self.start_reading(ticket, reader, after, max_bytes);
        };
        self.completions.push(Completion::Read { ticket, generation: self.generation, outcome });
        ticket
    }

    /// About how much [`read_after`](Self::read_after) would have to read to get from `after` to the end: the segments
    /// that hold nothing else.
    #[must_use]
    pub fn bytes_behind(&self, after: Zxid) -> u64 {
        self.writer.bytes_behind(after)
    }

    fn start_reading(&self, ticket: ReadTicket, reader: &LogReader, after: Zxid, max_bytes: usize) -> ReadTicket {
        let reading = Reading {
            disk: Arc::clone(&self.dirs.log),
            defects: self.log_config.defects,
            ticket,
            reader: reader.clone(),
            log_generation: self.generation,
            stretches: self.writer.stretches(),
            through: self.writer.durable(),
            after,
            max_bytes,
            progress: None,
        };
        let job = Job::new("read", 0, Box::new(reading), Arc::clone(&self.completions));
        if let Err(error) = self.background.start(job) {
            // Whoever asked can still send a snapshot, or ask again.
            tracing::warn!(%error, "starting a thread to read the log");
            let outcome = ReadOutcome::Gone;
            self.completions.push(Completion::Read { ticket, generation: self.generation, outcome });
        }
        ticket
    }

    pub(super) fn read_ended(
        &mut self,
        ticket: ReadTicket,
        generation: u32,
        outcome: ReadOutcome,
        events: &mut Vec<LogEvent>,
    ) {
        self.reads -= 1;
        // What was read may be cut off by now.
        let outcome = if generation == self.generation { outcome } else { ReadOutcome::Gone };
        if let ReadOutcome::Damaged(corruption) = &outcome {
            tracing::error!(log = self.dirs.log.describe(""), %corruption, "the log cannot be read back");
        }
        events.push(LogEvent::Read { ticket, outcome });
    }
}
