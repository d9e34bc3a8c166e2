//! When memory is short: a pure decision on numbers that the driver reads.

/// Below the bound by so many hundredths of the limit, memory is no longer short: refusing and admitting must not
/// alternate with every request.
const RELIEF_PERCENT: u64 = 3;

/// What may be used of the memory that there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryBound {
    /// Bytes that there are.
    pub limit: u64,
    /// Share of them from which on memory is short, in percent; 0: it never is.
    pub percent: u8,
}

impl MemoryBound {
    /// Whether memory is short when `used` bytes are in use, given whether it was before.
    #[must_use]
    pub fn is_short(&self, used: u64, was: bool) -> bool {
        if self.percent == 0 || self.limit == 0 {
            return false;
        }
        let percent = u64::from(self.percent);
        let bound = if was { percent.saturating_sub(RELIEF_PERCENT) } else { percent };
        u128::from(used) * 100 >= u128::from(self.limit) * u128::from(bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_from_the_bound_on_until_well_below_it() {
        let bound = MemoryBound { limit: 1000, percent: 90 };
        let check = |used, was, short| assert_eq!(bound.is_short(used, was), short, "{used} {was}");
        check(899, false, false);
        check(900, false, true);
        check(899, true, true);
        check(870, true, true);
        check(869, true, false);
        check(u64::MAX, false, true);
    }

    #[test]
    fn nothing_is_short_without_a_bound() {
        assert!(!MemoryBound { limit: 1000, percent: 0 }.is_short(u64::MAX, true));
        assert!(!MemoryBound { limit: 0, percent: 90 }.is_short(u64::MAX, true));
    }
}
