//! A system or a setting of it that is compared with others.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Debian's, unless the environment names another.
const CLASS_PATH: &str = "/usr/share/java/slf4j-simple.jar:/usr/share/java/zookeeper.jar:/usr/share/java/*";
const CLASS_PATH_VARIABLE: &str = "ZOOKEEPER_CLASS_PATH";

/// Keys of a configuration file, and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settings(pub BTreeMap<String, String>);

/// What is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum System {
    /// A build of Ringkeeper.
    Ringkeeper {
        /// The program.
        binary: PathBuf,
    },
    /// Apache ZooKeeper.
    ZooKeeper {
        /// The Java virtual machine.
        java: PathBuf,
        /// Where it finds ZooKeeper.
        class_path: String,
        /// Its options.
        jvm: Vec<String>,
    },
    /// Whatever a command starts.
    Command {
        /// The command. It may end when all is started, or stay.
        start: String,
        /// What undoes it, unless it is enough to end what it started.
        stop: Option<String>,
        /// Where clients connect.
        addresses: Vec<String>,
        /// Prints the ids of the servers' processes.
        pids: Option<String>,
    },
}

/// One of those that are compared.
#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    /// What it is called.
    pub name: String,
    /// What is started.
    #[serde(flatten)]
    pub system: System,
    /// With which settings.
    pub settings: Settings,
    /// Which of these come from a matrix, and the name of the variant that had it.
    #[serde(skip)]
    pub axes: (String, Settings),
}

/// A variant as the file has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantFile {
    name: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    settings: Table,
    #[serde(default)]
    matrix: Table,
    binary: Option<PathBuf>,
    java: Option<PathBuf>,
    class_path: Option<String>,
    jvm: Option<Vec<String>>,
    start: Option<String>,
    stop: Option<String>,
    addresses: Option<Vec<String>>,
    pids: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Ringkeeper,
    ZooKeeper,
    Command,
}

impl Settings {
    /// From a table, in which `log.driver` and `"log.driver"` are the same.
    ///
    /// # Errors
    /// If a value is none that a configuration file can have.
    pub fn flatten(table: &Table) -> Result<Settings> {
        let mut settings = Settings::default();
        for (key, value) in leaves(table) {
            settings.0.insert(key.clone(), scalar(value).with_context(|| key)?);
        }
        Ok(settings)
    }

    fn with(&self, others: &Settings) -> Settings {
        Settings(self.0.iter().chain(&others.0).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// In one line.
    pub fn line(&self) -> String {
        self.0.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }
}

fn leaves(table: &Table) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                found.extend(leaves(inner).into_iter().map(|(rest, value)| (format!("{key}.{rest}"), value)));
            }
            value => found.push((key.clone(), value)),
        }
    }
    found
}

