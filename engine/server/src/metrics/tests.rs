//! Rules that all families obey.

use super::{Series, families, prometheus};
use crate::four_letter::{Mode, Snapshot};
use std::collections::BTreeSet;

fn leader() -> Snapshot {
    Snapshot { serving: true, mode: Mode::Leader, ..Snapshot::default() }
}

#[test]
fn names_are_unique_and_told_by_their_form() {
    let mut seen = BTreeSet::new();
    for family in families(&leader()) {
        assert!(seen.insert(family.name), "{} twice", family.name);
        assert!(
            family.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
            "{}",
            family.name
        );
        assert!(family.help.ends_with('.'), "{}: {}", family.name, family.help);
        if family.name.starts_with("ringkeeper_") {
            let counts = matches!(family.series, Series::Counter(_));
            assert_eq!(counts, family.name.ends_with("_total"), "{}", family.name);
        }
    }
}

/// The page that explains them has them all.
#[test]
fn every_family_is_documented() {
    let page = include_str!("../../../../docs/monitoring.md");
    let missing: Vec<&str> = families(&leader())
        .iter()
        .map(|family| family.name)
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert_eq!(missing, Vec::<&str>::new(), "docs/monitoring.md lacks them");
}

#[test]
fn the_text_has_every_family_once() {
    let families = families(&leader());
    let text = prometheus::text(&families);
    assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE ")).count(), families.len());
}
