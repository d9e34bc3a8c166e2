//! What a client watches, and what it must be told of it: one event for each watch, for a change that happened, before
//! anything newer is seen; after a reconnect, what has changed meanwhile.

use crate::check::{Check, What};
use ringkeeper_core::ids::Zxid;
use ringkeeper_core::watch::EventType;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Kinds of watches, as a client lists them when it reconnects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    /// On a node that existed.
    Data,
    /// On one that did not.
    Exists,
    /// On the children.
    Child,
}

impl Kind {
    fn is_triggered_by(self, what: What) -> bool {
        match self {
            Kind::Data | Kind::Exists => what != What::Children,
            Kind::Child => matches!(what, What::Children | What::Deleted),
        }
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Watching {
    /// Watches, and the zxid of the answer that left each.
    armed: BTreeMap<(String, Kind), Zxid>,
    /// The connection is new, and the server has not been told yet what is watched; the client had seen so far.
    pub(super) replaying: Option<Zxid>,
}

impl Watching {
    /// An answer of this zxid has left a watch.
    pub(super) fn arm(&mut self, path: &str, kind: Kind, at: Zxid) {
        // To the server these two are one.
        match kind {
            Kind::Data => self.armed.remove(&(path.to_owned(), Kind::Exists)),
            Kind::Exists => self.armed.remove(&(path.to_owned(), Kind::Data)),
            Kind::Child => None,
        };
        self.armed.insert((path.to_owned(), kind), at);
    }

    /// The session is gone, and all watches with it.
    pub(super) fn clear(&mut self) {
        *self = Watching::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }

    pub(super) fn paths(&self, kind: Kind) -> Vec<Cow<'static, str>> {
        let of_kind = self.armed.keys().filter(|(_, armed)| *armed == kind);
        of_kind.map(|(path, _)| Cow::Owned(path.clone())).collect()
    }

    /// An event has come. `zxid` is that of the change, or none for what is told after a reconnect.
    pub(super) fn fired(&mut self, check: &Check, event: EventType, path: &str, zxid: Option<Zxid>) {
        let (kinds, what): (&[Kind], What) = match event {
            EventType::NodeCreated => (&[Kind::Data, Kind::Exists], What::Created),
            EventType::NodeDataChanged => (&[Kind::Data, Kind::Exists], What::Data),
            EventType::NodeDeleted => (&[Kind::Data, Kind::Exists, Kind::Child], What::Deleted),
            EventType::NodeChildrenChanged => (&[Kind::Child], What::Children),
        };
        let mut used = false;
        for &kind in kinds {
            let Some(since) = self.armed.remove(&(path.to_owned(), kind)) else { continue };
            used = true;
            match zxid {
                Some(zxid) => {
                    let mut triggers = check.changed(path, since, zxid).filter(|(_, what)| kind.is_triggered_by(*what));
                    let first = triggers.next().map(|(zxid, _)| zxid);
                    assert_eq!(
                        first,
                        Some(zxid),
                        "{event:?} of {path} (watched since {since}) is not the first change"
                    );
                    let happened = check.changed(path, since, zxid).any(|(at, did)| at == zxid && did == what);
                    assert!(happened, "{event:?} of {path} at {zxid} has not happened");
                }
                None => assert!(self.replaying.is_some(), "{event:?} of {path} without a zxid or a reconnect"),
            }
        }
        assert!(used, "{event:?} of {path}, which nobody watches");
    }

    /// An answer shows the state of this zxid: every change through it that was watched must have been told.
    pub(super) fn seen(&self, check: &Check, through: Zxid) {
        if self.replaying.is_some() {
            return;
        }
        for ((path, kind), since) in &self.armed {
            let missed = check.changed(path, *since, through).find(|(_, what)| kind.is_triggered_by(*what));
            assert_eq!(missed, None, "{path} was watched ({kind:?}) since {since}; an answer shows {through} already");
        }
    }

    /// The server has been told what is watched: what was changed while nobody was told has been told by now.
    pub(super) fn replayed(&mut self, check: &Check, at: Zxid) {
        let Some(seen) = self.replaying.take() else { return };
        for ((path, kind), since) in &mut self.armed {
            let view = check.view(path, at);
            // Then the numbers of a node say nothing of whether it is another.
            let replaced = check.was_replaced(seen, at);
            let quiet = match kind {
                Kind::Data => !replaced && view.is_some_and(|view| view.stat.mzxid <= seen.wire()),
                Kind::Exists => view.is_none(),
                Kind::Child => !replaced && (path == "/" || view.is_some_and(|view| view.stat.pzxid <= seen.wire())),
            };
            assert!(quiet, "{path} is watched ({kind:?}) and has changed between {seen} and {at}; nobody has told");
            *since = at;
        }
    }
}
