//! How often each kind of operation is drawn.

use crate::op::OpKind;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Most sets in a multi.
const LARGEST_MULTI: usize = 1_000;

/// Kinds of operations by weight.
#[derive(Clone, PartialEq, Debug)]
pub struct Mix {
    /// Kinds with their weights, which need not add up to anything.
    weights: Vec<(OpKind, f64)>,
    /// Sets in a multi.
    multi: usize,
}

impl Mix {
    /// `ratio` (0 to 1) gets, the rest sets.
    pub fn reads(ratio: f64) -> Mix {
        let weights = [(OpKind::Get, ratio * 100.0), (OpKind::Set, 100.0 - ratio * 100.0)];
        Mix { weights: weights.into_iter().filter(|(_, weight)| *weight > 0.0).collect(), multi: 0 }
    }

    /// Sets in a multi.
    pub fn multi(&self) -> usize {
        self.multi
    }

    /// The kinds that are drawn, and those that may stand in for them or undo them.
    pub fn kinds(&self) -> Vec<OpKind> {
        let mut kinds: Vec<OpKind> = self.weights.iter().map(|(kind, _)| *kind).collect();
        if kinds.contains(&OpKind::Delete) && !kinds.contains(&OpKind::Create) {
            kinds.push(OpKind::Create);
        }
        if kinds.contains(&OpKind::Ephemeral) {
            kinds.push(OpKind::Release);
        }
        kinds
    }

    /// Whether any operation needs the keys.
    pub fn uses_keys(&self) -> bool {
        let makes_its_own = |kind| matches!(kind, OpKind::Create | OpKind::Delete | OpKind::Ephemeral);
        self.weights.iter().any(|(kind, _)| !makes_its_own(*kind))
    }

    /// Upper bounds of the kinds' shares of all 32-bit numbers.
    pub fn thresholds(&self) -> Vec<(u32, OpKind)> {
        let total: f64 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        let mut thresholds: Vec<(u32, OpKind)> = Vec::new();
        for (kind, weight) in &self.weights {
            sum += weight;
            thresholds.push(((sum / total * f64::from(u32::MAX)) as u32, *kind));
        }
        if let Some((last, _)) = thresholds.last_mut() {
            *last = u32::MAX;
        }
        thresholds
    }

    fn of<'t>(parts: impl Iterator<Item = (&'t str, f64)>) -> Result<Mix, String> {
        let mut mix = Mix { weights: Vec::new(), multi: 0 };
        for (name, weight) in parts {
            let kind = mix.kind(name)?;
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(format!("weight {weight} of {name}: it must not be negative"));
            }
            if mix.weights.iter().any(|(known, _)| *known == kind) {
                return Err(format!("{} is named twice", kind.name()));
            }
            mix.weights.push((kind, weight));
        }
        mix.weights.retain(|(_, weight)| *weight > 0.0);
        if mix.weights.is_empty() {
            return Err("every weight is 0: there is nothing to do".into());
        }
        Ok(mix)
    }

    /// Reads a kind; a multi tells its length, too.
    fn kind(&mut self, name: &str) -> Result<OpKind, String> {
        let (name, length) = name.split_once(':').map_or((name, None), |(name, length)| (name, Some(length)));
        let kind = OpKind::MIXED.into_iter().find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| {
            let known: Vec<_> = OpKind::MIXED.iter().map(|kind| kind.name()).collect();
            format!("{name:?} is no operation; there are {}", known.join(", "))
        })?;
        if kind == OpKind::Multi {
            let length = length.and_then(|length| length.parse().ok()).filter(|n| (1..=LARGEST_MULTI).contains(n));
            self.multi =
                length.ok_or_else(|| format!("write multi:N, a transaction of N sets (1 to {LARGEST_MULTI})"))?;
        } else if length.is_some() {
            return Err(format!("{name} takes no number; only multi does"));
        }
        Ok(kind)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (kind, weight)) in self.weights.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}", kind.name())?;
            if *kind == OpKind::Multi {
                write!(f, ":{}", self.multi)?;
            }
            write!(f, "={weight}")?;
        }
        Ok(())
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Mix, String> {
        let mut parts = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').ok_or_else(|| format!("{part:?}: write KIND=WEIGHT"))?;
            let weight: f64 = weight.trim().parse().map_err(|_| format!("{weight:?} is no number"))?;
            parts.push((name.trim(), weight));
        }
        Mix::of(parts.into_iter())
    }
}

/// A text as on the command line, or a table.
impl<'de> Deserialize<'de> for Mix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Mix, D::Error> {
        struct TextOrTable;
        impl<'de> Visitor<'de> for TextOrTable {
            type Value = Mix;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"get=80,set=20\" or { get = 80, set = 20 }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Mix, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Mix, A::Error> {
                let table = BTreeMap::<String, f64>::deserialize(MapAccessDeserializer::new(map))?;
                Mix::of(table.iter().map(|(name, weight)| (name.as_str(), *weight))).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_any(TextOrTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_are_read_and_written() {
        let mix: Mix = "set=50,get=40,create=5,delete=5,children=0".parse().unwrap();
        assert_eq!(mix.to_string(), "set=50,get=40,create=5,delete=5");
        assert_eq!(Mix::reads(1.0).to_string(), "get=100");
        let mix: Mix = "multi:5=1,check-set=2,ephemeral=1,watch=1".parse().unwrap();
        assert_eq!(mix.to_string(), "multi:5=1,check-set=2,ephemeral=1,watch=1");
        assert_eq!(mix.multi(), 5);
        for (bad, why) in [
            ("set", "KIND=WEIGHT"),
            ("sat=1", "no operation"),
            ("set=x", "no number"),
            ("set=-1", "negative"),
            ("set=1,set=2", "twice"),
            ("multi:2=1,multi:3=1", "twice"),
            ("multi=1", "multi:N"),
            ("multi:0=1", "multi:N"),
            ("multi:many=1", "multi:N"),
            ("get:3=1", "takes no number"),
            ("release=1", "no operation"),
            ("set=0", "nothing to do"),
        ] {
            let error = bad.parse::<Mix>().unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn what_is_undone_is_recorded_and_only_some_need_keys() {
        let mix: Mix = "ephemeral=1".parse().unwrap();
        assert_eq!(mix.kinds(), [OpKind::Ephemeral, OpKind::Release]);
        assert!(!mix.uses_keys());
        assert!("multi:2=1".parse::<Mix>().unwrap().uses_keys());
    }
}
