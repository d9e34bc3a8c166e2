//! What the sockets bring goes straight into the frontend; what comes of it goes out with the turn.

use super::Turn;
use crate::tls;
use ringkeeper_core::frontend::Frontend;
use ringkeeper_core::ids::ConnId;
use ringkeeper_net::{Frames, Service};
use ringkeeper_node::Clock as _;
use std::net::SocketAddr;

impl Turn {
    pub(super) fn accepts(&self, frontend: &Frontend, conn: ConnId) -> bool {
        !self.stopping.get() && frontend.accepts_input(conn)
    }
}

impl Service for Turn {
    fn opened(&self, peer: SocketAddr) -> ConnId {
        self.node.borrow_mut().frontend.open(self.clock.now(), peer)
    }

    fn secured(&self, conn: ConnId, certificate: Option<&[u8]>) {
        let identities = tls::identities(certificate, self.words.super_subject.as_deref());
        self.node.borrow_mut().frontend.secured(conn, identities);
    }

    fn opened_own(&self) -> ConnId {
        self.node.borrow_mut().frontend.open_own(self.clock.now())
    }

    fn receive(&self, conn: ConnId, frames: &mut Frames<'_>) {
        let node = &mut *self.node.borrow_mut();
        let now = self.clock.now();
        while let Some(frame) = frames.next() {
            node.frontend.receive(now, conn, frame, &node.tree);
            if !self.accepts(&node.frontend, conn) {
                break;
            }
        }
        self.due.raise();
    }

    fn accepts_input(&self, conn: ConnId) -> bool {
        self.accepts(&self.node.borrow().frontend, conn)
    }

    fn word(&self, conn: ConnId, word: [u8; 4], rest: &[u8]) {
        let mut answer = self.answer_word(word, rest).into_bytes();
        let sockets = self.sockets.get().expect("connections are read only while turns run");
        sockets.send(conn, &mut answer, true);
    }

    fn unsent(&self, conn: ConnId, bytes: usize) {
        self.node.borrow_mut().frontend.unsent(conn, bytes);
        self.due.raise();
    }

    fn gone(&self, conn: ConnId) {
        self.node.borrow_mut().frontend.gone(self.clock.now(), conn);
        self.due.raise();
    }
}
