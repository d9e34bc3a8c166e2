//! The report for people.

use super::Report;
use super::finding::{Finding, Severity};
use super::judge::{bytes, micros};
use super::timing::Timing;
use std::fmt::Write as _;

/// Columns of running text.
const WIDTH: usize = 110;
/// Where the text of a finding begins.
const INDENT: usize = 11;

/// All of it.
pub(super) fn report(report: &Report) -> String {
    let mut text = head(report);
    let mut area = "";
    for finding in &report.findings {
        if finding.area != area {
            area = finding.area;
            let _ = writeln!(text, "\n{area}");
        }
        text += &said(finding);
    }
    text += &timings(&report.facts.log);
    text += &recommended(report);
    text + &summary(&report.findings)
}

fn head(report: &Report) -> String {
    let facts = &report.facts;
    let dirs: Vec<&str> = facts.storage.iter().map(|storage| storage.dir.as_str()).collect();
    let memory = facts.memory.total.map_or(String::new(), |total| format!(", {}", bytes(total)));
    let cores = facts.processors.usable();
    format!("A server in {} on this host ({cores} usable cores{memory})\n", dirs.join(" and "))
}

fn said(finding: &Finding) -> String {
    let verdict = &finding.verdict;
    let mut text = format!("  {:<INDENT$}", verdict.severity.name(), INDENT = INDENT - 2);
    text += wrapped(&format!("{}: {}", finding.check, verdict.found), INDENT, INDENT).trim_start();
    if !verdict.why.is_empty() {
        text += &wrapped(&sentence(&verdict.why), INDENT, INDENT);
    }
    for step in &verdict.remedy {
        text += &wrapped(&format!("→ {step}"), INDENT, INDENT + 2);
    }
    text
}

/// Lines of at most [`WIDTH`] columns. A word that is longer has a line of its own.
fn wrapped(text: &str, first: usize, others: usize) -> String {
    let mut out = String::new();
    let mut line = " ".repeat(first);
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out += &line;
            out.push('\n');
            line = " ".repeat(others);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line += word;
        is_empty = false;
    }
    out + &line + "\n"
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).chain(['.']).collect()
}

fn timings(log: &[Timing]) -> String {
    if log.iter().all(|timing| timing.latency_us.is_none()) {
        return String::new();
    }
    let mut text = "\none small write of the log, until it is on the disk\n".to_owned();
    let _ = writeln!(text, "  {:<18}{:>10}{:>10}{:>10}{:>10}{:>9}", "driver", "p50", "p90", "p99", "longest", "writes");
    for timing in log {
        let Some(times) = timing.latency_us else { continue };
        let cells = [times.p50, times.p90, times.p99, times.max].map(|us| format!("{:>10}", micros(us))).concat();
        let _ = writeln!(text, "  {:<18}{cells}{:>9}", timing.driver, timing.writes);
    }
    text
}

fn recommended(report: &Report) -> String {
    let advice = &report.recommendation;
    let mut text = format!("\nrecommended configuration; profile {}: {}\n", advice.profile, advice.why);
    for setting in &advice.settings {
        let _ = writeln!(text, "  {}={}", setting.key, setting.value);
        let mut why = sentence(&setting.why);
        if let Some(value) = &setting.in_force {
            let _ = write!(why, " In force is {value}.");
        }
        text += &wrapped(&why, 6, 6);
    }
    text + "  everything else at its default\n"
}

fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.verdict.severity == severity).count();
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!(
        "\n{}, {}, {}; {} as it should be\n",
        plural(count(Severity::Error), "error"),
        plural(count(Severity::Warning), "warning"),
        plural(count(Severity::Note), "note"),
        count(Severity::Ok),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn long_text_is_wrapped_and_indented() {
        let text = wrapped(&"word ".repeat(40), 4, 6);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("    word") && lines[1].starts_with("      word"));
        assert!(lines.iter().all(|line| line.len() <= WIDTH));
        assert_eq!(wrapped(&"x".repeat(200), 2, 2).lines().count(), 1);
    }

    #[test]
    fn a_finding_says_what_why_and_what_to_do() {
        let verdict = Verdict::warning("2 GiB").because("it is slow").remedy("swapoff -a");
        let text = said(&Finding { area: "memory", check: "swap", verdict });
        assert_eq!(text, "  warning  swap: 2 GiB\n           It is slow.\n           → swapoff -a\n");
    }

    #[test]
    fn the_last_line_counts() {
        let of = |verdict| Finding { area: "a", check: "b", verdict };
        let findings = [of(Verdict::error("x")), of(Verdict::note("y")), of(Verdict::note("z")), of(Verdict::ok(""))];
        assert_eq!(summary(&findings), "\n1 error, 0 warnings, 2 notes; 1 as it should be\n");
    }
}
