//! What can be restored: each snapshot with the transactions that follow it without a gap. PURE.

use super::piece::Head;
use ringkeeper_core::ids::{WallMs, Zxid};

/// A snapshot of a backup.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Base {
    pub(crate) zxid: Zxid,
    /// When it was taken.
    pub(crate) wall: WallMs,
}

/// A snapshot, or the empty state, and all that follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Chain {
    /// `None` for the empty state.
    pub(crate) base: Option<Base>,
    /// In order; each may begin before the end of what is before it.
    pub(crate) pieces: Vec<Head>,
}

impl Chain {
    /// The oldest state that it has.
    pub(crate) fn first(&self) -> Zxid {
        self.base.map_or(Zxid::ZERO, |base| base.zxid)
    }

    /// The newest one.
    pub(crate) fn last(&self) -> Zxid {
        self.pieces.last().map_or(self.first(), |piece| piece.last)
    }

    /// When the newest one was.
    pub(crate) fn last_wall(&self) -> WallMs {
        self.pieces.last().map_or(self.base.map_or(WallMs(0), |base| base.wall), |piece| piece.wall)
    }
}

/// All chains, the oldest first.
pub(crate) fn chains(mut bases: Vec<Base>, mut pieces: Vec<Head>) -> Vec<Chain> {
    bases.sort_unstable();
    pieces.sort_unstable_by_key(|piece| (piece.prev, piece.last));
    let from_nothing = pieces.first().is_some_and(|piece| piece.prev == Zxid::ZERO).then_some(None);
    from_nothing.into_iter().chain(bases.into_iter().map(Some)).map(|base| chain(base, &pieces)).collect()
}

/// Pieces may overlap: two servers' backups that were put together tell the same history. The one that goes furthest is next.
fn chain(base: Option<Base>, pieces: &[Head]) -> Chain {
    let mut chain = Chain { base, pieces: Vec::new() };
    let follows = |last: Zxid, piece: &&Head| piece.prev <= last && piece.last > last;
    while let Some(next) = pieces.iter().filter(|piece| follows(chain.last(), piece)).max_by_key(|piece| piece.last) {
        chain.pieces.push(*next);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(zxid: u64) -> Base {
        Base { zxid: Zxid(zxid), wall: WallMs(zxid as i64) }
    }

    fn piece(prev: u64, last: u64) -> Head {
        Head { prev: Zxid(prev), last: Zxid(last), frames: 1, bytes: 1, ensemble: 1, wall: WallMs(last as i64) }
    }

    fn ranges(bases: &[u64], pieces: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let bases = bases.iter().map(|zxid| base(*zxid)).collect();
        let pieces = pieces.iter().map(|(prev, last)| piece(*prev, *last)).collect();
        chains(bases, pieces).iter().map(|chain| (chain.first().0, chain.last().0)).collect()
    }

    #[test]
    fn chains_go_as_far_as_nothing_is_missing() {
        assert!(ranges(&[], &[]).is_empty());
        assert_eq!(ranges(&[5], &[]), [(5, 5)]);
        assert_eq!(ranges(&[], &[(4, 9), (0, 4)]), [(0, 9)]);
        assert_eq!(ranges(&[5, 30], &[(5, 9), (9, 12), (30, 40)]), [(5, 12), (30, 40)]);
        assert_eq!(ranges(&[5, 7], &[(5, 9), (9, 12)]), [(5, 12), (7, 12)], "a snapshot within");
        assert_eq!(ranges(&[5], &[(5, 9), (10, 12)]), [(5, 9)]);
        assert_eq!(ranges(&[5], &[(5, 9), (8, 12), (12, 14)]), [(5, 14)], "pieces that overlap");
        assert_eq!(ranges(&[5], &[(3, 7), (5, 9), (5, 12), (6, 8)]), [(5, 12)], "the one that goes furthest");
        assert_eq!(ranges(&[5], &[(2, 5), (2, 4)]), [(5, 5)], "nothing that the snapshot does not have");
        assert_eq!(ranges(&[5], &[(6, 9)]), [(5, 5)], "the one after the snapshot is missing");
        assert_eq!(chains(vec![base(5)], vec![piece(5, 9)])[0].last_wall(), WallMs(9));
    }
}
