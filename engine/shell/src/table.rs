//! The table of commands: names, flags, and what `help` says.

use crate::flags::Flag;

/// What is known of a command.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// What follows the name, in the notation of zkCli.sh.
    pub synopsis: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Its flags.
    pub flags: &'static [Flag],
    /// How it is used.
    pub examples: &'static [&'static str],
}

impl Spec {
    /// Name and synopsis.
    #[must_use]
    pub fn usage(&self) -> String {
        format!("{} {}", self.name, self.synopsis).trim_end().to_owned()
    }
}

const fn flag(name: &'static str, about: &'static str) -> Flag {
    Flag { name, value: None, about }
}

const fn value(name: &'static str, value: &'static str, about: &'static str) -> Flag {
    Flag { name, value: Some(value), about }
}

const fn spec(
    name: &'static str,
    synopsis: &'static str,
    about: &'static str,
    flags: &'static [Flag],
    examples: &'static [&'static str],
) -> Spec {
    Spec { name, synopsis, about, flags, examples }
}

const STAT: Flag = flag("s", "Print the node's stat as well");
const WATCH: Flag = flag("w", "Leave a watch: the next change is printed as an event");
const VERSION: Flag = value("v", "version", "Only if the node has this version");

/// All commands, in the order in which `help` lists them.
pub const COMMANDS: &[Spec] = &[
    spec(
        "addWatch",
        "[-m mode] path",
        "Watch a node for good; by default with everything below it",
        &[value(
            "m",
            "mode",
            "PERSISTENT (the node and its children) or PERSISTENT_RECURSIVE (everything below, the default)",
        )],
        &["addWatch /app", "addWatch -m PERSISTENT /app/leader"],
    ),
    spec("addauth", "scheme auth", "Add an identity to this session", &[], &["addauth digest user:password"]),
    spec("close", "", "Close the session; its ephemeral nodes go", &[], &[]),
    spec(
        "config",
        "[-c] [-w] [-s]",
        "Print the ensemble's configuration",
        &[flag("c", "As a connect string for clients"), WATCH, STAT],
        &["config -c"],
    ),
    spec(
        "connect",
        "[host:port]",
        "Close the session and open one with another server, or with the same",
        &[],
        &["connect zk2:2181"],
    ),
    spec(
        "create",
        "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
        "Create a node",
        &[
            flag("s", "Sequential: the server appends a number"),
            flag("e", "Ephemeral: the node goes with this session"),
            flag("c", "Container: the server deletes it some time after its last child"),
            value("t", "ttl", "The server deletes it when it is this old (in ms) and has no children"),
        ],
        &["create /app 'some text'", "create -s -e /app/member- host1", "create /app/secret x digest:user:hash=:cdrwa"],
    ),
    spec("delete", "[-v version] path", "Delete a node that has no children", &[VERSION], &["delete -v 3 /app/leader"]),
    spec(
        "deleteall",
        "path [-b batch size]",
        "Delete a node and everything below it",
        &[value("b", "batch size", "How many nodes go at once (1000); each batch goes entirely or not at all")],
        &["deleteall /app"],
    ),
    spec(
        "delquota",
        "[-n|-b|-N|-B] path",
        "Remove a limit from a node's quota, or the whole quota",
        &[
            flag("n", "The soft limit of nodes"),
            flag("b", "The soft limit of bytes"),
            flag("N", "The hard limit of nodes"),
            flag("B", "The hard limit of bytes"),
        ],
        &["delquota /app"],
    ),
    spec("exit", "", "Leave; the same as quit", &[], &[]),
    spec(
        "get",
        "[-s] [-w] [-b] [-x] path",
        "Print a node's data",
        &[STAT, WATCH, flag("b", "In base64"), flag("x", "As a table of bytes")],
        &["get -s /app/config"],
    ),
    spec("getAcl", "[-s] path", "Print who may do what with a node", &[STAT], &["getAcl /app"]),
    spec("getAllChildrenNumber", "path", "Count all nodes below a node", &[], &["getAllChildrenNumber /app"]),
    spec("getEphemerals", "[path]", "List the ephemeral nodes of this session", &[], &["getEphemerals /app"]),
    spec("help", "[command]", "List the commands, or explain one", &[], &["help create"]),
    spec("history", "", "List the latest commands with their numbers", &[], &[]),
    spec("listquota", "path", "Print a node's quota and its present use", &[], &["listquota /app"]),
    spec(
        "ls",
        "[-s] [-w] [-R] path",
        "List the children of a node",
        &[STAT, WATCH, flag("R", "Everything below, one path a line")],
        &["ls /", "ls -R /app"],
    ),
    spec("printwatches", "on|off", "Whether events are printed", &[], &["printwatches off"]),
    spec("quit", "", "Close the session and leave", &[], &[]),
    spec(
        "reconfig",
        "[-s] [-v version] [-file path | -members list | [-add list] [-remove list]]",
        "Change which servers make up the ensemble",
        &[
            flag("s", "Print the stat of the configuration as well"),
            value("v", "version", "Only if the configuration has this version (hexadecimal)"),
            value("file", "path", "All members, from the server lines of a file"),
            value("members", "list", "All members: server.1=host:port:port;clientport,..."),
            value("add", "list", "Servers that join: server.4=host:port:port;clientport,..."),
            value("remove", "list", "Numbers of servers that leave: 2,3"),
        ],
        &["reconfig -add server.4=host4:2888:3888;2181", "reconfig -remove 4"],
    ),
    spec("redo", "cmdno", "Repeat the command with this number of the history", &[], &["redo 3"]),
    spec(
        "removewatches",
        "path [-c|-d|-p|-r|-a] [-l]",
        "Remove watches that this session has left",
        &[
            flag("c", "Of the children"),
            flag("d", "Of the data"),
            flag("p", "That stay"),
            flag("r", "That stay and are recursive"),
            flag("a", "All (the default)"),
            flag("l", "Forget them even if no server confirms it"),
        ],
        &["removewatches /app"],
    ),
    spec(
        "set",
        "path data [-s] [-v version] [-b]",
        "Replace a node's data",
        &[STAT, VERSION, flag("b", "The data is given in base64")],
        &["set /app/config 'some text'", "set /app/config -v 3 new"],
    ),
    spec(
        "setAcl",
        "[-s] [-v version] [-R] path acl",
        "Replace who may do what with a node",
        &[
            STAT,
            value("v", "version", "Only if the node has this version of the ACL"),
            flag("R", "For everything below as well"),
        ],
        &["setAcl /app world:anyone:r,auth::cdrwa"],
    ),
    spec(
        "setquota",
        "-n|-b|-N|-B val path",
        "Limit the nodes or bytes below a node",
        &[
            value("n", "val", "Nodes: the server warns"),
            value("b", "val", "Bytes: the server warns"),
            value("N", "val", "Nodes: the server refuses (if it has enforceQuota)"),
            value("B", "val", "Bytes: the server refuses (if it has enforceQuota)"),
        ],
        &["setquota -n 1000 /app"],
    ),
    spec("stat", "[-w] path", "Print a node's stat", &[WATCH], &["stat /app"]),
    spec(
        "sync",
        "path",
        "Wait until the server has what was acknowledged before, by whichever server",
        &[],
        &["sync /"],
    ),
    spec("version", "", "Print the version of this program", &[], &[]),
    spec("whoami", "", "Print the identities of this session", &[], &[]),
];

