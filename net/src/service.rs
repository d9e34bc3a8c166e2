//! What the owner of the sockets does with what arrives.

use crate::framer::Frames;
use ringkeeper_core::ids::ConnId;
use std::net::SocketAddr;

/// The receiving side. All calls come from the task of [`crate::Sockets::run`] and must not block; an implementation may
/// call [`crate::Sockets`] from within, and may hold `RefCell` borrows over its own calls to it.
pub trait Service {
    /// A connection was accepted and is within the limits. The returned id is the connection's name from now on; its
    /// slot may be reused as soon as the service has asked to close the connection or has been told that it is gone.
    fn opened(&self, peer: SocketAddr) -> ConnId;

    /// A connection was made from within this process, see [`crate::Handover::give_own`].
    fn opened_own(&self) -> ConnId;

    /// The connection's TLS handshake is complete; nothing has been received before. The certificate (DER) is the client's, if
    /// it has shown one: TLS has checked that an authority stands for it and that the client has its key.
    fn secured(&self, conn: ConnId, certificate: Option<&[u8]>);

    /// Frames have arrived. The service takes them one by one, and stops when [`Service::accepts_input`] turns false:
    /// what it leaves is kept and offered again once it accepts input. While it accepts input it takes what it is
    /// offered, even of a connection that it has given up.
    fn receive(&self, conn: ConnId, frames: &mut Frames<'_>);

    /// Whether the connection is to be read at all (back-pressure). Asked before every read, and after every turn for
    /// connections that were held back (see [`crate::Sockets::resume`]).
    fn accepts_input(&self, conn: ConnId) -> bool;

    /// The connection began with one of the words of [`crate::Rules`]; `rest` is what came with it. Everything that it
    /// sends from now on is ignored. The service answers with [`crate::Sockets::send`], with `close`.
    fn word(&self, conn: ConnId, word: [u8; 4], rest: &[u8]);

    /// That many bytes of the connection's output still wait for the peer to read; 0 when it has caught up.
    fn unsent(&self, conn: ConnId, bytes: usize);

    /// The connection is closed: by the peer, by an error, by a violation of the framing, or because the service
    /// wanted it.
    fn gone(&self, conn: ConnId);
}