fn scalar(value: &Value) -> Result<String> {
    match value {
        Value::String(text) if text.contains('\n') => bail!("a value of one line is needed"),
        Value::String(text) => Ok(text.clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Ok(value.to_string()),
        _ => bail!("a text, a number, true or false is needed, not {}", value.type_str()),
    }
}

/// The variants of an entry: one, or one for each combination of its matrix.
///
/// # Errors
/// What is wrong with the entry, and its name.
pub fn expand(file: VariantFile, common: &Settings) -> Result<Vec<Variant>> {
    let name = file.name.clone();
    expand_named(file, common).with_context(|| format!("variant {name:?}"))
}

fn expand_named(file: VariantFile, common: &Settings) -> Result<Vec<Variant>> {
    if file.name.trim().is_empty() {
        bail!("it needs a name");
    }
    let own = Settings::flatten(&file.settings).context("settings")?;
    let mut combinations = vec![Settings::default()];
    for (key, value) in leaves(&file.matrix) {
        let Value::Array(values) = value else { bail!("matrix: {key}: a list is needed") };
        let values: Result<Vec<String>> = values.iter().map(scalar).collect();
        let values = values.with_context(|| format!("matrix: {key}"))?;
        let one = |value: &String| Settings(BTreeMap::from([(key.clone(), value.clone())]));
        combinations =
            combinations.iter().flat_map(|so_far| values.iter().map(|value| so_far.with(&one(value)))).collect();
    }
    let (name, is_command, has_matrix) = (file.name.clone(), file.kind == Kind::Command, !file.matrix.is_empty());
    if is_command && (has_matrix || !own.0.is_empty()) {
        bail!("a command has no settings: put them into the command");
    }
    let axes = combinations.first().map(|one| one.0.keys()).into_iter().flatten();
    if let Some(key) = own.0.keys().chain(common.0.keys()).chain(axes).find(|key| is_ours(key)) {
        bail!("{key} differs from server to server: it is chosen for each");
    }
    let system = file.system()?;
    let common = if is_command { &Settings::default() } else { common };
    let variant = |axes: Settings| Variant {
        name: format!("{name} {}", axes.line()).trim_end().to_owned(),
        system: system.clone(),
        settings: common.with(&own).with(&axes),
        axes: (name.clone(), axes),
    };
    Ok(combinations.into_iter().map(variant).collect())
}

/// Keys that cannot be the same for all servers.
fn is_ours(key: &str) -> bool {
    ["dataDir", "clientPort", "clientPortAddress"].contains(&key) || key.starts_with("server.")
}

impl VariantFile {
    /// From a flag, `[NAME=]KIND[:PROGRAM] [KEY=VALUE ...]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_flag(text: &str) -> Result<VariantFile> {
        let mut words = text.split_ascii_whitespace();
        let head = words.next().unwrap_or_default();
        let (name, what) = head.split_once('=').unwrap_or(("", head));
        let (kind, program) = what.split_once(':').map_or((what, None), |(kind, program)| (kind, Some(program.into())));
        let mut file = VariantFile { name: if name.is_empty() { kind } else { name }.to_owned(), ..Default::default() };
        match kind {
            "ringkeeper" => (file.kind, file.binary) = (Kind::Ringkeeper, program),
            "zookeeper" => (file.kind, file.java) = (Kind::ZooKeeper, program),
            "command" => bail!("a command needs a file: see `loadgen compare --help`"),
            _ => bail!("the kinds are ringkeeper and zookeeper, not {kind:?}"),
        }
        for word in words {
            let (key, value) = word.split_once('=').with_context(|| format!("{word:?} is no KEY=VALUE"))?;
            file.settings.insert(key.into(), Value::String(value.into()));
        }
        Ok(file)
    }

    fn system(self) -> Result<System> {
        let VariantFile { kind, binary, java, class_path, jvm, start, stop, addresses, pids, .. } = self;
        let given = [
            ("binary", Kind::Ringkeeper, binary.is_some()),
            ("java", Kind::ZooKeeper, java.is_some()),
            ("class_path", Kind::ZooKeeper, class_path.is_some()),
            ("jvm", Kind::ZooKeeper, jvm.is_some()),
            ("start", Kind::Command, start.is_some()),
            ("stop", Kind::Command, stop.is_some()),
            ("addresses", Kind::Command, addresses.is_some()),
            ("pids", Kind::Command, pids.is_some()),
        ];
        if let Some((key, of, _)) = given.iter().find(|(_, of, given)| *given && *of != kind) {
            bail!("{key} belongs to a variant of another kind ({of:?})");
        }
        Ok(match kind {
            Kind::Ringkeeper => System::Ringkeeper { binary: binary.unwrap_or_else(own_build) },
            Kind::ZooKeeper => System::ZooKeeper {
                java: java.unwrap_or_else(|| "java".into()),
                class_path: class_path
                    .or_else(|| std::env::var(CLASS_PATH_VARIABLE).ok())
                    .unwrap_or_else(|| CLASS_PATH.into()),
                jvm: jvm.unwrap_or_default(),
            },
            Kind::Command => System::Command {
                start: start.context("start is missing: the command that starts the servers")?,
                stop,
                addresses: addresses.filter(|list| !list.is_empty()).context("addresses are missing")?,
                pids,
            },
        })
    }
}

/// The program of the same build as this one, or whatever the PATH has.
fn own_build() -> PathBuf {
    let beside = std::env::current_exe().map(|own| own.with_file_name("ringkeeper"));
    beside.ok().filter(|program| program.exists()).unwrap_or_else(|| "ringkeeper".into())
}

impl Variant {
    /// Servers, if an ensemble has so many unless something else is said.
    pub fn servers(&self, usual: u8) -> usize {
        match &self.system {
            System::Command { addresses, .. } => addresses.len(),
            _ => usize::from(usual),
        }
    }

    /// Whether what is to be started is there.
    ///
    /// # Errors
    /// What is not.
    pub fn check(&self) -> Result<()> {
        let named = || format!("variant {:?}", self.name);
        match &self.system {
            System::Ringkeeper { binary } => find(binary).with_context(named),
            System::ZooKeeper { java, class_path, .. } => {
                find(java).with_context(named)?;
                let there = |part: &str| Path::new(part.trim_end_matches('*')).exists();
                match class_path.split(':').find(|part| !there(part)) {
                    Some(part) => Err(anyhow::anyhow!(
                        "{part} of the class path is not there: install Debian's libzookeeper-java, or set class_path or \
                         {CLASS_PATH_VARIABLE}"
                    ))
                    .with_context(named),
                    None => Ok(()),
                }
            }
            System::Command { addresses, .. } => crate::target::resolve(addresses).map(drop).with_context(named),
        }
    }
}

/// Whether there is such a program, by its path or on the PATH.
fn find(program: &Path) -> Result<()> {
    let by_path = program.components().count() > 1;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        if by_path { program.is_file() } else { std::env::split_paths(&path).any(|dir| dir.join(program).is_file()) };
    match found {
        true => Ok(()),
        false if by_path => bail!("there is no program {}", program.display()),
        false => bail!("there is no program {} on the PATH", program.display()),
    }
}
