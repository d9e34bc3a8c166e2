//! Every write and what became of it.
//!
//! A write creates a node of its own with a value of its own, so each single one can be looked for afterwards, whatever was
//! written before and after it:
//!
//! ```text
//! PREFIX/failover-5f3a9c01/c03/n00000042       run, client, number
//! ```

use std::fmt::Write as _;

/// What is known of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Sent, and no reply yet.
    InFlight,
    /// The server said that it is done.
    Acknowledged,
    /// The server said that it is not done, and why.
    Refused(i32),
    /// The connection was lost before a reply: it may be done or not, now or later.
    Unknown,
}

/// A write: client and number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WriteId {
    /// The client.
    pub client: usize,
    /// The number among the client's writes.
    pub number: u32,
}

/// All writes of a run.
#[derive(Debug)]
pub struct Ledger {
    root: String,
    run: u32,
    value_size: usize,
    fates: Vec<Vec<Fate>>,
}

impl Ledger {
    /// Of so many clients, which make nodes under `prefix`; `run` tells runs apart.
    pub fn new(prefix: &str, run: u32, clients: usize, value_size: usize) -> Ledger {
        let root = format!("{prefix}/failover-{run:08x}");
        Ledger { root, run, value_size, fates: vec![Vec::new(); clients] }
    }

    /// The node under which all others are.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The node under which those of a client are.
    pub fn parent(&self, client: usize) -> String {
        format!("{}/c{client:02}", self.root)
    }

    /// Writes the path of a write's node.
    pub fn path(&self, id: WriteId, path: &mut String) {
        path.clear();
        // Writing to a string cannot fail.
        let _ = write!(path, "{}/c{:02}/n{:08}", self.root, id.client, id.number);
    }

    /// Writes the value: it names the write, and is repeated up to the size that was asked for.
    pub fn value(&self, id: WriteId, value: &mut Vec<u8>) {
        let stamp = format!("{:08x}/{:02}/{:08} ", self.run, id.client, id.number);
        value.clear();
        value.extend(stamp.bytes().cycle().take(self.value_size.max(stamp.len())));
    }

    /// A client sends its next write.
    pub fn begin(&mut self, client: usize) -> WriteId {
        let fates = &mut self.fates[client];
        fates.push(Fate::InFlight);
        WriteId { client, number: (fates.len() - 1) as u32 }
    }

    /// It is known what became of a write.
    pub fn settle(&mut self, id: WriteId, fate: Fate) {
        let known = &mut self.fates[id.client][id.number as usize];
        debug_assert_eq!(*known, Fate::InFlight, "{id:?} is settled once");
        *known = fate;
    }

    /// All writes that were sent.
    pub fn writes(&self) -> impl Iterator<Item = (WriteId, Fate)> + '_ {
        self.fates.iter().enumerate().flat_map(|(client, fates)| {
            fates.iter().enumerate().map(move |(number, fate)| (WriteId { client, number: number as u32 }, *fate))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate, Ledger, WriteId};
    use std::collections::BTreeSet;

    #[test]
    fn no_two_writes_share_a_node_or_a_value() {
        let mut ledger = Ledger::new("/p", 7, 3, 4);
        let (mut paths, mut values) = (BTreeSet::new(), BTreeSet::new());
        for client in [0, 1, 2, 1, 0] {
            let id = ledger.begin(client);
            let (mut path, mut value) = (String::new(), Vec::new());
            ledger.path(id, &mut path);
            ledger.value(id, &mut value);
            assert!(path.starts_with(&ledger.parent(client)), "{path}");
            assert!(paths.insert(path) && values.insert(value), "{id:?}");
        }
    }

    #[test]
    fn values_have_the_size_that_was_asked_for() {
        let ledger = Ledger::new("/p", 7, 1, 100);
        let mut value = Vec::new();
        ledger.value(WriteId { client: 0, number: 1 }, &mut value);
        assert_eq!(value.len(), 100);
    }

    #[test]
    fn the_fate_of_each_write_is_kept() {
        let mut ledger = Ledger::new("/p", 7, 2, 10);
        let (a, b, c) = (ledger.begin(0), ledger.begin(1), ledger.begin(0));
        ledger.settle(c, Fate::Unknown);
        ledger.settle(a, Fate::Acknowledged);
        assert_eq!(
            ledger.writes().collect::<Vec<_>>(),
            [(a, Fate::Acknowledged), (c, Fate::Unknown), (b, Fate::InFlight)]
        );
    }
}
