//! The tables of a report.

use super::draw::svg::escape;
use super::figure::{Figure, Spread, Unit};
use super::section::{Section, Source};
use super::subject::{INCIDENTAL, value};
use crate::failover::Phases;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// A table: the first column heads the rows.
pub struct Table {
    /// What stands above it.
    pub caption: String,
    /// The heads of the columns.
    pub head: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// As markup; nothing if there are no rows.
    pub fn html(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let mut html = format!("<div class=\"wide\"><table><caption>{}</caption>\n<thead><tr>", escape(&self.caption));
        for head in &self.head {
            let _ = write!(html, "<th scope=\"col\">{}</th>", escape(head));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            html.push_str("<tr>");
            for (at, cell) in row.iter().enumerate() {
                // What follows a line break is a note to what stands before it.
                let cell = match cell.split_once('\n') {
                    Some((cell, note)) => format!("{}<small>{}</small>", escape(cell), escape(note)),
                    None => escape(cell),
                };
                let _ = if at == 0 {
                    write!(html, "<th scope=\"row\">{cell}</th>")
                } else {
                    write!(html, "<td>{cell}</td>")
                };
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody></table></div>\n");
        html
    }
}

/// The figures of a section: a row for each party.
pub fn summary(section: &Section) -> Table {
    let figures = section.figures();
    let mut head = vec![String::new(), "repetitions".to_owned()];
    head.extend(figures.iter().map(|figure| figure.name.clone()));
    let row = |party: &super::section::Party| {
        let mut row = vec![party.label.clone(), party.measurements.len().to_string()];
        row.extend(figures.iter().map(|figure| cell(figure, party.spread(&figure.name))));
        row
    };
    Table {
        caption: "Medians, and the range of what was repeated".into(),
        head,
        rows: section.parties.iter().map(row).collect(),
    }
}

fn cell(figure: &Figure, spread: Option<Spread>) -> String {
    let shown = |value: f64| figure.unit.exact(value);
    match spread {
        None => "–".into(),
        Some(spread) if spread.count > 1 && shown(spread.min) != shown(spread.max) => {
            let (min, max) = (shown(spread.min), shown(spread.max));
            // The unit once, if it is the same.
            let number =
                |text: &str| text.find(|c: char| !c.is_ascii_digit() && !",.-".contains(c)).unwrap_or(text.len());
            let (from, unit) = min.split_at(number(&min));
            let min = if max.split_at(number(&max)).1 == unit { from } else { min.as_str() };
            format!("{}\n{min} … {max}", shown(spread.median))
        }
        Some(spread) => shown(spread.median),
    }
}

/// The figures of each kind of operation, of the middle repetition of each party.
pub fn kinds(section: &Section) -> Table {
    let mut head = vec![String::new(), "operation".to_owned()];
    let mut rows = Vec::new();
    for party in &section.parties {
        for (kind, figures) in party.middle().into_iter().flat_map(|measurement| &measurement.kinds) {
            if rows.is_empty() {
                head.extend(figures.iter().map(|figure| figure.name.clone()));
            }
            let mut row = vec![party.label.clone(), kind.clone()];
            row.extend(figures.iter().map(|figure| cell(figure, figure.spread())));
            row.resize(head.len(), "–".into());
            rows.push(row);
        }
    }
    Table { caption: "By kind of operation, of the repetition in the middle".into(), head, rows }
}

/// What failovers consist of, in all rounds of all repetitions of each party.
pub fn phases(section: &Section) -> Table {
    let mut rows = Vec::new();
    for party in &section.parties {
        let rounds: Vec<_> = party.measurements.iter().flat_map(|measurement| measurement.phases.clone()).collect();
        for (name, quantiles) in Phases::of_rounds(&rounds).named().into_iter().filter(|_| !rounds.is_empty()) {
            let shown = quantiles.map(|q| [q.p50, q.p90, q.max].map(|ms| Unit::Time.exact(ms * 1e6)));
            let cells = shown.unwrap_or_else(|| std::array::from_fn(|_| "–".to_owned()));
            rows.push([party.label.clone(), name.to_owned()].into_iter().chain(cells).collect());
        }
    }
    let head = ["", "part", "p50", "p90", "max"].map(str::to_owned).into();
    Table {
        caption: "What the time without a write around the change of leaders consists of, as the new leader tells it"
            .into(),
        head,
        rows,
    }
}

/// What all have in common, and what differs, of settings or environments.
pub struct Contrast {
    /// Names and values that all have.
    pub common: Vec<(String, String)>,
    /// A column for each that differs, a row for each file.
    pub differing: Table,
}

/// Contrasts the settings of the files of one command.
pub fn settings(sources: &[&Source]) -> Contrast {
    contrast(sources, |source| &source.document.settings, "Settings in which the measurements differ")
}

/// Contrasts the machines.
pub fn environments(sources: &[&Source]) -> Contrast {
    contrast(sources, |source| &source.document.environment, "Machines in which the measurements differ")
}

fn contrast(sources: &[&Source], of: impl Fn(&Source) -> &Map<String, Value>, caption: &str) -> Contrast {
    let mut names: Vec<&String> = Vec::new();
    for name in sources.iter().flat_map(|source| of(source).keys()) {
        if !names.contains(&name) && !INCIDENTAL.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let shown = |source: &Source, name: &str| of(source).get(name).map_or_else(|| "–".into(), value);
    let same = |name: &&String| {
        let mut all = sources.iter().map(|source| of(source).get(name.as_str()));
        let first = all.next();
        all.all(|other| Some(other) == first)
    };
    let (common, differing): (Vec<&String>, Vec<&String>) = names.into_iter().partition(same);
    let common = sources.first().map(|first| common.iter().map(|name| ((*name).clone(), shown(first, name))).collect());
    let mut head = vec!["file".to_owned()];
    head.extend(differing.iter().map(|name| (*name).clone()));
    let row = |source: &&Source| {
        let file = source.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        [file].into_iter().chain(differing.iter().map(|name| shown(source, name))).collect()
    };
    let rows = if differing.is_empty() { Vec::new() } else { sources.iter().map(row).collect() };
    Contrast { common: common.unwrap_or_default(), differing: Table { caption: caption.into(), head, rows } }
}
