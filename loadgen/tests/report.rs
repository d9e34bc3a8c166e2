//! `loadgen report`, from files to a page.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::null_server::{Conduct, NullServer};
use support::{Ran, finish, loadgen, skipped, start_with};

/// Markup in every place where markup could end.
const HOSTILE: &str =
    "\"'><img src=x onerror=alert(1)></text></title></desc></style></svg></table><script>alert(1)</script>&";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report").join(format!("{name}.json"))
}

fn report(arguments: &[&str], files: &[PathBuf]) -> Ran {
    let files = files.iter().map(|file| file.to_str().unwrap().to_owned());
    let arguments: Vec<String> =
        ["report"].iter().chain(arguments).map(|text| (*text).to_owned()).chain(files).collect();
    finish(start_with(&arguments))
}

fn page(arguments: &[&str], files: &[PathBuf]) -> String {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--html", "-"]).collect();
    report(&arguments, files).expect(0).stdout
}

fn loads() -> Vec<PathBuf> {
    ["ringkeeper-writes64x1-1", "ringkeeper-writes64x1-2", "zookeeper-writes64x1-1", "zookeeper-writes64x1-2"]
        .map(fixture)
        .into()
}

fn failovers() -> Vec<PathBuf> {
    ["failover-ringkeeper-kill-1", "failover-zookeeper-kill-1"].map(fixture).into()
}

/// The fixture with something changed, in a file.
fn changed(name: &str, directory: &Path, change: impl Fn(&mut Value)) -> PathBuf {
    let mut document: Value = serde_json::from_slice(&fs::read(fixture(name)).unwrap()).unwrap();
    change(&mut document);
    let file = directory.join("changed.json");
    fs::write(&file, document.to_string()).unwrap();
    file
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn a_comparison_becomes_tables_pictures_and_findings() {
    let html = page(&["--title", "Writes & more"], &loads());
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
    assert!(html.contains("<title>Writes &amp; more</title>") && html.contains("64 × 1 deep, set, 100 bytes"));
    assert_eq!(count(&html, "<svg"), 3, "bars, latency by percentile, the course");
    assert_eq!(count(&html, "role=\"img\" aria-labelledby="), 3);
    for row in ["ringkeeper", "zookeeper"] {
        assert_eq!(count(&html, &format!("<th scope=\"row\">{row}</th><td>2</td>")), 1, "two repetitions of {row}");
    }
    assert!(
        html.contains("zookeeper beside ringkeeper. Worse: throughput 2.8 times less (14,279/s against 39,750/s)"),
        "{html}"
    );
    for needed in ["CPU per operation", "server memory", "p99.9", "warm-up", "AMD EPYC", "prefers-color-scheme:dark"] {
        assert!(html.contains(needed), "{needed}");
    }
    for foreign in ["http:", "https:", "<script", "<link", "@import", "url("] {
        assert!(!html.contains(foreign), "the page needs nothing else: {foreign}");
    }
}

#[test]
fn failovers_become_distributions_of_gaps() {
    let html = page(&[], &failovers());
    assert_eq!(count(&html, "<svg"), 4, "bars, and the gaps of each group of clients");
    assert!(html.contains("Time without a write acknowledged to a client of a surviving server"));
    assert!(html.contains("zookeeper beside ringkeeper. Worse: time without a write"), "{html}");
    assert!(html.contains("kill of the leader under 600 writes and 300 reads per second, session timeout 6 s"));
}

#[test]
fn what_failovers_consist_of_is_a_table_if_servers_tell_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = changed("failover-ringkeeper-kill-1", directory.path(), |document| {
        for (at, round) in document["result"]["rounds"].as_array_mut().unwrap().iter_mut().enumerate() {
            round["phases_ms"] = serde_json::json!({
                "whole": 5, "before": 0.5, "detect": at + 1, "elect": 0.2, "synchronise": null, "first_commit": null, "answer": null, "unexplained": 3
            });
        }
    });
    let html = page(&[], &[file]);
    assert!(html.contains("<td>fault to noticed</td><td>"), "{html}");
    assert!(html.contains("<td>elected to synchronised</td><td>–</td><td>–</td><td>–</td>"), "{html}");
    assert!(!page(&[], &failovers()).contains("fault to noticed"), "older results have none");
}

#[test]
fn labels_that_are_given_are_used() {
    let [a, b, c, d] = loads().try_into().unwrap();
    let label = |name: &str, files: [&PathBuf; 2]| format!("{name}={},{}", files[0].display(), files[1].display());
    let (before, after) = (label("before", [&a, &c]), label("after", [&b, &d]));
    let html = page(&["--label", &before, "--label", &after], &[]);
    assert!(html.contains("after beside before."), "{html}");
    assert!(html.contains("Within the noise: throughput"), "{html}");
}

