//! Throughput and latency over time.

use crate::report::draw::axis::Axis;
use crate::report::draw::plot::{Panel, Picture, Sheet};
use crate::report::draw::style;
use crate::report::draw::svg::Canvas;
use crate::report::figure::Unit;
use crate::report::material::Moment;
use crate::report::section::Section;

/// A party's course: its series, its label and the seconds of its middle repetition.
type Course<'s> = (usize, &'s str, &'s [Moment]);

/// Two panels, one above the other; `None` if there is no course of two points.
pub fn draw(section: &Section, name: String) -> Option<Picture> {
    let courses: Vec<Course<'_>> = section
        .parties
        .iter()
        .filter_map(|party| Some((party.style, party.label.as_str(), party.middle()?.course.as_slice())))
        .filter(|(_, _, course)| course.len() > 1)
        .collect();
    let moments = || courses.iter().flat_map(|(_, _, course)| course.iter());
    moments().next()?;
    let mut sheet = Sheet::new("Throughput and latency over time", &section.title);
    sheet.legend(&courses.iter().map(|(series, label, _)| (*series, (*label).to_owned())).collect::<Vec<_>>());
    let ends = || moments().map(|moment| moment.at).chain([0.0]);
    let time = || Axis::spanning("time since the load began", Unit::Time, ends());
    let rates = moments().map(|moment| moment.rate);
    let throughput = sheet.panel(170.0, time(), Axis::from_zero("replies per second", Unit::Rate, rates));
    warmup(&mut sheet.canvas, &throughput, &courses);
    for (series, label, course) in &courses {
        rate(&mut sheet.canvas, &throughput, (*series, label), course);
    }
    let latencies: Vec<f64> = moments().flat_map(|moment| [moment.p50, moment.p99]).flatten().collect();
    if !latencies.is_empty() {
        let latency = sheet.panel(190.0, time(), Axis::log("latency: p50 thick, p99 thin", Unit::Time, latencies));
        warmup(&mut sheet.canvas, &latency, &courses);
        for (series, _, course) in &courses {
            let mut draw = |figure: fn(&Moment) -> Option<f64>, kind: &str| {
                let path = latency.path(course.iter().filter_map(|moment| Some((moment.at, figure(moment)?))));
                sheet.canvas.polyline(&style::line(*series, kind), &path);
            };
            draw(|moment| moment.p50, "main");
            draw(|moment| moment.p99, "light");
        }
    }
    Some(sheet.finish(name, describe(&courses)))
}

fn warmup(canvas: &mut Canvas, panel: &Panel, courses: &[Course<'_>]) {
    let warm =
        |course: &[Moment]| course.iter().filter(|moment| moment.warmup).map(|moment| moment.at).fold(0.0, f64::max);
    let end = courses.iter().map(|(_, _, course)| warm(course)).fold(0.0, f64::max);
    panel.shade(canvas, 0.0, end, "warm-up");
}

fn rate(canvas: &mut Canvas, panel: &Panel, (series, label): (usize, &str), course: &[Moment]) {
    let path = panel.path(course.iter().map(|moment| (moment.at, moment.rate)));
    canvas.polyline(&style::line(series, "main"), &path);
    // Marks in ten places at most; and wherever there were errors.
    let every = course.len().div_ceil(10);
    for (at, (moment, place)) in course.iter().zip(path).enumerate() {
        let when = Unit::Time.short(moment.at);
        if moment.errors > 0 {
            let errors = Unit::Count.exact(moment.errors as f64);
            canvas.mark(
                "mark-warn",
                place,
                &[(-5.0, -5.0), (5.0, -5.0), (0.0, 4.0)],
                &format!("{label}, {when}: {errors} errors"),
            );
        } else if at % every == every / 2 {
            let tip = format!("{label}, {when}: {}", Unit::Rate.exact(moment.rate));
            canvas.mark(&style::fill(series), place, style::mark(series), &tip);
        }
    }
}

fn describe(courses: &[Course<'_>]) -> String {
    let told = courses.iter().map(|(_, label, course)| {
        let rates = || course.iter().filter(|moment| !moment.warmup).map(|moment| moment.rate);
        let (low, high) =
            rates().fold((f64::MAX, 0.0), |(low, high): (f64, f64), rate| (low.min(rate), high.max(rate)));
        let errors: u64 = course.iter().map(|moment| moment.errors).fold(0, u64::saturating_add);
        let (low, high) = (Unit::Rate.exact(if low <= high { low } else { high }), Unit::Rate.exact(high));
        format!("{label}: between {low} and {high}, {errors} errors.")
    });
    told.collect::<Vec<_>>().join(" ")
}
