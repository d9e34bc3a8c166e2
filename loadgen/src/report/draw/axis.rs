//! Axes: from a quantity to a place, with round numbers on the way.

use crate::report::figure::Unit;

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows.
    pub title: String,
    unit: Unit,
    scale: Scale,
}

#[derive(Clone, Copy, Debug)]
enum Scale {
    Linear {
        low: f64,
        high: f64,
        step: f64,
    },
    Log {
        low: f64,
        high: f64,
    },
    /// Quantiles: every further digit 9 takes the same way. `nines` is the last.
    Nines {
        nines: f64,
    },
}

/// A mark on an axis.
#[derive(Clone, PartialEq, Debug)]
pub struct Tick {
    /// Where: 0 is the beginning, 1 the end.
    pub place: f64,
    /// What is written there; nothing at a line between two marks.
    pub text: String,
}

/// The largest ratio that a logarithmic axis shows.
const LARGEST_RATIO: f64 = 1e12;

impl Axis {
    /// From zero.
    pub fn from_zero(title: &str, unit: Unit, values: impl IntoIterator<Item = f64>) -> Axis {
        let high = values.into_iter().filter(|v| v.is_finite()).fold(0.0, f64::max);
        Axis::linear(title, unit, 0.0, if high > 0.0 { high } else { 1.0 }, true)
    }

    /// From the least to the greatest of the values.
    pub fn spanning(title: &str, unit: Unit, values: impl IntoIterator<Item = f64>) -> Axis {
        let finite = values.into_iter().filter(|v| v.is_finite());
        let (low, high) = finite.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        if low < high {
            Axis::linear(title, unit, low, high, false)
        } else {
            Axis::linear(title, unit, 0.0, 1.0, false)
        }
    }

    /// `round`: the axis goes on to the next round number.
    fn linear(title: &str, unit: Unit, low: f64, high: f64, round: bool) -> Axis {
        // Bounded, so that no difference of two is infinite.
        let (low, high) = (low.clamp(-1e300, 1e300), high.clamp(-1e300, 1e300));
        let step = round_above((high - low) / 6.0);
        let high = if round { (high / step).ceil() * step } else { high };
        Axis { title: title.to_owned(), unit, scale: Scale::Linear { low, high, step } }
    }

    /// Each factor of ten takes the same way. Values that are not above zero are at its beginning.
    pub fn log(title: &str, unit: Unit, values: impl IntoIterator<Item = f64>) -> Axis {
        let positive = values.into_iter().filter(|v| v.is_finite() && *v > 0.0);
        let (low, high) = positive.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = if low <= high { (low, high) } else { (1.0, 10.0) };
        let (low, high) = (low.clamp(1e-250, 1e250), high.clamp(1e-250, 1e250));
        let (low, high) = (low.max(high / LARGEST_RATIO), high.max(low * 1.01));
        Axis { title: title.to_owned(), unit, scale: Scale::Log { low: round_below(low), high: round_above(high) } }
    }

    /// Quantiles, as far as to the one beyond which one of `count` values lies.
    pub fn nines(title: &str, count: u64) -> Axis {
        let nines = (count.max(10) as f64).log10();
        Axis { title: title.to_owned(), unit: Unit::Share, scale: Scale::Nines { nines } }
    }

    /// Where a value is: 0 is the beginning, 1 the end. Never outside.
    pub fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear { low, high, .. } => (value - low) / (high - low),
            Scale::Log { low, high } => (value.max(low) / low).log10() / (high / low).log10(),
            Scale::Nines { .. } if value >= 1.0 => 1.0,
            Scale::Nines { nines } => -(1.0 - value).log10() / nines,
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The marks.
    pub fn ticks(&self) -> Vec<Tick> {
        match self.scale {
            Scale::Linear { low, high, step } => self.linear_ticks(low, high, step),
            Scale::Log { low, high } => self.log_ticks(low, high),
            Scale::Nines { nines } => self.nine_ticks(nines),
        }
    }

    fn tick(&self, value: f64, text: bool) -> Tick {
        Tick { place: self.place(value), text: if text { self.unit.short(value) } else { String::new() } }
    }

    fn linear_ticks(&self, low: f64, high: f64, step: f64) -> Vec<Tick> {
        let first = (low / step).ceil();
        let ticks = (0..20).map(|n| (first + f64::from(n)) * step).take_while(|value| *value <= high + step * 1e-9);
        ticks.map(|value| self.tick(value, true)).collect()
    }

