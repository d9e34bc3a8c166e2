//! The commands on quotas, which are nodes below `/zookeeper/quota`.
//!
//! Source: `SetQuotaCommand`, `ListQuotaCommand`, `DelQuotaCommand`.

use crate::command::Limit;
use crate::execute::Tell;
use crate::failure::{Failure, status};
use crate::output::Output;
use crate::quota::{self, LIMITS, Quota, ROOT, STATS};
use ringkeeper_client::{Acl, Client, CreateMode, Error, code, path};

/// Prints a quota.
pub(crate) fn list(client: &Client, path: &str, tell: Tell<'_>) -> Result<(), Failure> {
    path::validate(path).map_err(Error::from)?;
    let node = quota::node(path);
    tell(Output::Notice(format!("absolute path is {}", path::child(&node, LIMITS))))?;
    let limits = read(client, &path::child(&node, LIMITS)).map_err(|error| none(path, error))?;
    let used = read(client, &path::child(&node, STATS)).map_err(|error| none(path, error))?;
    tell(Output::Quota { path: path.to_owned(), limits, used })
}

/// Sets one limit.
pub(crate) fn set(client: &Client, path: &str, limit: Limit, value: i64, tell: Tell<'_>) -> Result<(), Failure> {
    let refuse = |words: String| Failure::new(status::FAILED, words, None);
    if path == ROOT || path.starts_with(&format!("{ROOT}/")) {
        return Err(refuse(format!("cannot set a quota under the path: {ROOT}")));
    }
    if client.exists(path, false)?.is_none() {
        return Err(Failure { status: status::NO_NODE, ..refuse(format!("{path} does not exist.")) });
    }
    if let Some(other) = below(client, path)? {
        return Err(refuse(format!("{path} has a child {other} which has a quota")));
    }
    if let Some(other) = above(client, path)? {
        return Err(refuse(format!("{path} has a parent {other} which has a quota")));
    }
    let node = make(client, path)?;
    let (limits_at, stats_at) = (path::child(&node, LIMITS), path::child(&node, STATS));
    let present = client.exists(&limits_at, false)?.is_some();
    let mut limits = if present { read(client, &limits_at)? } else { Quota::unlimited() };
    limits.set(limit, value);
    let text = limits.to_string();
    if present {
        client.set_data(&limits_at, text.as_bytes(), -1)?;
    } else {
        client.create(&limits_at, Some(text.as_bytes()), &open(), CreateMode::Persistent)?;
        client.create(&stats_at, Some(Quota::new(0, 0).to_string().as_bytes()), &open(), CreateMode::Persistent)?;
    }
    let used = read(client, &stats_at)?;
    limits.exceeded(&used).into_iter().try_for_each(|what| tell(Output::QuotaExceeded { what, used: used.clone() }))
}

/// Removes one limit, or the quota.
pub(crate) fn delete(client: &Client, path: &str, limit: Option<Limit>, tell: Tell<'_>) -> Result<(), Failure> {
    path::validate(path).map_err(Error::from)?;
    let node = quota::node(path);
    let limits_at = path::child(&node, LIMITS);
    if client.exists(&limits_at, false)?.is_none() {
        return tell(Output::NoQuota { path: path.to_owned() });
    }
    if let Some(limit) = limit {
        let mut limits = read(client, &limits_at)?;
        limits.set(limit, -1);
        client.set_data(&limits_at, limits.to_string().as_bytes(), -1)?;
        return Ok(());
    }
    for name in [LIMITS, STATS] {
        client.delete(&path::child(&node, name), -1).or_else(gone)?;
    }
    trim(client, &node)
}

/// Deletes the nodes that only led to a quota that is no more.
fn trim(client: &Client, node: &str) -> Result<(), Failure> {
    let mut node = node;
    while node != ROOT && client.children(node, false)?.0.is_empty() {
        client.delete(node, -1).or_else(gone)?;
        node = node.rsplit_once('/').map_or(ROOT, |(parent, _)| parent);
    }
    Ok(())
}

/// The nodes that lead to a quota; returns the last one.
fn make(client: &Client, path: &str) -> Result<String, Failure> {
    let mut nodes = vec!["/zookeeper".to_owned(), ROOT.to_owned()];
    for part in path.split('/').filter(|part| !part.is_empty()) {
        nodes.push(path::child(&nodes[nodes.len() - 1], part));
    }
    for node in nodes {
        match client.create(&node, None, &open(), CreateMode::Persistent) {
            Err(Error::Refused { code: code::NODE_EXISTS, .. }) => {}
            other => drop(other?),
        }
    }
    Ok(quota::node(path))
}

/// A node above this one that has a quota.
fn above(client: &Client, path: &str) -> Result<Option<String>, Failure> {
    let slashes = path.char_indices().skip(1).filter(|(_, letter)| *letter == '/');
    for (at, _) in slashes {
        let ancestor = &path[..at];
        if client.exists(&path::child(&quota::node(ancestor), LIMITS), false)?.is_some() {
            return Ok(Some(ancestor.to_owned()));
        }
    }
    Ok(None)
}

/// A node below this one that has a quota.
fn below(client: &Client, path: &str) -> Result<Option<String>, Failure> {
    let node = quota::node(path);
    let own = path::child(&node, LIMITS);
    let found = match client.subtree(&node) {
        Err(Error::Refused { code: code::NO_NODE, .. }) => return Ok(None),
        other => other?,
    };
    let other = found.iter().find(|at| **at != own && at.ends_with(&format!("/{LIMITS}")));
    Ok(other.map(|at| at[ROOT.len()..].trim_end_matches(LIMITS).trim_end_matches('/').to_owned()))
}

fn read(client: &Client, node: &str) -> Result<Quota, Error> {
    let (data, _) = client.get_data(node, false)?;
    Ok(Quota::parse(&String::from_utf8_lossy(&data.unwrap_or_default())))
}

fn none(path: &str, error: Error) -> Failure {
    match error {
        Error::Refused { code: code::NO_NODE, .. } => Failure {
            code: Some(code::NO_NODE),
            ..Failure::new(
                status::NO_NODE,
                format!("quota for {path} does not exist."),
                Some("`setquota -n 1000 path` makes one"),
            )
        },
        other => other.into(),
    }
}

fn gone(error: Error) -> Result<(), Error> {
    match error {
        Error::Refused { code: code::NO_NODE, .. } => Ok(()),
        other => Err(other),
    }
}

fn open() -> Vec<Acl> {
    vec![Acl::open()]
}
