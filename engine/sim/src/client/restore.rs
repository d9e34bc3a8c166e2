//! Sometimes a client keeps a snapshot, and later has the tree replaced by it, as the admin server does: piece by piece
//! it is put into the tree, then comes the request. Other clients go on meanwhile, and so does this one behind it.

use super::Client;
use super::ask::What;
use crate::world::World;
use std::collections::VecDeque;

/// Of a thousand requests, so many are the beginning of one or the other.
const KEPT: u64 = 10;
const RESTORED: u64 = 8;
/// What fits into a write of the smallest log.
const PIECE: usize = 1 << 10;
/// Snapshots that have snapshots in them must not grow without bound.
const LARGEST: usize = 12 << 10;

/// See the module.
#[derive(Default)]
pub(super) struct Restoring {
    kept: Vec<u8>,
    steps: VecDeque<What>,
}

impl Restoring {
    /// The connection is gone, and what is under way with it.
    pub(super) fn give_up(&mut self) {
        self.steps.clear();
    }
}

impl Client {
    /// The next step of a restore that is under way, or begins now.
    pub(super) fn next_of_restore(&mut self, world: &mut World) -> Option<What> {
        if self.restoring.steps.is_empty() {
            let chance = self.rng.below(1000);
            if chance < KEPT {
                self.restoring.kept = world.snapshot_at(self.at).filter(|bytes| bytes.len() <= LARGEST)?;
            } else if chance < KEPT + RESTORED && !self.restoring.kept.is_empty() {
                self.begin_restore();
            }
        }
        self.restoring.steps.pop_front()
    }

    fn begin_restore(&mut self) {
        let top = format!("/restore-{}-{}", self.name, self.xid);
        let pieces = self.restoring.kept.chunks(PIECE).enumerate();
        let pieces = pieces.map(|(n, piece)| What::Stage(format!("{top}/{n:04}"), piece.to_vec()));
        let mut steps: VecDeque<What> = pieces.collect();
        steps.push_front(What::Stage(top.clone(), Vec::new()));
        steps.push_back(What::Restore(top));
        self.restoring.steps = steps;
    }
}
