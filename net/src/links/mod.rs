//! Links: the connections between the servers of an ensemble, one for each pair of servers. They carry messages and know
//! nothing of what these mean.
//!
//! The server with the higher id connects to the one with the lower id, and goes on trying for as long as it runs. There
//! may be TLS (`secure.rs`). Both say who they are (`greeting.rs`); whoever is not the expected peer is turned away with a
//! line in the log that says what is wrong. Then messages pass both ways (`envelope.rs`): a short head, and a tail for what
//! is bulky, which is sent from where it lies. A link that breaks is reported down, and a new one up; what was under way is
//! lost, and it is for the owner to know what to send again.

mod accepting;
mod alarm;
mod config;
mod dialler;
mod dialling;
mod envelope;
mod fault;
mod greeting;
mod identity;
mod inbound;
mod link;
mod outbound;
mod owner;
mod peer;
mod receiving;
mod resolver;
mod secure;
mod service;
mod stats;
mod task;

pub use config::{BadPeerAddress, LinkLimits, LinksConfig, PeerAddress};
pub use envelope::{MAX_HEAD, MAX_TAIL};
pub use fault::{LinkDown, LinkFault};
pub use outbound::Tail;
pub use owner::Links;
pub use secure::LinkTls;
pub use service::LinkService;
pub use stats::{LinkStats, LinkTraffic, UpLink};
