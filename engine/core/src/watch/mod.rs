//! Watches of one client executor's connections: registrations by path, and who must hear of a change.
//!
//! Pure bookkeeping: whether a watcher may read the node, and how the event is encoded, is the frontend's business.
//! Source of the rules: ZooKeeper's `WatchManager`, `WatcherModeManager` and `DataTree`, as of 3.9.

mod table;

pub use table::{WatchSummary, WatchTable};

/// What happened to a node, as clients number it (`Watcher.Event.EventType`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
#[allow(missing_docs, reason = "ZooKeeper's names")]
pub enum EventType {
    NodeCreated = 1,
    NodeDeleted = 2,
    NodeDataChanged = 3,
    NodeChildrenChanged = 4,
}

/// The ways to watch a path. One connection can hold several on one path, each at most once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum WatchKind {
    /// Set by getData and exists: fires once, on creation, deletion or change of data.
    Data = 1,
    /// Set by getChildren: fires once, on deletion or change of the children.
    Child = 2,
    /// Set by addWatch: fires on all of the above until removed.
    Persistent = 4,
    /// Set by addWatch: fires on creation, deletion and change of data of the node and all below it, until removed.
    Recursive = 8,
}

impl WatchKind {
    const fn bit(self) -> u8 {
        self as u8
    }
}

/// Which watches removeWatches and checkWatches mean (`Watcher.WatcherType`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "ZooKeeper's names")]
pub enum WatcherType {
    Children,
    Data,
    Any,
    Persistent,
    PersistentRecursive,
}

impl WatcherType {
    /// From a request; `None` for a number that ZooKeeper does not know either.
    #[must_use]
    pub const fn from_wire(n: i32) -> Option<WatcherType> {
        Some(match n {
            1 => WatcherType::Children,
            2 => WatcherType::Data,
            3 => WatcherType::Any,
            4 => WatcherType::Persistent,
            5 => WatcherType::PersistentRecursive,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            WatcherType::Children => WatchKind::Child.bit(),
            WatcherType::Data => WatchKind::Data.bit(),
            WatcherType::Any => 0xF,
            WatcherType::Persistent => WatchKind::Persistent.bit(),
            WatcherType::PersistentRecursive => WatchKind::Recursive.bit(),
        }
    }
}
