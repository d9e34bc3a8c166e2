//! What this server's clients have asked for and not yet been answered, in the order in which it came.
//!
//! A request stays here, with its bytes, until its answer is certain. So it can be submitted again to a new leader if
//! the old one died with it; and since each has a tag that the transaction carries on, one that was executed after all
//! is found in the history and not submitted twice.

use crate::acl::Id;
use crate::error_code::ErrorCode;
use crate::ids::{ConnId, SessionId, Tag, Zxid};
use crate::jute::Refusal;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// What the leader decided about a request that did not become a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nothing changed.
    Refused(ErrorCode),
    /// It cannot be decoded.
    Malformed(Refusal),
    /// One step of a multi was refused; nothing changed.
    MultiRefused { steps: u32, failed: u32, error: ErrorCode },
    /// Everything that was committed before the sync had come is proposed.
    Synced,
    /// There is no such session, or the password is wrong.
    ConnectRefused,
    /// Another connection speaks for the session.
    Moved,
}

/// A verdict, and what must hold before it is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    /// Everything through here, which is what the leader went by, must be applied.
    pub(super) released_by: Zxid,
    /// So many rounds of confirmation must have been answered by a quorum, or something that was proposed later must be
    /// committed. A leader that was replaced without knowing it judges by a state that is none any more.
    pub(super) round: u64,
}

/// A request, as it was asked.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// A new session; its id is chosen.
    Open { timeout_ms: i32 },
    /// Its own session back.
    TakeUp { passwd: Box<[u8]>, timeout_ms: i32 },
    /// Anything of an open session.
    Request { attached: Tag, cxid: i32, op: i32, auth: Arc<[Id]>, body: Range<u64> },
}

#[derive(Debug)]
enum State {
    /// Not decided, as far as is known here.
    Waiting,
    /// Decided, and not told yet.
    Decided(Judged),
    /// Answered.
    Done,
}

/// One request.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) conn: ConnId,
    pub(super) session: SessionId,
    pub(super) wish: Wish,
    state: State,
}

impl Entry {
    pub(super) fn cxid(&self) -> i32 {
        if let Wish::Request { cxid, .. } = self.wish { cxid } else { 0 }
    }

    fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Submitted {
    entries: VecDeque<Entry>,
    /// Tag of the first entry; the others follow without a gap.
    first: Tag,
    bodies: Bodies,
    /// Decided and not answered, in the order in which that became known.
    decided: VecDeque<Tag>,
    /// A quorum has answered so many rounds of the leader's.
    confirmed: u64,
    /// So many entries, from the first on, are with the leader.
    handed_over: usize,
}

impl Submitted {
    pub(super) fn new(first: Tag) -> Submitted {
        Submitted {
            entries: VecDeque::new(),
            first,
            bodies: Bodies::default(),
            decided: VecDeque::new(),
            confirmed: 0,
            handed_over: 0,
        }
    }

    /// Takes a request; its tag.
    pub(super) fn push(&mut self, conn: ConnId, session: SessionId, wish: Wish) -> Tag {
        let tag = Tag(self.first.0 + self.entries.len() as u64);
        self.entries.push_back(Entry { conn, session, wish, state: State::Waiting });
        tag
    }

    /// Keeps the bytes of a request.
    pub(super) fn keep(&mut self, body: &[u8]) -> Range<u64> {
        self.bodies.push(body)
    }

    /// The bytes of a request.
    pub(super) fn body(&self, range: &Range<u64>) -> &[u8] {
        self.bodies.get(range)
    }

    /// The next request that is not with the leader; from now on it is.
    pub(super) fn hand_over(&mut self) -> Option<(Tag, &Entry)> {
        self.skip_done();
        let at = self.handed_over;
        let entry = self.entries.get(at)?;
        self.handed_over += 1;
        Some((Tag(self.first.0 + at as u64), entry))
    }

    /// What is answered needs no leader. (After a change of leaders such entries can be anywhere.)
    fn skip_done(&mut self) {
        while self.entries.get(self.handed_over).is_some_and(|entry| matches!(entry.state, State::Done)) {
            self.handed_over += 1;
        }
    }

    /// Whether there is a request that is not with the leader.
    pub(super) fn has_more(&self) -> bool {
        self.handed_over < self.entries.len()
    }

    /// There is another leader: what is undecided is to be handed over again. Judgements of the old one count only if
    /// everything that they were based on is applied; those have been answered by now.
    pub(super) fn start_over(&mut self) {
        self.handed_over = 0;
        self.confirmed = 0;
        self.decided.clear();
        for entry in &mut self.entries {
            if matches!(entry.state, State::Decided(_)) {
                entry.state = State::Waiting;
            }
        }
    }

