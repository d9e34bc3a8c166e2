//! Which snapshots, and how much of the log, are kept. PURE.

use ringkeeper_core::ids::Zxid;

/// What may go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Purge {
    /// Snapshots to remove, oldest first.
    pub snapshots: Vec<Zxid>,
    /// The log is not needed through this transaction. Zero while there are fewer snapshots than are to be kept: until
    /// then the whole log stands in for the missing ones.
    pub log_through: Zxid,
}

/// What may go when these snapshots exist, all of them verified, and `keep` (at least 1) are to stay.
#[must_use]
pub fn plan(snapshots: &[Zxid], keep: usize) -> Purge {
    let mut sorted = snapshots.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let excess = sorted.len().saturating_sub(keep.max(1));
    let log_through = if sorted.len() >= keep.max(1) { sorted[excess] } else { Zxid::ZERO };
    sorted.truncate(excess);
    Purge { snapshots: sorted, log_through }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(snapshots: &[u64], keep: usize) -> (Vec<u64>, u64) {
        let purge = plan(&snapshots.iter().map(|&z| Zxid(z)).collect::<Vec<_>>(), keep);
        (purge.snapshots.iter().map(|z| z.0).collect(), purge.log_through.0)
    }

    #[test]
    fn the_newest_stay_with_the_log_that_the_oldest_of_them_needs() {
        assert_eq!(planned(&[], 3), (vec![], 0));
        assert_eq!(planned(&[5], 3), (vec![], 0));
        assert_eq!(planned(&[5, 9], 3), (vec![], 0));
        assert_eq!(planned(&[9, 5, 12], 3), (vec![], 5));
        assert_eq!(planned(&[9, 5, 12, 20, 17], 3), (vec![5, 9], 12));
        assert_eq!(planned(&[9, 5], 1), (vec![5], 9));
        assert_eq!(planned(&[9, 5], 0), (vec![5], 9), "one always stays");
    }
}
