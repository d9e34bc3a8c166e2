//! A blocking client of ZooKeeper's protocol, for tools: one session, its watches, reconnection.
//!
//! A [`Client`] is a session. One thread of its own holds the connection: it reads, sends pings, and turns to the next
//! server when one is lost; requests are written by whoever makes them. What was sent on a connection that was lost
//! fails with [`Error::ConnectionLost`], because nobody knows whether it was executed; what comes later waits for the
//! next connection, for a while ([`Options::patience`]). After a reconnection the identities and the watches are there
//! again.
//!
//! It is made for tools that ask one thing after another. A program that wants thousands of requests in flight finds
//! another client better.

mod address;
mod client;
mod connection;
mod error;
mod event;
pub mod four_letter;
mod operations;
mod pending;
mod session;
mod tls;
mod tree;
pub mod watches;

pub mod path;

pub use address::{AddressError, HostList, name as address_name};
pub use client::{Client, Options};
pub use error::{Error, brief, code, code_message};
pub use event::{Event, EventKind, State};
pub use operations::{Acl, Change, CreateMode};
pub use ringkeeper_core::stat::Stat;
pub use tls::Tls;
pub use tree::Deletion;
