//! `ringkeeper cli`: the command line of the shell.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ringkeeper_client::{HostList, Tls};
use ringkeeper_shell::{EXIT_STATUSES, Source, Start, status};

use crate::tls::ClientTls;
use crate::version;

/// zkCli.sh's flags, which have one dash.
const ONE_DASH: [&str; 4] = ["-server", "-timeout", "-waitforconnection", "-client-configuration"];

const EXAMPLES: &str = "\
Examples:
  The shell; `help` lists its commands, Tab completes commands and paths:
    ringkeeper cli
    ringkeeper cli -s zk1:2181,zk2:2181,zk3:2181
  Everything below a root, as an application with that root sees it:
    ringkeeper cli -s zk1:2181/app ls -R /
  One command, for scripts (results on standard output, complaints on standard error):
    ringkeeper cli -s zk1:2181 get /app/config
    ringkeeper cli -s zk1:2181 set /app/config \"$(cat config.json)\" -v 3
  Many commands, from a file or a pipe:
    ringkeeper cli -s zk1:2181 --stop -f setup.txt
    printf 'create /app\\ncreate /app/config x\\n' | ringkeeper cli -s zk1:2181
  For programs:
    ringkeeper cli -s zk1:2181 --json stat /app | jq .stat.version
  Over TLS, with a certificate of one's own:
    ringkeeper cli -s zk1:2281 --tls-ca ca.pem --tls-cert me.pem ls /
  zkCli.sh's flags are understood:
    ringkeeper cli -server zk1:2181 -timeout 5000 -r -waitforconnection ls /

It works with ZooKeeper, too.
";

/// The subcommand.
pub fn command() -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("cli")
        .about("A shell for the nodes of an ensemble, Ringkeeper's or ZooKeeper's: zkCli.sh and more")
        .args([
            Arg::new("server")
                .short('s')
                .long("server")
                .value_name("HOST:PORT,...[/ROOT]")
                .default_value("localhost:2181")
                .value_parser(HostList::parse)
                .help("The servers, tried in this order, and the root of all paths"),
            Arg::new("timeout")
                .long("timeout")
                .value_name("MS")
                .default_value("30000")
                .value_parser(value_parser!(u32).range(1..=i64::from(i32::MAX)))
                .help("Session timeout to ask for"),
            flag("read-only").short('r').help("Take a server, too, that has lost the others and takes no writes"),
            flag("waitforconnection").help("Wait for a server as long as the timeout [otherwise: 2 s]"),
            Arg::new("client-configuration")
                .long("client-configuration")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with_all(["tls-ca", "tls-cert"])
                .help("ZooKeeper's client properties, for TLS: zookeeper.client.secure=true, zookeeper.ssl.trustStore.location and so on"),
            Arg::new("file")
                .short('f')
                .long("file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with("command")
                .help("Take the commands from a file, one a line (# begins a comment); - is standard input"),
            flag("stop").help("End a file or a pipe of commands at the first failure"),
            flag("json").help("Print one JSON object a line: results, events and failures, all on standard output"),
            Arg::new("command")
                .value_name("COMMAND")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .help("One command with its flags; without one they are read from the terminal or a pipe"),
        ])
        .args(super::tls::arguments())
        .after_help(format!("{EXAMPLES}{EXIT_STATUSES}"))
}

/// The program's arguments with a second dash before those flags of zkCli.sh that have one, in front of the shell's command.
pub fn with_long_flags(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    if arguments.get(1).is_none_or(|name| name != "cli") {
        return arguments;
    }
    let mut at = 2;
    while let Some(word) = arguments.get(at).and_then(|word| word.to_str()).map(str::to_owned) {
        if !word.starts_with('-') || word == "--" {
            break;
        }
        if ONE_DASH.contains(&word.as_str()) {
            arguments[at] = format!("-{word}").into();
        }
        let name = word.trim_start_matches('-');
        let takes_value =
            ["server", "s", "timeout", "client-configuration", "file", "f", "tls-ca", "tls-cert"].contains(&name);
        at += if takes_value { 2 } else { 1 };
    }
    arguments
}

/// Runs the shell.
pub fn run(arguments: &ArgMatches) -> ExitCode {
    let tls = match tls(arguments) {
        Ok(tls) => tls,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(status::USAGE);
        }
    };
    let (Some(servers), Some(timeout)) = (arguments.get_one::<HostList>("server"), arguments.get_one::<u32>("timeout"))
    else {
        unreachable!("both have defaults");
    };
    let start = Start {
        servers: servers.clone(),
        timeout: Duration::from_millis(u64::from(*timeout)),
        read_only: arguments.get_flag("read-only"),
        wait: arguments.get_flag("waitforconnection"),
        json: arguments.get_flag("json"),
        tls,
        stop: arguments.get_flag("stop"),
        version: version::long().to_owned(),
    };
    match source(arguments) {
        Ok(source) => ExitCode::from(ringkeeper_shell::run(&start, source)),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(status::USAGE)
        }
    }
}

/// How TLS is to be spoken, if it is.
fn tls(arguments: &ArgMatches) -> Result<Option<Tls>, String> {
    let asked = match arguments.get_one::<PathBuf>("client-configuration") {
        Some(properties) => ClientTls::of_properties(properties)?,
        None => super::tls::given(arguments),
    };
    asked.map(|tls| tls.load().map(Tls::new)).transpose().map_err(|unusable| unusable.to_string())
}

fn source(arguments: &ArgMatches) -> Result<Source, String> {
    if let Some(words) = arguments.get_many::<String>("command") {
        return Ok(Source::Words(words.cloned().collect()));
    }
    let input = || Source::Lines(Box::new(BufReader::new(std::io::stdin())));
    match arguments.get_one::<PathBuf>("file") {
        Some(file) if file.as_os_str() == "-" => Ok(input()),
        Some(file) => match File::open(file) {
            Ok(lines) => Ok(Source::Lines(Box::new(BufReader::new(lines)))),
            Err(error) => Err(format!("cannot read the commands in {}: {error}", file.display())),
        },
        None if std::io::stdin().is_terminal() => Ok(Source::Terminal),
        None => Ok(input()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(line: &str) -> String {
        let words = with_long_flags(line.split(' ').map(OsString::from));
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_of_zookeepers_shell_get_a_second_dash() {
        assert_eq!(long("rk cli -server a:1 -r -timeout 5 ls -R /"), "rk cli --server a:1 -r --timeout 5 ls -R /");
        assert_eq!(long("rk cli -waitforconnection"), "rk cli --waitforconnection");
        // What belongs to the command, or to another program, stays.
        assert_eq!(long("rk cli create -server"), "rk cli create -server");
        assert_eq!(long("rk cli -s -server ls"), "rk cli -s -server ls");
        assert_eq!(long("rk serve -server"), "rk serve -server");
    }

    #[test]
    fn a_command_keeps_its_flags() {
        let words = ["cli", "-s", "a:1", "--json", "create", "-s", "-e", "/x", "--", "-1"];
        let matches = command().try_get_matches_from(words).unwrap();
        let command: Vec<_> = matches.get_many::<String>("command").unwrap().cloned().collect();
        assert_eq!(command, ["create", "-s", "-e", "/x", "--", "-1"]);
        assert_eq!(matches.get_one::<HostList>("server").unwrap().to_string(), "a:1");
        assert!(command_fails(["cli", "-s", "a:x"]) && command_fails(["cli", "--timeout", "0"]));
    }

    fn command_fails(words: [&str; 3]) -> bool {
        command().try_get_matches_from(words).is_err()
    }
}