    fn at(&self, tag: Tag) -> Option<usize> {
        let at = tag.0.checked_sub(self.first.0)? as usize;
        (at < self.entries.len()).then_some(at)
    }

    /// The request, unless it is answered already.
    pub(super) fn get(&self, tag: Tag) -> Option<&Entry> {
        self.at(tag).map(|at| &self.entries[at]).filter(|entry| !matches!(entry.state, State::Done))
    }

    /// Requests of the same connection that are before this one and not answered, in order.
    pub(super) fn unanswered_before(&self, tag: Tag) -> Vec<Tag> {
        let Some(at) = self.at(tag) else { return Vec::new() };
        let conn = self.entries[at].conn;
        let before = self.entries.iter().take(at).enumerate();
        let unanswered = before.filter(|(_, entry)| entry.conn == conn && !matches!(entry.state, State::Done));
        unanswered.map(|(at, _)| Tag(self.first.0 + at as u64)).collect()
    }

    /// The verdict on a request, if it is decided; it is answered then. The caller knows that it holds.
    pub(super) fn take_verdict(&mut self, tag: Tag) -> Option<Verdict> {
        let at = self.at(tag)?;
        match core::mem::replace(&mut self.entries[at].state, State::Done) {
            State::Decided(judged) => Some(judged.verdict),
            other => {
                self.entries[at].state = other;
                None
            }
        }
    }

    /// The leader has decided.
    pub(super) fn decide(&mut self, tag: Tag, judged: Judged) {
        if let Some(at) = self.at(tag)
            && self.entries[at].is_waiting()
        {
            self.entries[at].state = State::Decided(judged);
            self.decided.push_back(tag);
        }
    }

    /// A quorum has answered the leader's rounds through this one.
    pub(super) fn confirm(&mut self, round: u64) {
        self.confirmed = self.confirmed.max(round);
    }

    /// It has been answered.
    pub(super) fn done(&mut self, tag: Tag) {
        if let Some(at) = self.at(tag) {
            self.entries[at].state = State::Done;
        }
    }

    /// Requests whose verdict is confirmed, and may be told when everything through `applied` is, and that nothing of the
    /// same connection is before; each is answered by [`Submitted::take_verdict`] before the next call.
    ///
    /// `next`: this is committed, and is about to be applied. It confirms what was decided before it was proposed: so
    /// every verdict is told in the state that it was based on, and the reads that wait for it see no newer one than the
    /// writes behind them.
    ///
    /// `reign_over`: whoever has judged leads no more. Then what a judgement was based on need not have become part of
    /// the history. It has if something of the same epoch, as late or later, was applied.
    pub(super) fn next_verdict(&mut self, applied: Zxid, next: Option<Zxid>, reign_over: bool) -> Option<Tag> {
        self.drop_done();
        let mut at = 0;
        while let Some(tag) = self.decided.get(at).copied() {
            match self.at(tag).map(|at| &self.entries[at].state) {
                Some(State::Decided(Judged { released_by, round, .. })) => {
                    let overtaken = next.is_some_and(|next| !reign_over || next.epoch() == released_by.epoch());
                    // What was decided later needs a round as late or later, and was based on as much or more.
                    if *released_by > applied || (*round > self.confirmed && !overtaken) {
                        return None;
                    }
                    let free = || tag == self.first || self.unanswered_before(tag).is_empty();
                    let holds = !reign_over || released_by.epoch() == applied.epoch();
                    if holds && free() {
                        self.decided.remove(at);
                        return Some(tag);
                    }
                    at += 1;
                }
                _ => {
                    self.decided.remove(at);
                }
            }
        }
        None
    }

    /// Takes everything out, in order.
    pub(super) fn take_all(&mut self) -> Vec<Entry> {
        let mut all = Vec::new();
        self.decided.clear();
        while !self.entries.is_empty() {
            let entry = self.pop();
            if !matches!(entry.state, State::Done) {
                all.push(entry);
            }
        }
        all
    }

    /// Takes out who waits for a session, in order; their connections.
    pub(super) fn take_applicants(&mut self) -> Vec<ConnId> {
        let waits =
            |entry: &&mut Entry| entry.is_waiting() && matches!(entry.wish, Wish::Open { .. } | Wish::TakeUp { .. });
        let waiting = self.entries.iter_mut().filter(waits);
        let taken = waiting.map(|entry| {
            entry.state = State::Done;
            entry.conn
        });
        taken.collect()
    }

