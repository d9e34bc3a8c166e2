//! Messages between servers, and the links that they need.

use super::cable::Leaving;
use super::events::Event;
use super::server::{Server, id, number};
use super::{DIAL, World};
use crate::time::{MS, Time, US};
use ringkeeper_core::frame::{Frame, FrameBuf};
use ringkeeper_core::ids::Zxid;
use ringkeeper_core::peer;
use ringkeeper_core::replica::Input;
use ringkeeper_core::zab::{Message, SyncStart};

/// Promises of a log are compared with what is really durable in one of so many cases.
const DURABILITY_CHECKS: u64 = 40;

impl World {
    /// Takes what a server has sent, and puts it on its way.
    pub(super) fn carry(&mut self, at: usize) {
        let Some(process) = &self.servers[at].process else { return };
        for leaving in process.cable.take() {
            match leaving {
                Leaving::Message(to, message) => self.send(at, number(to), message),
                Leaving::Unlink(peer) => self.unlink(at, number(peer)),
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        self.inspect(from, &message);
        let Some(generation) = self.net.end(from, to) else { return };
        let delay = self.about(self.plan.limits.net_delay);
        let now = self.now;
        let lane = self.net.lane(from, to);
        let clog = if lane.clog.1 > now { lane.clog.0 } else { 0 };
        let earliest = lane.queue.back().map_or(0, |(arrives, ..)| *arrives);
        let arrives = (now + delay + clog).max(earliest);
        lane.queue.push_back((arrives, generation, through_the_codec(&message)));
        self.queue.at(arrives, Event::Arrive(from, to));
    }

    /// What is said is held against what is true.
    fn inspect(&mut self, from: usize, message: &Message) {
        let server = &self.servers[from];
        match message {
            Message::Propose { batch, .. } => self.check.proposed(batch),
            Message::Sync { start, .. } => self.seen.note(match start {
                SyncStart::Diff => "synchronised by DIFF",
                SyncStart::Trunc(_) => "synchronised by TRUNC",
                SyncStart::Snap(_) => "synchronised by SNAP",
            }),
            Message::AckEpoch { epoch, .. } | Message::AckNewLeader { epoch } => {
                let promised = server.promised;
                assert!(*epoch >= promised, "server {from} follows {epoch:?} after it has promised {promised:?}");
                let Ok((recovery, recovered)) = Server::read(&self.plan, &server.disk.copy()) else { return };
                let epochs = recovery.epochs();
                assert!(epochs.accepted >= *epoch, "server {from} promises {epoch:?}, but has stored {epochs:?}");
                if matches!(message, Message::AckNewLeader { .. }) {
                    assert!(epochs.current >= *epoch, "server {from} has joined {epoch:?}, but has stored {epochs:?}");
                    let last = recovered.summary.last;
                    let Some(process) = &server.process else { return };
                    let status = process.node.backend.replica.status(&process.node.tree);
                    let (shown, history) = (status.last_zxid, status.proposed);
                    assert!(last >= shown, "server {from} has joined with {shown}, but has stored only {last}");
                    assert!(last <= history, "server {from} has joined with {history}, but has still stored {last}");
                }
            }
            Message::Ack { through, .. } if self.rng.below(DURABILITY_CHECKS) == 0 => {
                let Ok((_, recovered)) = Server::read(&self.plan, &server.disk.copy()) else { return };
                let last = recovered.summary.last;
                assert!(last >= *through, "server {from} acknowledges {through}, but has stored only {last}");
            }
            _ => {}
        }
        if let Message::AckEpoch { epoch, .. } = message {
            self.servers[from].promised = *epoch;
        }
    }

    /// What is shown for the first time is on the disks of a quorum. Servers that lost theirs, or a part of it, count: they
    /// had it when they acknowledged it.
    pub(super) fn shown_first(&self, at: usize, zxid: Zxid) {
        if !zxid.0.is_multiple_of(DURABILITY_CHECKS) {
            return;
        }
        let voters = self.plan.limits.voters;
        let has_it = |server: &Server| {
            let stored = Server::read(&self.plan, &server.disk.copy());
            !server.sound || stored.map_or(true, |(_, recovered)| recovered.summary.last >= zxid)
        };
        let count = self.servers[..voters].iter().filter(|server| has_it(server)).count();
        assert!(count > voters / 2, "server {at} shows {zxid}, which is on the disks of {count} voters only");
    }

    pub(super) fn arrive(&mut self, from: usize, to: usize) {
        let now = self.now;
        if self.net.is_cut(from, to, now) || !self.is_running(to) {
            return;
        }
        if self.is_paused(to) {
            return self.queue.at(self.servers[to].paused_until, Event::Arrive(from, to));
        }
        let end = self.net.end(to, from);
        let Some((_, generation, message)) = self.net.lane(from, to).queue.pop_front_if(|(when, ..)| *when <= now)
        else {
            return;
        };
        if end != Some(generation) {
            return;
        }
        self.trace.note(now, &[5, from as u64, to as u64]);
        self.trace.say(now, || format!("{from} -> {to}: {}", brief(&message)));
        self.bring(to, Input::Message(id(from), message));
    }

    fn bring(&mut self, at: usize, input: Input) {
        if let Some(process) = &self.servers[at].process {
            process.cable.bring(input);
            self.wake(at);
        }
    }

    /// A cut may be over: what was held back comes now.
    pub(super) fn healed(&mut self, from: usize, to: usize) {
        for _ in 0..self.net.lane(from, to).queue.len() {
            let when = self.now + self.rng.below(MS);
            self.queue.at(when, Event::Arrive(from, to));
        }
    }

    /// Nothing gets from the first to the second for a while.
    pub(super) fn cut(&mut self, from: usize, to: usize, time: Time) {
        if from == to {
            return;
        }
        let until = self.now.saturating_add(time);
        let lane = self.net.lane(from, to);
        lane.cut_until = lane.cut_until.max(until);
        if until < Time::MAX {
            self.queue.at(until, Event::Healed(from, to));
        }
    }

    /// A server ends its link to another.
    fn unlink(&mut self, at: usize, peer: usize) {
        if let Some(generation) = self.net.forget(at, peer) {
            self.bring(at, Input::LinkDown(id(peer)));
            self.tell_lost(at, peer, generation);
        }
    }

    /// The other end hears of it, if anything gets there.
    fn tell_lost(&mut self, at: usize, peer: usize, generation: u64) {
        if !self.net.is_cut(at, peer, self.now) {
            let delay = self.about(200 * US);
            self.queue.at(self.now + delay, Event::LinkLost(peer, at, generation));
        }
    }

    pub(super) fn link_lost(&mut self, at: usize, peer: usize, generation: u64) {
        if self.net.end(at, peer) != Some(generation) {
            return;
        }
        if self.is_paused(at) {
            return self.queue.at(self.servers[at].paused_until, Event::LinkLost(at, peer, generation));
        }
        self.net.forget(at, peer);
        self.bring(at, Input::LinkDown(id(peer)));
    }

    /// The process of this server is gone: the others hear of it if its machine can tell them.
    pub(super) fn break_links_of(&mut self, at: usize, told: bool) {
        for peer in 0..self.servers.len() {
            if let Some(generation) = self.net.forget(at, peer)
                && told
            {
                self.tell_lost(at, peer, generation);
            }
        }
    }

    /// A link breaks: of what is on its way some is lost, and both ends notice.
    pub(super) fn reset(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            let lane = self.net.lane(from, to);
            let kept = self.rng.below(lane.queue.len() as u64 + 1) as usize;
            lane.queue.truncate(kept);
            if let Some(generation) = self.net.end(to, from) {
                let when = self.now + self.rng.below(5 * MS);
                self.queue.at(when, Event::LinkLost(to, from, generation));
            }
        }
    }

    /// Links that are missing are made where both ends live and hear each other.
    pub(super) fn dial(&mut self) {
        for a in 0..self.servers.len() {
            for b in a + 1..self.servers.len() {
                let awake = |at| self.is_running(at) && !self.is_paused(at);
                if awake(a)
                    && awake(b)
                    && self.net.is_open(a, b, self.now)
                    && !self.net.is_linked(a, b)
                    && self.rng.percent(70)
                {
                    self.relink(a, b);
                }
            }
        }
        self.queue.at(self.now + DIAL, Event::Dial);
    }

    /// Whoever still believes in an old link learns first that it is gone.
    fn relink(&mut self, a: usize, b: usize) {
        for (at, peer) in [(a, b), (b, a)] {
            if self.net.forget(at, peer).is_some() {
                self.bring(at, Input::LinkDown(id(peer)));
            }
            self.net.lane(at, peer).queue.clear();
        }
        self.net.link(a, b);
        self.trace.note(self.now, &[6, a as u64, b as u64]);
        self.trace.say(self.now, || format!("link {a} - {b}"));
        self.bring(a, Input::LinkUp(id(b)));
        self.bring(b, Input::LinkUp(id(a)));
    }
}

/// So that the codec is tested with everything else.
fn through_the_codec(message: &Message) -> Message {
    let (head, tail) = peer::encode(message);
    let tail = match &tail {
        peer::Tail::None => None,
        peer::Tail::Batch(batch) => Some(batch.as_bytes()),
        peer::Tail::Bytes(bytes) => Some(&bytes[..]),
    };
    let tail = tail.map(|bytes| {
        let mut buf = FrameBuf::new();
        buf.extend_from_slice(bytes);
        buf
    });
    peer::decode(&head, tail).expect("what is encoded can be decoded")
}

fn brief(message: &Message) -> String {
    let text = format!("{message:?}");
    match message {
        Message::Propose { epoch, committed, batch } => {
            let frames: Vec<String> = batch.frames().map(|frame| transaction(&frame)).collect();
            format!("Propose {epoch:?} committed {committed}: {}", frames.join("; "))
        }
        _ if text.len() > 160 => format!("{}…", text.chars().take(160).collect::<String>()),
        _ => text,
    }
}

fn transaction(frame: &Frame<'_>) -> String {
    let printable = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
    let body: String = frame.body().iter().take(80).map(printable).collect();
    let (zxid, kind, session, cxid) = (frame.zxid(), frame.txn_type(), frame.session(), frame.cxid());
    format!("{zxid} type {kind} of {session} request {cxid} {body}")
}
