//! Which key an operation is about: all alike, by Zipf's law, or mostly from a hot set.

use crate::random::Random;
use std::fmt;
use std::str::FromStr;

/// How keys are chosen.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Distribution {
    /// All alike.
    #[default]
    Uniform,
    /// The key of rank r with a weight of 1 / r^exponent.
    Zipfian(f64),
    /// A share of the keys gets a share of the operations.
    Hot {
        /// Of the keys, 0 to 1.
        keys: f64,
        /// Of the operations, 0 to 1.
        operations: f64,
    },
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distribution::Uniform => f.write_str("uniform"),
            Distribution::Zipfian(exponent) => write!(f, "zipfian:{exponent}"),
            Distribution::Hot { keys, operations } => write!(f, "hot:{}%:{}%", keys * 100.0, operations * 100.0),
        }
    }
}

impl FromStr for Distribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Distribution, String> {
        let mut parts = text.split(':').map(str::trim);
        let found = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("uniform"), None, ..) => Distribution::Uniform,
            (Some("zipfian"), exponent, None, _) => Distribution::Zipfian(exponent.map_or(Ok(0.99), exponent_from)?),
            (Some("hot"), Some(keys), Some(operations), None) => {
                Distribution::Hot { keys: share_from(keys)?, operations: share_from(operations)? }
            }
            _ => {
                return Err("write uniform, zipfian:0.99, or hot:10%:90% (a tenth of the keys, most operations)".into());
            }
        };
        Ok(found)
    }
}

fn exponent_from(text: &str) -> Result<f64, String> {
    let exponent: f64 = text.parse().map_err(|_| format!("exponent {text:?} is no number"))?;
    if exponent > 0.0 && exponent <= 10.0 { Ok(exponent) } else { Err("an exponent is above 0 and at most 10".into()) }
}

fn share_from(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').ok_or_else(|| format!("{text:?} is no share: write 10%"))?;
    let percent: f64 = percent.trim().parse().map_err(|_| format!("{text:?} is no share: write 10%"))?;
    if percent > 0.0 && percent <= 100.0 {
        Ok(percent / 100.0)
    } else {
        Err("a share is above 0 and at most 100%".into())
    }
}

/// Draws keys.
#[derive(Clone, Debug)]
pub struct Choice {
    keys: u64,
    rank: Rank,
    /// Ranks are this far apart among the keys, so that popular keys do not share a parent.
    stride: u64,
}

#[derive(Clone, Debug)]
enum Rank {
    Uniform,
    Zipf(Zipf),
    Hot { hot: u64, operations: f64 },
}

impl Choice {
    /// Among so many keys.
    pub fn new(distribution: Distribution, keys: u64) -> Choice {
        let rank = match distribution {
            Distribution::Uniform => Rank::Uniform,
            Distribution::Zipfian(exponent) => Rank::Zipf(Zipf::new(keys, exponent)),
            Distribution::Hot { keys: share, operations } => {
                Rank::Hot { hot: ((keys as f64 * share).ceil() as u64).clamp(1, keys), operations }
            }
        };
        Choice { keys, rank, stride: stride(keys) }
    }

    /// A key.
    pub fn draw(&self, random: &mut Random) -> u64 {
        let rank = match &self.rank {
            Rank::Uniform => return random.below(self.keys),
            Rank::Zipf(zipf) => zipf.draw(random) - 1,
            Rank::Hot { hot, operations } => {
                if random.unit() < *operations || *hot == self.keys {
                    random.below(*hot)
                } else {
                    hot + random.below(self.keys - hot)
                }
            }
        };
        // At most 2^32 keys: no overflow.
        rank * self.stride % self.keys
    }
}

/// A step near the golden section that visits every key.
fn stride(keys: u64) -> u64 {
    let gcd = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let near = (keys as f64 * 0.618) as u64;
    (near..=keys).find(|&step| step > 0 && gcd(step, keys) == 1).unwrap_or(1)
}

