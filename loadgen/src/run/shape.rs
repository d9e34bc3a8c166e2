//! The shape of a workload: what flags and files may say about it. Each setting may be missing from both.

use crate::cli::{connections, depth, positive_count, prefix, rate, ratio, threads};
use crate::engine::Arrival;
use crate::units::parse_duration;
use crate::workload::{Distribution, Mix, Sizes};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// The settings of a workload, by flags or in a file.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Shape {
    /// Servers, HOST or HOST:PORT; the port is 2181 unless given. [default: 127.0.0.1:2181]
    #[arg(short, long, value_name = "HOST:PORT,...", value_delimiter = ',')]
    #[serde(deserialize_with = "servers_in")]
    pub servers: Option<Vec<String>>,
    /// Session timeout to ask for; the server may grant another. [default: 30s]
    #[arg(long, value_parser = parse_duration, value_name = "TIME")]
    #[serde(deserialize_with = "time_in")]
    pub session_timeout: Option<Duration>,
    /// Limit for establishing a session. [default: 10s]
    #[arg(long, value_parser = parse_duration, value_name = "TIME")]
    #[serde(deserialize_with = "time_in")]
    pub connect_timeout: Option<Duration>,
    /// Sessions, each with a connection of its own. [default: 16]
    #[arg(short, long, value_parser = connections, value_name = "N")]
    #[serde(deserialize_with = "connections_in")]
    pub connections: Option<usize>,
    /// Operations in flight on each connection (pipelining); with --rate, at most. [default: 1]
    #[arg(short, long, value_parser = depth, value_name = "N")]
    #[serde(deserialize_with = "depth_in")]
    pub depth: Option<usize>,
    /// Bytes of each value: 100, a range 100..4k (4k is 4096), or several by weight: 100=80,4k..16k=20. [default: 100]
    #[arg(short, long, value_name = "BYTES")]
    #[serde(deserialize_with = "sizes_in")]
    pub value_size: Option<Sizes>,
    /// Share of gets, 0 to 1; the others are sets. [default: 0.5]
    #[arg(long, conflicts_with = "mix", value_name = "0..1", value_parser = ratio)]
    #[serde(deserialize_with = "ratio_in")]
    pub read_ratio: Option<f64>,
    /// Operations by weight: set, get, create, delete, exists, children, multi:N, check-set, ephemeral, watch.
    #[arg(long, value_name = "KIND=WEIGHT,...")]
    pub mix: Option<Mix>,
    /// Number of keys that operations choose from; 100k is 100,000. [default: 10000]
    #[arg(short, long, value_parser = positive_count, value_name = "N")]
    #[serde(deserialize_with = "count_in")]
    pub keys: Option<u64>,
    /// How keys are chosen: uniform, zipfian:EXPONENT, or hot:KEYS%:OPERATIONS% (this share of the keys gets that share of
    /// the operations). [default: uniform]
    #[arg(long, value_name = "DISTRIBUTION")]
    #[serde(deserialize_with = "distribution_in")]
    pub key_distribution: Option<Distribution>,
    /// Keys that share a parent: the length of the lists that `children` gets. [default: 100]
    #[arg(long, value_parser = positive_count, value_name = "N")]
    #[serde(deserialize_with = "count_in")]
    pub keys_per_parent: Option<u64>,
    /// Path under which all nodes are made. [default: /loadgen]
    #[arg(long, value_parser = prefix, value_name = "PATH")]
    #[serde(deserialize_with = "prefix_in")]
    pub prefix: Option<String>,
    /// Open loop: start this many operations per second, whatever the server does. Without it, each reply starts
    /// the next operation (closed loop).
    #[arg(short, long, value_name = "PER_SECOND", value_parser = rate)]
    #[serde(deserialize_with = "rate_in")]
    pub rate: Option<f64>,
    /// How an open loop's operations are spread in time. [default: poisson]
    #[arg(long, value_enum)]
    #[serde(deserialize_with = "arrival_in")]
    pub arrival: Option<Arrival>,
    /// Length of the measured window. [default: 10s; 5s for each step of --until-saturated]
    #[arg(short = 't', long, value_parser = parse_duration, value_name = "TIME")]
    #[serde(deserialize_with = "time_in")]
    pub duration: Option<Duration>,
    /// Measure this many operations instead of a time.
    #[arg(short = 'n', long, conflicts_with = "duration", value_parser = positive_count, value_name = "N")]
    #[serde(deserialize_with = "count_in")]
    pub ops: Option<u64>,
    /// Load before the measured window. [default: 3s; 2s for each step of --until-saturated]
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME")]
    #[serde(deserialize_with = "time_in")]
    pub warmup: Option<Duration>,
    /// Threads that share the connections: more than one is of use if the servers leave a core for each. One makes some
    /// 500,000 operations per second pipelined. [default: 1]
    #[arg(long, value_parser = threads, value_name = "N")]
    #[serde(deserialize_with = "threads_in")]
    pub threads: Option<usize>,
    /// Seed of the choice of operations, keys and arrival times. [default: from the clock, reported]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

