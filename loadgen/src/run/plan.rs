//! What a run is to do: flags, file and defaults put together.

use super::args::{Aim, RunArgs};
use super::shape::Shape;
use crate::cli::{OutputArgs, TargetArgs, seconds};
use crate::engine::Arrival;
use crate::units::exact;
use crate::workload::{Distribution, Mix, Sizes};
use serde::{Serialize, Serializer};
use std::fmt::Display;
use std::time::Duration;

/// The effective settings.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names of the flags")]
pub struct Plan {
    #[serde(flatten)]
    pub target: TargetArgs,
    pub connections: usize,
    pub depth: usize,
    pub value_size: Sizes,
    #[serde(serialize_with = "text")]
    pub mix: Mix,
    pub keys: u64,
    #[serde(serialize_with = "text")]
    pub key_distribution: Distribution,
    pub keys_per_parent: u64,
    pub prefix: String,
    pub rate: Option<f64>,
    pub arrival: Arrival,
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,
    pub ops: Option<u64>,
    #[serde(serialize_with = "seconds")]
    pub warmup: Duration,
    pub threads: usize,
    #[serde(skip)]
    pub seed: Option<u64>,
    #[serde(flatten)]
    pub aim: Aim,
    #[serde(flatten)]
    pub output: OutputArgs,
}

impl RunArgs {
    /// Puts flags, file and defaults together.
    ///
    /// # Errors
    /// What is wrong with the file, and what makes no sense together.
    pub fn plan(&self) -> Result<Plan, String> {
        let file = match &self.aim.workload {
            Some(path) => Shape::read(path).map_err(|error| format!("{error:#}"))?,
            None => Shape::default(),
        };
        let plan = Plan::new(self.shape.clone().or(file), self.aim.clone(), self.output.clone())?;
        let (threads, connections) = (plan.threads, plan.connections);
        if threads > connections {
            return Err(format!("{threads} threads for {connections} connections: each thread needs one at least"));
        }
        Ok(plan)
    }
}

impl Plan {
    fn new(shape: Shape, aim: Aim, output: OutputArgs) -> Result<Plan, String> {
        let searching = aim.until_saturated.is_some();
        if shape.arrival.is_some() && shape.rate.is_none() && !searching {
            return Err("--arrival is of an open loop: it needs --rate".into());
        }
        if shape.ops.is_some() && searching {
            return Err("--until-saturated measures for a time: it takes no number of operations".into());
        }
        let (duration, warmup) = if searching { (5, 2) } else { (10, 3) };
        Ok(Plan {
            target: TargetArgs {
                servers: shape.servers.unwrap_or_else(|| vec!["127.0.0.1:2181".into()]),
                session_timeout: shape.session_timeout.unwrap_or(Duration::from_secs(30)),
                connect_timeout: shape.connect_timeout.unwrap_or(Duration::from_secs(10)),
            },
            connections: shape.connections.unwrap_or(16),
            depth: shape.depth.unwrap_or(1),
            value_size: shape.value_size.unwrap_or_else(|| Sizes::fixed(100)),
            mix: shape.mix.unwrap_or_else(|| Mix::reads(shape.read_ratio.unwrap_or(0.5))),
            keys: shape.keys.unwrap_or(10_000),
            key_distribution: shape.key_distribution.unwrap_or_default(),
            keys_per_parent: shape.keys_per_parent.unwrap_or(100),
            prefix: shape.prefix.unwrap_or_else(|| "/loadgen".into()),
            rate: shape.rate,
            arrival: shape.arrival.unwrap_or(Arrival::Poisson),
            duration: shape.duration.unwrap_or(Duration::from_secs(duration)),
            ops: shape.ops,
            warmup: shape.warmup.unwrap_or(Duration::from_secs(warmup)),
            threads: shape.threads.unwrap_or(1),
            seed: shape.seed,
            aim,
            output,
        })
    }

    /// What is done, in a line.
    pub fn title(&self) -> String {
        let connections = if self.connections == 1 { "connection" } else { "connections" };
        let arrival = format!("{:?}", self.arrival).to_lowercase();
        let schedule = match (&self.aim.until_saturated, self.rate) {
            (Some(bound), _) => format!("open loop ({arrival}) as fast as {bound}"),
            (None, Some(rate)) => format!("open loop of {}/s ({arrival})", exact(rate)),
            (None, None) => "closed loop".into(),
        };
        let keys = match self.key_distribution {
            Distribution::Uniform => String::new(),
            other => format!("; keys {other}"),
        };
        format!(
            "{} {connections} x {} deep to {}; {}; values of {} bytes{keys}; {schedule}",
            self.connections,
            self.depth,
            self.target.servers.join(","),
            self.mix,
            self.value_size
        )
    }
}

fn text<S: Serializer>(value: &impl Display, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(value)
}