/// Zipf's law, drawn by rejection-inversion (Hörmann and Derflinger, 1996): no table, however many keys.
#[derive(Clone, Debug)]
struct Zipf {
    keys: f64,
    exponent: f64,
    /// The integral at one half beyond the first and the last rank.
    low: f64,
    high: f64,
    /// Ranks this close to their point are taken at once.
    sure: f64,
}

impl Zipf {
    fn new(keys: u64, exponent: f64) -> Zipf {
        let mut zipf = Zipf { keys: keys as f64, exponent, low: 0.0, high: 0.0, sure: 0.0 };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(zipf.keys + 0.5);
        zipf.sure = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.weight(2.0));
        zipf
    }

    fn draw(&self, random: &mut Random) -> u64 {
        loop {
            let u = self.high + random.unit() * (self.low - self.high);
            let x = self.inverse(u);
            let rank = x.round().clamp(1.0, self.keys);
            if rank - x <= self.sure || u >= self.integral(rank + 0.5) - self.weight(rank) {
                return rank as u64;
            }
        }
    }

    fn weight(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// Of the weight from 1 to x. Written so that an exponent of 1 is no special case.
    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        growth((1.0 - self.exponent) * log) * log
    }

    fn inverse(&self, y: f64) -> f64 {
        let t = (y * (1.0 - self.exponent)).max(-1.0);
        (decline(t) * y).exp()
    }
}

/// (e^x - 1) / x
fn growth(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x / 2.0 }
}

/// ln(1 + x) / x
fn decline(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str, keys: u64, draws: u32) -> Vec<u32> {
        let choice = Choice::new(text.parse().unwrap(), keys);
        let mut random = Random::new(5);
        let mut counts = vec![0; keys as usize];
        (0..draws).for_each(|_| counts[choice.draw(&mut random) as usize] += 1);
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts
    }

    #[test]
    fn zipf_gives_each_rank_its_weight() {
        for exponent in [0.5, 0.99, 1.0, 2.0] {
            let total: f64 = (1..=50).map(|rank| f64::from(rank).powf(-exponent)).sum();
            let counts = counts(&format!("zipfian:{exponent}"), 50, 200_000);
            for rank in [1, 2, 5] {
                let expected = 200_000.0 * f64::from(rank).powf(-exponent) / total;
                let found = f64::from(counts[rank as usize - 1]);
                assert!((found / expected - 1.0).abs() < 0.06, "{exponent}: rank {rank} {found} of {expected}");
            }
        }
    }

    #[test]
    fn a_hot_set_gets_its_share_and_every_key_is_reached() {
        let counts = counts("hot:10%:90%", 100, 100_000);
        let hot: u32 = counts[..10].iter().sum();
        assert!((89_000..91_000).contains(&hot), "{hot}");
        assert!(counts[99] > 0);
    }

    #[test]
    fn one_key_and_the_largest_space_are_no_special_cases() {
        for text in ["uniform", "zipfian", "hot:1%:1%"] {
            for keys in [1, 2, 3, u64::from(u32::MAX)] {
                let choice = Choice::new(text.parse().unwrap(), keys);
                let mut random = Random::new(1);
                assert!((0..100).all(|_| choice.draw(&mut random) < keys), "{text} {keys}");
            }
        }
    }

    #[test]
    fn popular_keys_are_spread() {
        let choice = Choice::new("zipfian:2".parse().unwrap(), 10_000);
        let mut random = Random::new(1);
        let keys: std::collections::BTreeSet<u64> = (0..200).map(|_| choice.draw(&mut random)).collect();
        let parents: std::collections::BTreeSet<u64> = keys.iter().map(|key| key / 100).collect();
        assert!(parents.len() + 3 > keys.len(), "{keys:?}");
    }

    #[test]
    fn distributions_are_read_and_written() {
        for text in ["uniform", "zipfian:0.99", "hot:10%:90%"] {
            assert_eq!(text.parse::<Distribution>().unwrap().to_string(), text);
        }
        for text in
            ["", "zipf", "zipfian:0", "zipfian:x", "zipfian:1:2", "hot", "hot:10:90", "hot:0%:5%", "hot:1%:101%"]
        {
            assert!(text.parse::<Distribution>().is_err(), "{text}");
        }
    }
}
