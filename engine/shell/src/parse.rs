//! Words made into a command.

use crate::acl::{self, AclError};
use crate::command::{Command, Form, Limit, Membership};
use crate::flags::{self, FlagError, Parsed};
use crate::suggest;
use crate::table::{self, COMMANDS, Spec};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringkeeper_client::CreateMode;
use ringkeeper_client::watches::Removal;
use std::time::Duration;
use thiserror::Error;

/// Longest time to live that ZooKeeper's format can express: 40 bits of milliseconds.
const MAX_TTL: i64 = 0xff_ffff_ffff;
const BATCH: usize = 1000;

/// Why words are no command.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    /// There is no such command.
    #[error("Command not found: {0}")]
    Unknown(String),
    /// A flag is wrong.
    #[error("{1}")]
    Flag(&'static str, FlagError),
    /// Something is missing, or too much. The text says what.
    #[error("{1}")]
    Usage(&'static str, String),
    /// What is given is contradictory or out of range.
    #[error("{1}")]
    Value(&'static str, String),
    /// The ACL is none.
    #[error(transparent)]
    Acl(#[from] AclError),
}

impl ParseError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let usage = |name: &str| table::find(name).map_or_else(String::new, |spec| format!("usage: {}", spec.usage()));
        match self {
            ParseError::Unknown(word) => match suggest::nearest(word, COMMANDS.iter().map(|spec| spec.name)) {
                Some(name) => format!("did you mean `{name}`? `help` lists the commands"),
                None => "`help` lists the commands".to_owned(),
            },
            ParseError::Flag(name, FlagError::Unknown(flag)) if flag.trim_start_matches('-').len() == 1 => {
                let other =
                    if flag.chars().any(char::is_uppercase) { flag.to_lowercase() } else { flag.to_uppercase() };
                let other = other.trim_start_matches('-');
                let known = table::find(name).is_some_and(|spec| spec.flags.iter().any(|flag| flag.name == other));
                let meant = if known { format!("did you mean -{other}? ") } else { String::new() };
                format!("{meant}{}; data that begins with a dash goes behind --", usage(name))
            }
            ParseError::Flag(name, _) | ParseError::Usage(name, _) => usage(name),
            ParseError::Value(name, _) => format!("`help {name}` explains the flags"),
            ParseError::Acl(_) => {
                "an ACL is scheme:id:perms,..., with perms out of cdrwa (create delete read write admin): \
                 world:anyone:r or auth::cdrwa"
                    .to_owned()
            }
        }
    }
}

/// A command, and what is to be said about how it was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// The command.
    pub command: Command,
    /// Advice, in zkCli.sh's words.
    pub notice: Option<&'static str>,
}

/// Reads a command and what follows it. The first word is the command.
///
/// # Errors
/// [`ParseError`]
pub fn parse(words: &[String]) -> Result<Given, ParseError> {
    let Some((name, rest)) = words.split_first() else {
        return Err(ParseError::Unknown(String::new()));
    };
    let spec = table::find(name).ok_or_else(|| ParseError::Unknown(name.clone()))?;
    let parsed = flags::parse(spec.flags, rest).map_err(|error| ParseError::Flag(spec.name, error))?;
    let arguments = Arguments { spec, parsed };
    let notice = arguments.outdated();
    Ok(Given { command: arguments.command(notice.is_some())?, notice })
}

struct Arguments {
    spec: &'static Spec,
    parsed: Parsed,
}

