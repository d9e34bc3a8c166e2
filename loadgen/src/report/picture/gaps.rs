//! Times without an answer around a fault, as a cumulative distribution.

use crate::report::draw::axis::Axis;
use crate::report::draw::plot::{Picture, Sheet};
use crate::report::draw::style;
use crate::report::figure::Unit;
use crate::report::section::{Party, Section};

/// One picture for each group of clients.
pub fn draw(section: &Section, name: &dyn Fn(&str) -> String) -> Vec<Picture> {
    let names = section.parties.iter().flat_map(|party| &party.measurements).find(|m| !m.gaps.is_empty());
    let names: Vec<&str> = names.into_iter().flat_map(|measurement| &measurement.gaps).map(|gaps| gaps.name).collect();
    let each = names.iter().enumerate();
    each.filter_map(|(at, whose)| picture(section, whose, name(&format!("gaps-{at}")))).collect()
}

/// The lengths of all rounds of all repetitions, ascending.
fn lengths(party: &Party, whose: &str) -> Vec<f64> {
    let gaps = party.measurements.iter().flat_map(|m| &m.gaps).filter(|gaps| gaps.name == whose);
    let mut lengths: Vec<f64> =
        gaps.flat_map(|gaps| gaps.lengths.iter().copied()).filter(|ns| ns.is_finite()).collect();
    lengths.sort_by(f64::total_cmp);
    lengths
}

fn picture(section: &Section, whose: &str, name: String) -> Option<Picture> {
    let lines: Vec<(&Party, Vec<f64>)> = section
        .parties
        .iter()
        .map(|party| (party, lengths(party, whose)))
        .filter(|(_, lengths)| !lengths.is_empty())
        .collect();
    let all = || lines.iter().flat_map(|(_, lengths)| lengths.iter().copied());
    all().next()?;
    let mut sheet = Sheet::new(&format!("Time without a write acknowledged to {whose}"), &section.title);
    let entry =
        |(party, lengths): &(&Party, Vec<f64>)| (party.style, format!("{} ({} gaps)", party.label, lengths.len()));
    sheet.legend(&lines.iter().map(entry).collect::<Vec<_>>());
    let x = Axis::log("time without an acknowledged write, around the fault", Unit::Time, all());
    let panel = sheet.panel(230.0, x, Axis::from_zero("share of gaps that were no longer", Unit::Share, [1.0]));
    for (party, lengths) in &lines {
        let share = |n: usize| n as f64 / lengths.len() as f64;
        let step = |(at, ns): (usize, &f64)| [(*ns, share(at)), (*ns, share(at + 1))];
        let path = panel.path(lengths.iter().enumerate().flat_map(step));
        sheet.canvas.polyline(&style::line(party.style, "main"), &path);
        for quantile in [0.5, 0.9, 1.0] {
            let rank = ((quantile * lengths.len() as f64).ceil() as usize).clamp(1, lengths.len());
            let (ns, of) = (lengths[rank - 1], Unit::Share.short(quantile));
            let tip = format!("{}: {of} within {}", party.label, Unit::Time.exact(ns));
            sheet.canvas.mark(&style::fill(party.style), panel.at(ns, share(rank)), style::mark(party.style), &tip);
        }
    }
    let told = lines.iter().filter_map(|(party, lengths)| {
        let (median, longest) = (lengths.get((lengths.len() - 1) / 2)?, lengths.last()?);
        Some(format!(
            "{}: half within {}, the longest {}.",
            party.label,
            Unit::Time.exact(*median),
            Unit::Time.exact(*longest)
        ))
    });
    let description = told.collect::<Vec<_>>().join(" ");
    Some(sheet.finish(name, description))
}
