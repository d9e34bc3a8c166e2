//! What a session hears without having asked: changes that it watches, and what becomes of itself.

use ringkeeper_core::jute::WatcherEvent;
use std::fmt;

/// State of a session, by ZooKeeper's names (`ZooKeeper.States`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// No server is connected; one is being looked for.
    Connecting,
    /// A server answers.
    Connected,
    /// A server answers that takes no writes because it has lost the others.
    ConnectedReadOnly,
    /// Closed by this side.
    Closed,
    /// The session has expired.
    Expired,
    /// An identity was not accepted.
    AuthFailed,
}

impl State {
    /// Whether the session may still do something.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        matches!(self, State::Connecting | State::Connected | State::ConnectedReadOnly)
    }

    /// Whether a server answers.
    #[must_use]
    pub const fn is_connected(self) -> bool {
        matches!(self, State::Connected | State::ConnectedReadOnly)
    }

    /// What the event of coming into this state calls it (`Watcher.Event.KeeperState`).
    #[must_use]
    pub const fn event_name(self) -> &'static str {
        match self {
            State::Connecting => "Disconnected",
            State::Connected => "SyncConnected",
            State::ConnectedReadOnly => "ConnectedReadOnly",
            State::Closed => "Closed",
            State::Expired => "Expired",
            State::AuthFailed => "AuthFailed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Connecting => "CONNECTING",
            State::Connected => "CONNECTED",
            State::ConnectedReadOnly => "CONNECTEDREADONLY",
            // ZooKeeper has no word for an expired session: it is closed.
            State::Closed | State::Expired => "CLOSED",
            State::AuthFailed => "AUTH_FAILED",
        })
    }
}

/// What happened, by ZooKeeper's names (`Watcher.Event.EventType`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "ZooKeeper's names")]
pub enum EventKind {
    /// The session came into another state.
    None,
    NodeCreated,
    NodeDeleted,
    NodeDataChanged,
    NodeChildrenChanged,
    DataWatchRemoved,
    ChildWatchRemoved,
    PersistentWatchRemoved,
}

impl EventKind {
    /// The kind of a notification; `None` for a number that no server sends.
    #[must_use]
    pub const fn from_wire(kind: i32) -> Option<EventKind> {
        Some(match kind {
            WatcherEvent::CREATED => EventKind::NodeCreated,
            WatcherEvent::DELETED => EventKind::NodeDeleted,
            WatcherEvent::DATA_CHANGED => EventKind::NodeDataChanged,
            WatcherEvent::CHILDREN_CHANGED => EventKind::NodeChildrenChanged,
            _ => return None,
        })
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Something that a session hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// State of the session.
    pub state: State,
    /// The node; none if it is the session itself that it is about.
    pub path: Option<String>,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_deref().unwrap_or("null");
        write!(f, "WatchedEvent state:{} type:{} path:{path}", self.state.event_name(), self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_as_zookeepers_do() {
        let event = Event { kind: EventKind::None, state: State::Connected, path: None };
        assert_eq!(event.to_string(), "WatchedEvent state:SyncConnected type:None path:null");
        let event = Event { kind: EventKind::NodeDataChanged, state: State::Connected, path: Some("/a".into()) };
        assert_eq!(event.to_string(), "WatchedEvent state:SyncConnected type:NodeDataChanged path:/a");
    }
}