/// The command of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Spec> {
    COMMANDS.iter().find(|spec| spec.name == name)
}

/// What `help` prints: all commands, or one in detail.
#[must_use]
pub fn help(command: Option<&'static Spec>) -> String {
    let Some(spec) = command else {
        let width = COMMANDS.iter().map(|spec| spec.name.len()).max().unwrap_or(0);
        let lines = COMMANDS.iter().map(|spec| format!("  {:width$}  {}\n", spec.name, spec.about));
        return format!(
            "{}`help COMMAND` explains one. A word that begins with a quote goes on to the next one.",
            lines.collect::<String>()
        );
    };
    let mut text = format!("{}\n  {}", spec.usage(), spec.about);
    let named =
        |flag: &Flag| flag.value.map_or_else(|| format!("-{}", flag.name), |value| format!("-{} {value}", flag.name));
    let width = spec.flags.iter().map(|flag| named(flag).len()).max().unwrap_or(0);
    for flag in spec.flags {
        text += &format!("\n    {:width$}  {}", named(flag), flag.about);
    }
    for example in spec.examples {
        text += &format!("\n  e.g. {example}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_zookeepers_shell_is_there() {
        // `zkCli.sh` of 3.9 lists these.
        let theirs = "addWatch addauth close config connect create delete deleteall delquota get getAcl getAllChildrenNumber \
            getEphemerals history listquota ls printwatches quit reconfig redo removewatches set setAcl setquota stat sync \
            version whoami";
        for name in theirs.split_whitespace() {
            assert!(find(name).is_some(), "{name}");
        }
        assert!(COMMANDS.is_sorted_by_key(|spec| spec.name));
    }

    #[test]
    fn help_names_every_flag() {
        for spec in COMMANDS {
            let help = help(Some(spec));
            assert!(spec.flags.iter().all(|flag| help.contains(&format!("    -{}", flag.name))), "{help}");
            assert!(help.lines().all(|line| line.chars().count() <= 130), "{help}");
        }
        assert_eq!(help(None).lines().count(), COMMANDS.len() + 1);
    }
}
