//! Agreement on the order of transactions. To this room a transaction is a zxid; what it does is none of its business.

mod broadcast;
mod quorum;

pub use broadcast::Broadcast;
pub use quorum::Quorum;

use crate::ids::Epoch;

/// What a server must never forget about epochs: one record, replaced as a whole, durable before it counts.
///
/// Source: ZAB (DSN'11) section IV; ZooKeeper's `acceptedEpoch` and `currentEpoch` files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Epochs {
    /// The newest epoch that this server has promised to follow.
    pub accepted: Epoch,
    /// The newest epoch whose history this server has taken over; never above `accepted`.
    pub current: Epoch,
}
