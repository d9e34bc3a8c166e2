//! Where settings are given: each place read into a plain list, nothing judged yet.

use std::path::Path;

use super::ensemble_file;
use super::key::ENV_PREFIX;
use super::problem::{Problem, Problems};
use super::properties;
use super::settings::{Inputs, Setting, Source};
use super::table as keys;

/// The variables by which ZooKeeper's start scripts hand flags to Java, in rising precedence.
const JVM_FLAGS: [&str; 2] = ["SERVER_JVMFLAGS", "JVMFLAGS"];
/// Java system properties that are ZooKeeper's, but not called `zookeeper.*`.
const BARE_PROPERTIES: [&str; 3] = ["jute.maxbuffer", "jute.maxbuffer.extrasize", "readonlymode.enabled"];

/// All settings that were given outside of `dynamicConfigFile`, in rising precedence.
pub(super) fn all(inputs: &Inputs, problems: &mut Problems) -> Vec<Setting> {
    let mut all = from_jvm_flags(inputs);
    if let Some((path, bytes)) = &inputs.file {
        all.extend(from_file(path, bytes, problems));
    }
    all.extend(from_env(inputs));
    all.extend(from_flags(inputs));
    all
}

/// The entries of a file in properties format.
pub(super) fn from_file(path: &Path, bytes: &[u8], problems: &mut Problems) -> Vec<Setting> {
    let source = |line| Source::File { path: path.to_owned(), line };
    let at = |line, wrong: &str, remedy: &str| Problem::at(source(line), String::new(), wrong, remedy);
    let decoded = match properties::decode(bytes) {
        Ok(decoded) => decoded,
        Err(not_text) => {
            let remedy = "give a text file in UTF-8, with one key=value a line";
            problems.refuse(at(not_text.line, &not_text.to_string(), remedy));
            return Vec::new();
        }
    };
    if let Some(line) = decoded.latin1_since {
        problems.warn(at(line, "the file is not UTF-8; it is read as Latin-1, as Java would", "save it as UTF-8"));
    }
    match properties::parse(&decoded.text) {
        Ok(entries) => {
            entries.into_iter().map(|e| Setting { name: e.key, value: e.value, source: source(e.line) }).collect()
        }
        Err(error) => {
            problems.refuse(at(error.line, &error.to_string(), "write a backslash as \\\\"));
            Vec::new()
        }
    }
}

/// The `server.N` lines of `dynamicConfigFile`, if there is one. `is_in_static` tells of a member whether the
/// configuration file has it too.
pub(super) fn from_dynamic_file(
    given: &Setting,
    is_in_static: impl Fn(&str) -> bool,
    problems: &mut Problems,
) -> Vec<Setting> {
    let path = Path::new(&given.value);
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let wrong = format!("cannot be read: {error}");
            problems.refuse(Problem::new(given, &keys::DYNAMIC_CONFIG_FILE, &wrong, {
                "correct the path, or put the server lines into the configuration file instead"
            }));
            return Vec::new();
        }
    };
    let entries = from_file(path, &bytes, problems);
    ensemble_file::members(entries, is_in_static, problems)
}

fn from_env(inputs: &Inputs) -> Vec<Setting> {
    let name_of = |variable: &str| {
        let exact = keys::all().find(|key| key.env().is_some_and(|env| env == variable)).map(|key| key.name.to_owned());
        exact.or_else(|| member(variable)).unwrap_or_else(|| variable.to_owned())
    };
    let ours = inputs.env.iter().filter(|(variable, _)| variable.starts_with(ENV_PREFIX));
    ours.map(|(variable, value)| Setting {
        name: name_of(variable),
        value: value.trim().to_owned(),
        source: Source::Env(variable.clone()),
    })
    .collect()
}

/// `RINGKEEPER_SERVER_3` is the line `server.3`.
fn member(variable: &str) -> Option<String> {
    let number = variable.strip_prefix(ENV_PREFIX)?.strip_prefix("SERVER_")?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("{}{number}", keys::SERVER.name))
}

/// ZooKeeper's properties among the flags for Java. The others tune a virtual machine that is not there.
fn from_jvm_flags(inputs: &Inputs) -> Vec<Setting> {
    let values = JVM_FLAGS.iter().filter_map(|name| Some((*name, &inputs.env.iter().find(|(n, _)| n == name)?.1)));
    values.flat_map(|(variable, flags)| properties_of(variable, flags)).collect()
}

fn properties_of(variable: &'static str, flags: &str) -> Vec<Setting> {
    let words = shlex::split(flags).unwrap_or_else(|| flags.split_whitespace().map(str::to_owned).collect());
    let property = |word: &String| {
        let (name, value) = word.strip_prefix("-D")?.split_once('=')?;
        let is_ours = name.starts_with("zookeeper.") || BARE_PROPERTIES.contains(&name);
        is_ours.then(|| Setting {
            name: name.to_owned(),
            value: value.trim().to_owned(),
            source: Source::Jvm { variable, flag: format!("-D{name}") },
        })
    };
    words.iter().filter_map(property).collect()
}

fn from_flags(inputs: &Inputs) -> Vec<Setting> {
    let setting = |(name, value, written): &(String, String, String)| Setting {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        source: Source::Flag(written.clone()),
    };
    inputs.flags.iter().map(setting).collect()
}
