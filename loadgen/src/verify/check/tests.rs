//! Histories that are bad on purpose: one for each promise, and good ones with something changed.

mod order;
mod states;
mod watches;

use super::super::history::{Answer, Ask, Entry, Op, Stat};
use super::{Promises, Verdict};
use ringkeeper_core::jute::WatcherEvent;

const GOOD: &str = include_str!("good.jsonl");

fn check(entries: &[Entry]) -> Verdict {
    super::check(entries, Promises { sync: true })
}

/// Builds histories: every operation takes one tick, one after the other.
#[derive(Default)]
struct Story {
    entries: Vec<Entry>,
    now: u64,
}

fn node(path: &str, data: &str) -> Ask {
    Ask::Create { path: path.into(), data: data.into(), ephemeral: false, sequential: false }
}

fn set(path: &str, data: &str) -> Ask {
    Ask::Set { path: path.into(), data: data.into(), version: -1 }
}

fn get(path: &str, watch: bool) -> Ask {
    Ask::Get { path: path.into(), watch }
}

fn stat(czxid: i64, mzxid: i64, version: i32) -> Stat {
    Stat { czxid, mzxid, pzxid: czxid, version, ..Stat::default() }
}

fn made(path: &str, zxid: i64) -> Answer {
    Answer::Created(path.into(), Some(stat(zxid, zxid, 0)))
}

impl Story {
    /// With a node /a that session 1 made at zxid 1.
    fn new() -> Story {
        let mut story = Story::default();
        story.done(1, node("/a", "a1"), 1, made("/a", 1));
        story
    }

    fn op(&mut self, session: i64, ask: Ask, zxid: i64, err: i32, answer: Answer) -> &mut Op {
        self.now += 2;
        let (client, called, returned) = (session as u32, self.now - 1, Some(self.now));
        self.entries.push(Entry::Op(Op { client, session, called, returned, zxid, err, ask, answer }));
        match self.entries.last_mut() {
            Some(Entry::Op(op)) => op,
            _ => unreachable!("it was just pushed"),
        }
    }

    fn done(&mut self, session: i64, ask: Ask, zxid: i64, answer: Answer) {
        self.op(session, ask, zxid, 0, answer);
    }

    fn refused(&mut self, session: i64, ask: Ask, zxid: i64, err: i32) {
        self.op(session, ask, zxid, err, Answer::Nothing);
    }

    fn lost(&mut self, session: i64, ask: Ask) {
        self.op(session, ask, 0, 0, Answer::Nothing).returned = None;
    }

    fn event(&mut self, session: i64, zxid: i64, kind: i32, path: &str) {
        self.now += 2;
        self.entries.push(Entry::Event {
            client: session as u32,
            session,
            at: self.now,
            zxid,
            kind,
            path: path.into(),
        });
    }

    fn fine(&self) {
        let verdict = check(&self.entries);
        assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
    }

    /// Exactly this promise is broken, and the proof names this.
    fn breaks(&self, promise: &str, names: &str) {
        let verdict = check(&self.entries);
        let all: Vec<_> = verdict.counts.keys().collect();
        assert!(verdict.counts.len() == 1 && verdict.counts.contains_key(promise), "{all:?} {:#?}", verdict.violations);
        assert!(verdict.violations[0].contains(names), "{:#?}", verdict.violations);
    }
}

#[test]
fn a_write_fits_what_was_there() {
    let fits = "every write fits what was there";
    let mut story = Story::new();
    story.done(2, node("/a", "a2"), 2, made("/a", 2));
    story.breaks(fits, "was there already");
    let mut story = Story::new();
    story.done(2, set("/a", "a2"), 2, Answer::Stat(stat(1, 2, 2)));
    story.breaks(fits, "from version 0 to 2");
    let mut story = Story::new();
    story.done(2, Ask::Delete { path: "/a".into(), version: 3 }, 2, Answer::Nothing);
    story.breaks(fits, "was at version 0");
    let mut story = Story::new();
    story.done(2, Ask::Delete { path: "/a".into(), version: -1 }, 2, Answer::Nothing);
    story.done(2, node("/a/x", "x1"), 3, made("/a/x", 3));
    story.breaks(fits, "its parent was not there");
    let mut story = Story::new();
    story.done(2, node("/a/x", "x1"), 2, made("/a/x", 2));
    story.done(2, Ask::Delete { path: "/a".into(), version: -1 }, 3, Answer::Nothing);
    story.breaks(fits, "it had a child");
}

