//! The one order of transactions: what was proposed, and how much of it was shown to anybody.

use crate::time::Time;
use ringkeeper_core::frame::{Frame, FrameBatch};
use ringkeeper_core::ids::{SessionId, Tag, Zxid};
use ringkeeper_core::tree::Restored;
use ringkeeper_core::txn::TxnType;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A transaction that was sent to somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// Its place.
    pub zxid: Zxid,
    /// The transaction before it.
    pub prev: Zxid,
    /// All of it, in words: a frame is aligned as such.
    pub bytes: Arc<[u64]>,
}

impl Proposal {
    fn of(frame: &Frame<'_>) -> Proposal {
        let words = frame.as_bytes().chunks_exact(8);
        let bytes = words.map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect();
        Proposal { zxid: frame.zxid(), prev: frame.prev_zxid(), bytes }
    }

    /// The transaction, from a buffer that it is put into.
    pub fn frame<'b>(&self, buf: &'b mut ringkeeper_core::frame::FrameBuf) -> Frame<'b> {
        buf.clear();
        for word in &*self.bytes {
            buf.extend_from_slice(&word.to_le_bytes());
        }
        Frame::parse(buf).expect("what was proposed is whole")
    }
}

/// What is known of a session.
#[derive(Default)]
struct Story {
    last_cxid: i32,
    /// It is no more.
    is_closed: bool,
    /// When it last ended.
    closed: Option<(Zxid, Time)>,
    ended_by_restore: bool,
}

impl Story {
    fn end(&mut self, zxid: Zxid, now: Time) {
        (self.is_closed, self.closed) = (true, Some((zxid, now)));
    }
}

/// See the module.
#[derive(Default)]
pub struct Order {
    proposed: BTreeMap<Zxid, Proposal>,
    /// What was shown, with whose request it was.
    shown: BTreeMap<Zxid, (SessionId, i32)>,
    tags: BTreeSet<Tag>,
    sessions: BTreeMap<SessionId, Story>,
    /// Sessions of servers without a leader.
    read_only: BTreeSet<SessionId>,
}

impl Order {
    pub fn proposed(&mut self, batch: &FrameBatch) {
        for frame in batch.frames() {
            // Most were seen when they were sent to somebody else.
            if let Some(known) = self.proposed.get(&frame.zxid())
                && known.prev == frame.prev_zxid()
                && same(&known.bytes, frame.as_bytes())
            {
                continue;
            }
            let proposal = Proposal::of(&frame);
            let zxid = proposal.zxid;
            if let Some(other) = self.proposed.insert(zxid, proposal) {
                panic!("{zxid} is two transactions: {other:?} and {:?}", self.proposed[&zxid]);
            }
        }
    }

    pub fn last(&self) -> Zxid {
        self.shown.keys().next_back().copied().unwrap_or_default()
    }

    pub fn len(&self) -> u64 {
        self.shown.len() as u64
    }

    /// A server shows everything through `last`. What nobody had been shown before, in order: each is [`Order::next`].
    pub fn shown(&self, at: usize, last: Zxid) -> Vec<Proposal> {
        let known = self.last();
        if last <= known {
            let shown = last == Zxid::ZERO || self.shown.contains_key(&last);
            assert!(shown, "server {at} shows {last}, which is not part of what others were shown through {known}");
            return Vec::new();
        }
        let mut new = Vec::new();
        let mut next = last;
        while next > known {
            let proposal = self.proposed.get(&next);
            let proposal = proposal.unwrap_or_else(|| panic!("server {at} shows {next}, which nobody was sent"));
            new.push(proposal.clone());
            next = proposal.prev;
        }
        assert_eq!(next, known, "server {at} shows {last}, whose history leaves what others were shown at {next}");
        new.reverse();
        new
    }

    /// The rules of a single transaction.
    pub fn next(&mut self, now: Time, proposal: &Proposal) {
        let mut buf = ringkeeper_core::frame::FrameBuf::new();
        let frame = proposal.frame(&mut buf);
        let (zxid, session, cxid, tag) = (frame.zxid(), frame.session(), frame.cxid(), frame.tag());
        self.shown.insert(zxid, (session, cxid));
        assert!(tag == Tag::NONE || self.tags.insert(tag), "{zxid} executes a request a second time: {tag:?}");
        if session == SessionId::NONE {
            return;
        }
        assert!(!self.read_only.contains(&session), "{zxid} is of {session}, which a read-only server has opened");
        let story = self.sessions.entry(session).or_default();
        assert!(!story.is_closed, "{zxid} is of session {session}, which has ended: {:?}", story.closed);
        if frame.txn_type() == TxnType::CloseSession as i32 {
            story.end(zxid, now);
        }
        if cxid != 0 {
            let last = std::mem::replace(&mut story.last_cxid, cxid);
            assert!(cxid > last, "{zxid} executes request {cxid} of session {session} after request {last}");
        }
    }

    /// Asserts whose request a transaction was.
    pub fn is(&self, zxid: Zxid, session: SessionId, cxid: i32) {
        let found = self.shown.get(&zxid);
        assert_eq!(found, Some(&(session, cxid)), "request {cxid} of session {session} was answered with {zxid}");
    }

    /// The whole tree was replaced, and sessions with it.
    pub fn restored(&mut self, now: Time, zxid: Zxid, restored: &Restored) {
        for session in &restored.ended {
            let story = self.sessions.entry(*session).or_default();
            story.end(zxid, now);
            story.ended_by_restore = true;
        }
        for (session, _) in &restored.back {
            self.sessions.entry(*session).or_default().is_closed = false;
        }
    }

    pub fn opened_read_only(&mut self, session: SessionId) {
        let new = self.read_only.insert(session) && !self.sessions.contains_key(&session);
        assert!(new, "a read-only server gives {session} to a second client");
    }

    pub fn was_ended_by_restore(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|story| story.ended_by_restore)
    }

    pub fn closed(&self, session: SessionId) -> Option<(Zxid, Time)> {
        self.sessions.get(&session)?.closed
    }
}

fn same(words: &[u64], bytes: &[u8]) -> bool {
    words.len() * 8 == bytes.len()
        && words.iter().zip(bytes.chunks_exact(8)).all(|(word, bytes)| word.to_le_bytes() == bytes)
}
