//! What is going to happen, by time; at one time, in the order in which it was decided.

use crate::time::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that happens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Event {
    /// A process of a server, in this of its lives, has its turn.
    Turn(usize, u32),
    /// Its clock ticks.
    Tick(usize, u32),
    /// Its disk does a part of what it was asked for.
    Disk(usize, u32),
    /// A server starts.
    Start(usize),
    /// An orderly stop comes to its end.
    Stopped(usize, u32),
    /// Something gets from the first server to the second.
    Arrive(usize, usize),
    /// The first notices that its link of this generation to the second is gone.
    LinkLost(usize, usize, u64),
    /// Servers look for links that they lack.
    Dial,
    /// A cut from the first to the second may be over.
    Healed(usize, usize),
    /// Something of a client gets to its server.
    ToServer(usize),
    /// Something of a server gets to its client.
    ToClient(usize),
    /// A client acts.
    Client(usize),
    /// A fault of the plan strikes.
    Strike(usize),
    /// A full disk has room again.
    Room(usize),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Queue {
    heap: BinaryHeap<Reverse<(Time, u64, Event)>>,
    next: u64,
}

impl Queue {
    /// Decides that something will happen.
    pub fn at(&mut self, when: Time, event: Event) {
        self.next += 1;
        self.heap.push(Reverse((when, self.next, event)));
    }

    /// The next one.
    pub fn pop(&mut self) -> Option<(Time, Event)> {
        self.heap.pop().map(|Reverse((when, _, event))| (when, event))
    }
}