#[test]
fn a_refusal_has_a_reason() {
    let reason = "every refusal has a reason";
    for (ask, err) in [
        (Ask::Delete { path: "/a".into(), version: -1 }, -101),
        (Ask::Set { path: "/a".into(), data: "a2".into(), version: 0 }, -103),
        (node("/b", "b1"), -110),
        (Ask::Delete { path: "/a".into(), version: -1 }, -111),
        (set("/a", "a2"), -5),
    ] {
        let mut story = Story::new();
        story.refused(2, ask, 1, err);
        story.breaks(reason, "client 2");
    }
    let mut story = Story::new();
    story.refused(2, node("/a", "a2"), 1, -110);
    story.refused(2, Ask::Set { path: "/a".into(), data: "a3".into(), version: 4 }, 1, -103);
    story.refused(2, Ask::Delete { path: "/b".into(), version: -1 }, 1, -101);
    story.fine();
}

#[test]
fn a_read_is_not_older_than_what_the_session_has_seen() {
    let mut story = Story::new();
    story.done(1, set("/a", "a2"), 2, Answer::Stat(stat(1, 2, 1)));
    // Another session may be behind.
    story.done(2, get("/a", false), 1, Answer::Data("a1".into(), stat(1, 1, 0)));
    story.fine();
    story.done(1, get("/a", false), 2, Answer::Data("a1".into(), stat(1, 1, 0)));
    story.breaks("reads show the state at some point between what the session has seen and the answer", "set /a = a2");
}

#[test]
fn an_acknowledged_write_that_is_gone_is_missed() {
    let mut story = Story::new();
    story.refused(2, get("/a", false), 1, -101);
    // It may not have got there yet.
    story.entries.pop();
    story.done(2, Ask::Sync { path: "/a".into() }, 1, Answer::Nothing);
    story.refused(2, get("/a", false), 1, -101);
    story.breaks(
        "reads show the state at some point between what the session has seen and the answer",
        "create /a = a1",
    );
    let mut story = Story::new();
    story.done(1, node("/a/x", "x1"), 2, made("/a/x", 2));
    let all = Ask::Children { path: "/a".into(), watch: false };
    let now = Stat { pzxid: 2, ..stat(1, 1, 0) };
    story.done(1, all.clone(), 2, Answer::Children(vec!["x".into()], now));
    story.fine();
    story.done(1, all, 2, Answer::Children(vec![], now));
    story.breaks("lists of children are what was created and not deleted", "/a/x is missing");
}

#[test]
fn a_value_was_written_and_not_refused() {
    let written = "what is read was written";
    let mut story = Story::new();
    story.done(2, get("/a", false), 1, Answer::Data("never".into(), stat(1, 1, 0)));
    story.breaks(written, "nobody wrote");
    let mut story = Story::new();
    story.refused(1, Ask::Set { path: "/a".into(), data: "a2".into(), version: 5 }, 1, -103);
    story.done(2, get("/a", false), 2, Answer::Data("a2".into(), stat(1, 2, 1)));
    let verdict = check(&story.entries);
    assert!(verdict.violations[0].contains("which was refused"), "{verdict:?}");
}

#[test]
fn what_was_lost_may_have_been_done_or_not_but_not_twice() {
    for seen in [("a1", 1, 0), ("a2", 2, 1)] {
        let mut story = Story::new();
        story.lost(1, set("/a", "a2"));
        story.done(2, get("/a", false), 2, Answer::Data(seen.0.into(), stat(1, seen.1, seen.2)));
        story.fine();
    }
    let mut story = Story::new();
    story.lost(1, set("/a", "a2"));
    story.done(2, get("/a", false), 2, Answer::Data("a2".into(), stat(1, 2, 1)));
    story.done(2, get("/a", false), 4, Answer::Data("a2".into(), stat(1, 4, 2)));
    let verdict = check(&story.entries);
    assert!(verdict.violations[0].contains("took effect at another zxid"), "{verdict:?}");
}

