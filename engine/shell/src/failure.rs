//! What went wrong: in ZooKeeper's words, with a remedy and an exit status.

use crate::command::Command;
use crate::parse::ParseError;
use ringkeeper_client::{Error, code};

/// Exit statuses.
pub mod status {
    /// The server refused for a reason that has no status of its own, or something here failed.
    pub const FAILED: u8 = 1;
    /// The command line, or a command's flags or operands, are wrong.
    pub const USAGE: u8 = 2;
    /// There is no connection, or it was lost: whether the last command was executed may be unknown.
    pub const NO_CONNECTION: u8 = 3;
    /// The node does not exist.
    pub const NO_NODE: u8 = 4;
    /// The node exists.
    pub const NODE_EXISTS: u8 = 5;
    /// The node has children.
    pub const NOT_EMPTY: u8 = 6;
    /// The version does not match.
    pub const BAD_VERSION: u8 = 7;
    /// Permission is lacking, or an identity was not accepted.
    pub const NO_AUTH: u8 = 8;
    /// There is no such command. (zkCli.sh's status for it.)
    pub const UNKNOWN_COMMAND: u8 = 127;
}

/// The statuses in words, for `--help`.
pub const EXIT_STATUSES: &str = "\
Exit status (of several commands, that of the first one that failed):
    0  done                            5  the node exists
    1  refused or failed               6  the node has children
    2  wrong command line or flags     7  the version does not match
    3  no connection, or it was lost   8  no permission
    4  no such node                  127  no such command";

/// A failure of one command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What happened.
    pub words: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// ZooKeeper's number of the error.
    pub code: Option<i32>,
    /// Exit status of a program that ends with it.
    pub status: u8,
}

