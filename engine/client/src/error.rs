//! What can go wrong, in ZooKeeper's words.

use crate::address::AddressError;
use crate::path::PathError;
use ringkeeper_core::jute::ReadError;
use thiserror::Error;

/// Why an operation failed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Error {
    /// The server refused it: nothing was done.
    #[error("KeeperErrorCode = {}{}", code_message(*code), for_path(path.as_deref()))]
    Refused {
        /// ZooKeeper's number of the error.
        code: i32,
        /// The path that was asked for, if one was.
        path: Option<String>,
    },
    /// No server could be reached: the request was not sent. The text says what was tried.
    #[error("KeeperErrorCode = ConnectionLoss{}", for_path(path.as_deref()))]
    NoServer {
        /// The path that was asked for, if one was.
        path: Option<String>,
        /// What was tried last, and how it failed.
        tried: String,
    },
    /// The connection was lost before the answer came: the request may have been executed, or not.
    #[error("KeeperErrorCode = ConnectionLoss{}", for_path(path.as_deref()))]
    ConnectionLost {
        /// The path that was asked for, if one was.
        path: Option<String>,
    },
    /// The session has expired: its ephemeral nodes are gone, and it does not come back.
    #[error("KeeperErrorCode = Session expired")]
    SessionExpired,
    /// An identity was not accepted, which ends a session.
    #[error("KeeperErrorCode = AuthFailed")]
    AuthFailed,
    /// The session was closed by this side.
    #[error("Not connected")]
    Closed,
    /// A path is none; the server was not asked.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The connect string is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The server answered what is no answer.
    #[error("the server's answer cannot be read: {0}")]
    Protocol(#[from] ReadError),
    /// The answer does not belong to the request: the server speaks another protocol.
    #[error("the server's answer does not belong to the request")]
    Mismatch,
}

impl Error {
    /// A refusal that concerns a path.
    #[must_use]
    pub fn refused(code: i32, path: Option<&str>) -> Error {
        Error::Refused { code, path: path.map(str::to_owned) }
    }

    /// ZooKeeper's number, if it has one for this.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            Error::Refused { code, .. } => Some(*code),
            Error::NoServer { .. } | Error::ConnectionLost { .. } => Some(code::CONNECTION_LOSS),
            Error::SessionExpired => Some(code::SESSION_EXPIRED),
            Error::AuthFailed => Some(code::AUTH_FAILED),
            _ => None,
        }
    }
}

/// Numbers of ZooKeeper's errors that callers want to tell apart.
pub mod code {
    #![allow(missing_docs, reason = "ZooKeeper's names: KeeperException.Code")]
    pub const CONNECTION_LOSS: i32 = -4;
    pub const UNIMPLEMENTED: i32 = -6;
    pub const BAD_ARGUMENTS: i32 = -8;
    pub const NEW_CONFIG_NO_QUORUM: i32 = -13;
    pub const RECONFIG_IN_PROGRESS: i32 = -14;
    pub const NO_NODE: i32 = -101;
    pub const NO_AUTH: i32 = -102;
    pub const BAD_VERSION: i32 = -103;
    pub const NO_CHILDREN_FOR_EPHEMERALS: i32 = -108;
    pub const NODE_EXISTS: i32 = -110;
    pub const NOT_EMPTY: i32 = -111;
    pub const SESSION_EXPIRED: i32 = -112;
    pub const INVALID_ACL: i32 = -114;
    pub const AUTH_FAILED: i32 = -115;
    pub const NOT_READ_ONLY: i32 = -119;
    pub const NO_WATCHER: i32 = -121;
    pub const RECONFIG_DISABLED: i32 = -123;
    pub const QUOTA_EXCEEDED: i32 = -125;
    pub const THROTTLED_OP: i32 = -127;
}

/// An error of the system's without its number, which tells an operator nothing that the words do not.
#[must_use]
pub fn brief(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// What ZooKeeper's Java client calls an error.
///
/// Source: `KeeperException.getCodeMessage`.
#[must_use]
pub fn code_message(code: i32) -> String {
    let name = match code {
        0 => "ok",
        -1 => "SystemError",
        -2 => "RuntimeInconsistency",
        -3 => "DataInconsistency",
        -4 => "ConnectionLoss",
        -5 => "MarshallingError",
        -6 => "Unimplemented",
        -7 => "OperationTimeout",
        -8 => "BadArguments",
        -13 => "NewConfigNoQuorum",
        -14 => "ReconfigInProgress",
        -100 => "APIError",
        -101 => "NoNode",
        -102 => "NoAuth",
        -103 => "BadVersion",
        -108 => "NoChildrenForEphemerals",
        -110 => "NodeExists",
        -111 => "Directory not empty",
        -112 => "Session expired",
        -113 => "Invalid callback",
        -114 => "InvalidACL",
        -115 => "AuthFailed",
        -118 => "Session moved",
        -119 => "Not a read-only call",
        -120 => "Ephemeral node on local session",
        -121 => "No such watcher",
        -123 => "Reconfig is disabled",
        -124 => "Session closed because client failed to authenticate",
        -125 => "Quota has exceeded",
        -127 => "Op throttled due to high load",
        other => return format!("Unknown error {other}"),
    };
    name.to_owned()
}

fn for_path(path: Option<&str>) -> String {
    path.map_or_else(String::new, |path| format!(" for {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_zookeepers_do() {
        let words = Error::refused(-121, Some("/a")).to_string();
        assert_eq!(words, "KeeperErrorCode = No such watcher for /a");
        assert_eq!(Error::refused(code::UNIMPLEMENTED, None).to_string(), "KeeperErrorCode = Unimplemented");
        assert_eq!(
            Error::ConnectionLost { path: Some("/a".into()) }.to_string(),
            "KeeperErrorCode = ConnectionLoss for /a"
        );
        assert_eq!(Error::Closed.to_string(), "Not connected");
        assert_eq!(code_message(-99), "Unknown error -99");
    }
}
