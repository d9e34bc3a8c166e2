//! What a frontend counts for monitoring: plain numbers, owned by the executor that counts them.

use crate::jute::OpCode;
use crate::measure::Histogram;
use crate::watch::EventType;

/// The numbers of opcodes differ in their last six bits.
const SLOTS: usize = 64;

/// Requests by opcode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requests([u64; SLOTS]);

impl Default for Requests {
    fn default() -> Requests {
        Requests([0; SLOTS])
    }
}

impl Requests {
    const fn slot(op: OpCode) -> usize {
        op.wire().cast_unsigned() as usize % SLOTS
    }

    pub(super) fn count(&mut self, op: OpCode) {
        self.0[Requests::slot(op)] += 1;
    }

    /// How many of this opcode.
    #[must_use]
    pub fn of(&self, op: OpCode) -> u64 {
        self.0[Requests::slot(op)]
    }

    fn merge(&mut self, other: &Requests) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }
}

/// Counters of one frontend since its start or the last reset. Times are in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FrontendMeasures {
    /// Requests of open sessions.
    pub requests: Requests,
    /// From the arrival of a read to its answer.
    pub reads: Histogram,
    /// From the arrival of anything that the replica decides to its answer.
    pub updates: Histogram,
    /// Bytes of frames received, their lengths included.
    pub bytes_received: u64,
    /// Bytes of replies and events.
    pub bytes_sent: u64,
    /// Bytes of events alone.
    pub watch_bytes: u64,
    /// Connections that were accepted.
    pub connections_opened: u64,
    /// First requests of connections, for a session.
    pub connect_requests: u64,
    /// Connections that were closed because they never asked for a session.
    pub sessionless_closed: u64,
    /// Requests that took longer than the threshold of slow ones.
    pub slow: u64,
    /// For each kind of event, in the order of [`EventType`], how many connections each change was told to. Changes that
    /// nobody watched are not counted.
    pub told: [Histogram; 4],
}

impl FrontendMeasures {
    pub(super) fn note_told(&mut self, event: EventType, connections: usize) {
        if connections > 0 {
            self.told[event as usize - EventType::NodeCreated as usize].record(connections as u64);
        }
    }

    /// Adds the counters of another frontend.
    pub fn merge(&mut self, other: &FrontendMeasures) {
        self.requests.merge(&other.requests);
        self.reads.merge(&other.reads);
        self.updates.merge(&other.updates);
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.watch_bytes += other.watch_bytes;
        self.connections_opened += other.connections_opened;
        self.connect_requests += other.connect_requests;
        self.sessionless_closed += other.sessionless_closed;
        self.slow += other.slow;
        for (mine, theirs) in self.told.iter_mut().zip(&other.told) {
            mine.merge(theirs);
        }
    }
}

/// Whether an answer counts as an update: the replica decides about it, not this server's copy of the tree.
pub(super) const fn is_update(op: i32) -> bool {
    matches!(
        OpCode::from_wire(op),
        Some(
            OpCode::Create
                | OpCode::Create2
                | OpCode::CreateContainer
                | OpCode::CreateTtl
                | OpCode::Delete
                | OpCode::SetData
                | OpCode::SetAcl
                | OpCode::Multi
                | OpCode::Reconfig
                | OpCode::Sync
                | OpCode::CloseSession
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn counters_of_all_frontends_are_added() {
        let mut one = FrontendMeasures {
            bytes_received: 1,
            bytes_sent: 2,
            watch_bytes: 3,
            connections_opened: 4,
            connect_requests: 5,
            sessionless_closed: 6,
            slow: 7,
            ..FrontendMeasures::default()
        };
        one.requests.count(OpCode::Ping);
        one.reads.record(8);
        one.updates.record(9);
        one.note_told(EventType::NodeDeleted, 10);
        let mut all = FrontendMeasures::default();
        all.merge(&one);
        assert_eq!(all, one);
        all.merge(&one);
        let FrontendMeasures { requests, reads, updates, bytes_received, bytes_sent, watch_bytes, .. } = &all;
        assert_eq!((requests.of(OpCode::Ping), reads.sum(), updates.sum()), (2, 16, 18));
        assert_eq!([*bytes_received, *bytes_sent, *watch_bytes], [2, 4, 6]);
        assert_eq!([all.connections_opened, all.connect_requests, all.sessionless_closed, all.slow], [8, 10, 12, 14]);
        assert_eq!(all.told.iter().map(Histogram::sum).sum::<u64>(), 20);
    }

    #[test]
    fn every_opcode_has_a_counter_of_its_own() {
        let slots: BTreeSet<usize> = OpCode::ALL.into_iter().map(Requests::slot).collect();
        assert_eq!(slots.len(), OpCode::ALL.len());
        let (mut one, mut other) = (Requests::default(), Requests::default());
        one.count(OpCode::CloseSession);
        other.count(OpCode::CloseSession);
        other.count(OpCode::Ping);
        one.merge(&other);
        assert_eq!((one.of(OpCode::CloseSession), one.of(OpCode::Ping), one.of(OpCode::Create)), (2, 1, 0));
    }
}