impl Failure {
    /// A failure without a number of ZooKeeper's.
    #[must_use]
    pub fn new(status: u8, words: impl Into<String>, hint: Option<&str>) -> Failure {
        Failure { words: words.into(), hint: hint.map(str::to_owned), code: None, status }
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Failure {
        let status = match &error {
            ParseError::Unknown(_) => status::UNKNOWN_COMMAND,
            _ => status::USAGE,
        };
        Failure { words: error.to_string(), hint: Some(error.hint()), code: None, status }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let status = match error.code() {
            Some(code::NO_NODE) => status::NO_NODE,
            Some(code::NODE_EXISTS) => status::NODE_EXISTS,
            Some(code::NOT_EMPTY) => status::NOT_EMPTY,
            Some(code::BAD_VERSION) => status::BAD_VERSION,
            Some(code::NO_AUTH | code::AUTH_FAILED) => status::NO_AUTH,
            Some(code::CONNECTION_LOSS | code::SESSION_EXPIRED) => status::NO_CONNECTION,
            None if error == Error::Closed => status::NO_CONNECTION,
            None if matches!(error, Error::Path(_) | Error::Address(_)) => status::USAGE,
            _ => status::FAILED,
        };
        Failure { words: words(&error), hint: hint(&error), code: error.code(), status }
    }
}

/// ZooKeeper's words.
///
/// Source: `CliWrapperException`.
fn words(error: &Error) -> String {
    let Error::Refused { code, path } = error else { return error.to_string() };
    let path = path.as_deref().unwrap_or("null");
    match *code {
        code::NO_NODE => format!("Node does not exist: {path}"),
        code::NO_CHILDREN_FOR_EPHEMERALS => format!("Ephemerals cannot have children: {path}"),
        code::NODE_EXISTS => format!("Node already exists: {path}"),
        code::NOT_EMPTY => format!("Node not empty: {path}"),
        code::NOT_READ_ONLY => format!("Not a read-only call: {path}"),
        code::INVALID_ACL => format!("Acl is not valid : {path}"),
        code::NO_AUTH => format!("Insufficient permission : {path}"),
        code::BAD_ARGUMENTS => format!("Arguments are not valid : {path}"),
        code::BAD_VERSION => format!("version No is not valid : {path}"),
        code::QUOTA_EXCEEDED => format!("Quota has exceeded : {path}"),
        code::RECONFIG_IN_PROGRESS => {
            "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)".to_owned()
        }
        code::NEW_CONFIG_NO_QUORUM => "No quorum of new config is connected and up-to-date with the leader of last \
            committed config - try invoking reconfiguration after new servers are connected and synced"
            .to_owned(),
        _ => error.to_string(),
    }
}

/// What to do.
fn hint(error: &Error) -> Option<String> {
    Some(match error {
        Error::NoServer { tried, .. } => {
            let tried = if tried.is_empty() { "no server answered" } else { tried };
            format!(
                "{tried}; is it the client port of a running server? Another one is named by --server host:port; one that \
                 speaks TLS wants --tls-ca FILE, too, and mostly a certificate of yours (--tls-cert FILE)"
            )
        }
        Error::ConnectionLost { .. } => {
            "the connection was lost before the answer came: look whether it was done before you repeat it".to_owned()
        }
        Error::SessionExpired => "the session's ephemeral nodes are gone; `connect` begins a new session".to_owned(),
        Error::AuthFailed => {
            "the server does not know the scheme or did not accept the identity, which ends the session; `connect` begins a new one"
                .to_owned()
        }
        Error::Closed => "`connect` begins a new session".to_owned(),
        Error::Path(_) => "a path is absolute and has no slash at its end, as in /app/config".to_owned(),
        Error::Refused { code, path } => return of_code(*code, path.as_deref().unwrap_or("/")),
        Error::Address(_) | Error::Protocol(_) | Error::Mismatch => return None,
    })
}

fn of_code(code: i32, path: &str) -> Option<String> {
    let parent = parent(path);
    Some(match code {
        code::NO_NODE => format!("`ls {parent}` shows what is there"),
        code::NO_CHILDREN_FOR_EPHEMERALS => {
            format!("{parent} goes with its session; only nodes that stay have children")
        }
        code::NODE_EXISTS => format!("`set {path} DATA` changes its data; `create -s` appends a number to the name"),
        code::NOT_EMPTY => format!("`deleteall {path}` deletes it with everything below it"),
        code::BAD_VERSION => format!("`stat {path}` shows the versions; without -v any will do"),
        code::NO_AUTH => {
            format!("`getAcl {path}` shows who may; `addauth scheme auth` adds an identity to this session")
        }
        code::INVALID_ACL => {
            "a digest is digest:user:BASE64:perms; auth::perms needs an `addauth` before; an empty ACL is none"
                .to_owned()
        }
        code::QUOTA_EXCEEDED => format!("`listquota` of {parent} or a node above it shows the limit"),
        code::NOT_READ_ONLY => "this server has lost the majority and takes no writes; try another one".to_owned(),
        code::NO_WATCHER => "this session has left no such watch on it".to_owned(),
        code::UNIMPLEMENTED => "this server, or its configuration, does not know this request".to_owned(),
        code::RECONFIG_DISABLED => "reconfigEnabled=true in the servers' configuration allows it".to_owned(),
        code::THROTTLED_OP => "the server is overloaded and has not done it; try again later".to_owned(),
        _ => return None,
    })
}

/// A failure of a command that the numbers alone do not explain.
#[must_use]
pub fn of_command(command: &Command, error: Error) -> Failure {
    let code = error.code();
    let mut failure = Failure::from(error);
    match (command, code) {
        (Command::Create { path, .. }, Some(code::NO_NODE)) => {
            failure.hint = Some(format!("its parent does not exist: `create {}` first", parent(path)));
        }
        (Command::Create { mode, .. }, Some(code::UNIMPLEMENTED))
            if *mode != ringkeeper_client::CreateMode::Persistent =>
        {
            failure.hint = Some(
                "this server has no such nodes: a TTL needs zookeeper.extendedTypesEnabled=true on every server"
                    .to_owned(),
            );
        }
        _ => {}
    }
    failure
}

fn parent(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringkeeper_client::CreateMode;

    fn of(code: i32) -> Failure {
        Failure::from(Error::refused(code, Some("/a/b")))
    }

    #[test]
    fn refusals_have_zookeepers_words_a_remedy_and_a_status() {
        let cases = [
            (code::NO_NODE, "Node does not exist: /a/b", "`ls /a` shows", status::NO_NODE),
            (code::NODE_EXISTS, "Node already exists: /a/b", "`set /a/b DATA`", status::NODE_EXISTS),
            (code::NOT_EMPTY, "Node not empty: /a/b", "`deleteall /a/b`", status::NOT_EMPTY),
            (code::BAD_VERSION, "version No is not valid : /a/b", "`stat /a/b`", status::BAD_VERSION),
            (code::NO_AUTH, "Insufficient permission : /a/b", "`getAcl /a/b`", status::NO_AUTH),
            (code::INVALID_ACL, "Acl is not valid : /a/b", "digest:user", status::FAILED),
            (code::NO_CHILDREN_FOR_EPHEMERALS, "Ephemerals cannot have children: /a/b", "/a goes", status::FAILED),
            (code::NO_WATCHER, "KeeperErrorCode = No such watcher for /a/b", "no such watch", status::FAILED),
        ];
        for (code, words, hint, status) in cases {
            let failure = of(code);
            assert_eq!((failure.words.as_str(), failure.status), (words, status));
            assert!(failure.hint.as_deref().is_some_and(|text| text.contains(hint)), "{failure:?}");
        }
    }

    #[test]
    fn a_connection_that_is_not_there_says_what_was_tried() {
        let failure = Failure::from(Error::NoServer { path: None, tried: "127.0.0.1:1: refused".into() });
        assert_eq!(
            (failure.words.as_str(), failure.status),
            ("KeeperErrorCode = ConnectionLoss", status::NO_CONNECTION)
        );
        let hint = failure.hint.unwrap();
        assert!(
            hint.starts_with("127.0.0.1:1: refused") && hint.contains("--server") && hint.contains("--tls-cert"),
            "{hint}"
        );
        assert_eq!(Failure::from(Error::Closed).status, status::NO_CONNECTION);
        assert_eq!(Failure::from(Error::SessionExpired).status, status::NO_CONNECTION);
        assert_eq!(Failure::from(Error::AuthFailed).status, status::NO_AUTH);
    }

    #[test]
    fn a_create_without_a_parent_names_the_parent() {
        let command = Command::Create { path: "/a/b".into(), data: None, acl: None, mode: CreateMode::Persistent };
        let failure = of_command(&command, Error::refused(code::NO_NODE, Some("/a/b")));
        assert_eq!(failure.hint.as_deref(), Some("its parent does not exist: `create /a` first"));
    }
}
