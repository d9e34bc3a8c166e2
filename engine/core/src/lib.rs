//! Everything that Ringkeeper decides: protocol, tree, sessions, watches, agreement.
//!
//! PURE: no I/O, clock, randomness, thread or async in this crate; its dependencies have none either. Time and seeds
//! are arguments. What an operator, a client or a peer can cause is a value; what only a bug can cause is a panic that
//! names the broken invariant.

pub mod acl;
pub mod bulletin;
pub mod defect;
mod distinguished_name;
pub mod error_code;
pub mod exchange;
pub mod frame;
pub mod frontend;
pub mod ids;
pub mod jute;
pub mod measure;
pub mod memory;
pub mod peer;
pub mod prepare;
pub mod replica;
pub mod session;
pub mod stat;
pub mod tree;
pub mod txn;
pub mod watch;
pub mod zab;
