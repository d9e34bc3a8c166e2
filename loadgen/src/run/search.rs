//! The search for the highest rate that holds: up by doubling, then by halving the distance. Nothing is measured here.

/// Factor by which the rate grows until it is too high.
const GROWTH: f64 = 2.0;
/// Factor by which it falls until it holds.
const FALL: f64 = 4.0;
/// The rate found and the lowest that was too high are no further apart than this factor.
const PRECISION: f64 = 1.05;
/// Rates at which even a step says nothing any more.
const LEAST: f64 = 1.0;
/// Steps at most: enough to come from a thousand to thirty millions.
const STEPS: u32 = 20;

/// A search.
#[derive(Clone, Debug)]
pub struct Search {
    next: Option<f64>,
    steps: u32,
    /// The highest rate that held.
    held: Option<f64>,
    /// The lowest that did not.
    broke: Option<f64>,
}

impl Search {
    /// A search that begins with this rate.
    pub fn new(rate: f64) -> Search {
        Search { next: Some(rate), steps: 0, held: None, broke: None }
    }

    /// The rate to try next; `None` at the end.
    pub fn next(&self) -> Option<f64> {
        self.next
    }

    /// The highest rate that held.
    pub fn held(&self) -> Option<f64> {
        self.held
    }

    /// The lowest rate that did not.
    pub fn broke(&self) -> Option<f64> {
        self.broke
    }

    /// Notes how it went at [`Search::next`].
    pub fn note(&mut self, held: bool) {
        let Some(rate) = self.next else { return };
        self.steps += 1;
        *(if held { &mut self.held } else { &mut self.broke }) = Some(rate);
        self.next = match (self.held, self.broke) {
            _ if self.steps == STEPS => None,
            (Some(held), Some(broke)) if broke / held <= PRECISION => None,
            (Some(held), Some(broke)) => Some(three_digits((held * broke).sqrt())),
            (Some(held), None) => Some(held * GROWTH),
            (None, Some(broke)) => Some(broke / FALL).filter(|rate| *rate >= LEAST),
            (None, None) => None,
        };
    }
}

/// The nearest number with three digits. Rates are told to people.
fn three_digits(rate: f64) -> f64 {
    let unit = 10f64.powf(rate.log10().floor() - 2.0);
    (rate / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches where the rates up to `limit` hold; the rates that were tried.
    fn search(begin: f64, limit: f64) -> (Search, Vec<f64>) {
        let mut search = Search::new(begin);
        let mut tried = Vec::new();
        while let Some(rate) = search.next() {
            tried.push(rate);
            search.note(rate <= limit);
        }
        (search, tried)
    }

    #[test]
    fn the_rate_doubles_until_it_breaks_and_then_closes_in() {
        let (search, tried) = search(1_000.0, 5_100.0);
        assert_eq!(tried, [1_000.0, 2_000.0, 4_000.0, 8_000.0, 5_660.0, 4_760.0, 5_190.0, 4_970.0]);
        assert_eq!((search.held(), search.broke()), (Some(4_970.0), Some(5_190.0)));
    }

    #[test]
    fn a_first_rate_that_is_too_high_falls() {
        let (search, tried) = search(10_000.0, 700.0);
        assert_eq!(tried[..3], [10_000.0, 2_500.0, 625.0]);
        assert!(search.held().is_some_and(|held| (660.0..=700.0).contains(&held)), "{search:?}");
    }

    #[test]
    fn it_ends_whatever_holds() {
        let (nothing, tried) = search(1_000.0, 0.0);
        assert_eq!((nothing.held(), tried.len()), (None, 5), "{tried:?}");
        let (everything, tried) = search(1_000.0, f64::INFINITY);
        assert_eq!((everything.broke(), tried.len()), (None, STEPS as usize));
        for exponent in 0..60 {
            let limit = 1.3f64.powi(exponent);
            let (found, tried) = search(1_000.0, limit);
            assert!(tried.len() <= STEPS as usize);
            let close = |held: f64| held <= limit && limit / held < PRECISION * 1.01;
            assert!(found.held().is_none_or(close), "{limit}: {found:?}");
            assert!(found.held().is_some() || limit < 4.0, "{limit}: {found:?}");
        }
    }

    #[test]
    fn no_rate_is_tried_twice_however_it_goes() {
        // Every course of holding and breaking in the first twelve steps.
        for course in 0..1u32 << 12 {
            let mut search = Search::new(100.0);
            let mut tried: Vec<f64> = Vec::new();
            for step in 0..STEPS {
                let Some(rate) = search.next() else { break };
                assert!(!tried.contains(&rate), "{course:b}: {rate} after {tried:?}");
                tried.push(rate);
                search.note(course >> (step % 12) & 1 == 1);
            }
            assert!(tried.len() <= STEPS as usize);
        }
    }
}
