//! The ensemble's sessions: replicated state like the nodes. Whether a session is still alive is for its leader to say;
//! here it exists from its createSession to its closeSession.

use super::digest;
use crate::ids::{SessionId, Tag};
use std::collections::BTreeMap;

/// What is known of a session on every server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionEntry {
    /// The negotiated timeout in milliseconds.
    pub timeout_ms: i32,
    /// What a client must show to resume it.
    pub passwd: [u8; 16],
    /// The request by which a connection became the one that speaks for the session.
    pub owner: Tag,
}

/// Sessions by id.
#[derive(Clone, Default)]
pub(super) struct SessionTable {
    entries: BTreeMap<SessionId, SessionEntry>,
}

impl SessionTable {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn get(&self, id: SessionId) -> Option<&SessionEntry> {
        self.entries.get(&id)
    }

    /// In the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &SessionEntry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    /// From the session behind `after` on, in the order of ids; from the first if `None`.
    pub fn iter_after(&self, after: Option<SessionId>) -> impl Iterator<Item = (SessionId, &SessionEntry)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.entries.range((from, Unbounded)).map(|(id, entry)| (*id, entry))
    }

    /// Returns what is to be added to the digest; `None` if there is a session of that id.
    pub fn insert(&mut self, id: SessionId, entry: SessionEntry) -> Option<u64> {
        use std::collections::btree_map::Entry;
        match self.entries.entry(id) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => Some(digest::of_session(id, place.insert(entry))),
        }
    }

    /// Another connection speaks for the session from now on. Returns what is to be taken from the digest and what is to
    /// be added; `None` if there is no such session.
    pub fn take_over(&mut self, id: SessionId, timeout_ms: i32, owner: Tag) -> Option<(u64, u64)> {
        let entry = self.entries.get_mut(&id)?;
        let before = digest::of_session(id, entry);
        (entry.timeout_ms, entry.owner) = (timeout_ms, owner);
        Some((before, digest::of_session(id, entry)))
    }

    /// Replaces what is known of a session that there is. Returns what is to be taken from the digest and what is to be
    /// added.
    pub fn replace(&mut self, id: SessionId, entry: SessionEntry) -> Option<(u64, u64)> {
        let old = self.entries.get_mut(&id)?;
        let before = digest::of_session(id, old);
        *old = entry;
        Some((before, digest::of_session(id, old)))
    }

    /// Returns what is to be taken from the digest; `None` if there is no such session.
    pub fn remove(&mut self, id: SessionId) -> Option<u64> {
        self.entries.remove(&id).map(|entry| digest::of_session(id, &entry))
    }
}
