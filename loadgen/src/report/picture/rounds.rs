//! Acknowledged writes around a fault, moment by moment.

use crate::report::draw::axis::Axis;
use crate::report::draw::plot::{Panel, Picture, Sheet};
use crate::report::draw::style;
use crate::report::draw::svg::{Anchor, Canvas};
use crate::report::figure::{Spread, Unit};
use crate::report::material::RoundCourse;
use crate::report::section::{Party, Section};

/// Rounds beyond this are not drawn, but for the middle one.
const MOST_FAINT: usize = 30;

/// The round in the middle of each party stands out; `None` if the documents tell no course.
pub fn draw(section: &Section, name: String) -> Option<Picture> {
    let lines: Vec<(&Party, Vec<&RoundCourse>)> =
        section.parties.iter().map(|party| (party, ordered(party))).filter(|(_, rounds)| !rounds.is_empty()).collect();
    let points = || lines.iter().flat_map(|(_, rounds)| rounds).flat_map(|round| round.writes.iter().copied());
    points().next()?;
    let mut sheet = Sheet::new("Acknowledged writes around the fault", &section.title);
    sheet.legend(&lines.iter().map(|(party, _)| (party.style, party.label.clone())).collect::<Vec<_>>());
    let x = Axis::spanning("time from the fault", Unit::Time, points().map(|point| point.0));
    // What has piled up is acknowledged in a burst, beside which nothing else would be seen.
    let rates: Vec<f64> = points().map(|point| point.1).filter(|rate| *rate > 0.0).collect();
    let most = Spread::of(&rates).map_or(1.0, |spread| spread.max.min(spread.median * 3.0));
    let y = Axis::from_zero("writes per second (bursts are cut off)", Unit::Rate, [most]);
    let panel = sheet.panel(240.0, x, y);
    for (party, rounds) in &lines {
        let middle = rounds[(rounds.len() - 1) / 2];
        for round in rounds.iter().take(MOST_FAINT).filter(|round| !std::ptr::eq(**round, middle)) {
            sheet.canvas.polyline(&style::line(party.style, "faint"), &panel.path(round.writes.iter().copied()));
        }
        sheet.canvas.polyline(&style::line(party.style, "main"), &panel.path(middle.writes.iter().copied()));
    }
    events(&mut sheet.canvas, &panel, &lines);
    let told = lines.iter().map(|(party, rounds)| {
        let gap = rounds[(rounds.len() - 1) / 2].gap;
        format!("{}: no write was acknowledged for {} in the round in the middle.", party.label, Unit::Time.exact(gap))
    });
    let description = told.collect::<Vec<_>>().join(" ");
    Some(sheet.finish(name, description))
}

/// The fault; and of a single party, what was done about it.
fn events(canvas: &mut Canvas, panel: &Panel, lines: &[(&Party, Vec<&RoundCourse>)]) {
    panel.event(canvas, 0.0, Anchor::Start, "fault");
    if let [(_, rounds)] = lines {
        let middle = rounds[(rounds.len() - 1) / 2];
        panel.event(canvas, middle.undone, Anchor::End, "undone");
        if let Some(returned) = middle.returned {
            panel.event(canvas, returned, Anchor::Start, "back");
        }
    }
}

/// By the length of the gap.
fn ordered(party: &Party) -> Vec<&RoundCourse> {
    let mut rounds: Vec<&RoundCourse> = party.measurements.iter().flat_map(|measurement| &measurement.rounds).collect();
    rounds.sort_by(|a, b| a.gap.total_cmp(&b.gap));
    rounds
}
