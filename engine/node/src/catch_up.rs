//! Reading the log on disk for learners that lack more than is kept in memory.

use crate::Backend;
use ringkeeper_core::ids::{ServerId, Zxid};
use ringkeeper_core::replica::Input;
use ringkeeper_core::tree::Tree;
use ringkeeper_core::zab::{LogOutcome, LogRead};
use ringkeeper_txnlog::reader::{LogReader, ReadOutcome, ReadTicket};
use std::collections::BTreeMap;

/// So much of the log is always read rather than the whole state sent, for which the learner must give up its own, and
/// its clients' connections.
const READ_ANYWAY_BYTES: u64 = 64 << 20;
/// About what a node costs in a state beside its data.
const NODE_BYTES: u64 = 128;

/// What is read for each learner.
#[derive(Default)]
pub(crate) struct LogReads(BTreeMap<ServerId, Reading>);

/// One read at a time: what a learner of a former reign had asked for must not pile up before a slow disk.
#[derive(Default)]
struct Reading {
    /// Where the last one ended.
    reader: LogReader,
    under_way: Option<(ReadTicket, LogRead)>,
    /// Asked for meanwhile; the newest counts.
    next: Option<LogRead>,
}

impl Backend {
    /// Begins to read, unless the whole state is clearly cheaper than what the log would have to be read for. It always is
    /// for a learner that has nothing to give up for it.
    pub(crate) fn read_log(&mut self, read: LogRead, tree: &Tree) {
        if read.first && (read.after == Zxid::ZERO || self.is_dear(&read, tree)) {
            self.inputs.push(Input::LogRead(read, LogOutcome::Dear));
            return;
        }
        self.start_read(read);
    }

    fn start_read(&mut self, read: LogRead) {
        let reading = self.reads.0.entry(read.learner).or_default();
        if reading.under_way.is_some() {
            reading.next = Some(read);
            return;
        }
        let reader = reading.reader.clone();
        let ticket = self.log().read_after(&reader, read.after, read.bytes);
        self.reads.0.entry(read.learner).or_default().under_way = Some((ticket, read));
    }

    /// The log is measured in whole segments behind the one that the read begins in.
    fn is_dear(&mut self, read: &LogRead, tree: &Tree) -> bool {
        let log = self.log().bytes_behind(read.after);
        let state = tree.approximate_data_size() + NODE_BYTES * tree.node_count() as u64;
        log > READ_ANYWAY_BYTES.max(state)
    }

    /// What the log had.
    pub(crate) fn log_was_read(&mut self, ticket: ReadTicket, outcome: ReadOutcome) {
        let is_it = |reading: &&mut Reading| reading.under_way.as_ref().is_some_and(|(asked, _)| *asked == ticket);
        let Some(reading) = self.reads.0.values_mut().find(is_it) else { return };
        let Some((_, read)) = reading.under_way.take() else { return };
        let next = reading.next.take();
        let outcome = match outcome {
            ReadOutcome::Frames(batch) => LogOutcome::Frames(batch),
            ReadOutcome::Diverged(before) => LogOutcome::Diverged(before),
            // Only what is durable is asked for: that there is nothing behind it is a log that was reset.
            ReadOutcome::Gone | ReadOutcome::End => LogOutcome::Gone,
            ReadOutcome::Damaged(damage) => {
                let learner = read.learner.0;
                tracing::error!(learner, %damage, "this server's log is damaged: the learner gets the whole state instead");
                LogOutcome::Damaged
            }
        };
        self.inputs.push(Input::LogRead(read, outcome));
        if let Some(next) = next {
            self.start_read(next);
        }
    }
}
