//! The watches that a session has left, so that they can be left again on the next connection.
//!
//! Paths are the server's.

use crate::event::EventKind;
use std::collections::BTreeSet;

/// A kind of watch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Watch {
    /// The node's data, once.
    Data,
    /// A node that does not exist, once.
    Exist,
    /// The node's children, once.
    Children,
    /// Data and children of the node, every time.
    Persistent,
    /// The node and everything below it, every time.
    PersistentRecursive,
}

/// Which watches on a node are to be removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Removal {
    /// [`Watch::Children`].
    Children = 1,
    /// [`Watch::Data`] and [`Watch::Exist`].
    Data = 2,
    /// All.
    Any = 3,
    /// [`Watch::Persistent`].
    Persistent = 4,
    /// [`Watch::PersistentRecursive`].
    PersistentRecursive = 5,
}

impl Removal {
    fn covers(self, watch: Watch) -> bool {
        match self {
            Removal::Any => true,
            Removal::Children => watch == Watch::Children,
            Removal::Data => matches!(watch, Watch::Data | Watch::Exist),
            Removal::Persistent => watch == Watch::Persistent,
            Removal::PersistentRecursive => watch == Watch::PersistentRecursive,
        }
    }
}

/// The watches of a session.
#[derive(Clone, Default, Debug)]
pub struct Watches {
    left: BTreeSet<(String, Watch)>,
}

/// Some of the watches, by kind: what one setWatches request carries.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[allow(missing_docs, reason = "the kinds of Watch")]
pub struct Batch {
    pub data: Vec<String>,
    pub exist: Vec<String>,
    pub children: Vec<String>,
    pub persistent: Vec<String>,
    pub recursive: Vec<String>,
}

impl Watches {
    /// Notes a watch that the server has accepted.
    pub fn add(&mut self, watch: Watch, path: &str) {
        self.left.insert((path.to_owned(), watch));
    }

    /// Takes away what an event has used up.
    pub fn fired(&mut self, kind: EventKind, path: &str) {
        let used: &[Watch] = match kind {
            EventKind::NodeCreated | EventKind::NodeDataChanged => &[Watch::Data, Watch::Exist],
            EventKind::NodeChildrenChanged => &[Watch::Children],
            EventKind::NodeDeleted => &[Watch::Data, Watch::Exist, Watch::Children],
            _ => &[],
        };
        for watch in used {
            self.left.remove(&(path.to_owned(), *watch));
        }
    }

    /// Whether there is something to remove.
    #[must_use]
    pub fn has(&self, removal: Removal, path: &str) -> bool {
        self.left.iter().any(|(at, watch)| at == path && removal.covers(*watch))
    }

    /// Removes watches and tells by which events a session learns of it: one for each kind of event.
    pub fn remove(&mut self, removal: Removal, path: &str) -> Vec<EventKind> {
        let mut events = Vec::new();
        self.left.retain(|(at, watch)| {
            let goes = at == path && removal.covers(*watch);
            let event = match watch {
                Watch::Data | Watch::Exist => EventKind::DataWatchRemoved,
                Watch::Children => EventKind::ChildWatchRemoved,
                Watch::Persistent | Watch::PersistentRecursive => EventKind::PersistentWatchRemoved,
            };
            if goes && !events.contains(&event) {
                events.push(event);
            }
            !goes
        });
        events
    }

    /// All watches, in batches of about `max` bytes of paths: a server limits the length of a request.
    #[must_use]
    pub fn batches(&self, max: usize) -> Vec<Batch> {
        let (mut batches, mut room) = (Vec::new(), 0);
        for (path, watch) in &self.left {
            if room < path.len() || batches.is_empty() {
                batches.push(Batch::default());
                room = max;
            }
            room = room.saturating_sub(path.len() + 4);
            let Some(batch) = batches.last_mut() else { continue };
            let list = match watch {
                Watch::Data => &mut batch.data,
                Watch::Exist => &mut batch.exist,
                Watch::Children => &mut batch.children,
                Watch::Persistent => &mut batch.persistent,
                Watch::PersistentRecursive => &mut batch.recursive,
            };
            list.push(path.clone());
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Watches {
        let mut watches = Watches::default();
        for watch in [Watch::Data, Watch::Exist, Watch::Children, Watch::Persistent, Watch::PersistentRecursive] {
            watches.add(watch, "/a");
        }
        watches.add(Watch::Data, "/b");
        watches
    }

    #[test]
    fn an_event_uses_up_what_is_left_for_once() {
        let mut watches = some();
        watches.fired(EventKind::NodeDataChanged, "/a");
        assert!(!watches.has(Removal::Data, "/a"));
        assert!(watches.has(Removal::Children, "/a") && watches.has(Removal::Data, "/b"));
        watches.fired(EventKind::NodeDeleted, "/a");
        assert!(!watches.has(Removal::Children, "/a"));
        assert!(watches.has(Removal::Persistent, "/a") && watches.has(Removal::PersistentRecursive, "/a"));
        let mut watches = some();
        watches.fired(EventKind::NodeChildrenChanged, "/a");
        assert!(!watches.has(Removal::Children, "/a") && watches.has(Removal::Data, "/a"));
        watches.fired(EventKind::NodeDeleted, "/a");
        assert!(!watches.has(Removal::Data, "/a"), "neither of the node nor of its absence");
    }

    #[test]
    fn a_removal_tells_each_kind_of_event_once() {
        use EventKind::{ChildWatchRemoved, DataWatchRemoved, PersistentWatchRemoved};
        assert_eq!(some().remove(Removal::Any, "/a"), [DataWatchRemoved, ChildWatchRemoved, PersistentWatchRemoved]);
        let mut watches = some();
        assert_eq!(watches.remove(Removal::Children, "/a"), [ChildWatchRemoved]);
        assert_eq!(watches.remove(Removal::Children, "/a"), []);
        assert_eq!(watches.remove(Removal::Persistent, "/a"), [PersistentWatchRemoved]);
        assert!(watches.has(Removal::PersistentRecursive, "/a"));
    }

    #[test]
    fn batches_hold_every_watch_once_and_are_short() {
        let mut watches = some();
        assert_eq!(Watches::default().batches(100), []);
        let batch = &watches.batches(1000)[0];
        assert_eq!((batch.data.len(), batch.exist.len(), batch.recursive.len()), (2, 1, 1));
        for n in 0..100 {
            watches.add(Watch::Children, &format!("/node-{n:03}"));
        }
        let batches = watches.batches(130);
        assert_eq!(batches.iter().map(|batch| batch.children.len()).sum::<usize>(), 101);
        assert!(batches.len() >= 10 && batches.iter().all(|batch| batch.children.len() <= 10), "{}", batches.len());
    }
}
