//! Whole subtrees: walked and deleted with many requests on their way at once.

use crate::client::Client;
use crate::error::{Error, code};
use crate::path;
use crate::pending::Promise;
use ringkeeper_core::jute::{List, MultiOp, MultiResult, Request, Response};
use std::collections::VecDeque;

/// Requests on their way at once. Few enough for every server's limit, enough to hide the round trip.
const WINDOW: usize = 64;

/// What became of a deletion of a subtree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deletion {
    /// Nodes that were found.
    pub found: usize,
    /// The first refusal, if there was one: then nodes are left.
    pub refused: Option<Error>,
}

impl Client {
    /// A node and everything below it, parents before their children, in the order of their levels.
    ///
    /// # Errors
    /// [`Error`]; a node that goes while the tree is walked is none.
    pub fn subtree(&self, root: &str) -> Result<Vec<String>, Error> {
        let mut found = vec![root.to_owned()];
        let (mut asked, mut next) = (VecDeque::<(usize, Promise)>::new(), 0);
        while next < found.len() || !asked.is_empty() {
            while next < found.len() && asked.len() < WINDOW {
                let path = &found[next];
                path::validate(path)?;
                let request = Request::GetChildren { path: self.to_server(path).into(), watch: false };
                asked.push_back((next, self.send(&request, Some(path), None)?));
                next += 1;
            }
            let Some((of, promise)) = asked.pop_front() else { continue };
            let reply = match promise.wait() {
                Err(Error::Refused { code: code::NO_NODE, .. }) if of > 0 => continue,
                other => other?,
            };
            let Response::Strings(names) = reply.response()? else { return Err(Error::Mismatch) };
            let children: Vec<String> = names.iter().map(|name| path::child(&found[of], &name)).collect();
            found.extend(children);
        }
        Ok(found)
    }

    /// Deletes a node and everything below it, in multis of `batch` nodes. Ends at the first multi that is refused.
    ///
    /// # Errors
    /// [`Error`] if the subtree cannot be listed, or the connection is lost.
    pub fn delete_subtree(&self, root: &str, batch: usize) -> Result<Deletion, Error> {
        let mut left = self.subtree(root)?;
        let found = left.len();
        let (mut asked, mut refused) = (VecDeque::<Promise>::new(), None);
        while !asked.is_empty() || (!left.is_empty() && refused.is_none()) {
            while !left.is_empty() && refused.is_none() && asked.len() < WINDOW / 8 {
                // From the end, where the leaves are.
                let batch = left.split_off(left.len().saturating_sub(batch.max(1)));
                let operations: Vec<MultiOp<'_>> = batch
                    .iter()
                    .rev()
                    .map(|path| MultiOp::Delete { path: self.to_server(path).into(), version: -1 })
                    .collect();
                asked.push_back(self.send(&Request::Multi(List::new(&operations)), Some(root), None)?);
            }
            let Some(promise) = asked.pop_front() else { continue };
            let reply = promise.wait()?;
            let Response::Multi(results) = reply.response()? else { return Err(Error::Mismatch) };
            // The operation that was refused has a code of its own; the others say "not executed".
            let codes = results.iter().filter_map(|result| match result {
                MultiResult::Error(code) if code != 0 && code != -2 => Some(code),
                _ => None,
            });
            refused = refused.or(codes.map(|code| Error::refused(code, Some(root))).next());
        }
        Ok(Deletion { found, refused })
    }
}
