//! Reads links: greetings first, then messages.

use crate::links::fault::LinkDown;
use crate::links::greeting::{GREETING_BYTES, begins_well};
use crate::links::identity::{Greeted, Mismatch, Origin};
use crate::links::link::{End, Link, Stage};
use crate::links::owner::Links;
use crate::links::stats::UpLink;
use crate::tls::begins_tls;
use ringkeeper_core::ids::ServerId;
use std::io;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::time::Instant;

/// Reads of one link before it is the others' turn.
const READS: usize = 8;

impl Links {
    /// Reads what has arrived. A connection whose peer has `ended` it is read to its end.
    pub(crate) fn read(&self, link: &Rc<Link>, ended: bool) {
        for _ in 0..READS {
            if link.stage() == Stage::Securing && !self.handshakes.may_step() {
                break;
            }
            let (received, wanted) = self.receive(link);
            match received {
                Ok(Some(0)) => return self.lost(link, LinkDown::Closed),
                Ok(Some(n)) if n < wanted && !ended => return,
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => return self.lost(link, error.into()),
            }
            if link.stage() == Stage::Ended {
                return;
            }
        }
        self.rearm(link);
    }

    /// The connection is lost. In the middle of a handshake that says something of the other side.
    fn lost(&self, link: &Rc<Link>, down: LinkDown) {
        let cut_off = link.stage() == Stage::Securing && link.origin != Origin::Accepted;
        self.end(link, if cut_off { End::Refused(Mismatch::HandshakeCut) } else { End::Down(down) });
    }

    /// Receives once and hands over what is whole. Returns what the system call did, and how much there was room for.
    fn receive(&self, link: &Rc<Link>) -> (io::Result<Option<usize>>, usize) {
        if !link.is_plain() {
            return self.receive_secured(link);
        }
        if let Some(direct) = self.receive_tail(link) {
            return direct;
        }
        let mut scratch = self.scratch.borrow_mut();
        let wanted = scratch.len();
        let received = link.receive(as_uninit(&mut scratch[..]));
        if let Ok(Some(n)) = received {
            self.take(link, &scratch[..n]);
        }
        (received, wanted)
    }

    /// Takes what the other side has said.
    pub(crate) fn take(&self, link: &Rc<Link>, mut chunk: &[u8]) {
        if link.stage() == Stage::Greeting {
            self.greet(link, &mut chunk);
        }
        if link.stage() == Stage::Up {
            self.hand_over(link, chunk, chunk.len());
        }
    }

    /// Receives right into the tail of a long message; `None` if none is arriving.
    fn receive_tail(&self, link: &Rc<Link>) -> Option<(io::Result<Option<usize>>, usize)> {
        let (received, wanted) = {
            let mut inbound = link.inbound.borrow_mut();
            let spare = inbound.spare()?;
            let wanted = spare.len();
            let received = link.receive(spare);
            if let Ok(Some(n)) = received {
                // SAFETY: the kernel has filled the first `n` bytes.
                unsafe { inbound.filled(n) };
            }
            (received, wanted)
        };
        if let Ok(Some(n)) = received {
            // That may have been the rest.
            self.hand_over(link, &[], n);
        }
        Some((received, wanted))
    }

    fn hand_over(&self, link: &Rc<Link>, mut chunk: &[u8], received: usize) {
        let Some(place) = link.place.get() else {
            return;
        };
        let (peer, mut messages) = (&self.peers[place], 0);
        let mut inbound = link.inbound.borrow_mut();
        let fault = loop {
            match inbound.next(&mut chunk) {
                Ok(Some(message)) => {
                    messages += 1;
                    self.called.set(true);
                    self.service.message(peer.id, message.head, message.tail);
                }
                Ok(None) => break None,
                Err(fault) => break Some(fault),
            }
            if link.stage() == Stage::Ended {
                break None;
            }
        };
        self.count_in(link, messages, received);
        if let Some(fault) = fault {
            tracing::warn!(server = peer.id.0, remote = %link.remote, %fault, "a server sent what is no message");
            self.end(link, End::Down(fault.into()));
        }
    }

