//! Access control lists by number, as ZooKeeper counts them.
//!
//! A node of a snapshot may have the number of a list that the snapshot does not have yet: the list was made while the
//! snapshot was being written, and replaying the log gives it the same number again, if numbers are given and given up
//! exactly as ZooKeeper does. Source: `ReferenceCountedACLCache`.

use crate::snapshot::OPEN_ACL;
use ringkeeper_core::acl::Acl;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

#[derive(Default)]
pub(crate) struct AclCache {
    lists: BTreeMap<i64, Entry>,
    numbers: HashMap<Rc<[Acl]>, i64>,
    /// The highest number ever given.
    newest: i64,
}

struct Entry {
    acl: Rc<[Acl]>,
    users: i64,
}

impl AclCache {
    /// A list of a snapshot. Nobody has it yet.
    pub fn insert(&mut self, number: i64, acl: Vec<Acl>) {
        let acl: Rc<[Acl]> = acl.into();
        self.newest = self.newest.max(number);
        self.numbers.insert(Rc::clone(&acl), number);
        self.lists.insert(number, Entry { acl, users: 0 });
    }

    /// Counts one more node that has the list; null is the open one.
    pub fn acquire(&mut self, acl: Option<&[Acl]>) -> i64 {
        let Some(acl) = acl else { return OPEN_ACL };
        let number = match self.numbers.get(acl) {
            Some(number) => *number,
            None => {
                self.newest += 1;
                self.insert(self.newest, acl.to_vec());
                self.newest
            }
        };
        self.add_user(number);
        number
    }

    /// Counts one more node that has the list, if there is such a list.
    pub fn add_user(&mut self, number: i64) {
        if let Some(entry) = self.lists.get_mut(&number) {
            entry.users += 1;
        }
    }

    /// Counts one node less; the last one takes the list with it.
    pub fn release(&mut self, number: i64) {
        let Some(entry) = self.lists.get_mut(&number) else { return };
        entry.users -= 1;
        if entry.users <= 0 {
            self.remove(number);
        }
    }

    /// Removes the lists that no node has.
    pub fn purge(&mut self) {
        let unused: Vec<i64> = self.lists.iter().filter(|(_, entry)| entry.users <= 0).map(|(n, _)| *n).collect();
        for number in unused {
            self.remove(number);
        }
    }

    fn remove(&mut self, number: i64) {
        if let Some(entry) = self.lists.remove(&number) {
            self.numbers.remove(&entry.acl);
        }
    }

    /// The list of that number; `None` if there is none.
    pub fn get(&self, number: i64) -> Option<&[Acl]> {
        self.lists.get(&number).map(|entry| &*entry.acl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(id: &str) -> Vec<Acl> {
        vec![Acl::new(1, "digest", id)]
    }

    #[test]
    fn numbers_are_given_as_zookeeper_gives_them() {
        let mut cache = AclCache::default();
        cache.insert(7, list("a"));
        cache.insert(3, list("b"));
        cache.add_user(3);
        cache.add_user(9);
        cache.purge();
        assert_eq!((cache.get(7), cache.get(3)), (None, Some(&list("b")[..])), "nobody had the first one");
        assert_eq!(cache.acquire(None), OPEN_ACL);
        assert_eq!(cache.acquire(Some(&list("a"))), 8, "its old number does not come back");
        assert_eq!(cache.acquire(Some(&list("b"))), 3);
        assert_eq!(cache.acquire(Some(&list("c"))), 9, "the one that a node of the snapshot waits for");
        cache.release(3);
        assert!(cache.get(3).is_some());
        cache.release(3);
        assert!(cache.get(3).is_none());
        assert_eq!(cache.acquire(Some(&list("b"))), 10);
    }
}
