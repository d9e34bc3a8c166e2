//! What was given, where, and which of it holds: flag over environment over file over flags for Java over default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::closest;
use super::key::{ENV_PREFIX, Effect, Fallback, Key, Kind, parse_int};
use super::problem::{Problem, Problems};
use super::sources;
use super::table;

/// Where a value comes from, in rising precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody gave it.
    Default,
    /// It follows from something else.
    Derived(String),
    /// A flag for Java in a variable of ZooKeeper's start scripts.
    Jvm {
        /// The variable.
        variable: &'static str,
        /// The flag without its value: `-Djute.maxbuffer`.
        flag: String,
    },
    /// A configuration file.
    File {
        /// As the user named it.
        path: PathBuf,
        /// Counted from 1.
        line: u32,
    },
    /// An environment variable.
    Env(String),
    /// A command-line flag, as it was written.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::Derived(from) => f.write_str(from),
            Source::Jvm { variable, flag } => write!(f, "environment {variable}, {flag}"),
            Source::File { path, line } => write!(f, "{}:{line}", path.display()),
            Source::Env(name) => write!(f, "environment {name}"),
            Source::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The name as in the table; for a member of a family the whole name.
    pub name: String,
    /// The value as given, trimmed.
    pub value: String,
    /// Who gave it.
    pub source: Source,
}

impl fmt::Display for Setting {
    /// With its place, if somebody gave it: `zoo.cfg:3: tickTime=2000`. Not for secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(self.source, Source::Default | Source::Derived(_)) {
            write!(f, "{}: ", self.source)?;
        }
        write!(f, "{}={}", self.name, self.value)
    }
}

/// Everything the configuration is made from, unread.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The configuration file: its name and its bytes.
    pub file: Option<(PathBuf, Vec<u8>)>,
    /// The environment; only variables that start with `RINGKEEPER_` and flags for Java are looked at.
    pub env: Vec<(String, String)>,
    /// From the command line: the key, its value and how it was written.
    pub flags: Vec<(String, String, String)>,
}

/// The value that holds for each setting.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    exact: BTreeMap<&'static str, Setting>,
    members: BTreeMap<String, Setting>,
}

impl Settings {
    /// Reads all inputs. What is wrong with them is added to `problems`; a wrong value is not taken over.
    pub fn resolve(inputs: &Inputs, problems: &mut Problems) -> Settings {
        let mut settings = Settings::default();
        for given in sources::all(inputs, problems) {
            settings.take(given, problems);
        }
        settings.take_dynamic(problems);
        settings
    }

    /// The members in a file of their own have the rank of the configuration file.
    fn take_dynamic(&mut self, problems: &mut Problems) {
        let Some(given) = self.given(&table::DYNAMIC_CONFIG_FILE).cloned() else { return };
        let from_file = |name: &str| self.members.get(name).is_some_and(|m| matches!(m.source, Source::File { .. }));
        for member in sources::from_dynamic_file(&given, from_file, problems) {
            let overruled = self.members.get(&member.name).is_some_and(|m| !matches!(m.source, Source::File { .. }));
            if !overruled {
                self.take(member, problems);
            }
        }
    }

    fn take(&mut self, given: Setting, problems: &mut Problems) {
        let Some(key) = table::find(&given.name) else {
            return unknown(&given, problems);
        };
        if key.secret && matches!(given.source, Source::Flag(_)) {
            problems.warn(Problem::new(&given, key, "is visible to every user of the machine on the command line", {
                "give it in the file or in the environment"
            }));
        }
        if let Err(wrong) = key.check(&given.value) {
            let wrong = if given.value.is_empty() { "is empty" } else { &wrong };
            return problems.refuse(Problem::new(&given, key, wrong, &remedy(key)));
        }
        judge_effect(&given, key, problems);
        self.store(given, key, problems);
    }

    fn store(&mut self, given: Setting, key: &'static Key, problems: &mut Problems) {
        let bare = given.name.strip_prefix("zookeeper.").unwrap_or(&given.name).to_owned();
        let setting = Setting { name: bare.clone(), ..given };
        let now = setting.clone();
        let before = match key.family {
            true => self.members.insert(bare, setting),
            false => self.exact.insert(key.name, setting),
        };
        if let Some(before) = before.filter(|before| same_layer(&before.source, &now.source)) {
            if key.name == table::SERVER.name && before.value != now.value {
                let wrong = format!("has the number of another line ({})", before.source);
                problems.refuse(Problem::new(&now, key, &wrong, "give each server a number of its own"));
                return;
            }
            let wrong = format!("is given twice; {} is overruled", before.source);
            problems.warn(Problem::new(&now, key, &wrong, "keep one of them"));
        }
    }

    /// What was given for a key, if anything.
    pub fn given(&self, key: &Key) -> Option<&Setting> {
        self.exact.get(key.name)
    }

    /// The given members of a family, in the order of their names.
    pub fn members<'a>(&'a self, family: &'a Key) -> impl Iterator<Item = &'a Setting> {
        self.members.values().filter(|setting| setting.name.starts_with(family.name))
    }

