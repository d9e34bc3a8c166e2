//! `failover`: gaps, round by round.

use super::{Gaps, Measurement, RoundCourse, remarks};
use crate::failover::phases_of;
use crate::report::figure::{Better, Figure, Unit};
use serde::Deserialize;
use serde_json::Value;

const MS: f64 = 1e6;

#[derive(Deserialize)]
struct Failover {
    survivors: Troubles,
    displaced: Troubles,
    verification: Option<Verification>,
    rounds: Vec<Round>,
}

#[derive(Deserialize)]
struct Troubles {
    connections_lost: u64,
    unknown_writes: u64,
}

#[derive(Deserialize)]
struct Verification {
    lost: u64,
}

#[derive(Deserialize)]
struct Round {
    write_gap_ms: f64,
    steady_gap_ms: f64,
    return_gap_ms: Option<f64>,
    back_ms: Option<f64>,
    survivor_gap_ms: Vec<f64>,
    displaced_gap_ms: Vec<f64>,
    course: Option<Course>,
}

/// Older documents have none.
#[derive(Deserialize)]
struct Course {
    from_ms: f64,
    step_ms: f64,
    undone_ms: f64,
    returned_ms: Option<f64>,
    writes: Vec<u64>,
}

/// Reads a result of `failover`.
pub fn measurement(result: &Value) -> Result<Measurement, serde_json::Error> {
    let found = Failover::deserialize(result)?;
    let each = |figure: fn(&Round) -> Option<f64>| found.rounds.iter().filter_map(figure).collect::<Vec<f64>>();
    let all = |figures: fn(&Round) -> &Vec<f64>| found.rounds.iter().flat_map(figures).copied().collect::<Vec<f64>>();
    let gaps: Vec<Gaps> = [
        ("any client", each(|round| Some(round.write_gap_ms))),
        ("a client of a surviving server", all(|round| &round.survivor_gap_ms)),
        ("a client of the server at fault", all(|round| &round.displaced_gap_ms)),
    ]
    .into_iter()
    .map(|(name, ms)| Gaps { name, lengths: ms.into_iter().map(|ms| ms * MS).collect() })
    .collect();
    let mut figures: Vec<Figure> = gaps
        .iter()
        .zip(["time without a write", "gap of a survivor's client", "gap of a client of the server at fault"])
        .map(|(gaps, name)| times(name, gaps.lengths.clone()).headline())
        .collect();
    let plain = |name, ms: Vec<f64>| times(name, ms.into_iter().map(|ms| ms * MS).collect());
    figures.push(plain("gap before the fault", each(|round| Some(round.steady_gap_ms))));
    figures.push(plain("gap at the server's return", each(|round| round.return_gap_ms)));
    figures.push(plain("server back after", each(|round| round.back_ms)));
    figures.retain(|figure| !figure.values.is_empty());
    figures.extend(found.counts());
    Ok(Measurement {
        remarks: result.as_object().map(remarks).unwrap_or_default(),
        figures,
        gaps,
        phases: phases_of(result),
        rounds: found.rounds.iter().filter_map(Round::course).collect(),
        ..Measurement::default()
    })
}

fn times(name: &str, values: Vec<f64>) -> Figure {
    Figure { name: name.to_owned(), unit: Unit::Time, better: Better::Less, headline: false, values }
}

impl Failover {
    fn counts(&self) -> Vec<Figure> {
        let count = |name: &str, n: u64| Figure::new(name, Unit::Count, Better::Less, n as f64);
        let mut figures = vec![
            Figure::new("rounds", Unit::Count, Better::Neither, self.rounds.len() as f64),
            count("connections lost at surviving servers", self.survivors.connections_lost),
            count("connections lost at the server at fault", self.displaced.connections_lost),
            count("writes of unknown outcome", self.survivors.unknown_writes + self.displaced.unknown_writes),
        ];
        figures.extend(self.verification.iter().map(|v| count("acknowledged writes missing", v.lost)));
        figures
    }
}

impl Round {
    fn course(&self) -> Option<RoundCourse> {
        let course = self.course.as_ref().filter(|course| course.step_ms > 0.0)?;
        let point = |(at, n): (usize, &u64)| {
            ((course.from_ms + at as f64 * course.step_ms) * MS, *n as f64 * 1e3 / course.step_ms)
        };
        Some(RoundCourse {
            gap: self.write_gap_ms * MS,
            undone: course.undone_ms * MS,
            returned: course.returned_ms.map(|ms| ms * MS),
            writes: course.writes.iter().enumerate().map(point).collect(),
        })
    }
}
