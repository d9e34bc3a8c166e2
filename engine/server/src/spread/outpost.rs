//! The turn of a client executor: connections, reads of the published tree, watches.

use super::post::{Letter, Post};
use super::published::Published;
use super::{Errand, Exchange, Inquiry, Part, Posting, Request};
use crate::executor::clock::Clock;
use crate::four_letter::{Clocks, Opening, Reset, answer};
use crate::live::{Complaints, Follower};
use crate::metrics::ExecutorLoad;
use crate::tls;
use crate::turn::{ClientFacts, Words, write_replies};
use ringkeeper_core::bulletin::Bulletin;
use ringkeeper_core::exchange::Inbox;
use ringkeeper_core::frontend::{Frontend, FrontendConfig};
use ringkeeper_core::ids::{ConnId, Zxid};
use ringkeeper_core::tree::Tree;
use ringkeeper_net::{Frames, Service, Signal, Sockets};
use ringkeeper_node::Clock as _;
use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLockReadGuard};

/// A client executor's state.
pub(crate) struct Outpost {
    index: usize,
    state: RefCell<State>,
    exchange: Exchange,
    published: Published,
    clock: Clock,
    due: Signal,
    sockets: OnceCell<Rc<Sockets>>,
    words: Arc<Words>,
    live: Follower,
    complaints: Complaints,
    stopping: Cell<bool>,
    /// For tasks that outlive a call.
    this: Weak<Outpost>,
}

struct State {
    frontend: Frontend,
    /// All of the replica's work through here has been told to the frontend.
    delivered: Zxid,
    asks: Inbox,
    turns: u64,
}

impl Outpost {
    /// As posted.
    pub(crate) fn new(posting: Posting, config: FrontendConfig, clock: Clock) -> Rc<Outpost> {
        let Posting { index, exchange, published, words } = posting;
        let delivered = published.read().last_zxid();
        let limits = config.limits.share(exchange.posts.len());
        let frontend = Frontend::new(FrontendConfig { index, with_replica: false, limits, ..config });
        let state = State { frontend, delivered, asks: Inbox::new(), turns: 0 };
        Rc::new_cyclic(|this| Outpost {
            index: usize::from(index),
            state: RefCell::new(state),
            exchange,
            published,
            clock,
            due: Signal::default(),
            sockets: OnceCell::new(),
            live: Follower::new(Arc::clone(&words.live)),
            complaints: Complaints::default(),
            words,
            stopping: Cell::new(false),
            this: this.clone(),
        })
    }

    fn post(&self) -> &Post {
        &self.exchange.posts[self.index]
    }

    /// Turns for ever.
    pub(crate) async fn run(self: Rc<Self>, sockets: Rc<Sockets>) {
        assert!(self.sockets.set(Rc::clone(&sockets)).is_ok(), "turns are run once");
        loop {
            self.turn(&sockets);
            self.due.wait().await;
        }
    }

    /// Has a turn follow whenever a letter arrives.
    pub(crate) async fn watch_post(self: Rc<Self>) {
        loop {
            self.post().bell.heard().await;
            self.due.raise();
        }
    }

    fn turn(&self, sockets: &Sockets) {
        let state = &mut *self.state.borrow_mut();
        state.turns += 1;
        state.frontend.begin_turn(self.clock.now());
        drop(self.up_to_date(state));
        state.frontend.take_asks(&mut state.asks);
        if !state.asks.is_empty() {
            self.exchange.office.send(Request::Asks(std::mem::take(&mut state.asks)));
        }
        let slow = state.frontend.take_slow();
        if !slow.is_empty() {
            self.exchange.office.send(Request::Slow(slow));
        }
        write_replies(&mut state.frontend, sockets);
        sockets.resume(|conn| self.accepts(&state.frontend, conn));
    }

