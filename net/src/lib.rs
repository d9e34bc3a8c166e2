//! Sockets: client connections on glommio, TLS, framing, buffers, back-pressure.
//!
//! This room knows glommio and the kernel; it knows nothing of what the frames mean. One task reads all connections of an
//! executor and hands whole frames to a [`Service`]; the executor's turn writes with [`Sockets::send`], one system call
//! for all that a connection has to hear in a turn.

mod accept;
mod admission;
mod bell;
mod connection;
mod events;
mod framer;
mod handover;
pub mod links;
mod listener;
mod readiness;
mod service;
mod signal;
mod sockets;
mod table;
mod tls;
mod transport;

pub use admission::{ConnectionLimits, Door};
pub use framer::{Fault, Framer, Frames, Outcome, Rules, Word};
pub use handover::Handover;
pub use listener::{DEFAULT_BACKLOG, SocketOptions, listen, raise_fd_limit};
pub use service::Service;
pub use signal::Signal;
pub use sockets::{Listening, SocketStats, Sockets, SocketsConfig};
pub use tls::{TlsEndpoint, TlsTerms, authority_verifier, begins_tls};
pub use transport::Speaks;
