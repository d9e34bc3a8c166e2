//! The tables that people read, as Markdown.

use super::Findings;
use super::cells::{Cell, Conclusions};
use super::definition::Definition;
use super::figures::{Figure, Sample, of_command};
use super::finding::chance;
use crate::environment::Environment;
use crate::failover::{Phases, phases_of};
use crate::probe;
use crate::units::{bytes, duration};
use std::fmt::Write as _;

/// So many findings are shown at once; of more, those on pairs are folded.
const UNFOLDED: usize = 24;

/// The page.
pub fn page(definition: &Definition, found: &Findings, environment: &Environment) -> String {
    let mut text = format!("# {}\n\n", cell_text(&definition.title));
    let _ = writeln!(
        text,
        "{} servers of each, {} repetitions in turn; median (least to greatest) of the repetitions. {}, {} cores, {}, kernel {}, \
         loadgen {}.\n",
        definition.servers,
        definition.repetitions,
        environment.cpu,
        environment.cores,
        bytes(environment.memory_bytes as f64),
        environment.kernel,
        environment.loadgen
    );
    if let Some(floor) = &found.floor {
        let _ = writeln!(text, "The floor of this machine: {}.\n", probe::floor(floor));
    }
    for failure in &found.failures {
        let _ = writeln!(text, "**Failed:** {}\n", failure.lines().next().unwrap_or_default());
    }
    variants(&mut text, definition, found);
    for workload in &definition.workloads {
        let options = workload.options.join(" ");
        let _ = writeln!(text, "## {}\n\n`loadgen {} {options}`\n", cell_text(&workload.name), workload.command);
        let cells: Vec<&Cell> = found.cells.iter().filter(|cell| cell.workload == workload.name).collect();
        table(&mut text, workload.command, &cells);
    }
    findings(&mut text, definition, found);
    text
}

fn variants(text: &mut String, definition: &Definition, found: &Findings) {
    text.push_str("| variant | version | settings |\n|---|---|---|\n");
    for variant in &definition.variants {
        let version = found.versions.get(&variant.name).map_or("", String::as_str);
        let (name, settings) = (cell_text(&variant.name), cell_text(&variant.settings.line()));
        let _ = writeln!(text, "| {name} | {} | {settings} |", cell_text(version));
    }
    text.push('\n');
}

fn table(text: &mut String, command: &str, cells: &[&Cell]) {
    // A figure that nobody has (no process ids, say) has no column.
    let figures: Vec<&Figure> =
        of_command(command).iter().filter(|figure| cells.iter().any(|cell| cell.sample(figure).is_some())).collect();
    if figures.is_empty() {
        text.push_str("Nothing was measured.\n");
    } else {
        rows(text, &figures, cells);
    }
    text.push('\n');
    phases(text, cells);
    let remarks = cells.iter().flat_map(|cell| cell.remarks().into_iter().map(|remark| (&cell.label, remark)));
    let remarks: Vec<String> =
        remarks.map(|(label, remark)| format!("- {}: {}\n", cell_text(label), cell_text(&remark))).collect();
    if !remarks.is_empty() {
        let _ = writeln!(text, "{}", remarks.concat());
    }
}

fn rows(text: &mut String, figures: &[&Figure], cells: &[&Cell]) {
    let heads: Vec<&str> = figures.iter().map(|figure| figure.label).collect();
    let _ = writeln!(text, "| | {} |\n|---|{}", heads.join(" | "), "---|".repeat(figures.len()));
    for cell in cells {
        let row: Vec<String> = figures
            .iter()
            .map(|figure| cell.sample(figure).map_or("-".into(), |sample| show(figure, &sample)))
            .collect();
        let _ = writeln!(text, "| {} | {} |", cell_text(&cell.label), row.join(" | "));
    }
}

/// What failovers consist of, in all rounds of all repetitions, if anybody tells it.
fn phases(text: &mut String, cells: &[&Cell]) {
    let told = |cell: &&Cell| cell.repetitions.iter().flat_map(phases_of).collect::<Vec<_>>();
    let parts: Vec<_> = cells.iter().map(|cell| Phases::of_rounds(&told(cell))).collect();
    if parts.iter().all(|parts| parts.elect.is_none()) {
        return;
    }
    let heads = Phases::<()>::default().named().map(|(name, ())| name);
    let _ = writeln!(
        text,
        "What the time without a write around the change of leaders consists of: p50 / p90 / max of all rounds.\n"
    );
    let _ = writeln!(text, "| | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for (cell, parts) in cells.iter().zip(&parts) {
        let shown = parts.named().map(|(_, quantiles)| {
            let shown = quantiles.map(|q| [q.p50, q.p90, q.max].map(|ms| duration(ms * 1e6)).join(" / "));
            shown.unwrap_or_else(|| "-".to_owned())
        });
        let _ = writeln!(text, "| {} | {} |", cell_text(&cell.label), shown.join(" | "));
    }
    text.push('\n');
}

fn show(figure: &Figure, sample: &Sample) -> String {
    let [median, min, max] = [sample.median, sample.min, sample.max].map(|value| figure.show(value));
    if sample.count > 1 { format!("{median} ({min} to {max})") } else { median }
}

fn findings(text: &mut String, definition: &Definition, found: &Findings) {
    let Conclusions { best, findings: pairs, .. } = &found.conclusions;
    if pairs.is_empty() {
        return;
    }
    text.push_str("## What follows\n\n");
    for finding in best {
        let _ = writeln!(text, "- {}", cell_text(finding));
    }
    let fold = pairs.len() > UNFOLDED;
    if fold {
        let _ = writeln!(text, "\n<details><summary>{} pairs</summary>\n", pairs.len());
    }
    for finding in pairs {
        let _ = writeln!(text, "- {}", cell_text(finding));
    }
    if fold {
        text.push_str("\n</details>\n");
    }
    let _ = writeln!(
        text,
        "\nA difference counts as noise if the ranges meet, or if the medians are closer than the wider of the ranges or than 2 %. With {} \
         repetitions the ranges of two variants that do not differ miss each other in {:.0} of 100 cases by chance alone.",
        definition.repetitions,
        100.0 * chance(definition.repetitions)
    );
}

/// A text that must not end a cell, or begin markup of its own.
fn cell_text(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failovers_consist_of_is_told_of_whoever_tells_it() {
        let mut tells = Cell::new("a", "kill", "failover");
        let round = |elect: f64| {
            serde_json::json!({"phases_ms": {
                "whole": 4.0, "before": 0.5, "detect": 1.0, "elect": elect, "synchronise": null, "first_commit": null, "answer": null, "unexplained": -2.0
            }})
        };
        tells.add(serde_json::json!({"rounds": [round(1.0), round(2.0), {"phases_ms": null}]}));
        tells.add(serde_json::json!({"rounds": [round(3.0)]}));
        let silent = Cell::new("b", "kill", "failover");
        let mut text = String::new();
        phases(&mut text, &[&silent]);
        assert_eq!(text, "");
        phases(&mut text, &[&tells, &silent]);
        assert!(
            text.contains("| 2.00 ms / 3.00 ms / 3.00 ms | - | - | - | -2.00 ms / -2.00 ms / -2.00 ms |\n"),
            "{text}"
        );
        assert!(text.contains("| b | - |"), "{text}");
    }
}
