//! What all clients asked and saw, as JSON lines: one entry a line, the entries of a client in the order in which they came.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

/// Something that a client did or saw. Times are nanoseconds from the beginning of the run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Entry {
    /// A session was established, or taken up again.
    Session { client: u32, session: i64, at: u64, timeout_ms: u64, server: String },
    /// An operation was answered, or its connection was lost before.
    Op(Op),
    /// A watch has fired. `kind` and `zxid` as they are on the wire.
    Event { client: u32, session: i64, at: u64, zxid: i64, kind: i32, path: String },
    /// A connection was lost.
    Lost { client: u32, session: i64, at: u64, why: String },
    /// A server said that the session has expired.
    Expired { client: u32, session: i64, at: u64 },
}

/// An operation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Op {
    /// Whose.
    pub client: u32,
    /// The session.
    pub session: i64,
    /// When it was sent.
    pub called: u64,
    /// When the answer came; `None`: there was none, and nobody knows whether it was done.
    pub returned: Option<u64>,
    /// The zxid of the answer.
    pub zxid: i64,
    /// The error code of the answer.
    pub err: i32,
    /// What was asked.
    pub ask: Ask,
    /// What was answered.
    pub answer: Answer,
}

impl Op {
    /// It was answered without an error.
    pub fn is_done(&self) -> bool {
        self.returned.is_some() && self.err == 0
    }

    /// Its answer shows something of the state at its zxid.
    pub fn shows(&self) -> bool {
        if self.ask.is_write() {
            self.is_done()
        } else {
            !matches!(self.ask, Ask::Sync { .. } | Ask::SetWatches { .. })
        }
    }

    /// It was answered with an error.
    pub fn is_refused(&self) -> bool {
        self.returned.is_some() && self.err != 0
    }
}

/// What is asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "as in the protocol")]
pub enum Ask {
    Create {
        path: String,
        data: String,
        ephemeral: bool,
        sequential: bool,
    },
    Set {
        path: String,
        data: String,
        version: i32,
    },
    Delete {
        path: String,
        version: i32,
    },
    /// Only in a multi.
    Check {
        path: String,
        version: i32,
    },
    Multi(Vec<Ask>),
    Get {
        path: String,
        watch: bool,
    },
    Exists {
        path: String,
        watch: bool,
    },
    Children {
        path: String,
        watch: bool,
    },
    Sync {
        path: String,
    },
    SetWatches {
        since: i64,
        data: Vec<String>,
        exist: Vec<String>,
        child: Vec<String>,
    },
    Close,
}

impl Ask {
    /// Whether it changes anything.
    pub fn is_write(&self) -> bool {
        matches!(self, Ask::Create { .. } | Ask::Set { .. } | Ask::Delete { .. } | Ask::Multi(_) | Ask::Close)
    }

    /// What it is called.
    pub const fn name(&self) -> &'static str {
        match self {
            Ask::Create { .. } => "create",
            Ask::Set { .. } => "set",
            Ask::Delete { .. } => "delete",
            Ask::Check { .. } => "check",
            Ask::Multi(_) => "multi",
            Ask::Get { .. } => "get",
            Ask::Exists { .. } => "exists",
            Ask::Children { .. } => "children",
            Ask::Sync { .. } => "sync",
            Ask::SetWatches { .. } => "set-watches",
            Ask::Close => "close",
        }
    }

    /// The operations of a multi, or itself.
    pub fn parts(&self) -> &[Ask] {
        match self {
            Ask::Multi(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }
}

/// What is answered.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "as in the protocol")]
pub enum Answer {
    Nothing,
    /// The path, and the stat where there is one.
    Created(String, Option<Stat>),
    Stat(Stat),
    Data(String, Stat),
    Children(Vec<String>, Stat),
    /// Of a multi: of each operation.
    Results(Vec<Answer>),
    /// An operation of a multi that failed.
    Error(i32),
}

/// What is told about a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the protocol")]
pub struct Stat {
    pub czxid: i64,
    pub mzxid: i64,
    pub pzxid: i64,
    pub version: i32,
    pub cversion: i32,
    pub owner: i64,
    pub children: i32,
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = |version: &i32| if *version < 0 { String::new() } else { format!(" at version {version}") };
        match self {
            Ask::Create { path, data, ephemeral, sequential } => {
                let kind = match (ephemeral, sequential) {
                    (false, false) => "",
                    (true, false) => " ephemeral",
                    (false, true) => " sequential",
                    (true, true) => " ephemeral sequential",
                };
                write!(f, "create{kind} {path} = {data}")
            }
            Ask::Set { path, data, version } => write!(f, "set {path} = {data}{}", any(version)),
            Ask::Delete { path, version } => write!(f, "delete {path}{}", any(version)),
            Ask::Check { path, version } => write!(f, "check {path}{}", any(version)),
            Ask::Multi(parts) => {
                let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                write!(f, "multi [{}]", parts.join("; "))
            }
            Ask::Get { path, .. } => write!(f, "get {path}"),
            Ask::Exists { path, .. } => write!(f, "exists {path}"),
            Ask::Children { path, .. } => write!(f, "children of {path}"),
            Ask::Sync { path } => write!(f, "sync {path}"),
            Ask::SetWatches { .. } => f.write_str("setWatches"),
            Ask::Close => f.write_str("close of the session"),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |ns: u64| ns as f64 / 1e9;
        write!(
            f,
            "client {}'s {} (session 0x{:x}, asked at {:.6} s",
            self.client,
            self.ask,
            self.session,
            s(self.called)
        )?;
        match (self.returned, self.err) {
            (None, _) => f.write_str(", outcome unknown)"),
            (Some(at), 0) => write!(f, ", done by {:.6} s with zxid 0x{:x})", s(at), self.zxid),
            (Some(at), err) => {
                write!(f, ", answered {} at {:.6} s with zxid 0x{:x})", crate::op::error_name(err), s(at), self.zxid)
            }
        }
    }
}

/// Where entries go: into memory, and into a file if there is one.
pub struct History {
    entries: Vec<Entry>,
    file: Option<BufWriter<File>>,
    trouble: Option<std::io::Error>,
}

impl History {
    /// An empty one.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn new(path: Option<&Path>) -> Result<History> {
        let create = |path: &Path| File::create(path).with_context(|| format!("cannot write {}", path.display()));
        let file = path.map(create).transpose()?.map(BufWriter::new);
        Ok(History { entries: Vec::new(), file, trouble: None })
    }

    /// Takes an entry.
    pub fn note(&mut self, entry: Entry) {
        if let (Some(file), None) = (&mut self.file, &self.trouble) {
            let written = serde_json::to_writer(&mut *file, &entry).map_err(Into::into);
            self.trouble = written.and_then(|()| file.write_all(b"\n")).err();
        }
        self.entries.push(entry);
    }

    /// All entries.
    ///
    /// # Errors
    /// If the file could not be written.
    pub fn finish(mut self) -> Result<Vec<Entry>> {
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        self.trouble.map_or(flushed, Err).context("cannot write the history")?;
        Ok(self.entries)
    }
}

/// Reads a history.
///
/// # Errors
/// Those of the file; a line that is no entry.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let mut entries = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {name}"))?;
        let number = number + 1;
        let entry = serde_json::from_str(&line)
            .with_context(|| format!("{name}, line {number}: this is no history of `loadgen verify`"))?;
        entries.push(entry);
    }
    anyhow::ensure!(!entries.is_empty(), "{name} holds no history: it is empty");
    Ok(entries)
}
