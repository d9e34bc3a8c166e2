//! Finds connections: by the token that the readiness set reports, and by the name that the service gave.

use crate::connection::Connection;
use ringkeeper_core::ids::ConnId;
use std::rc::Rc;

/// The connections of one executor.
#[derive(Default)]
pub(crate) struct Table {
    /// By token.
    by_token: Vec<Option<Rc<Connection>>>,
    free: Vec<usize>,
    /// By slot of the id. A slot may be taken over while its former user is still closing.
    by_slot: Vec<Option<Rc<Connection>>>,
}

impl Table {
    /// Adds the connection that `make` makes of its token.
    pub(crate) fn insert(&mut self, make: impl FnOnce(u64) -> Connection) -> Rc<Connection> {
        let place = self.free.pop().unwrap_or_else(|| {
            self.by_token.push(None);
            self.by_token.len() - 1
        });
        let conn = Rc::new(make(place as u64));
        self.by_token[place] = Some(Rc::clone(&conn));
        let slot = conn.id.slot as usize;
        if self.by_slot.len() <= slot {
            self.by_slot.resize_with(slot + 1, || None);
        }
        self.by_slot[slot] = Some(Rc::clone(&conn));
        conn
    }

    /// Forgets the connection, if it is known.
    pub(crate) fn remove(&mut self, conn: &Rc<Connection>) {
        let is_it = |entry: &Option<Rc<Connection>>| entry.as_ref().is_some_and(|c| Rc::ptr_eq(c, conn));
        let place = conn.token as usize;
        if is_it(&self.by_token[place]) {
            self.by_token[place] = None;
            self.free.push(place);
        }
        let entry = &mut self.by_slot[conn.id.slot as usize];
        if is_it(entry) {
            *entry = None;
        }
    }

    pub(crate) fn by_token(&self, token: u64) -> Option<Rc<Connection>> {
        self.by_token.get(usize::try_from(token).ok()?)?.clone()
    }

    pub(crate) fn by_id(&self, id: ConnId) -> Option<Rc<Connection>> {
        self.by_slot.get(id.slot as usize)?.as_ref().filter(|conn| conn.id == id).cloned()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rc<Connection>> {
        self.by_token.iter().flatten()
    }
}
