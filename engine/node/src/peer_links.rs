//! The links to the other servers, as a node uses them.

use ringkeeper_core::ids::ServerId;
use ringkeeper_core::replica::Input;
use ringkeeper_core::zab::Message;

/// One link to each other server. While it is up it keeps order and loses nothing.
pub trait PeerLinks {
    /// Moves what the links have brought to the replica's inputs.
    fn deliver(&self, inputs: &mut Vec<Input>);
    /// Queues a message; [`PeerLinks::flush`] sends it. Without a link it is dropped: that the link went is among the
    /// inputs.
    fn send(&self, to: ServerId, message: &Message);
    /// Ends the link to a server; it may come up again.
    fn unlink(&self, peer: ServerId);
    /// Sends what is queued.
    fn flush(&self);
}