    /// Records what a setting that was not given turned out to be.
    pub fn derive(&mut self, key: &'static Key, value: String, from: &str) {
        let source = Source::Derived(from.to_owned());
        self.exact.insert(key.name, Setting { name: key.name.to_owned(), value, source });
    }

    /// The value in force, as text; `None` if the setting is unset.
    pub fn text(&self, key: &Key) -> Option<&str> {
        match (self.given(key), key.default) {
            (Some(setting), _) => Some(&setting.value),
            (None, Fallback::Value(value)) => Some(value),
            (None, _) => None,
        }
    }

    /// The value in force of a whole number that has a default.
    pub fn int(&self, key: &Key) -> i64 {
        assert!(matches!(key.kind, Kind::Int { .. }), "{} is not a number", key.name);
        self.text(key).and_then(parse_int).expect("given numbers and defaults were checked against the table")
    }

    /// The value in force of a number that is not negative.
    pub fn size(&self, key: &Key) -> u64 {
        u64::try_from(self.int(key)).expect("the table's minimum for this key is not negative")
    }

    /// The value in force of a switch: `true` or `yes`.
    pub fn is_on(&self, key: &Key) -> bool {
        assert!(matches!(key.kind, Kind::Bool | Kind::YesNo), "{} is not a switch", key.name);
        self.text(key).is_some_and(|text| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("yes"))
    }

    /// Every setting that does something with its value in force (secrets masked) and its source.
    pub fn effective(&self) -> Vec<Setting> {
        let exact = table::HONOURED.iter().filter(|key| !key.family).map(|key| self.show(key));
        exact.chain(self.members.values().cloned()).collect()
    }

    /// A setting with its place and the value in force, for messages.
    pub fn named(&self, key: &Key) -> String {
        self.show(key).to_string()
    }

    /// The value in force, for people.
    pub(super) fn shown(&self, key: &Key) -> String {
        let value = match self.text(key) {
            Some(_) if key.secret => "(set, not shown)",
            Some(value) => value,
            None => "(none)",
        };
        value.to_owned()
    }

    fn show(&self, key: &Key) -> Setting {
        let source = self.given(key).map_or(Source::Default, |setting| setting.source.clone());
        Setting { name: key.name.to_owned(), value: self.shown(key), source }
    }

    /// Takes over what `other` has for a key, or has not.
    pub(super) fn copy(&mut self, key: &'static Key, other: &Settings) {
        match other.given(key) {
            Some(setting) => self.exact.insert(key.name, setting.clone()),
            None => self.exact.remove(key.name),
        };
    }
}

fn same_layer(a: &Source, b: &Source) -> bool {
    matches!(
        (a, b),
        (Source::File { .. }, Source::File { .. })
            | (Source::Flag(_), Source::Flag(_))
            | (Source::Jvm { .. }, Source::Jvm { .. })
    )
}

/// ZooKeeper hands unknown keys on to Java, so files may hold keys that mean something elsewhere: a warning. On the
/// command line a key can only be meant for this server.
fn unknown(given: &Setting, problems: &mut Problems) {
    let near = match &given.source {
        Source::Env(variable) => {
            // What all variables begin with makes none of them alike.
            let bare = |name: &str| name.strip_prefix(ENV_PREFIX).unwrap_or(name).to_owned();
            let names = table::all().filter_map(|key| key.env().map(|name| bare(&name)));
            closest::among(&bare(variable), names).map(|name| format!("{ENV_PREFIX}{name}"))
        }
        _ => closest::among(&given.name, table::all().map(|key| key.name.to_owned())),
    };
    let remedy = near.map_or_else(|| "remove it".to_owned(), |name| format!("did you mean {name}?"));
    let problem = Problem::at(given.source.clone(), given.name.clone(), "is not a known setting", &remedy);
    match given.source {
        Source::Flag(_) => problems.refuse(problem),
        _ => problems.warn(problem),
    }
}

fn judge_effect(given: &Setting, key: &Key, problems: &mut Problems) {
    let at_default = matches!(key.default, Fallback::Value(value) if value.eq_ignore_ascii_case(&given.value));
    match key.effect {
        Effect::Honoured => {}
        _ if at_default => {}
        Effect::NoEffect(why) => problems.warn(Problem::new(given, key, &format!("has no effect: {why}"), "")),
        Effect::Planned(why) => problems.warn(Problem::new(given, key, &format!("has no effect yet: {why}"), "")),
        Effect::Refused(why) => {
            problems.refuse(Problem::new(given, key, &format!("cannot be honoured: {why}"), "remove the setting"));
        }
    }
}

fn remedy(key: &Key) -> String {
    let unit = if key.unit.is_empty() { String::new() } else { format!(" ({})", key.unit) };
    let example = match key.example() {
        "" => String::new(),
        example => format!(", for example {}={example}", key.name),
    };
    format!("give {}{unit}{example}", key.validity())
}