#[test]
fn a_comparison_shows_its_cells_and_says_what_it_found() {
    let directory = tempfile::tempdir().unwrap();
    let file = changed("zookeeper-writes64x1-1", directory.path(), |document| {
        let result = document["result"].take();
        let mut faster = result.clone();
        faster["rate"] = 99_000.0.into();
        let cell = |label: &str, result: &Value| serde_json::json!({"label": label, "workload": "saturating", "repetitions": [result, result]});
        document["command"] = "compare".into();
        document["result"] = serde_json::json!({
            "cells": [cell("thread", &result), cell("io_uring", &faster)], "findings": ["io_uring is worth it."]
        });
    });
    let html = page(&[], &[file]);
    assert!(html.contains("<li>io_uring is worth it.</li>") && html.contains("compare: saturating"), "{html}");
    assert!(!html.contains("beside"), "it speaks for itself");
    assert!(html.contains("<th scope=\"row\">io_uring</th><td>2</td><td>99,000/s</td>"), "{html}");
    assert_eq!(count(&html, "<svg"), 3);
}

#[test]
fn a_command_that_is_not_known_shows_its_figures() {
    let directory = tempfile::tempdir().unwrap();
    let file = changed("zookeeper-writes64x1-1", directory.path(), |document| document["command"] = "juggle".into());
    let html = page(&[], &[file]);
    assert!(
        html.contains("all latency p99") && html.contains("<td>14,828/s</td>") && html.contains("Settings of juggle"),
        "{html}"
    );
}

#[test]
fn pictures_are_files_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let pictures = directory.path().join("new/pictures");
    let ran = report(&["--svg-dir", pictures.to_str().unwrap()], &loads()).expect(0);
    assert_eq!(ran.stdout.lines().count(), 3, "no page: {ran:#?}");
    for file in ran.stdout.lines() {
        let svg = fs::read_to_string(file).unwrap();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n"), "{file}");
        assert!(svg.contains("prefers-color-scheme:dark") && svg.contains("<desc"), "{file}");
    }
}

#[test]
fn a_run_tells_enough_for_a_curve() {
    let server = NullServer::start(Conduct::default());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.json");
    let run = format!("run -s {} --keys 9 -w 0s -n 20000 --read-ratio 0", server.address);
    let ran = loadgen(&run).expect(0);
    fs::write(&file, ran.json.as_ref().unwrap().to_string()).unwrap();
    let html = page(&[], &[file]);
    let curve = html.split("<polyline class=\"l0 main\" points=\"").nth(2).unwrap().split('"').next().unwrap();
    assert!(curve.split(' ').count() >= 30, "eight points for each factor of ten: {curve}");
}

#[test]
fn what_cannot_be_shown_is_named_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |file: PathBuf, says: &str| {
        let ran = report(&["--html", "-"], std::slice::from_ref(&file)).expect(1);
        assert!(ran.stderr.contains(says) && ran.stderr.contains(file.to_str().unwrap()), "{says}: {ran:#?}");
        assert_eq!(ran.stdout, "");
    };
    refused(directory.path().join("none.json"), "cannot read");
    refused(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"), "is no JSON");
    let change = |change: fn(&mut Value)| changed("zookeeper-writes64x1-1", directory.path(), change);
    refused(change(|document| document["schema"] = 2.into()), "is of schema 2");
    refused(change(|document| drop(document.as_object_mut().unwrap().remove("schema"))), "was not written by loadgen");
    refused(change(|document| document["result"] = Value::Null), "not as `loadgen run` writes it");
    refused(change(|document| document["result"]["rate"] = "fast".into()), "not as `loadgen run` writes it");
    let nothing = |document: &mut Value| {
        document["command"] = "juggle".into();
        document["result"] = serde_json::json!({"status": "complete"});
    };
    refused(change(nothing), "no figure");
    let ran = report(&["--html", "/nowhere/page.html"], &loads()).expect(1);
    assert!(ran.stderr.contains("cannot write /nowhere/page.html"), "{ran:#?}");
}

