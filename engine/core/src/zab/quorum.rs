//! Which sets of servers may decide. A majority of the voters now; the type is the place for weights and for two
//! configurations at once.

use crate::ids::ServerId;
use smallvec::SmallVec;
use std::collections::BTreeSet;

/// The voters, and when enough of them agree.
#[derive(Clone, Debug)]
pub struct Quorum {
    voters: BTreeSet<ServerId>,
}

impl Quorum {
    /// Decisions by a majority of `voters`.
    ///
    /// # Panics
    /// If there is no voter: the configuration is checked before.
    #[must_use]
    pub fn majority(voters: impl IntoIterator<Item = ServerId>) -> Quorum {
        let voters: BTreeSet<ServerId> = voters.into_iter().collect();
        assert!(!voters.is_empty(), "an ensemble has at least one voter");
        Quorum { voters }
    }

    /// The voters in order of id.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.voters.iter().copied()
    }

    /// Whether `id` is a voter.
    #[must_use]
    pub fn is_voter(&self, id: ServerId) -> bool {
        self.voters.contains(&id)
    }

    /// Whether those for whom `agrees` holds may decide.
    pub fn is_reached_by(&self, agrees: impl Fn(ServerId) -> bool) -> bool {
        self.voters.iter().filter(|id| agrees(**id)).count() * 2 > self.voters.len()
    }

    /// The highest value that a quorum has reached, when each voter has reached `value_of` it.
    pub fn reached<T: Ord + Copy>(&self, value_of: impl Fn(ServerId) -> T) -> T {
        let mut values: SmallVec<[T; 8]> = self.voters.iter().map(|id| value_of(*id)).collect();
        values.sort_unstable();
        // Ascending: a majority has reached at least the value that (n - 1) / 2 voters stay below.
        values[(values.len() - 1) / 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_majority() {
        for (values, reached) in
            [(&[5][..], 5), (&[1, 9], 1), (&[1, 9, 9], 9), (&[1, 2, 3], 2), (&[4, 3, 2, 1], 2), (&[5, 4, 3, 2, 1], 3)]
        {
            let quorum = Quorum::majority((0..values.len()).map(|n| ServerId(n as u8)));
            assert_eq!(quorum.reached(|id| values[id.0 as usize]), reached, "{values:?}");
        }
    }
}
