//! What the shell can be told to do.

use ringkeeper_client::watches::Removal;
use ringkeeper_client::{Acl, CreateMode};

/// One command, complete and judged as far as that is possible without a server.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "zkCli.sh's names; what is not obvious is explained")]
pub enum Command {
    AddAuth {
        scheme: String,
        auth: String,
    },
    AddWatch {
        path: String,
        recursive: bool,
    },
    Close,
    /// `client`: as a connect string.
    Config {
        client: bool,
        watch: bool,
        stat: bool,
    },
    /// `None`: the same servers again.
    Connect {
        servers: Option<String>,
    },
    /// `data`: `None` is null.
    Create {
        path: String,
        data: Option<Vec<u8>>,
        acl: Option<Vec<Acl>>,
        mode: CreateMode,
    },
    Delete {
        path: String,
        version: i32,
    },
    DeleteAll {
        path: String,
        batch: usize,
    },
    /// `None`: all limits.
    DelQuota {
        path: String,
        limit: Option<Limit>,
    },
    Get {
        path: String,
        watch: bool,
        stat: bool,
        form: Form,
    },
    GetAcl {
        path: String,
        stat: bool,
    },
    GetAllChildrenNumber {
        path: String,
    },
    GetEphemerals {
        path: String,
    },
    Help {
        command: Option<String>,
    },
    History,
    ListQuota {
        path: String,
    },
    Ls {
        path: String,
        watch: bool,
        stat: bool,
        recursive: bool,
    },
    /// `None`: tell whether they are printed.
    PrintWatches {
        on: Option<bool>,
    },
    Quit,
    Reconfig {
        change: Membership,
        version: i64,
        stat: bool,
    },
    Redo {
        number: usize,
    },
    RemoveWatches {
        path: String,
        removal: Removal,
        local: bool,
    },
    Set {
        path: String,
        data: Vec<u8>,
        version: i32,
        stat: bool,
    },
    SetAcl {
        path: String,
        acl: Vec<Acl>,
        version: i32,
        stat: bool,
        recursive: bool,
    },
    SetQuota {
        path: String,
        limit: Limit,
        value: i64,
    },
    Stat {
        path: String,
        watch: bool,
    },
    Sync {
        path: String,
    },
    Version,
    WhoAmI,
}

/// How data is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// As text.
    Plain,
    /// In base64.
    Base64,
    /// As a table of bytes in hexadecimal.
    Hex,
}

/// One of the limits of a quota.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// Number of nodes, above which the server warns.
    Count,
    /// Bytes of data, above which the server warns.
    Bytes,
    /// Number of nodes, above which the server refuses.
    CountHard,
    /// Bytes of data, above which the server refuses.
    BytesHard,
}

/// A change of the ensemble's membership.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Membership {
    /// Servers that join, and numbers of servers that leave, each separated by commas.
    Step {
        /// `server.N=…`
        joining: Option<String>,
        /// `N`
        leaving: Option<String>,
    },
    /// All members, separated by commas.
    Members(String),
    /// All members, in a configuration file.
    File(String),
}