    fn count_in(&self, link: &Link, messages: u64, bytes: usize) {
        if let Some(place) = link.place.get() {
            self.peers[place].count(|traffic| {
                traffic.messages_in += messages;
                traffic.bytes_in += bytes as u64;
            });
        }
    }

    /// Takes what has come of the greeting; judges it when it is whole.
    fn greet(&self, link: &Rc<Link>, chunk: &mut &[u8]) {
        let bytes = {
            let mut greeting = link.greeting.borrow_mut();
            let so_far = greeting.complete(chunk);
            if !begins_well(so_far) {
                let speaks_tls = link.origin == Origin::Accepted && begins_tls(so_far[0]);
                let mismatch = if speaks_tls { Mismatch::UnexpectedTls } else { Mismatch::Magic };
                return self.end(link, End::Refused(mismatch));
            }
            if so_far.len() < GREETING_BYTES {
                return;
            }
            greeting.bytes
        };
        let judged = self.identity.judge(&bytes, link.origin, |id| self.peer(id).is_some());
        let judged = judged.and_then(|greeted| match self.authenticate(link, greeted.peer) {
            Ok(()) => Ok(greeted),
            Err(mismatch) => Err((mismatch, Some(greeted.peer))),
        });
        match judged {
            Ok(greeted) => self.come_up(link, greeted),
            Err((mismatch, Some(sender))) if link.origin == Origin::Accepted && mismatch.code() != 0 => {
                self.refuse(link, sender, mismatch);
            }
            Err((mismatch, _)) => self.end(link, End::Refused(mismatch)),
        }
    }

    /// Turns a server away, which is told why: a courtesy, so that the operator reads there too why it does not work.
    pub(crate) fn refuse(&self, link: &Rc<Link>, server: ServerId, mismatch: Mismatch) {
        link.outbound.borrow_mut().push_raw(&self.identity.greeting(server, mismatch.code()));
        let _ = link.send_queued(GREETING_BYTES);
        self.end(link, End::Refused(mismatch));
    }

    /// The connection is a link from now on, in place of an older one.
    fn come_up(&self, link: &Rc<Link>, greeted: Greeted) {
        let Some((place, peer)) = self.peer(greeted.peer) else {
            return;
        };
        let older = peer.link.borrow().clone();
        if let Some(older) = older {
            if peer.up.get().is_some_and(|up| up.incarnation != greeted.incarnation) {
                peer.mismatched.borrow_mut().warn(|| {
                    tracing::warn!(server = peer.id.0, older = %older.remote, newer = %link.remote,
                        "another process says that it is this server: it has started anew, or two have the same id");
                });
            }
            self.end(&older, End::Down(LinkDown::Replaced));
        }
        self.reap();
        if link.stage() == Stage::Ended {
            return;
        }
        if link.origin == Origin::Accepted {
            link.place.set(Some(place));
            link.outbound.borrow_mut().push_raw(&self.identity.greeting(peer.id, 0));
            self.flush_link(link);
            if link.stage() == Stage::Ended {
                return;
            }
        }
        if let Some(dialler) = &peer.dialler {
            dialler.borrow_mut().up(Instant::now());
        }
        let Greeted { incarnation, version, .. } = greeted;
        peer.up.set(Some(UpLink { since: Instant::now(), remote: link.remote, incarnation, version }));
        peer.connects.set(peer.connects.get() + 1);
        link.advance(Stage::Up);
        link.was_up.set(true);
        *peer.link.borrow_mut() = Some(Rc::clone(link));
        tracing::info!(server = peer.id.0, remote = %link.remote, tls = !link.is_plain(), "link is up");
        self.called.set(true);
        self.service.up(peer.id, incarnation);
    }
}

pub(crate) fn as_uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the same bytes, of the same layout; [`Link::receive`] makes none of them uninitialised.
    unsafe { &mut *(std::ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) }
}
