//! The links to the other servers: what they bring becomes the replica's input, what the replica sends goes over
//! them.

use ringkeeper_core::frame::FrameBuf;
use ringkeeper_core::ids::ServerId;
use ringkeeper_core::peer;
use ringkeeper_core::replica::Input;
use ringkeeper_core::zab::Message;
use ringkeeper_net::Signal;
use ringkeeper_net::links::{LinkDown, LinkService, Links, LinksConfig, Tail};
use ringkeeper_node::PeerLinks;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// What the links have brought and the next turn will take.
#[derive(Default)]
pub(crate) struct Arrivals {
    inputs: RefCell<Vec<Input>>,
    /// Servers that sent something that is no message: their links must go.
    faulty: RefCell<Vec<ServerId>>,
    due: Rc<Signal>,
}

/// The links, and what they have brought.
#[derive(Clone)]
pub(crate) struct Peers {
    links: Rc<Links>,
    arrivals: Rc<Arrivals>,
}

impl Peers {
    /// Links by this configuration. `due` is raised when they have brought something.
    ///
    /// # Errors
    /// Of the system calls that set them up.
    pub(crate) fn new(config: LinksConfig, due: Rc<Signal>) -> io::Result<Peers> {
        let arrivals = Rc::new(Arrivals { due, ..Arrivals::default() });
        let links = Links::new(config, Rc::clone(&arrivals) as Rc<dyn LinkService>)?;
        Ok(Peers { links, arrivals })
    }

    /// Serves the links until they are stopped.
    pub(crate) async fn run(self) {
        self.links.run().await;
    }

    /// Ends all links.
    pub(crate) fn stop(&self) {
        self.links.stop();
    }
}

impl PeerLinks for Peers {
    fn deliver(&self, inputs: &mut Vec<Input>) {
        for peer in self.arrivals.faulty.borrow_mut().drain(..) {
            self.unlink(peer);
        }
        inputs.append(&mut self.arrivals.inputs.borrow_mut());
    }

    fn send(&self, to: ServerId, message: &Message) {
        let (head, tail) = peer::encode(message);
        let tail = match tail {
            peer::Tail::None => Tail::None,
            peer::Tail::Batch(batch) => Tail::Batch(batch),
            peer::Tail::Bytes(bytes) => Tail::Shared(bytes),
        };
        // If the link has just gone, its end is among the next inputs.
        self.links.send(to, &head, tail);
    }

    fn unlink(&self, peer: ServerId) {
        self.links.disconnect(peer);
    }

    fn flush(&self) {
        self.links.flush();
    }
}

impl LinkService for Arrivals {
    fn up(&self, peer: ServerId, _incarnation: u64) {
        self.inputs.borrow_mut().push(Input::LinkUp(peer));
    }

    fn message(&self, peer: ServerId, head: &[u8], tail: Option<FrameBuf>) {
        match peer::decode(head, tail) {
            Ok(message) => self.inputs.borrow_mut().push(Input::Message(peer, message)),
            Err(error) => {
                tracing::error!(peer = peer.0, %error, "ending the link to a server that sends nonsense");
                self.faulty.borrow_mut().push(peer);
            }
        }
    }

    fn down(&self, peer: ServerId, _why: &LinkDown) {
        self.inputs.borrow_mut().push(Input::LinkDown(peer));
    }

    fn received(&self) {
        self.due.raise();
    }
}
