//! The text that Prometheus reads. (Format: "exposition formats, text-based format 0.0.4" of its documentation. Of the
//! libraries that write it, those that would do rename counters to `…_total`, and ZooKeeper's names have to stay.)

use super::family::{Depth, Family, Series, Unit};
use ringkeeper_core::measure::Histogram;
use std::fmt::Write;

/// What the answer's Content-Type says.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All families as text.
pub fn text(families: &[Family]) -> String {
    let mut out = String::with_capacity(64 << 10);
    for family in families {
        head(family, &mut out);
        body(family, &mut out);
    }
    out
}

fn head(family: &Family, out: &mut String) {
    let kind = match family.series {
        Series::Counter(_) => "counter",
        Series::Gauge(_) => "gauge",
        Series::Summary(..) => "summary",
        Series::Histogram(..) => "histogram",
    };
    let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
    let _ = writeln!(out, "# HELP {} {help}\n# TYPE {} {kind}", family.name, family.name);
}

fn body(family: &Family, out: &mut String) {
    let name = family.name;
    match &family.series {
        Series::Counter(numbers) | Series::Gauge(numbers) => {
            numbers.iter().for_each(|(labels, number)| sample(name, "", labels, None, *number, out));
        }
        Series::Summary(seen, unit, depth) => summary(name, seen, *unit, *depth, out),
        Series::Histogram(all, unit) => all.iter().for_each(|(labels, seen)| histogram(name, labels, seen, *unit, out)),
    }
}

/// The quantiles that ZooKeeper 3.9 tells.
fn summary(name: &str, seen: &Histogram, unit: Unit, depth: Depth, out: &mut String) {
    let parts: &[(f64, &str)] = match depth {
        Depth::Basic => &[(0.5, "0.5")],
        Depth::Advanced => &[(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99")],
    };
    for (part, text) in parts {
        // Of nothing there is no quantile.
        let value = if seen.count() == 0 { f64::NAN } else { unit.shown(seen.quantile(*part) as f64) };
        sample(name, "", &[], Some(("quantile", text)), value, out);
    }
    sample(name, "_sum", &[], None, unit.shown(seen.sum() as f64), out);
    sample(name, "_count", &[], None, seen.count() as f64, out);
}

fn histogram(name: &str, labels: &[(&'static str, String)], seen: &Histogram, unit: Unit, out: &mut String) {
    for power in unit.powers() {
        // Bounds are inclusive: the largest whole number below the power.
        let bound = unit.shown(((1u64 << power) - 1) as f64).to_string();
        sample(name, "_bucket", labels, Some(("le", &bound)), seen.below_power(power) as f64, out);
    }
    sample(name, "_bucket", labels, Some(("le", "+Inf")), seen.count() as f64, out);
    sample(name, "_sum", labels, None, unit.shown(seen.sum() as f64), out);
    sample(name, "_count", labels, None, seen.count() as f64, out);
}

fn sample(
    name: &str,
    suffix: &str,
    labels: &[(&'static str, String)],
    last: Option<(&str, &str)>,
    value: f64,
    out: &mut String,
) {
    out.push_str(name);
    out.push_str(suffix);
    let all = labels.iter().map(|(label, value)| (*label, value.as_str())).chain(last);
    for (at, (label, value)) in all.enumerate() {
        out.push(if at == 0 { '{' } else { ',' });
        let _ = write!(out, "{label}=\"{}\"", escaped(value));
    }
    if !labels.is_empty() || last.is_some() {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_form() {
        let mut seen = Histogram::default();
        [1, 2, 3, 900].into_iter().for_each(|value| seen.record(value));
        let families = [
            Family::counter("a_total", "Things\nin \\ all.", 3),
            Family::gauges("b", "By name.", "name", [("x\"\\\n".to_owned(), 0.5)]),
            Family::summary("c", "Sizes.", Unit::Plain, Depth::Basic, &seen),
            Family::histograms("d", "Sizes.", Unit::Plain, "of", [("x", &seen)]),
        ];
        let text = text(&families);
        let expected = "# HELP a_total Things\\nin \\\\ all.\n# TYPE a_total counter\na_total 3\n\
            # HELP b By name.\n# TYPE b gauge\nb{name=\"x\\\"\\\\\\n\"} 0.5\n\
            # HELP c Sizes.\n# TYPE c summary\nc{quantile=\"0.5\"} 2\nc_sum 906\nc_count 4\n\
            # HELP d Sizes.\n# TYPE d histogram\nd_bucket{of=\"x\",le=\"1\"} 1\nd_bucket{of=\"x\",le=\"3\"} 3\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("d_bucket{of=\"x\",le=\"511\"} 3\nd_bucket{of=\"x\",le=\"1023\"} 4\n"), "{text}");
        assert!(
            text.ends_with("d_bucket{of=\"x\",le=\"+Inf\"} 4\nd_sum{of=\"x\"} 906\nd_count{of=\"x\"} 4\n"),
            "{text}"
        );
    }

    #[test]
    fn times_are_told_in_seconds() {
        let mut seen = Histogram::default();
        seen.record(1_500_000_000);
        let text = text(&[Family::histogram("t", "Times.", Unit::Seconds, &seen)]);
        assert!(text.contains("t_bucket{le=\"0.000008191\"} 0\n") && text.contains("t_sum 1.5\n"), "{text}");
    }

    #[test]
    fn a_quantile_of_nothing_is_not_a_number() {
        let text = text(&[Family::summary("c", "", Unit::Plain, Depth::Basic, &Histogram::default())]);
        assert!(text.contains("c{quantile=\"0.5\"} NaN\nc_sum 0\n"), "{text}");
    }
}
