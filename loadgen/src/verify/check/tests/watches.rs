//! Histories that are bad by what watches told, or did not.

use super::super::super::history::{Answer, Ask, Stat};
use super::{Story, get, made, node, set, stat};
use ringkeeper_core::jute::WatcherEvent;

const BEFORE: &str = "a watch fires before anything newer is seen";
const ONCE: &str = "a watch fires once, and for a reason";

fn read(story: &mut Story, zxid: i64) {
    story.done(2, get("/a", false), zxid, Answer::Data("a1".into(), stat(1, 1, 0)));
}

#[test]
fn a_watch_of_children_fires_before_what_follows() {
    let watched = || {
        let mut story = Story::new();
        let children = Ask::Children { path: "/a".into(), watch: true };
        story.done(2, children, 1, Answer::Children(Vec::new(), Stat { pzxid: 1, ..stat(1, 1, 0) }));
        story.done(1, node("/a/x", "x1"), 2, made("/a/x", 2));
        story
    };
    let mut late = watched();
    read(&mut late, 2);
    late.breaks(BEFORE, "change of /a at 0x2");
    let mut good = watched();
    good.event(2, 2, WatcherEvent::CHILDREN_CHANGED, "/a");
    read(&mut good, 2);
    good.fine();
}

#[test]
fn a_watch_of_a_node_that_is_not_there_fires_when_it_is_made() {
    let watched = || {
        let mut story = Story::new();
        story.refused(2, Ask::Exists { path: "/b".into(), watch: true }, 1, -101);
        story.done(1, node("/b", "b1"), 2, made("/b", 2));
        story
    };
    let mut late = watched();
    read(&mut late, 2);
    late.breaks(BEFORE, "change of /b at 0x2");
    let mut good = watched();
    good.event(2, 2, WatcherEvent::CREATED, "/b");
    read(&mut good, 2);
    good.fine();
}

#[test]
fn an_event_is_of_the_change_that_set_the_watch_off() {
    let mut story = Story::new();
    story.done(2, get("/a", true), 1, Answer::Data("a1".into(), stat(1, 1, 0)));
    story.done(1, set("/a", "a2"), 2, Answer::Stat(stat(1, 2, 1)));
    story.done(1, set("/a", "a3"), 3, Answer::Stat(stat(1, 3, 2)));
    story.event(2, 3, WatcherEvent::DATA_CHANGED, "/a");
    story.breaks(ONCE, "something else before");
    let mut story = Story::new();
    story.event(2, 1, 9, "/a");
    story.breaks(ONCE, "there is no event of kind 9");
}

/// A server that takes up the watch of a node that is not there cannot know that it came and went: it was not asked.
#[test]
fn a_watch_that_is_taken_up_again_does_not_tell_of_a_node_that_came_and_went() {
    let mut story = Story::new();
    story.refused(2, Ask::Exists { path: "/b".into(), watch: true }, 1, -101);
    story.done(1, node("/b", "b1"), 2, made("/b", 2));
    story.done(1, Ask::Delete { path: "/b".into(), version: -1 }, 3, Answer::Nothing);
    let (data, exist, child) = (Vec::new(), vec!["/b".to_owned()], Vec::new());
    story.done(2, Ask::SetWatches { since: 1, data, exist, child }, 3, Answer::Nothing);
    read(&mut story, 3);
    story.fine();
    story.done(1, node("/b", "b2"), 4, made("/b", 4));
    read(&mut story, 4);
    story.breaks(BEFORE, "change of /b at 0x4");
}
