//! dump: sessions, ephemeral nodes and connections.

use super::connections::dumped;
use super::line;
use super::{Deadlines, Mode, Snapshot};
use crate::date;

/// dump.
pub(super) fn dump(server: &Snapshot, out: &mut String) {
    line!(out, "SessionTracker dump:");
    match server.mode {
        Mode::Standalone | Mode::Leader => {
            sets("Session", &server.sessions, out, |session, out| line!(out, "\t{session}"));
        }
        // When a session ends is known to the leader alone.
        Mode::Follower | Mode::Observer | Mode::ReadOnly => {
            line!(out, "Global Sessions({}):", server.session_timeouts.len());
            for (session, timeout_ms) in &server.session_timeouts {
                line!(out, "{session}\t{timeout_ms}ms");
            }
        }
    }
    line!(out, "ephemeral nodes dump:");
    line!(out, "Sessions with Ephemerals ({}):", server.ephemerals.len());
    for (session, paths) in &server.ephemerals {
        line!(out, "{session}:");
        paths.iter().for_each(|path| line!(out, "\t{path}"));
    }
    line!(out, "Connections dump:");
    sets("Connections", &server.connection_deadlines, out, |(peer, session), out| dumped(*peer, *session, out));
}

/// What ends when: the number of moments, the number of things, then moment by moment.
fn sets<T>(title: &str, deadlines: &Deadlines<T>, out: &mut String, mut one: impl FnMut(&T, &mut String)) {
    let total: usize = deadlines.0.iter().map(|(_, things)| things.len()).sum();
    line!(out, "{title} Sets ({})/({total}):", deadlines.0.len());
    for (at, things) in &deadlines.0 {
        line!(out, "{} expire at {}:", things.len(), date::java(*at));
        things.iter().for_each(|thing| one(thing, out));
    }
}
