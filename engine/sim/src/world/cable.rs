//! What a node's links have brought and what it has sent, between two events of the simulation.

use ringkeeper_core::ids::ServerId;
use ringkeeper_core::replica::Input;
use ringkeeper_core::zab::Message;
use ringkeeper_node::PeerLinks;
use std::cell::RefCell;
use std::rc::Rc;

/// A node's side of all its links.
#[derive(Clone, Default)]
pub struct Cable(Rc<RefCell<Ends>>);

#[derive(Default)]
struct Ends {
    arrived: Vec<Input>,
    left: Vec<Leaving>,
}

/// What a node wants of its links.
pub enum Leaving {
    /// To be sent.
    Message(ServerId, Message),
    /// To be ended.
    Unlink(ServerId),
}

impl Cable {
    /// Something for the node's next turn.
    pub fn bring(&self, input: Input) {
        self.0.borrow_mut().arrived.push(input);
    }

    /// What the node has sent since, in order.
    #[must_use]
    pub fn take(&self) -> Vec<Leaving> {
        std::mem::take(&mut self.0.borrow_mut().left)
    }
}

impl PeerLinks for Cable {
    fn deliver(&self, inputs: &mut Vec<Input>) {
        inputs.append(&mut self.0.borrow_mut().arrived);
    }

    fn send(&self, to: ServerId, message: &Message) {
        self.0.borrow_mut().left.push(Leaving::Message(to, message.clone()));
    }

    fn unlink(&self, peer: ServerId) {
        self.0.borrow_mut().left.push(Leaving::Unlink(peer));
    }

    fn flush(&self) {}
}
