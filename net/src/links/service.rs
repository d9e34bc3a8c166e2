//! What the owner of the links does with what arrives.

use crate::links::fault::LinkDown;
use ringkeeper_core::frame::FrameBuf;
use ringkeeper_core::ids::ServerId;

/// The receiving side. All calls come from the task of [`crate::links::Links::run`] and must not block; an implementation
/// may call [`crate::links::Links`] from within, and may hold `RefCell` borrows over its own calls to it.
pub trait LinkService {
    /// There is a link to the peer now, and none before. `incarnation` is a number of this run of the peer's process: if
    /// it has changed, the peer has started anew.
    fn up(&self, peer: ServerId, incarnation: u64);

    /// A message, in the order in which the peer sent it. The tail is `None` if there is none; it is 16-aligned.
    fn message(&self, peer: ServerId, head: &[u8], tail: Option<FrameBuf>);

    /// The link is down; once for each [`LinkService::up`]. What was sent and had not arrived is lost. Nothing more comes
    /// from this link.
    fn down(&self, peer: ServerId, why: &LinkDown);

    /// Everything that was there to be read has been handed over: a turn is due. Only after a pass with other calls.
    fn received(&self);
}
