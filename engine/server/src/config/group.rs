//! The sections into which settings are sorted.

/// Sections, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Directories.
    Data,
    /// Listening and connections.
    Clients,
    /// What clients may take.
    Limits,
    /// TLS for clients.
    Tls,
    /// TLS between servers.
    PeerTls,
    /// Time and sessions.
    Sessions,
    /// The znode tree.
    Tree,
    /// Identities and access.
    Access,
    /// Transaction log.
    Log,
    /// Snapshots and retention.
    Snapshots,
    /// Executors.
    Executors,
    /// Four-letter words and messages of the server about itself.
    Operations,
    /// Several servers.
    Ensemble,
    /// Other settings of ZooKeeper.
    Other,
}

impl Group {
    /// All groups in their order.
    pub const ALL: [Group; 14] = [
        Group::Data,
        Group::Clients,
        Group::Limits,
        Group::Tls,
        Group::PeerTls,
        Group::Sessions,
        Group::Tree,
        Group::Access,
        Group::Log,
        Group::Snapshots,
        Group::Executors,
        Group::Operations,
        Group::Ensemble,
        Group::Other,
    ];

    /// The heading.
    pub const fn title(self) -> &'static str {
        match self {
            Group::Data => "Directories",
            Group::Clients => "Clients and connections",
            Group::Limits => "Limits and protection",
            Group::Tls => "TLS for clients",
            Group::PeerTls => "TLS between servers",
            Group::Sessions => "Time and sessions",
            Group::Tree => "The tree",
            Group::Access => "Identity and access",
            Group::Log => "Transaction log",
            Group::Snapshots => "Snapshots and retention",
            Group::Executors => "Executors",
            Group::Operations => "Operations",
            Group::Ensemble => "Ensemble",
            Group::Other => "ZooKeeper's other settings",
        }
    }
}
