//! One flag for each setting, made from the table of settings.

use clap::{Arg, ArgAction, ArgMatches};

use crate::config::key::{Effect, Fallback, Key, Kind};
use crate::config::table;

const SET: &str = "set";

/// The flags of all settings, and `--set` for any of them. Flags of settings without effect exist, but are not shown.
pub(super) fn all() -> Vec<Arg> {
    let set = Arg::new(SET)
        .long(SET)
        .value_name("KEY=VALUE")
        .action(ArgAction::Append)
        .value_parser(split)
        .help("Any setting by its name in the file; may be given several times");
    std::iter::once(set).chain(table::all().filter_map(flag)).collect()
}

/// The settings that the command line gives: key, value, and how it was written.
pub(super) fn given(arguments: &ArgMatches) -> Vec<(String, String, String)> {
    let set = arguments.get_many::<(String, String)>(SET).into_iter().flatten();
    let mut all: Vec<_> = set.map(|(key, value)| (key.clone(), value.clone(), format!("--{SET} {key}"))).collect();
    for key in table::all().filter(|key| !key.family) {
        if let (Some(value), Some(flag)) = (arguments.get_one::<String>(key.name), key.flag()) {
            all.push((key.name.to_owned(), value.clone(), format!("--{flag}")));
        }
    }
    all
}

fn flag(key: &'static Key) -> Option<Arg> {
    let shown = key.effect == Effect::Honoured;
    let arg = Arg::new(key.name)
        .long(key.flag()?)
        .value_name(placeholder(key))
        .help_heading(key.group.title())
        .hide(!shown)
        .allow_negative_numbers(true)
        .help(help(key));
    Some(arg)
}

fn placeholder(key: &Key) -> String {
    match (key.kind, key.unit) {
        (Kind::OneOf(words), _) => words.join("|"),
        (Kind::Bool, _) => "true|false".to_owned(),
        (Kind::YesNo, _) => "yes|no".to_owned(),
        (Kind::Path, _) => "DIR".to_owned(),
        (Kind::Shaped { .. } | Kind::Text, _) => "TEXT".to_owned(),
        (Kind::Int { .. }, "") => "N".to_owned(),
        (Kind::Int { .. }, unit) => unit.to_ascii_uppercase(),
    }
}

fn help(key: &Key) -> String {
    let values = match key.kind {
        Kind::Shaped { shape, .. } => format!(" [values: {shape}]"),
        _ => String::new(),
    };
    let default = match key.default {
        Fallback::Required => " [required]".to_owned(),
        Fallback::Unset => String::new(),
        Fallback::Value(value) => format!(" [default: {value}]"),
        Fallback::Derived(how) => format!(" [default: {how}]"),
    };
    format!("{}{values}{default}", key.meaning)
}

fn split(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("give KEY=VALUE, for example --set tickTime=2000".to_owned()),
    }
}