    fn drop_done(&mut self) {
        while self.entries.front().is_some_and(|entry| matches!(entry.state, State::Done)) {
            self.pop();
        }
    }

    fn pop(&mut self) -> Entry {
        let entry = self.entries.pop_front().expect("only what is there is taken");
        self.first = self.first.next();
        self.handed_over = self.handed_over.saturating_sub(1);
        if let Wish::Request { body, .. } = &entry.wish {
            self.bodies.release(body.end);
        }
        entry
    }

    /// Requests that are not answered.
    pub(super) fn len(&self) -> usize {
        self.entries.iter().filter(|entry| !matches!(entry.state, State::Done)).count()
    }

    /// Whether everything is answered.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bytes that come at the end and go at the front, each stretch in one piece.
#[derive(Debug, Default)]
struct Bodies {
    bytes: Vec<u8>,
    /// Position of the first byte that is kept, counted from the very first.
    start: u64,
    released: u64,
}

/// Bytes that are no longer needed before the rest is moved up.
const SLACK: usize = 256 << 10;

impl Bodies {
    fn push(&mut self, body: &[u8]) -> Range<u64> {
        let start = self.start + self.bytes.len() as u64;
        self.bytes.extend_from_slice(body);
        start..start + body.len() as u64
    }

    fn get(&self, range: &Range<u64>) -> &[u8] {
        &self.bytes[(range.start - self.start) as usize..(range.end - self.start) as usize]
    }

    fn release(&mut self, through: u64) {
        self.released = self.released.max(through);
        let free = (self.released - self.start) as usize;
        if free == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(4 * SLACK);
        } else if free > SLACK && free > self.bytes.len() / 2 {
            self.bytes.drain(..free);
        } else {
            return;
        }
        self.start = self.released;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Epoch;

    fn zxid(epoch: u32, counter: u32) -> Zxid {
        Zxid::new(Epoch(epoch), counter)
    }

    /// One request, refused on the state at `released_by`, to be confirmed by round 2.
    fn refused(released_by: Zxid) -> (Submitted, Tag) {
        let mut submitted = Submitted::new(Tag(7));
        let conn = ConnId { frontend: 0, slot: 0, generation: 0 };
        let tag = submitted.push(conn, SessionId(1), Wish::Open { timeout_ms: 1 });
        let verdict = Verdict::Refused(ErrorCode::NoNode);
        submitted.decide(tag, Judged { verdict, released_by, round: 2 });
        (submitted, tag)
    }

    #[test]
    fn a_verdict_is_told_when_its_round_is_confirmed_and_its_state_reached() {
        let (mut submitted, tag) = refused(zxid(1, 5));
        assert_eq!(submitted.next_verdict(zxid(1, 5), None, false), None, "no quorum has confirmed the leader");
        submitted.confirm(1);
        assert_eq!(submitted.next_verdict(zxid(1, 5), None, false), None, "a round before it came says nothing");
        submitted.confirm(2);
        assert_eq!(submitted.next_verdict(zxid(1, 4), None, false), None, "its state is not reached");
        assert_eq!(submitted.next_verdict(zxid(1, 5), None, false), Some(tag));
    }

    #[test]
    fn a_verdict_is_told_before_anything_newer_than_its_state_is_applied() {
        let (mut submitted, tag) = refused(zxid(1, 5));
        assert_eq!(submitted.next_verdict(zxid(1, 4), Some(zxid(1, 5)), false), None, "its state is not reached");
        assert_eq!(submitted.next_verdict(zxid(1, 5), Some(zxid(1, 6)), false), Some(tag));
    }

    #[test]
    fn what_another_leader_has_proposed_confirms_nothing() {
        let (mut submitted, tag) = refused(zxid(1, 5));
        assert_eq!(submitted.next_verdict(zxid(1, 5), Some(zxid(2, 1)), true), None);
        assert_eq!(submitted.next_verdict(zxid(1, 5), Some(zxid(1, 6)), true), Some(tag), "proposed by the same one");
    }

    #[test]
    fn rounds_and_verdicts_of_one_leader_mean_nothing_under_the_next() {
        let (mut submitted, tag) = refused(zxid(1, 5));
        submitted.confirm(2);
        submitted.start_over();
        assert_eq!(submitted.next_verdict(zxid(1, 5), None, false), None, "it is to be judged again");
        let verdict = Verdict::Refused(ErrorCode::NodeExists);
        submitted.decide(tag, Judged { verdict, released_by: zxid(2, 1), round: 1 });
        assert_eq!(submitted.next_verdict(zxid(2, 1), None, false), None, "the rounds are counted anew");
    }
}
