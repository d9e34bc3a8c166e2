//! wchs, wchc and wchp.

use std::collections::BTreeMap;

use ringkeeper_core::ids::SessionId;

use super::Snapshot;
use super::line;

/// wchs.
pub(super) fn summary(server: &Snapshot, out: &mut String) {
    let sessions = &server.watches.by_session;
    let total: usize = sessions.iter().map(|(_, paths)| paths.len()).sum();
    line!(out, "{} connections watching {} paths", sessions.len(), sessions_by_path(server).len());
    line!(out, "Total watches:{total}");
}

/// wchc.
pub(super) fn by_session(server: &Snapshot, out: &mut String) {
    for (session, paths) in &server.watches.by_session {
        line!(out, "{session}");
        paths.iter().for_each(|path| line!(out, "\t{path}"));
    }
    out.push('\n');
}

/// wchp.
pub(super) fn by_path(server: &Snapshot, out: &mut String) {
    for (path, sessions) in sessions_by_path(server) {
        line!(out, "{path}");
        sessions.iter().for_each(|session| line!(out, "\t{session}"));
    }
    out.push('\n');
}

/// Sessions by the path that they watch.
pub(crate) fn sessions_by_path(server: &Snapshot) -> BTreeMap<&str, Vec<SessionId>> {
    let mut by_path: BTreeMap<&str, Vec<SessionId>> = BTreeMap::new();
    for (session, paths) in &server.watches.by_session {
        for path in paths {
            by_path.entry(path).or_default().push(*session);
        }
    }
    by_path
}