    /// Decades, with more between them the fewer there are; a part of the decades if there are many.
    fn log_ticks(&self, low: f64, high: f64) -> Vec<Tick> {
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let decades = (high / low).log10();
        let every = ((last - first) / 8).max(1);
        let digits: &[f64] = if decades < 1.3 { &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0] } else { &[1.0, 2.0, 5.0] };
        let mut ticks = Vec::new();
        for exponent in (first..=last).filter(|exponent| (exponent - first) % every == 0) {
            for &digit in digits {
                let value = digit * 10_f64.powi(exponent);
                let within = (low * 0.999..=high * 1.001).contains(&value);
                if within && (digit == 1.0 || decades <= 5.0) {
                    ticks.push(self.tick(value, digit == 1.0 || decades <= 3.5));
                }
            }
        }
        ticks
    }

    fn nine_ticks(&self, nines: f64) -> Vec<Tick> {
        let percent = |n: i32| match n {
            0 => "0 %".to_owned(),
            1 => "90 %".to_owned(),
            n => format!("99{}{} %", if n > 2 { "." } else { "" }, "9".repeat(n as usize - 2)),
        };
        let whole = (0..=nines.floor() as i32).map(|n| (f64::from(n), percent(n)));
        let with_median = whole.chain([(0.5_f64.log10().abs(), "50 %".to_owned())]);
        with_median.map(|(at, text)| Tick { place: at / nines, text }).collect()
    }
}

/// The next of 1, 2, 5, 10, ... that is not less.
fn round_above(value: f64) -> f64 {
    let value = value.max(1e-300);
    let decade = 10_f64.powf(value.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * decade >= value * (1.0 - 1e-9));
    digit.unwrap_or(10.0) * decade
}

/// The next of 1, 2, 5, 10, ... that is not more.
fn round_below(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let digit = [5.0, 2.0, 1.0].into_iter().find(|digit| digit * decade <= value * (1.0 + 1e-9));
    digit.unwrap_or(1.0) * decade
}

#[cfg(test)]
mod tests {
    use super::Axis;
    use crate::report::figure::Unit;

    fn texts(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|tick| tick.text).filter(|text| !text.is_empty()).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        let rate = Axis::from_zero("", Unit::Rate, [61_234.0]);
        assert_eq!(texts(&rate), ["0", "20 k", "40 k", "60 k", "80 k"]);
        let time = Axis::log("", Unit::Time, [330e3, 9.4e6]);
        assert_eq!(texts(&time), ["200 µs", "500 µs", "1 ms", "2 ms", "5 ms", "10 ms"]);
        assert_eq!(texts(&Axis::log("", Unit::Time, [1.1e6, 1.9e6])), ["1 ms", "1.5 ms", "2 ms"]);
        let wide = Axis::log("", Unit::Time, [1e3, 9e9]);
        assert_eq!(texts(&wide), ["1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        assert_eq!(texts(&Axis::nines("", 1_000)), ["0 %", "90 %", "99 %", "99.9 %", "50 %"]);
    }

    #[test]
    fn values_are_placed_in_order_and_never_outside() {
        let axes = [
            Axis::from_zero("", Unit::Rate, [10.0]),
            Axis::log("", Unit::Time, [1.0, 1e6]),
            Axis::nines("", 1_000_000),
        ];
        for axis in axes {
            let places: Vec<f64> = [-5.0, 0.0, 0.3, 0.99, 1.0].map(|value| axis.place(value)).to_vec();
            assert!(
                places.is_sorted() && places.iter().all(|place| (0.0..=1.0).contains(place)),
                "{axis:?} {places:?}"
            );
        }
    }

    #[test]
    fn no_values_are_too_strange_for_an_axis() {
        let strange = [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 1e-320, 5.0];
        for a in strange {
            for b in strange {
                let values = [a, b];
                for axis in [
                    Axis::from_zero("", Unit::Rate, values),
                    Axis::spanning("", Unit::Time, values),
                    Axis::log("", Unit::Bytes, values),
                ] {
                    assert!(axis.ticks().len() <= 60, "{a} {b}: {axis:?}");
                    let placed = |value: f64| (0.0..=1.0).contains(&axis.place(value));
                    assert!(strange.iter().all(|value| placed(*value)), "{a} {b}: {axis:?}");
                }
            }
        }
        assert!(Axis::nines("", 0).ticks().len() > 1 && Axis::nines("", u64::MAX).ticks().len() < 30);
    }
}