impl Shape {
    /// Reads a workload file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(path: &Path) -> Result<Shape> {
        let text = std::fs::read_to_string(path).with_context(|| format!("workload {}", path.display()))?;
        let shape: Shape = toml::from_str(&text).with_context(|| format!("workload {}", path.display()))?;
        let both = |a: bool, b: bool, what: &str| {
            if a && b {
                Err(anyhow::Error::msg(format!("workload {}: {what}: only one of them", path.display())))
            } else {
                Ok(())
            }
        };
        both(shape.mix.is_some(), shape.read_ratio.is_some(), "it has mix and read-ratio")?;
        both(shape.ops.is_some(), shape.duration.is_some(), "it has ops and duration")?;
        Ok(shape)
    }

    /// These settings, and `other`'s where there are none.
    pub fn or(self, other: Shape) -> Shape {
        let operations = self.mix.is_some() || self.read_ratio.is_some();
        let length = self.ops.is_some() || self.duration.is_some();
        Shape {
            servers: self.servers.or(other.servers),
            session_timeout: self.session_timeout.or(other.session_timeout),
            connect_timeout: self.connect_timeout.or(other.connect_timeout),
            connections: self.connections.or(other.connections),
            depth: self.depth.or(other.depth),
            value_size: self.value_size.or(other.value_size),
            read_ratio: self.read_ratio.or(other.read_ratio.filter(|_| !operations)),
            mix: self.mix.or(other.mix.filter(|_| !operations)),
            keys: self.keys.or(other.keys),
            key_distribution: self.key_distribution.or(other.key_distribution),
            keys_per_parent: self.keys_per_parent.or(other.keys_per_parent),
            prefix: self.prefix.or(other.prefix),
            rate: self.rate.or(other.rate),
            arrival: self.arrival.or(other.arrival),
            duration: self.duration.or(other.duration.filter(|_| !length)),
            ops: self.ops.or(other.ops.filter(|_| !length)),
            warmup: self.warmup.or(other.warmup),
            threads: self.threads.or(other.threads),
            seed: self.seed.or(other.seed),
        }
    }
}

/// A value as it would stand on the command line: a text, or a number.
struct Word(String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
        struct TextOrNumber;
        impl Visitor<'_> for TextOrNumber {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number, as on the command line")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
                Ok(Word(text.to_owned()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }
        }
        deserializer.deserialize_any(TextOrNumber)
    }
}

/// Readers of a file's values: they do what the flag's reader does.
macro_rules! readers {
    ($($name:ident: $type:ty = $parse:expr;)*) => {$(
        fn $name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<$type>, D::Error> {
            let parse: fn(&str) -> Result<$type, String> = $parse;
            parse(&Word::deserialize(deserializer)?.0).map(Some).map_err(D::Error::custom)
        }
    )*};
}