    /// The published tree, after everything that it shows has been told to the frontend.
    fn up_to_date<'a>(&'a self, state: &mut State) -> RwLockReadGuard<'a, Tree> {
        loop {
            let tree = self.published.read();
            while state.delivered < tree.last_zxid() {
                let letter = self.post().take().expect("a bulletin is in the mailbox before its tree is published");
                self.open(state, letter, &tree);
            }
            // What is left was sent at the tree's state (answers that change nothing), or is about to be published.
            let Some(letter) = self.post().take() else {
                state.frontend.settle(&tree);
                return tree;
            };
            if let Letter::Bulletin(bulletin) = &letter
                && bulletin.through > tree.last_zxid()
            {
                drop(tree);
                self.deliver_when_published(state, bulletin);
                continue;
            }
            self.open(state, letter, &tree);
        }
    }

    /// The replica's executor is between handing out and publishing: a matter of microseconds.
    fn deliver_when_published(&self, state: &mut State, bulletin: &Bulletin) {
        let mut tree = self.published.read();
        while tree.last_zxid() < bulletin.through {
            drop(tree);
            std::thread::yield_now();
            tree = self.published.read();
        }
        bulletin.deliver(&tree, &mut state.frontend);
        state.delivered = bulletin.through;
    }

    fn open(&self, state: &mut State, letter: Letter, tree: &Tree) {
        match letter {
            Letter::Bulletin(bulletin) => {
                bulletin.deliver(tree, &mut state.frontend);
                state.delivered = bulletin.through;
            }
            Letter::Inquiry(inquiry) => self.contribute(state, &inquiry),
        }
    }

    /// Every few milliseconds: time passes for connections.
    pub(crate) fn tick(&self, sockets: &Sockets) {
        let frontend = &mut self.state.borrow_mut().frontend;
        frontend.tick(self.clock.now());
        if let Some(current) = self.live.changed() {
            frontend.set_limits(current.limits.clients.share(self.exchange.posts.len()));
        }
        if let Some(short) = self.live.memory_changed() {
            frontend.set_memory_short(short);
        }
        let now = std::time::Instant::now();
        self.complaints.tell(now, frontend.limit_counts());
        sockets.tick(now);
        self.due.raise();
    }

    /// Takes no more requests, so that what is in flight ends.
    pub(crate) fn begin_stop(&self, sockets: &Sockets) {
        self.stopping.set(true);
        sockets.stop_accepting();
    }

    /// Whether everything in flight has ended: nothing undecided, nothing unsent.
    pub(crate) fn has_stopped(&self, sockets: &Sockets) -> bool {
        self.stopping.get() && self.state.borrow().frontend.stats().outstanding == 0 && sockets.is_drained()
    }

    /// It serves no more.
    pub(crate) fn leave(&self) {
        self.exchange.serving.fetch_sub(1, Ordering::AcqRel);
    }

    fn accepts(&self, frontend: &Frontend, conn: ConnId) -> bool {
        !self.stopping.get() && frontend.accepts_input(conn)
    }

    fn contribute(&self, state: &mut State, inquiry: &Inquiry) {
        match inquiry.errand {
            Some(Errand::Reset(Reset::Connections)) => state.frontend.reset_connection_stats(),
            Some(Errand::Reset(Reset::Server)) => state.frontend.reset_stats(),
            Some(Errand::TakeSnapshot) | None => {}
        }
        let frontend = &state.frontend;
        let clocks = Clocks { now: self.clock.now(), wall: self.clock.wall() };
        let reading = |conn: ConnId| self.accepts(frontend, conn);
        let mut facts = ClientFacts::of(frontend, inquiry.needs, clocks, reading);
        facts.executors.push(ExecutorLoad::here(&format!("client-{}", self.index), state.turns));
        facts.stopping = self.stopping.get();
        facts.sockets = self.sockets.get().map(|sockets| sockets.stats()).unwrap_or_default();
        inquiry.contribute([Part::Clients(Box::new(facts))]);
    }

    /// Asks all executors for what the word shows, then answers.
    async fn answer_word(self: Rc<Self>, conn: ConnId, name: [u8; 4], mask: u64) {
        let Opening::Word(word) = Opening::of(name) else {
            unreachable!("the sockets know the words of the same table")
        };
        let words = &self.words;
        let admitted = words.live.current().words;
        let mut server = None;
        if admitted.admits(word) && !self.stopping.get() {
            let errand = word.resets().map(Errand::Reset);
            let facts = self.exchange.inquire(word.needs(), errand).collected().await;
            server = facts.map(|facts| words.completed(facts, word.needs()));
        }
        let mut text =
            answer(word, mask, admitted, &words.environment, server.as_ref().filter(|server| server.answers))
                .into_bytes();
        if let Some(sockets) = self.sockets.get() {
            sockets.send(conn, &mut text, true);
        }
        self.due.raise();
    }
}

impl Service for Outpost {
    fn opened(&self, peer: SocketAddr) -> ConnId {
        self.state.borrow_mut().frontend.open(self.clock.now(), peer)
    }

    fn opened_own(&self) -> ConnId {
        self.state.borrow_mut().frontend.open_own(self.clock.now())
    }

    fn secured(&self, conn: ConnId, certificate: Option<&[u8]>) {
        let identities = tls::identities(certificate, self.words.super_subject.as_deref());
        self.state.borrow_mut().frontend.secured(conn, identities);
    }

    fn receive(&self, conn: ConnId, frames: &mut Frames<'_>) {
        let state = &mut *self.state.borrow_mut();
        let now = self.clock.now();
        let tree = self.up_to_date(state);
        while let Some(frame) = frames.next() {
            state.frontend.receive(now, conn, frame, &tree);
            if !self.accepts(&state.frontend, conn) {
                break;
            }
        }
        self.due.raise();
    }

    fn accepts_input(&self, conn: ConnId) -> bool {
        self.accepts(&self.state.borrow().frontend, conn)
    }

    fn word(&self, conn: ConnId, word: [u8; 4], rest: &[u8]) {
        let mask = rest.first_chunk::<8>().map_or(0, |mask| u64::from_be_bytes(*mask));
        let this = self.this.upgrade().expect("the executor holds it while sockets are read");
        glommio::spawn_local(this.answer_word(conn, word, mask)).detach();
    }

    fn unsent(&self, conn: ConnId, bytes: usize) {
        self.state.borrow_mut().frontend.unsent(conn, bytes);
        self.due.raise();
    }

    fn gone(&self, conn: ConnId) {
        self.state.borrow_mut().frontend.gone(self.clock.now(), conn);
        self.due.raise();
    }
}
