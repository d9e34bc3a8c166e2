//! The summary that people read.

use crate::live;
use crate::results::{Cost, KindResult, Measured, Percentiles, ServerCost, Status};
use crate::units::{bytes, count, duration};
use std::fmt::Write as _;

/// The summary of a measurement, under a line that says what it was.
pub fn summary(title: &str, measured: &Measured) -> String {
    let mut text = format!("{title}\n\n");
    table(&mut text, measured);
    text.push('\n');
    line(&mut text, &live::errors(&errors(measured)));
    for failure in &measured.failures {
        line(&mut text, &format!("FAILED: {failure}"));
    }
    remarks(&mut text, measured);
    if let Some(server) = &measured.server {
        server_lines(&mut text, server);
    }
    if let Some(own) = cost(&measured.loadgen) {
        line(&mut text, &format!("loadgen's own processor time: {own}"));
    }
    text
}

fn table(text: &mut String, measured: &Measured) {
    let header = ["", "operations", "per second", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
    let mut rows = vec![header.map(str::to_owned)];
    let open_loop = measured.offered_rate.is_some();
    for (name, kind) in &measured.kinds {
        push_rows(&mut rows, name, kind, measured.seconds, open_loop);
    }
    if measured.kinds.len() > 1 {
        push_rows(&mut rows, "all", &measured.all, measured.seconds, open_loop);
    }
    for row in rows {
        let [first, rest @ ..] = row;
        let _ = write!(text, "{first:<17}");
        for cell in rest {
            let _ = write!(text, "{cell:>11}");
        }
        text.push('\n');
    }
}

fn push_rows(rows: &mut Vec<[String; 9]>, name: &str, kind: &KindResult, seconds: f64, open_loop: bool) {
    if kind.operations == 0 {
        return;
    }
    let rate = if seconds > 0.0 { count(kind.operations as f64 / seconds) } else { "-".into() };
    let row = |name: String, operations: String, rate: String, times: Option<Percentiles>| {
        let cells = times.map(|t| [t.p50, t.p90, t.p99, t.p99_9, t.p99_99, t.max].map(|us| duration(us * 1e3)));
        let [a, b, c, d, e, f] = cells.unwrap_or_else(|| std::array::from_fn(|_| "-".into()));
        [name, operations, rate, a, b, c, d, e, f]
    };
    rows.push(row(name.into(), count(kind.operations as f64), rate, kind.latency_us));
    if open_loop {
        rows.push(row("  once sent".into(), String::new(), String::new(), kind.service_us));
    }
}

fn errors(measured: &Measured) -> Vec<(String, u64)> {
    measured.all.errors.iter().map(|(name, n)| (name.clone(), *n)).collect()
}

fn remarks(text: &mut String, measured: &Measured) {
    if measured.status == Status::Interrupted {
        line(text, "Interrupted: these are the figures up to then.");
    }
    if measured.unsent > 0 {
        let unsent = count(measured.unsent as f64);
        line(
            text,
            &format!(
                "The server did not keep up: {unsent} operations of the schedule were never sent. Read the latencies as lower bounds."
            ),
        );
    }
    if measured.unanswered > 0 {
        line(text, &format!("{} operations were sent and never answered.", count(measured.unanswered as f64)));
    }
    if let Some(saturation) = &measured.saturation {
        line(text, &saturation.told());
    }
    if measured.events > 0 {
        line(text, &format!("{} events of watches received", count(measured.events as f64)));
    }
    if let Some(fill) = measured.fill {
        let per_node = fill.rss_bytes_per_node.map(|b| format!(", {b:.0} bytes of server memory each"));
        let existed =
            if fill.existed > 0 { format!(", {} were there", count(fill.existed as f64)) } else { String::new() };
        let created = count(fill.created as f64);
        line(text, &format!("{created} nodes created{existed}{}", per_node.unwrap_or_default()));
    }
}

fn server_lines(text: &mut String, server: &ServerCost) {
    if let Some(cost) = cost(&server.cost) {
        line(text, &format!("server processor time: {cost}"));
    }
    let growth = server.rss_bytes_after as f64 - server.rss_bytes_before as f64;
    let sign = if growth < 0.0 { "-" } else { "+" };
    line(
        text,
        &format!(
            "server memory: {} resident ({sign}{} in the window), {} threads",
            bytes(server.rss_bytes_after as f64),
            bytes(growth.abs()),
            server.threads
        ),
    );
}

fn cost(cost: &Cost) -> Option<String> {
    let (total, user, system) = (cost.cpu_us_per_op?, cost.user_us_per_op?, cost.system_us_per_op?);
    Some(format!("{total:.2} µs per operation (user {user:.2}, system {system:.2}), {:.2} cores", cost.cores))
}

fn line(text: &mut String, content: &str) {
    text.push_str(content);
    text.push('\n');
}
