//! What is different in a tree that takes the place of another: what those are told who watch its nodes.

use super::Tree;
use super::applied::{Applied, Change, ChangeKind};
use super::node::{NONE, NodeRecord, ROOT, Slot};
use super::path::{PathHash, ROOT_HASH, child_hash};
use crate::acl::AclRef;

/// Appends every change that somebody may watch for. What is gone comes before what is above it, what is new behind it.
///
/// A node of the same path is told as changed if its data, or any number that a change of its data leaves, is another:
/// that it was deleted and made anew in between is no news of its own. So it is with children of the same names.
pub(super) fn push_changes(old: &Tree, new: &Tree, out: &mut Applied) {
    let mut both = vec![Pair { old: ROOT, new: ROOT, hash: ROOT_HASH }];
    while let Some(pair) = both.pop() {
        let (before, after) = (&old.slab[pair.old], &new.slab[pair.new]);
        if has_other_data(before, after) {
            push(out, ChangeKind::DataChanged, new, pair.new, None);
        }
        let mut same_names = true;
        for child in children(old, pair.old) {
            let hash = child_hash(pair.hash, old.slab[child].name());
            match twin(new, pair.new, hash, &old.slab[child]) {
                Some(twin) => both.push(Pair { old: child, new: twin, hash }),
                None => {
                    same_names = false;
                    push_deleted(old, child, &new.acls.get(after.acl).clone(), out);
                }
            }
        }
        for child in children(new, pair.new) {
            let hash = child_hash(pair.hash, new.slab[child].name());
            if twin(old, pair.old, hash, &new.slab[child]).is_none() {
                same_names = false;
                push_created(new, child, out);
            }
        }
        if same_names && (before.pzxid, before.create_count) != (after.pzxid, after.create_count) {
            push(out, ChangeKind::ChildrenChanged, new, pair.new, None);
        }
    }
}

/// A path that is in both trees.
struct Pair {
    old: Slot,
    new: Slot,
    hash: PathHash,
}

fn has_other_data(before: &NodeRecord, after: &NodeRecord) -> bool {
    let numbers = |node: &NodeRecord| (node.czxid, node.mzxid, node.mtime, node.version);
    numbers(before) != numbers(after) || before.data() != after.data()
}

fn children(tree: &Tree, parent: Slot) -> impl Iterator<Item = Slot> + '_ {
    let link = |slot: Slot| (slot != NONE).then_some(slot);
    std::iter::successors(link(tree.slab[parent].first_child()), move |slot| link(tree.slab[*slot].next))
}

/// The child of `parent` with the name that `node` has.
fn twin(tree: &Tree, parent: Slot, hash: PathHash, node: &NodeRecord) -> Option<Slot> {
    tree.index.find(hash, |slot| tree.slab[slot].parent == parent && tree.slab[slot].name() == node.name())
}

fn push_deleted(old: &Tree, top: Slot, list_above: &AclRef, out: &mut Applied) {
    let mut gone: Vec<Slot> = old.subtree(top).collect();
    gone.reverse();
    for slot in gone {
        let above = if slot == top { list_above.clone() } else { list(old, old.slab[slot].parent) };
        push(out, ChangeKind::Deleted, old, slot, above);
    }
}

fn push_created(new: &Tree, top: Slot, out: &mut Applied) {
    for slot in new.subtree(top) {
        push(out, ChangeKind::Created, new, slot, list(new, new.slab[slot].parent));
    }
}

fn push(out: &mut Applied, kind: ChangeKind, tree: &Tree, slot: Slot, parent_acl: AclRef) {
    let path = out.push_path_with(|text| tree.push_path_of(slot, text));
    out.changes.push(Change { kind, path, acl: list(tree, slot), parent_acl });
}

fn list(tree: &Tree, slot: Slot) -> AclRef {
    tree.acls.get(tree.slab[slot].acl).clone()
}
