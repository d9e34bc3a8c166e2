//! Which settings TLS is made of: for clients, between servers, and for those who ask the admin server.

use super::Whom;
use crate::config::key::Key;
use crate::config::table as keys;

/// The settings of one kind of TLS.
pub(super) struct Rows {
    pub(super) whom: Whom,
    /// There is TLS if one of these is on, or if it is a port and given.
    pub(super) asked_for_by: [&'static Key; 2],
    pub(super) key_store: StoreRows,
    pub(super) trust_store: StoreRows,
    pub(super) client_auth: &'static Key,
    pub(super) protocol: &'static Key,
    pub(super) enabled_protocols: &'static Key,
    pub(super) cipher_suites: &'static Key,
    pub(super) verify_accepted: Option<&'static Key>,
    pub(super) verify_connected: Option<&'static Key>,
    pub(super) follow_files: &'static Key,
    pub(super) handshake_timeout: &'static Key,
    pub(super) max_handshakes: Option<&'static Key>,
}

/// The settings of a store.
pub(super) struct StoreRows {
    pub(super) location: &'static Key,
    pub(super) password: &'static Key,
    pub(super) password_path: &'static Key,
    pub(super) kind: &'static Key,
}

pub(super) static CLIENTS: Rows = Rows {
    whom: Whom::Clients,
    asked_for_by: [&keys::SECURE_CLIENT_PORT, &keys::CLIENT_PORT_UNIFICATION],
    key_store: StoreRows {
        location: &keys::SSL_KEY_STORE,
        password: &keys::SSL_KEY_STORE_PASSWORD,
        password_path: &keys::SSL_KEY_STORE_PASSWORD_PATH,
        kind: &keys::SSL_KEY_STORE_TYPE,
    },
    trust_store: StoreRows {
        location: &keys::SSL_TRUST_STORE,
        password: &keys::SSL_TRUST_STORE_PASSWORD,
        password_path: &keys::SSL_TRUST_STORE_PASSWORD_PATH,
        kind: &keys::SSL_TRUST_STORE_TYPE,
    },
    client_auth: &keys::SSL_CLIENT_AUTH,
    protocol: &keys::SSL_PROTOCOL,
    enabled_protocols: &keys::SSL_ENABLED_PROTOCOLS,
    cipher_suites: &keys::SSL_CIPHER_SUITES,
    verify_accepted: Some(&keys::SSL_VERIFY_CLIENT_ADDRESS),
    verify_connected: None,
    follow_files: &keys::CLIENT_CERT_RELOAD,
    handshake_timeout: &keys::SSL_HANDSHAKE_TIMEOUT,
    max_handshakes: Some(&keys::TLS_HANDSHAKES_MAX),
};

const QUORUM_KEY_STORE: StoreRows = StoreRows {
    location: &keys::QUORUM_KEY_STORE,
    password: &keys::QUORUM_KEY_STORE_PASSWORD,
    password_path: &keys::QUORUM_KEY_STORE_PASSWORD_PATH,
    kind: &keys::QUORUM_KEY_STORE_TYPE,
};

const QUORUM_TRUST_STORE: StoreRows = StoreRows {
    location: &keys::QUORUM_TRUST_STORE,
    password: &keys::QUORUM_TRUST_STORE_PASSWORD,
    password_path: &keys::QUORUM_TRUST_STORE_PASSWORD_PATH,
    kind: &keys::QUORUM_TRUST_STORE_TYPE,
};

pub(super) static SERVERS: Rows = Rows {
    whom: Whom::Servers,
    asked_for_by: [&keys::SSL_QUORUM, &keys::PORT_UNIFICATION],
    key_store: QUORUM_KEY_STORE,
    trust_store: QUORUM_TRUST_STORE,
    client_auth: &keys::QUORUM_CLIENT_AUTH,
    protocol: &keys::QUORUM_PROTOCOL,
    enabled_protocols: &keys::QUORUM_ENABLED_PROTOCOLS,
    cipher_suites: &keys::QUORUM_CIPHER_SUITES,
    verify_accepted: Some(&keys::QUORUM_VERIFY_CLIENT_NAME),
    verify_connected: Some(&keys::QUORUM_VERIFY_NAME),
    follow_files: &keys::QUORUM_CERT_RELOAD,
    handshake_timeout: &keys::QUORUM_HANDSHAKE_TIMEOUT,
    max_handshakes: None,
};

/// ZooKeeper's admin server has what servers have, and settings of its own for who asks.
pub(super) static ADMIN: Rows = Rows {
    whom: Whom::Admin,
    asked_for_by: [&keys::ADMIN_FORCE_HTTPS, &keys::ADMIN_PORT_UNIFICATION],
    client_auth: &keys::ADMIN_NEED_CLIENT_AUTH,
    verify_accepted: None,
    verify_connected: None,
    key_store: QUORUM_KEY_STORE,
    trust_store: QUORUM_TRUST_STORE,
    protocol: &keys::QUORUM_PROTOCOL,
    enabled_protocols: &keys::QUORUM_ENABLED_PROTOCOLS,
    cipher_suites: &keys::QUORUM_CIPHER_SUITES,
    follow_files: &keys::QUORUM_CERT_RELOAD,
    handshake_timeout: &keys::QUORUM_HANDSHAKE_TIMEOUT,
    max_handshakes: None,
};
