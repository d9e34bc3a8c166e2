//! Histories that are bad by what nodes were: writes, reads and lists that do not fit, one for each way.

use super::super::super::history::{Answer, Ask, Stat};
use super::{Story, check, get, made, node, set, stat};

const READS: &str = "reads show the state at some point between what the session has seen and the answer";
const LISTS: &str = "lists of children are what was created and not deleted";

fn delete(path: &str) -> Ask {
    Ask::Delete { path: path.into(), version: -1 }
}

fn exists(path: &str) -> Ask {
    Ask::Exists { path: path.into(), watch: false }
}

fn children() -> Ask {
    Ask::Children { path: "/a".into(), watch: false }
}

/// Children of /a, as of this zxid.
fn listed(names: &[&str], pzxid: i64) -> Answer {
    Answer::Children(names.iter().map(|name| (*name).to_owned()).collect(), Stat { pzxid, ..stat(1, 1, 0) })
}

#[test]
fn a_set_and_a_delete_are_of_the_node_that_was_there() {
    let fits = "every write fits what was there";
    let at_version = |version| Ask::Set { path: "/a".into(), data: "a2".into(), version };
    for (ask, answer, why) in [
        (at_version(3), Answer::Stat(stat(1, 2, 1)), "/a was at version 0"),
        (set("/b", "b1"), Answer::Stat(stat(1, 2, 1)), "/b was not there"),
        (set("/a", "a2"), Answer::Stat(stat(0, 2, 1)), "/a was another node, of the same path"),
        (delete("/b"), Answer::Nothing, "/b was not there"),
    ] {
        let mut story = Story::new();
        story.done(2, ask, 2, answer);
        story.breaks(fits, why);
    }
    let mut story = Story::new();
    story.done(2, at_version(0), 2, Answer::Stat(stat(1, 2, 1)));
    story.done(2, delete("/a"), 3, Answer::Nothing);
    story.fine();
}

#[test]
fn a_stat_is_of_a_change_that_there_was() {
    for (ask, zxid, told, why) in [
        (exists("/a"), 5, stat(1, 5, 1), "its mzxid 0x5 is no change of it"),
        (exists("/a"), 1, stat(7, 1, 0), "czxid 0x7 is not that of"),
        (exists("/a"), 1, stat(1, 1, 4), "version 4, but"),
        (exists("/a"), 1, stat(1, 2, 1), "mzxid 0x2 is newer than the answer"),
        (exists("/gone"), 4, stat(3, 4, 0), "it had been deleted by"),
    ] {
        let mut story = Story::new();
        story.done(1, set("/a", "a2"), 2, Answer::Stat(stat(1, 2, 1)));
        story.done(1, node("/gone", "g1"), 3, made("/gone", 3));
        story.done(1, delete("/gone"), 4, Answer::Nothing);
        story.done(2, exists("/a"), 1, Answer::Stat(stat(1, 1, 0)));
        story.fine();
        story.done(2, ask, zxid, Answer::Stat(told));
        story.breaks(READS, why);
    }
}

#[test]
fn a_value_is_read_where_it_was_written() {
    let mut story = Story::new();
    story.done(1, node("/b", "b1"), 2, made("/b", 2));
    story.done(2, get("/a", false), 2, Answer::Data("b1".into(), stat(1, 2, 1)));
    let verdict = check(&story.entries);
    assert!(verdict.violations[0].contains("which was written elsewhere"), "{verdict:?}");
}

#[test]
fn a_list_is_of_one_moment_that_the_session_may_see() {
    for (session, zxid, answer, why) in [
        (2, 2, listed(&["x", "y"], 2), "/a/y should not be there"),
        (2, 1, listed(&["x"], 2), "it is as of 0x2, after the answer"),
        (1, 2, listed(&[], 1), "it is as of 0x1, though the session had seen what was done to /a/x"),
    ] {
        let mut story = Story::new();
        story.done(1, node("/a/x", "x1"), 2, made("/a/x", 2));
        // Another session may be behind.
        story.done(2, children(), 1, listed(&[], 1));
        story.fine();
        story.done(session, children(), zxid, answer);
        story.breaks(LISTS, why);
    }
}

#[test]
fn a_multi_is_refused_because_of_the_part_that_failed() {
    let multi = |version| Ask::Multi(vec![node("/b", "b1"), Ask::Check { path: "/a".into(), version }]);
    let failed = || Answer::Results(vec![Answer::Error(0), Answer::Error(-103)]);
    let mut story = Story::new();
    story.op(2, multi(4), 1, -103, failed());
    story.fine();
    story.op(2, multi(0), 1, -103, failed());
    story.breaks("every refusal has a reason", "check /a at version 0");
}
