//! The one task of the links: waits for the readiness set, receives, connects, accepts, and calls the service.

use crate::links::identity::Mismatch;
use crate::links::link::{End, Link, Stage};
use crate::links::owner::{ALARM_TOKEN, BELL_TOKEN, LISTENER_TOKEN, Links};
use crate::readiness::Event;
use std::rc::Rc;
use std::time::Instant;

impl Links {
    /// Makes, accepts and reads links until [`Links::stop`]; to be spawned once.
    pub async fn run(self: Rc<Self>) {
        loop {
            self.keep_time();
            self.reap();
            if self.called.take() {
                self.service.received();
            }
            if self.stopped.get() && self.table.borrow().is_empty() {
                return;
            }
            self.readiness.wait().await;
            self.handshakes.begin_pass();
            if let Err(error) = self.readiness.take(|event| self.handle(event)) {
                tracing::error!(%error, "epoll_wait failed");
            }
            self.take_resolved();
            self.reap();
        }
    }

    fn handle(&self, event: Event) {
        match event.token {
            LISTENER_TOKEN => return self.accept_waiting(),
            BELL_TOKEN => return self.bell.silence(),
            ALARM_TOKEN => return self.alarm.silence(),
            _ => {}
        }
        // A connection that another event of the same batch has ended is not there any more.
        let link = self.table.borrow().get(&event.token).cloned();
        let Some(link) = link.filter(|link| link.stage() != Stage::Ended) else {
            return;
        };
        if link.stage() == Stage::Connecting {
            if !event.writable && !event.ended {
                return;
            }
            self.connected(&link);
        }
        if event.writable && link.blocked.replace(false) {
            self.flush_link(&link);
        }
        if event.readable && link.stage() != Stage::Ended {
            self.read(&link, event.ended);
        }
    }

    /// Does what is due, and sets the alarm for what will be.
    fn keep_time(&self) {
        if self.stopped.get() {
            return;
        }
        let now = Instant::now();
        self.expire(now);
        self.reap();
        self.dial_due(now);
        self.accept_again(now);
        let diallers = self.peers.iter().filter_map(|peer| peer.dialler.as_ref()?.borrow().due());
        let table = self.table.borrow();
        let deadlines = table.values().filter(|link| link.stage() < Stage::Up).map(|link| link.deadline.get());
        self.alarm.set(diallers.chain(deadlines).chain(self.accept_again.get()).min());
    }

    /// Ends connections that take too long to become links.
    fn expire(&self, now: Instant) {
        let late = |link: &&Rc<Link>| link.stage() < Stage::Up && link.deadline.get() <= now;
        let late: Vec<Rc<Link>> = self.table.borrow().values().filter(late).cloned().collect();
        for link in late {
            let end = match link.stage() {
                Stage::Connecting => End::ConnectTimeout,
                Stage::Securing if link.speaks_tls() => End::Refused(Mismatch::HandshakeSlow),
                _ => End::Refused(Mismatch::Silent),
            };
            self.end(&link, end);
        }
    }

    /// Deals with connections that have ended: reports them, and lets their diallers know.
    pub(crate) fn reap(&self) {
        loop {
            let link = self.ended.borrow_mut().pop_front();
            let Some(link) = link else {
                return;
            };
            self.table.borrow_mut().remove(&link.token);
            let end = link.end.borrow_mut().take();
            if let Some(end) = end {
                self.bury(&link, &end);
            }
        }
    }

    fn bury(&self, link: &Link, end: &End) {
        let peer = link.place.get().map(|place| &self.peers[place]);
        if let Some(peer) = peer {
            *peer.last_error.borrow_mut() = Some(end.to_string());
            if let Some(dialler) = &peer.dialler {
                dialler.borrow_mut().failed(Instant::now());
            }
        }
        match (peer, end) {
            (Some(peer), End::Down(down)) if link.was_up.get() => {
                tracing::info!(server = peer.id.0, remote = %link.remote, reason = %down, "link is down");
                peer.up.set(None);
                self.called.set(true);
                self.service.down(peer.id, down);
            }
            (_, End::Refused(mismatch)) => self.complain(link, mismatch),
            (Some(peer), end) if !self.stopped.get() => peer.unreached.borrow_mut().warn(|| {
                tracing::warn!(server = peer.id.0, remote = %link.remote, error = %end,
                    "cannot reach a server: still trying");
            }),
            (_, end) => {
                tracing::debug!(remote = %link.remote, reason = %end, "a connection ended before it was a link")
            }
        }
    }
}
