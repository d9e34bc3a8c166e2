//! Backups: a directory of snapshots and of the transactions after them, which grows by what is new.
//!
//! ```text
//!   backup.json                  format, and the ensemble that it is of
//!   snap.<zxid>                  a copy of a server's snapshot: where a chain begins
//!   frames.<prev>-<last>         the transactions after prev through last, see `piece`
//!   reached.<zxid>               the newest state that it has had; empty
//! ```
//!
//! Everything is copied from a server's directories, where snapshots never change and the log only grows; the server may be
//! running. Only what the log knows to be committed is taken. So each state between the oldest and the newest can be had
//! again, exactly; and if the newest is lost, that is noticed by the mark that it has been there.

mod chain;
mod directory;
mod piece;
mod restore;
mod take;

pub(crate) use chain::Chain;
pub(crate) use directory::BackupDir;
pub(crate) use piece::Head as Piece;
pub(crate) use restore::{Target, restore};
pub(crate) use take::{take, take_after};
