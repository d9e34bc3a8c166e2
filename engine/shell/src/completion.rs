//! What the Tab key offers: commands, flags, and paths of nodes.

use crate::table::{self, COMMANDS, Spec};
use crate::words;

/// What could stand at the cursor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Context<'l> {
    /// Where the word begins that is to be completed, in bytes.
    pub start: usize,
    /// What there is of it.
    pub prefix: &'l str,
    pub wanted: Wanted,
}

/// Kinds of words.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    Command,
    Flag(&'static Spec),
    Path,
    OneOf(&'static [&'static str]),
    Nothing,
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Wanted) -> bool {
        match (self, other) {
            (Wanted::Flag(one), Wanted::Flag(two)) => one.name == two.name,
            (Wanted::OneOf(one), Wanted::OneOf(two)) => one == two,
            (one, two) => std::mem::discriminant(one) == std::mem::discriminant(two),
        }
    }
}

impl Eq for Wanted {}

/// What could stand at the end of `line`, which ends at the cursor.
pub(crate) fn context(line: &str) -> Context<'_> {
    let start =
        line.rfind(char::is_whitespace).map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let (before, prefix) = line.split_at(start);
    let mut earlier = before.split_whitespace();
    let wanted = match earlier.next() {
        None => Wanted::Command,
        Some(command) => of_command(table::find(command), earlier.next_back(), prefix),
    };
    Context { start, prefix, wanted }
}

fn of_command(spec: Option<&'static Spec>, last: Option<&str>, prefix: &str) -> Wanted {
    match (spec, last) {
        (Some(spec), Some("-m")) if spec.name == "addWatch" => Wanted::OneOf(&["PERSISTENT", "PERSISTENT_RECURSIVE"]),
        (Some(spec), _) if spec.name == "printwatches" => Wanted::OneOf(&["on", "off"]),
        (Some(spec), _) if spec.name == "help" => Wanted::Command,
        (Some(spec), _) if prefix.starts_with('-') => Wanted::Flag(spec),
        (Some(spec), _) if prefix.is_empty() && spec.synopsis.contains("path") => Wanted::Path,
        _ if prefix.starts_with('/') => Wanted::Path,
        _ => Wanted::Nothing,
    }
}

/// The words that fit, each as it is written. `children` names the children of a node.
pub(crate) fn candidates(context: &Context<'_>, children: impl FnOnce(&str) -> Vec<String>) -> Vec<String> {
    let prefix = context.prefix;
    let fitting = |names: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect()
    };
    match context.wanted {
        Wanted::Command => fitting(&mut COMMANDS.iter().map(|spec| spec.name)),
        Wanted::OneOf(choices) => fitting(&mut choices.iter().copied()),
        Wanted::Flag(spec) => {
            let flags: Vec<String> = spec.flags.iter().map(|flag| format!("-{}", flag.name)).collect();
            fitting(&mut flags.iter().map(String::as_str))
        }
        Wanted::Path if prefix.is_empty() => vec!["/".to_owned()],
        Wanted::Path => {
            let (parent, _) = prefix.rsplit_once('/').unwrap_or(("", prefix));
            let names = children(if parent.is_empty() { "/" } else { parent });
            let paths = names.iter().map(|name| format!("{parent}/{name}"));
            paths.filter(|path| path.starts_with(prefix)).map(|path| words::quoted(&path)).collect()
        }
        Wanted::Nothing => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        candidates(&context(line), |parent| {
            let names: &[&str] = match parent {
                "/" => &["app", "apple", "zookeeper"],
                "/app" => &["config", "my node"],
                _ => &[],
            };
            names.iter().map(|name| (*name).to_owned()).collect()
        })
    }

    #[test]
    fn commands_flags_and_choices() {
        assert_eq!(offered("getA"), ["getAcl", "getAllChildrenNumber"]);
        assert_eq!(offered("  qu"), ["quit"]);
        assert_eq!(offered("ls -"), ["-s", "-w", "-R"]);
        assert_eq!(offered("reconfig -r"), ["-remove"]);
        assert_eq!(offered("printwatches o"), ["on", "off"]);
        assert_eq!(offered("addWatch -m P"), ["PERSISTENT", "PERSISTENT_RECURSIVE"]);
        assert_eq!(offered("help he"), ["help"]);
        assert_eq!(offered("nonsense x"), Vec::<String>::new());
    }

    #[test]
    fn paths() {
        assert_eq!(offered("ls "), ["/"]);
        assert_eq!(offered("ls /"), ["/app", "/apple", "/zookeeper"]);
        assert_eq!(offered("get -s /app"), ["/app", "/apple"]);
        assert_eq!(offered("get /app/"), ["/app/config", "'/app/my node'"]);
        assert_eq!(offered("get /nowhere/x"), Vec::<String>::new());
        assert_eq!(offered("whoami "), Vec::<String>::new());
    }

    #[test]
    fn the_word_at_the_cursor_is_what_is_replaced() {
        let context = context("get -s /ü/x");
        assert_eq!((context.start, context.prefix), (7, "/ü/x"));
    }
}