#[test]
fn what_was_lost_was_not_done_before_it_was_asked() {
    let mut story = Story::new();
    story.done(1, node("/b", "b1"), 3, made("/b", 3));
    story.lost(1, set("/a", "a2"));
    story.done(2, get("/a", false), 3, Answer::Data("a2".into(), stat(1, 2, 1)));
    story.breaks("what is read was written", "which is older than");
}

#[test]
fn ephemeral_nodes_go_with_their_session_and_not_before() {
    let lock = Ask::Create { path: "/e".into(), data: "e1".into(), ephemeral: true, sequential: false };
    let reads = "reads show the state at some point between what the session has seen and the answer";
    let owned = Stat { owner: 1, ..stat(2, 2, 0) };
    let mut held = Story::new();
    held.done(1, lock.clone(), 2, Answer::Created("/e".into(), Some(owned)));
    held.done(2, get("/a", false), 2, Answer::Data("a1".into(), stat(1, 1, 0)));
    held.refused(2, get("/e", false), 3, -101);
    // Nobody knows whether that session has ended by itself; what it does later tells that it had not.
    held.fine();
    held.done(1, set("/a", "a2"), 4, Answer::Stat(stat(1, 4, 1)));
    held.breaks(reads, "create ephemeral /e = e1");
    let mut closed = Story::new();
    closed.done(1, lock, 2, Answer::Created("/e".into(), Some(owned)));
    closed.done(1, Ask::Close, 3, Answer::Nothing);
    closed.done(2, get("/a", false), 3, Answer::Data("a1".into(), stat(1, 1, 0)));
    closed.fine();
    closed.done(2, get("/e", false), 3, Answer::Data("e1".into(), owned));
    closed.breaks(reads, "close of the session");
}

#[test]
fn a_set_that_was_lost_and_seen_leaves_an_ephemeral_node_ephemeral() {
    let lock = |data: &str| Ask::Create { path: "/e".into(), data: data.into(), ephemeral: true, sequential: false };
    let owned = |owner, czxid, mzxid, version| Stat { owner, ..stat(czxid, mzxid, version) };
    let mut story = Story::new();
    story.done(1, lock("e1"), 2, Answer::Created("/e".into(), Some(owned(1, 2, 2, 0))));
    story.lost(3, set("/e", "e2"));
    story.done(2, get("/e", false), 3, Answer::Data("e2".into(), owned(1, 2, 3, 1)));
    story.done(1, Ask::Close, 4, Answer::Nothing);
    story.done(2, set("/a", "a2"), 5, Answer::Stat(stat(1, 5, 1)));
    story.refused(2, set("/e", "e3"), 5, -101);
    story.done(2, lock("e4"), 6, Answer::Created("/e".into(), Some(owned(2, 6, 6, 0))));
    story.fine();
}

#[test]
fn the_end_of_a_session_is_no_news_of_a_node_that_may_be_gone() {
    let lock = Ask::Create { path: "/e".into(), data: "e1".into(), ephemeral: true, sequential: false };
    let mut story = Story::new();
    story.done(1, lock, 2, Answer::Created("/e".into(), Some(Stat { owner: 1, ..stat(2, 2, 0) })));
    // Done at 3: before the next write of its session.
    story.lost(3, Ask::Delete { path: "/e".into(), version: -1 });
    story.done(3, set("/a", "a2"), 4, Answer::Stat(stat(1, 4, 1)));
    story.refused(2, Ask::Exists { path: "/e".into(), watch: true }, 4, -101);
    story.done(1, Ask::Close, 5, Answer::Nothing);
    story.done(2, set("/a", "a3"), 6, Answer::Stat(stat(1, 6, 2)));
    story.fine();
}

#[test]
fn a_session_that_is_heard_does_not_expire() {
    let mut story = Story::new();
    story.entries.push(Entry::Session { client: 1, session: 1, at: 0, timeout_ms: 1_000, server: "s".into() });
    story.entries.push(Entry::Expired { client: 1, session: 1, at: 999_000_000 });
    story.breaks("a session lives as long as it is heard", "create /a = a1");
    story.entries.pop();
    story.entries.push(Entry::Expired { client: 1, session: 1, at: 1_001_000_000 });
    story.fine();
}

