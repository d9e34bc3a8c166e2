//! Pages that speak of the program are held to it: what the runbook quotes is what the program says, and each row of the
//! compatibility table names tests that exist.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text of all files below these folders whose names end so.
fn text_of(folders: &[&str], endings: &[&str]) -> String {
    let mut text = String::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|is| endings.iter().any(|ending| is == *ending)) {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    text
}

/// Makes string literals that go over several lines one again.
fn unfold(text: &str) -> String {
    let (first, rest) = text.split_once("\\\n").unwrap_or((text, ""));
    rest.split("\\\n").fold(first.to_owned(), |unfolded, part| unfolded + part.trim_start())
}

#[test]
fn what_the_runbook_quotes_is_what_the_program_says() {
    let sources = ["engine/core/src", "engine/node/src", "engine/server/src", "net/src", "txnlog/src"];
    let program = unfold(&text_of(&sources, &["rs"]));
    let runbook = fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let quotes: Vec<&str> = runbook.lines().flat_map(|line| line.split('"').skip(1).step_by(2)).collect();
    assert!(quotes.len() > 30, "the runbook quotes messages: {quotes:?}");
    let unknown: Vec<&&str> = quotes.iter().filter(|quote| !program.contains(**quote)).collect();
    assert!(unknown.is_empty(), "no message of the program has these words: {unknown:#?}");
}

#[test]
fn each_row_of_the_compatibility_table_is_tested() {
    let tests = text_of(&["engine", "txnlog", "net", "loadgen"], &["rs", "py"]);
    let exists = |name: &str| ["fn ", "def "].iter().any(|word| tests.contains(&format!("{word}{name}(")));
    let page = fs::read_to_string(root().join("docs/compatibility.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| What |"));
    let mut count = 0;
    for row in rows {
        let columns: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [what, state, named] = columns[..] else { panic!("three columns: {row}") };
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        let missing: Vec<&&str> = named.iter().filter(|name| !exists(name)).collect();
        assert!(missing.is_empty(), "{what}: there is no such test: {missing:?}");
        let promises = !state.starts_with("no");
        assert!(!promises || !named.is_empty(), "{what}: a promise without a test");
        count += 1;
    }
    assert!(count > 25, "{count} rows");
}