readers! {
    time_in: Duration = parse_duration;
    connections_in: usize = connections;
    depth_in: usize = depth;
    threads_in: usize = threads;
    sizes_in: Sizes = str::parse;
    ratio_in: f64 = ratio;
    count_in: u64 = positive_count;
    distribution_in: Distribution = str::parse;
    prefix_in: String = prefix;
    rate_in: f64 = rate;
    arrival_in: Arrival = |text| Arrival::from_str(text, true);
}

/// A list of servers, or a text with commas.
fn servers_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "write [\"HOST:PORT\", ...] or \"HOST:PORT,...\"")]
    enum Servers {
        List(Vec<String>),
        Text(String),
    }
    Ok(Some(match Servers::deserialize(deserializer)? {
        Servers::List(list) => list,
        Servers::Text(text) => text.split(',').map(str::to_owned).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Shape> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(&file, text)?;
        Shape::read(file.path())
    }

    #[test]
    fn a_file_says_what_flags_say() {
        let shape = read(
            "servers = \"a:1,b:2\"\nconnections = 8\nkeys = \"10k\"\nvalue-size = \"100=3,1k..2k=1\"\nwarmup = 2\n\
             key-distribution = \"zipfian:1.1\"\nduration = \"1m\"\nrate = 1.5\narrival = \"fixed\"\n[mix]\nget = 3\n\"multi:2\" = 0.5\n",
        )
        .unwrap();
        assert_eq!(shape.servers.unwrap(), ["a:1", "b:2"]);
        assert_eq!((shape.connections, shape.keys, shape.rate), (Some(8), Some(10_000), Some(1.5)));
        assert_eq!(shape.value_size.unwrap().to_string(), "100=3,1024..2048=1");
        assert_eq!(shape.key_distribution, Some(Distribution::Zipfian(1.1)));
        assert_eq!((shape.duration, shape.warmup), (Some(Duration::from_secs(60)), Some(Duration::from_secs(2))));
        assert_eq!(shape.arrival, Some(Arrival::Fixed));
        assert_eq!(shape.mix.unwrap().to_string(), "get=3,multi:2=0.5");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_line() {
        for (text, line, says) in [
            ("depth = 4\nsesions = 5\n", "line 2", "unknown field `sesions`, expected one of"),
            ("depth = \"x\"\n", "line 1", "no number"),
            ("\nvalue-size = \"2m\"\n", "line 2", "at most"),
            ("mix = \"sat=1\"\n", "line 1", "no operation; there are set, get"),
            ("[mix]\nget = -1\n", "line 1", "negative"),
            ("mix = 5\n", "line 1", "{ get = 80, set = 20 }"),
            ("servers = 5\n", "line 1", "HOST:PORT"),
            ("arrival = \"late\"\n", "line 1", "late"),
            ("key-distribution = \"even\"\n", "line 1", "zipfian"),
            ("prefix = \"here\"\n", "line 1", "absolute"),
            ("depth 5\n", "line 1", "="),
            ("mix = \"get=1\"\nread-ratio = 0.5\n", "", "mix and read-ratio"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(line) && error.contains(says), "{text}: {error}");
        }
        assert!(format!("{:#}", Shape::read(Path::new("/no/such/file")).unwrap_err()).contains("/no/such/file"));
    }

    #[test]
    fn flags_override_the_file_and_what_excludes_it() {
        let flags = Shape { depth: Some(3), read_ratio: Some(0.1), ops: Some(7), ..Shape::default() };
        let file = read("depth = 9\nconnections = 9\nmix = \"get=1\"\nduration = 5\n").unwrap();
        let shape = flags.or(file);
        assert_eq!((shape.depth, shape.connections), (Some(3), Some(9)));
        assert!(shape.mix.is_none() && shape.duration.is_none(), "the flags say something else about it");
        assert_eq!((shape.read_ratio, shape.ops), (Some(0.1), Some(7)));
    }
}
