//! Values, and how long they are.

use crate::cli::value_size;
use crate::random::Random;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Lengths of values: ranges by weight.
#[derive(Clone, PartialEq, Debug)]
pub struct Sizes {
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Part {
    least: usize,
    most: usize,
    weight: f64,
}

impl Sizes {
    /// All of one size.
    pub fn fixed(size: usize) -> Sizes {
        Sizes { parts: vec![Part { least: size, most: size, weight: 1.0 }] }
    }

    /// The size, if it is only one.
    fn single(&self) -> Option<usize> {
        match self.parts[..] {
            [part] if part.least == part.most => Some(part.least),
            _ => None,
        }
    }

    /// Whether a value may be so long.
    pub fn admit(&self, size: usize) -> bool {
        self.parts.iter().any(|part| (part.least..=part.most).contains(&size))
    }

    fn largest(&self) -> usize {
        self.parts.iter().map(|part| part.most).max().unwrap_or(0)
    }

    fn draw(&self, random: &mut Random) -> usize {
        let part = match self.parts[..] {
            [part] => part,
            _ => self.drawn_part(random),
        };
        let spread = part.most - part.least;
        if spread == 0 { part.least } else { part.least + random.below(spread as u64 + 1) as usize }
    }

    fn drawn_part(&self, random: &mut Random) -> Part {
        let total: f64 = self.parts.iter().map(|part| part.weight).sum();
        let mut left = random.unit() * total;
        let found = self.parts.iter().find(|part| {
            left -= part.weight;
            left < 0.0
        });
        // Rounding may leave a last bit of the last weight.
        *found.unwrap_or(&self.parts[self.parts.len() - 1])
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.parts.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}", part.least)?;
            if part.most > part.least {
                write!(f, "..{}", part.most)?;
            }
            if self.parts.len() > 1 {
                write!(f, "={}", part.weight)?;
            }
        }
        Ok(())
    }
}

/// A number if it is one.
impl Serialize for Sizes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.single() {
            Some(size) => s.serialize_u64(size as u64),
            None => s.collect_str(self),
        }
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Sizes, String> {
        let parts: Vec<Part> = text.split(',').map(part_from).collect::<Result<_, _>>()?;
        if parts.iter().all(|part| part.weight == 0.0) {
            return Err("every weight is 0".into());
        }
        Ok(Sizes { parts })
    }
}

/// Reads `100`, `100..4k`, either with `=WEIGHT`.
fn part_from(text: &str) -> Result<Part, String> {
    let (sizes, weight) = text.split_once('=').map_or((text, "1"), |(sizes, weight)| (sizes, weight));
    let weight: f64 = weight.trim().parse().map_err(|_| format!("weight {weight:?} is no number"))?;
    if !(weight.is_finite() && weight >= 0.0) {
        return Err(format!("weight {weight}: it must not be negative"));
    }
    let (least, most) = sizes.split_once("..").unwrap_or((sizes, sizes));
    let (least, most) = (value_size(least.trim())?, value_size(most.trim())?);
    if least > most {
        return Err(format!("{}: the smaller size comes first", sizes.trim()));
    }
    Ok(Part { least, most, weight })
}

/// Values are slices of a pool of random bytes at random offsets: they differ, and do not compress.
#[derive(Clone, Debug)]
pub struct Values {
    pool: Vec<u8>,
    sizes: Sizes,
}

const OFFSETS: usize = 4096;

impl Values {
    /// Values of these sizes.
    pub fn new(sizes: &Sizes, random: &mut Random) -> Values {
        let mut pool = vec![0; sizes.largest() + OFFSETS];
        random.fill(&mut pool);
        Values { pool, sizes: sizes.clone() }
    }

    /// One of them.
    pub fn draw(&self, random: &mut Random) -> &[u8] {
        let size = self.sizes.draw(random);
        let start = random.below(OFFSETS as u64) as usize;
        &self.pool[start..start + size]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, written) in
            [("100", "100"), ("4k", "4096"), ("1..2k", "1..2048"), ("10=3, 20..30=1", "10=3,20..30=1")]
        {
            assert_eq!(text.parse::<Sizes>().unwrap().to_string(), written);
        }
        for text in ["", "x", "2..1", "5m", "1=x", "1=-1", "1=0", "..", "1..=5"] {
            assert!(text.parse::<Sizes>().is_err(), "{text}");
        }
    }

    #[test]
    fn values_have_the_sizes_that_were_asked_for() {
        let sizes: Sizes = "10=3,20..22=1".parse().unwrap();
        let mut random = Random::new(1);
        let values = Values::new(&sizes, &mut random);
        let mut counts = [0; 30];
        (0..8_000).for_each(|_| counts[values.draw(&mut random).len()] += 1);
        assert!((5_800..6_200).contains(&counts[10]), "{counts:?}");
        assert!((20..=22).all(|size| counts[size] > 500), "{counts:?}");
        assert_eq!(counts.iter().sum::<i32>(), counts[10] + counts[20] + counts[21] + counts[22]);
        assert!(sizes.admit(21) && !sizes.admit(15));
    }
}
