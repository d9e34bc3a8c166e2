//! Latency by percentile.

use crate::report::draw::axis::Axis;
use crate::report::draw::plot::{Picture, Sheet};
use crate::report::draw::style;
use crate::report::figure::Unit;
use crate::report::material::{Curve, Measurement};
use crate::report::section::{Party, Section};

/// With more kinds of operations than this there is one picture for all together.
const MOST_KINDS: usize = 3;
/// Quantiles that get a mark: where the axis has its numbers.
const MARKED: [f64; 6] = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];

/// A line of a picture: a repetition's curve.
struct Line<'s> {
    series: usize,
    label: String,
    main: bool,
    curve: &'s Curve,
}

/// One picture for each kind of operation if several are compared, or one with all kinds.
pub fn draw(section: &Section, name: &dyn Fn(&str) -> String) -> Vec<Picture> {
    let mut kinds: Vec<&str> = Vec::new();
    for curve in measurements(section).flat_map(|m| &m.curves) {
        if !kinds.contains(&curve.name.as_str()) {
            kinds.push(&curve.name);
        }
    }
    if let [party] = section.parties.as_slice() {
        let lines = of_one(party);
        return picture(&lines, "Latency by percentile", section, name("latency")).into_iter().collect();
    }
    let single = kinds.iter().filter(|kind| **kind != "all").count();
    if single > MOST_KINDS {
        kinds.retain(|kind| *kind == "all");
    } else if single > 0 {
        kinds.retain(|kind| *kind != "all");
    }
    let of_kind = |(at, kind): (usize, &&str)| {
        let lines = compared(section, kind);
        let title =
            if *kind == "all" { "Latency by percentile".into() } else { format!("Latency of {kind} by percentile") };
        picture(&lines, &title, section, name(&format!("latency-{at}")))
    };
    kinds.iter().enumerate().filter_map(of_kind).collect()
}

fn measurements(section: &Section) -> impl Iterator<Item = &Measurement> {
    section.parties.iter().flat_map(|party| &party.measurements)
}

/// The curves of one party, told apart by kind.
fn of_one(party: &Party) -> Vec<Line<'_>> {
    let middle = party.middle();
    let curves = middle.into_iter().flat_map(|m| &m.curves).enumerate();
    curves.map(|(series, curve)| Line { series, label: curve.name.clone(), main: true, curve }).collect()
}

/// The curves of one kind, of all repetitions of all parties; the middle one of each stands out.
fn compared<'s>(section: &'s Section, kind: &str) -> Vec<Line<'s>> {
    let mut lines = Vec::new();
    for party in &section.parties {
        let middle = party.middle().map(std::ptr::from_ref);
        for measurement in &party.measurements {
            let main = Some(std::ptr::from_ref(measurement)) == middle;
            let curve = measurement.curves.iter().find(|curve| curve.name == kind);
            lines.extend(curve.map(|curve| Line { series: party.style, label: party.label.clone(), main, curve }));
        }
    }
    lines.sort_by_key(|line| line.main);
    lines
}

fn picture(lines: &[Line<'_>], title: &str, section: &Section, name: String) -> Option<Picture> {
    let most = lines.iter().map(|line| count(line.curve)).max()?;
    let mut sheet = Sheet::new(title, &section.title);
    let mut legend: Vec<(usize, String)> =
        lines.iter().filter(|line| line.main).map(|l| (l.series, l.label.clone())).collect();
    legend.dedup();
    sheet.legend(&legend);
    let times = lines.iter().flat_map(|line| &line.curve.points).map(|point| point.1);
    let x = Axis::nines("share of operations that took no longer", most);
    let panel = sheet.panel(300.0, x, Axis::log("latency", Unit::Time, times));
    for line in lines {
        // The last point is the maximum: it is as far out as there are values.
        let furthest = 1.0 - 1.0 / count(line.curve).max(2) as f64;
        let points = panel.path(line.curve.points.iter().map(|(q, ns)| (q.min(furthest), *ns)));
        let kind = if line.main { "main" } else { "faint" };
        sheet.canvas.polyline(&style::line(line.series, kind), &points);
        if line.main {
            for (&(q, ns), place) in line.curve.points.iter().zip(points) {
                if q >= 1.0 || MARKED.iter().any(|marked| (q - marked).abs() < 1e-9) {
                    let at = if q >= 1.0 { "maximum".to_owned() } else { format!("{} %", (q * 1e7).round() / 1e5) };
                    let tip = format!("{}: {at} {}", line.label, Unit::Time.exact(ns));
                    sheet.canvas.mark(&style::fill(line.series), place, style::mark(line.series), &tip);
                }
            }
        }
    }
    Some(sheet.finish(name, describe(lines)))
}

/// How many values a curve is of; where that is not known, as many as its last quantile needs.
fn count(curve: &Curve) -> u64 {
    let beyond = curve.points.iter().rev().map(|(q, _)| 1.0 - q).find(|beyond| *beyond > 0.0).unwrap_or(0.1);
    curve.count.unwrap_or((1.0 / beyond).round() as u64 * 10)
}

fn describe(lines: &[Line<'_>]) -> String {
    let main = lines.iter().filter(|line| line.main);
    let told = main.map(|line| {
        let at = |wanted: f64| line.curve.points.iter().find(|(q, _)| *q >= wanted - 1e-9).map_or(0.0, |point| point.1);
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|q| Unit::Time.exact(at(q)));
        format!("{}: half within {p50}, 99 % within {p99}, the slowest {max}.", line.label)
    });
    told.collect::<Vec<_>>().join(" ")
}