#[test]
fn a_watch_fires_before_what_follows_and_once() {
    let watched = || {
        let mut story = Story::new();
        story.done(2, get("/a", true), 1, Answer::Data("a1".into(), stat(1, 1, 0)));
        story.done(1, set("/a", "a2"), 2, Answer::Stat(stat(1, 2, 1)));
        story
    };
    let read = (get("/a", false), Answer::Data("a2".into(), stat(1, 2, 1)));
    let mut late = watched();
    late.done(2, read.0.clone(), 2, read.1.clone());
    late.breaks("a watch fires before anything newer is seen", "get /a");
    let mut good = watched();
    good.event(2, 2, WatcherEvent::DATA_CHANGED, "/a");
    good.done(2, read.0, 2, read.1);
    good.fine();
    good.event(2, 2, WatcherEvent::DATA_CHANGED, "/a");
    good.breaks("a watch fires once, and for a reason", "had been told already");
    let mut idle = Story::new();
    idle.done(2, get("/a", true), 1, Answer::Data("a1".into(), stat(1, 1, 0)));
    idle.event(2, -1, WatcherEvent::DATA_CHANGED, "/a");
    idle.breaks("a watch fires once, and for a reason", "nothing had happened");
}

#[test]
fn a_node_that_is_made_changes_its_parents_children_though_nobody_knows_when_it_had_gone() {
    let mut story = Story::new();
    story.done(1, node("/a/x", "x1"), 2, made("/a/x", 2));
    // Done at 3: before the next write of its session.
    story.lost(2, Ask::Delete { path: "/a/x".into(), version: -1 });
    story.done(2, node("/b", "b1"), 4, made("/b", 4));
    let children = Ask::Children { path: "/a".into(), watch: true };
    story.done(3, children, 4, Answer::Children(Vec::new(), Stat { cversion: 2, pzxid: 3, ..stat(1, 1, 0) }));
    story.done(1, node("/a/x", "x2"), 5, made("/a/x", 5));
    story.event(3, 5, WatcherEvent::CHILDREN_CHANGED, "/a");
    story.fine();
}

fn good() -> Vec<Entry> {
    GOOD.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every change of this kind to the recorded history is noticed, save for a few that make no difference.
fn every(what: &str, share: f64, mut change: impl FnMut(&mut Entry) -> bool) {
    let history = good();
    let (mut tried, mut caught) = (0, 0);
    for at in 0..history.len() {
        let mut changed = history.clone();
        if change(&mut changed[at]) {
            tried += 1;
            caught += u32::from(!check(&changed).violations.is_empty());
        }
    }
    assert!(tried >= 10, "{what}: {tried} places");
    assert!(f64::from(caught) >= share * f64::from(tried), "{what}: {caught} of {tried} were noticed");
}

#[test]
fn a_recorded_history_is_good() {
    let verdict = check(&good());
    assert!(verdict.violations.is_empty() && verdict.done > 100 && verdict.events > 10, "{verdict:?}");
}

#[test]
fn changes_to_a_recorded_history_are_noticed() {
    every("a value that was read", 1.0, |entry| match entry {
        Entry::Op(Op { answer: Answer::Data(data, _), .. }) => {
            data.push('x');
            true
        }
        _ => false,
    });
    every("a version that was read", 1.0, |entry| match entry {
        Entry::Op(Op { answer: Answer::Data(_, stat), .. }) => {
            stat.version += 1;
            true
        }
        _ => false,
    });
    every("a name in a list", 1.0, |entry| match entry {
        Entry::Op(Op { answer: Answer::Children(names, _), .. }) => names.pop().is_some(),
        _ => false,
    });
    every("a write that is forgotten", 0.9, |entry| match entry {
        Entry::Op(op) if op.is_done() && matches!(op.ask, Ask::Set { .. }) => {
            op.err = -103;
            true
        }
        _ => false,
    });
    every("a zxid that is too low", 0.9, |entry| match entry {
        Entry::Op(op) if op.is_done() && op.ask.is_write() => {
            op.zxid -= 1;
            true
        }
        _ => false,
    });
    every("an event of another node", 1.0, |entry| match entry {
        Entry::Event { path, .. } => {
            path.push('x');
            true
        }
        _ => false,
    });
}