/// Puts markup into every text, and into the names of everything that has a name of its own.
fn infect(value: &mut Value) {
    const KEPT: [&str; 2] = ["phase", "command"];
    match value {
        Value::String(text) => text.push_str(HOSTILE),
        Value::Array(values) => values.iter_mut().for_each(infect),
        Value::Object(fields) => {
            let named = |name: &str| ["set", "servers", "seed"].contains(&name);
            let infected = std::mem::take(fields).into_iter().map(|(name, mut value)| {
                if !KEPT.contains(&name.as_str()) {
                    infect(&mut value);
                }
                (if named(&name) { format!("{name}{HOSTILE}") } else { name }, value)
            });
            *fields = infected.collect::<Map<String, Value>>();
        }
        _ => {}
    }
}

/// A page, and its pictures, of files that mean harm.
fn hostile_page(directory: &Path) -> (PathBuf, String) {
    let harm = |name: &str, command: &str| {
        let file = changed(name, directory, |document| {
            infect(document);
            document["result"]["failures"] = serde_json::json!([HOSTILE]);
            document["result"]["kinds"]["more"] = document["result"]["all"].clone();
            document["command"] = command.into();
        });
        let named = directory.join(format!("{name}<img src=x>.json"));
        fs::rename(file, &named).unwrap();
        named
    };
    let files = [
        harm("zookeeper-writes64x1-1", "run"),
        harm("ringkeeper-writes64x1-1", "run"),
        harm("failover-zookeeper-kill-1", "failover"),
        harm("zookeeper-writes64x1-2", HOSTILE),
    ];
    let (html, pictures) = (directory.join("page.html"), directory.join("pictures"));
    let arguments = ["--title", HOSTILE, "--html", html.to_str().unwrap(), "--svg-dir", pictures.to_str().unwrap()];
    report(&arguments, &files).expect(0);
    let texts: Vec<String> =
        fs::read_dir(pictures).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    assert!(texts.len() >= 6, "{}", texts.len());
    let all = texts.concat() + &fs::read_to_string(&html).unwrap();
    (html, all)
}

#[test]
fn hostile_files_inject_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (_, all) = hostile_page(directory.path());
    for markup in ["<img", "<script", "onerror=alert(1)>", "</style></svg>"] {
        assert!(!all.contains(markup), "{markup}");
    }
    assert!(all.contains("&lt;img src=x"), "it is shown as what it is");
}

#[test]
fn no_number_is_too_strange() {
    let directory = tempfile::tempdir().unwrap();
    for strange in ["-1", "0", "1e308", "-1e308", "5e-324", "18446744073709551615"] {
        fn replace(value: &mut Value, by: &Value) {
            match value {
                Value::Number(n) if n.is_f64() => *value = by.clone(),
                Value::Array(values) => values.iter_mut().for_each(|value| replace(value, by)),
                Value::Object(fields) => fields.values_mut().for_each(|value| replace(value, by)),
                _ => {}
            }
        }
        let by: Value = serde_json::from_str(strange).unwrap();
        for name in ["zookeeper-writes64x1-1", "failover-zookeeper-kill-1"] {
            let file = changed(name, directory.path(), |document| replace(&mut document["result"], &by));
            let html = page(&[], &[file, fixture(name)]);
            assert!(
                !html.contains("NaN\"") && !html.contains("inf\"") && !html.contains("NaN,"),
                "{strange} in {name}"
            );
        }
    }
}

/// What Chromium makes of a page: the document after loading, and what it logs. `None`, with the reason printed, if there is no
/// Chromium.
fn browse(page: &Path, profile: &Path) -> Option<(String, String)> {
    let programs = ["chromium", "chromium-browser", "google-chrome"];
    let Some(program) = programs.into_iter().find(|program| Command::new(program).arg("--version").output().is_ok())
    else {
        skipped("there is no chromium to open a page with (Debian: chromium)");
        return None;
    };
    let output = Command::new(program)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    Some((String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[test]
fn a_browser_shows_the_page_without_a_complaint() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("page.html");
    let all: Vec<PathBuf> = loads().into_iter().chain(failovers()).collect();
    report(&["--html", file.to_str().unwrap()], &all).expect(0);
    let (hostile, _) = hostile_page(directory.path());
    for (page, pictures) in [(file, 7), (hostile, 6)] {
        let Some((dom, log)) = browse(&page, &directory.path().join("profile")) else { return };
        let complaints: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        assert!(count(&dom, "<svg") >= pictures, "{} pictures: {dom}", count(&dom, "<svg"));
        assert_eq!(count(&dom, "<svg"), count(&dom, "</svg>"));
        assert_eq!((count(&dom, "<script"), count(&dom, "<img")), (0, 0));
        assert!(dom.trim_end().ends_with("</html>"));
    }
}