impl Arguments {
    /// The advice if it is given in the way of ZooKeeper 3.4, with a word behind the path.
    fn outdated(&self) -> Option<&'static str> {
        if self.parsed.operands.len() < 2 {
            return None;
        }
        Some(match self.spec.name {
            "ls" => "'ls path [watch]' has been deprecated. Please use 'ls [-w] path' instead.",
            "get" => "'get path [watch]' has been deprecated. Please use 'get [-s] [-w] path' instead.",
            "stat" => "'stat path [watch]' has been deprecated. Please use 'stat [-w] path' instead.",
            "delete" => "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.",
            _ => return None,
        })
    }

    fn command(&self, outdated: bool) -> Result<Command, ParseError> {
        let (watch, stat) = (self.has("w") || outdated, self.has("s"));
        Ok(match self.spec.name {
            "addWatch" => Command::AddWatch { path: self.only_path()?, recursive: self.is_recursive()? },
            "addauth" => {
                Command::AddAuth { scheme: self.operand(0, "a scheme")?, auth: self.optional(1).unwrap_or_default() }
            }
            "close" => Command::Close,
            "config" => Command::Config { client: self.has("c"), watch: self.has("w"), stat },
            "connect" => Command::Connect { servers: self.optional(0) },
            "create" => self.create()?,
            "delete" => Command::Delete { path: self.path()?, version: self.version_or_word()? },
            "deleteall" => Command::DeleteAll { path: self.path()?, batch: self.batch()? },
            "delquota" => Command::DelQuota { path: self.path()?, limit: self.limit()?.map(|(limit, _)| limit) },
            "exit" | "quit" => Command::Quit,
            "get" => Command::Get { path: self.path()?, watch, stat, form: self.form() },
            "getAcl" => Command::GetAcl { path: self.path()?, stat },
            "getAllChildrenNumber" => Command::GetAllChildrenNumber { path: self.path()? },
            "getEphemerals" => Command::GetEphemerals { path: self.optional(0).unwrap_or_else(|| "/".to_owned()) },
            "help" => Command::Help { command: self.optional(0) },
            "history" => Command::History,
            "listquota" => Command::ListQuota { path: self.path()? },
            "ls" => Command::Ls { path: self.path()?, watch, stat, recursive: self.has("R") },
            "printwatches" => Command::PrintWatches { on: self.optional(0).map(|word| word == "on") },
            "reconfig" => self.reconfig()?,
            "redo" => Command::Redo { number: self.number(self.optional(0).as_deref(), "the number of a command")? },
            "removewatches" => {
                Command::RemoveWatches { path: self.path()?, removal: self.removal(), local: self.has("l") }
            }
            "set" => Command::Set { path: self.path()?, data: self.data(1)?, version: self.version()?, stat },
            "setAcl" => Command::SetAcl {
                path: self.path()?,
                acl: acl::parse(&self.operand(1, "an ACL")?)?,
                version: self.version()?,
                stat,
                recursive: self.has("R"),
            },
            "setquota" => self.set_quota()?,
            "stat" => Command::Stat { path: self.path()?, watch },
            "sync" => Command::Sync { path: self.path()? },
            "version" => Command::Version,
            "whoami" => Command::WhoAmI,
            other => return Err(ParseError::Unknown(other.to_owned())),
        })
    }

    fn create(&self) -> Result<Command, ParseError> {
        let (ephemeral, sequential, container) = (self.has("e"), self.has("s"), self.has("c"));
        if container && (ephemeral || sequential) {
            return Err(self.bad("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential."));
        }
        let ttl = match self.parsed.values("t").next() {
            None => None,
            Some(text) => {
                let ttl: i64 = text.parse().map_err(|_| self.bad("-t argument must be a long value"))?;
                if ephemeral {
                    return Err(self.bad("TTLs cannot be used with Ephemeral znodes"));
                } else if container {
                    return Err(self.bad("TTLs cannot be used with Container znodes"));
                }
                let range = || self.bad(&format!("ttl must be positive and cannot be larger than: {MAX_TTL}"));
                Some(u64::try_from(ttl).ok().filter(|_| (1..=MAX_TTL).contains(&ttl)).ok_or_else(range)?)
            }
        };
        let mode = match (ttl.map(Duration::from_millis), ephemeral, sequential) {
            (Some(ttl), _, false) => CreateMode::Ttl(ttl),
            (Some(ttl), _, true) => CreateMode::SequentialTtl(ttl),
            (None, true, true) => CreateMode::EphemeralSequential,
            (None, true, false) => CreateMode::Ephemeral,
            (None, false, true) => CreateMode::PersistentSequential,
            (None, false, false) if container => CreateMode::Container,
            (None, false, false) => CreateMode::Persistent,
        };
        let acl = self.optional(2).map(|text| acl::parse(&text)).transpose()?;
        Ok(Command::Create { path: self.path()?, data: self.optional(1).map(String::into_bytes), acl, mode })
    }

    fn reconfig(&self) -> Result<Command, ParseError> {
        let list = |name: &str| {
            let all: Vec<String> = self.parsed.values(name).map(str::to_lowercase).collect();
            (!all.is_empty()).then(|| all.join(","))
        };
        let file = self.parsed.values("file").next().map(str::to_owned);
        let (members, joining, leaving) = (list("members"), list("add"), list("remove"));
        let change = match (file, members, joining.is_some() || leaving.is_some()) {
            (Some(_), Some(_), false) => {
                return Err(self.bad("Can't use -file and -members together (conflicting non-incremental modes)"));
            }
            (Some(_), _, true) | (_, Some(_), true) => {
                return Err(self.bad("Can't use -file or -members together with -add or -remove (mixing incremental and non-incremental modes is not allowed)"));
            }
            (Some(file), None, false) => Membership::File(file),
            (None, Some(members), false) => Membership::Members(members),
            (None, None, true) => Membership::Step { joining, leaving },
            (None, None, false) => return Err(self.missing("-add, -remove, -members or -file")),
        };
        let version = match self.parsed.values("v").next() {
            None => -1,
            Some(text) => i64::from_str_radix(text, 16)
                .map_err(|_| self.bad("-v must be followed by a long (configuration version)"))?,
        };
        Ok(Command::Reconfig { change, version, stat: self.has("s") })
    }

    fn set_quota(&self) -> Result<Command, ParseError> {
        let (limit, text) = self.limit()?.ok_or_else(|| self.missing("a limit (-n, -b, -N or -B)"))?;
        let value: i64 = text
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.bad("NumberFormatException happens when parsing the option value"))?;
        match limit {
            Limit::Count | Limit::CountHard if value <= 0 => Err(self.bad("the num quota must be greater than zero")),
            Limit::Bytes | Limit::BytesHard if value < 0 => {
                Err(self.bad("the bytes quota must be greater than or equal to zero"))
            }
            _ => Ok(Command::SetQuota { path: self.path()?, limit, value }),
        }
    }

    /// The one limit that is named, with its value.
    fn limit(&self) -> Result<Option<(Limit, Option<&str>)>, ParseError> {
        match self.parsed.flags.as_slice() {
            [] => Ok(None),
            [(name, value)] => {
                let limit = match *name {
                    "n" => Limit::Count,
                    "b" => Limit::Bytes,
                    "N" => Limit::CountHard,
                    _ => Limit::BytesHard,
                };
                Ok(Some((limit, value.as_deref())))
            }
            [(first, _), (second, _), ..] => Err(self.bad(&format!(
                "The option '{second}' was specified but an option from this group has already been selected: '{first}'"
            ))),
        }
    }

    fn is_recursive(&self) -> Result<bool, ParseError> {
        match self.parsed.values("m").next().map(str::to_uppercase).as_deref() {
            None | Some("PERSISTENT_RECURSIVE") => Ok(true),
            Some("PERSISTENT") => Ok(false),
            Some(_) => Err(self.bad("the mode is one of [PERSISTENT, PERSISTENT_RECURSIVE]")),
        }
    }

    fn removal(&self) -> Removal {
        let kinds = [
            ("c", Removal::Children),
            ("d", Removal::Data),
            ("p", Removal::Persistent),
            ("r", Removal::PersistentRecursive),
        ];
        kinds.into_iter().find(|(name, _)| self.has(name)).map_or(Removal::Any, |(_, removal)| removal)
    }

    fn form(&self) -> Form {
        // Both at once: zkCli.sh takes the latter.
        if self.has("x") {
            Form::Hex
        } else if self.has("b") {
            Form::Base64
        } else {
            Form::Plain
        }
    }

    fn data(&self, at: usize) -> Result<Vec<u8>, ParseError> {
        let text = self.operand(at, "data ('' for none)")?;
        if !self.has("b") {
            return Ok(text.into_bytes());
        }
        STANDARD.decode(&text).map_err(|error| self.bad(&format!("the data is not base64: {error}")))
    }

    fn version(&self) -> Result<i32, ParseError> {
        self.parsed.values("v").next().map_or(Ok(-1), |text| self.number(Some(text), "a version"))
    }

    /// zkCli.sh up to 3.4 took the version as a word; later ones take the word and ignore it.
    fn version_or_word(&self) -> Result<i32, ParseError> {
        match self.optional(1) {
            Some(word) if !self.has("v") => self.number(Some(&word), "a version"),
            _ => self.version(),
        }
    }

    fn batch(&self) -> Result<usize, ParseError> {
        let Some(text) = self.parsed.values("b").next() else { return Ok(BATCH) };
        let batch: i32 = text.parse().map_err(|_| self.bad("-b argument must be an int value"))?;
        // As with zkCli.sh, 0 is one at a time.
        Ok(usize::try_from(batch).unwrap_or(0).max(1))
    }

    fn has(&self, flag: &str) -> bool {
        self.parsed.has(flag)
    }

    fn optional(&self, at: usize) -> Option<String> {
        self.parsed.operands.get(at).cloned()
    }

    fn operand(&self, at: usize, what: &str) -> Result<String, ParseError> {
        self.optional(at).ok_or_else(|| self.missing(what))
    }

    fn path(&self) -> Result<String, ParseError> {
        self.operand(0, "a path")
    }

    fn only_path(&self) -> Result<String, ParseError> {
        match self.optional(1) {
            Some(word) => Err(ParseError::Usage(self.spec.name, format!("there is one word too many: {word}"))),
            None => self.path(),
        }
    }

    fn number<N: std::str::FromStr>(&self, text: Option<&str>, what: &str) -> Result<N, ParseError> {
        let text = text.ok_or_else(|| self.missing(what))?;
        text.parse().map_err(|_| self.bad(&format!("'{text}' is not {what}")))
    }

    fn missing(&self, what: &str) -> ParseError {
        ParseError::Usage(self.spec.name, format!("{} needs {what}", self.spec.name))
    }

    fn bad(&self, what: &str) -> ParseError {
        ParseError::Value(self.spec.name, what.to_owned())
    }
}

#[cfg(test)]
mod tests;
