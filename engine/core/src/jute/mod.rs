//! The client protocol: ZooKeeper's record encoding ("jute"), requests, replies, notifications, both ways.
//!
//! A connection carries frames: a big-endian `i32` payload length, then the payload. The first payload each way is the
//! connect exchange ([`connect`]); after that a client sends a [`RequestHeader`] and a body that its opcode names
//! ([`Request`]), and a server answers with a [`ReplyHeader`] and a body ([`Response`]).
//!
//! Decoding borrows from the receive buffer and allocates only to replace invalid UTF-8. A [`List`] of a decoded
//! request stays encoded, checked once, and is read again when it is iterated: no count that a client sends can make
//! the server allocate. Encoding appends to one `Vec<u8>` per connection.
//!
//! This room knows layouts only. Whether flags, modes or watch types make sense is for the server to judge.

pub mod arbitrary;
mod client;
mod connect;
pub mod fuzz;
mod list;
mod multi;
mod opcode;
mod payload;
mod primitive;
mod refusal;
mod reply;
mod request;
mod response;
mod utf8;

pub use client::{append_connect_request, append_request, append_restore_request};
pub use connect::{AuthPacket, ConnectRequest, ConnectResponse, ReplyHeader, RequestHeader, WatcherEvent};
pub use list::{AclItem, AclList, ClientInfo, Item, List, OPEN_ACL, StrList};
pub use multi::{MultiOp, MultiRead, MultiResult};
pub use opcode::OpCode;
pub use payload::{PREFIX_LEN, append_payload, first_payload};
pub use primitive::{ReadError, Reader, STAT_LEN, Writer};
pub use refusal::Refusal;
pub use reply::{ReplyFrame, append_connect_response, append_notification};
pub use request::{Create, DecodeError, Reconfig, Request, SetData, SetWatches};
pub use response::Response;

#[cfg(test)]
mod tests;
