//! Histories that are bad by their zxids and times alone.

use super::super::super::history::{Answer, Ask};
use super::super::Promises;
use super::{Story, check, get, made, node, set, stat};

#[test]
fn zxids_of_a_session_do_not_go_back() {
    let mut story = Story::new();
    story.done(1, set("/a", "a2"), 2, Answer::Stat(stat(1, 2, 1)));
    story.done(1, get("/a", false), 1, Answer::Data("a1".into(), stat(1, 1, 0)));
    let verdict = check(&story.entries);
    assert!(verdict.counts.contains_key("a session's zxids never go back"), "{verdict:?}");
    assert!(verdict.violations[0].contains("get /a") && verdict.violations[0].contains("set /a = a2"), "{verdict:?}");
}

#[test]
fn a_write_comes_after_what_others_had_seen_before() {
    let mut story = Story::new();
    story.done(1, node("/c", "c1"), 5, made("/c", 5));
    story.done(2, node("/b", "b1"), 4, made("/b", 4));
    story.breaks("writes are in real-time order", "create /b = b1");
}

#[test]
fn two_writes_do_not_share_a_zxid() {
    let mut story = Story::new();
    story.op(1, node("/c", "c1"), 5, 0, made("/c", 5));
    let op = story.op(2, node("/b", "b1"), 5, 0, made("/b", 5));
    // At the same time as the other, so that its place in time is no objection.
    op.called = 1;
    story.breaks("each write has a zxid of its own", "create /c = c1");
}

#[test]
fn a_sync_shows_what_was_done_before() {
    let mut story = Story::new();
    story.done(1, set("/a", "a2"), 2, Answer::Stat(stat(1, 2, 1)));
    story.done(2, Ask::Sync { path: "/a".into() }, 1, Answer::Nothing);
    story.breaks("after a sync nothing is older than what was seen before it", "set /a = a2");
    assert!(super::super::check(&story.entries, Promises { sync: false }).violations.is_empty());
}

#[test]
fn sequence_numbers_rise() {
    let queued =
        |data: &str| Ask::Create { path: format!("/q/{data}-"), data: data.into(), ephemeral: false, sequential: true };
    let mut story = Story::new();
    story.done(1, queued("x"), 2, made("/q/x-0000000004", 2));
    story.done(1, queued("y"), 3, made("/q/y-0000000005", 3));
    story.fine();
    story.done(1, queued("z"), 4, made("/q/z-0000000005", 4));
    story.breaks("sequence numbers rise", "create sequential /q/z- = z");
    let mut story = Story::new();
    story.done(1, queued("x"), 2, made("/q/x-12", 2));
    story.breaks("sequence numbers rise", "made /q/x-12");
}

#[test]
fn writes_of_a_session_take_effect_in_the_order_in_which_they_were_asked() {
    let mut story = Story::new();
    story.done(1, node("/b", "b1"), 3, made("/b", 3));
    // Asked at the same time as the one before, so that its place in time is no objection.
    story.op(1, node("/c", "c1"), 2, 0, made("/c", 2)).called = 1;
    let verdict = check(&story.entries);
    let told = |promise: &str| verdict.violations.iter().find(|told| told.starts_with(promise));
    let told = told("a session's writes take effect in order: ").unwrap_or_else(|| panic!("{verdict:?}"));
    assert!(told.contains("create /c = c1 ") && told.contains("create /b = b1"), "{told}");
    // Whoever else asks for it at that time may come before.
    let mut others = Story::new();
    others.done(1, node("/b", "b1"), 3, made("/b", 3));
    others.op(2, node("/c", "c1"), 2, 0, made("/c", 2)).called = 1;
    others.fine();
}

#[test]
fn a_refusal_is_as_current_as_a_write() {
    let mut story = Story::new();
    story.done(1, set("/a", "a2"), 5, Answer::Stat(stat(1, 5, 1)));
    let exists = -110;
    story.refused(2, node("/a", "a3"), 5, exists);
    story.fine();
    story.refused(2, node("/a", "a4"), 4, exists);
    let verdict = check(&story.entries);
    let told = verdict.violations.iter().find(|told| told.starts_with("refusals are as current as writes: "));
    let told = told.unwrap_or_else(|| panic!("{verdict:?}"));
    assert!(told.contains("create /a = a4") && told.contains("was asked after"), "{told}");
}

#[test]
fn a_session_that_has_ended_does_nothing_more() {
    let mut story = Story::new();
    story.done(1, Ask::Close, 2, Answer::Nothing);
    story.fine();
    story.done(1, get("/a", false), 2, Answer::Data("a1".into(), stat(1, 1, 0)));
    story.breaks("a session that has ended does nothing more", "get /a");
}
