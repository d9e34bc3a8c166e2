//! `ringkeeper top`: the command line of the live view.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ringkeeper_client::HostList;
use ringkeeper_top::{Form, Start};

use crate::exit::Status;

/// No server serves.
const NONE_SERVES: u8 = 3;

const EXAMPLES: &str = "\
Examples:
  An ensemble, from one of its servers:
    ringkeeper top -s zk1:2181
  All that is known, once, as text:
    ringkeeper top --once zk1:2181,zk2:2181,zk3:2181
  A JSON object every ten seconds:
    ringkeeper top --json --interval 10 zk1:2181 | jq .transactionsPerSecond

It asks the four-letter words srvr and mntr, and of Ringkeeper hotp (the hottest paths, at all servers together), of ZooKeeper envi: \
4lw.commands.whitelist has to allow them on every server; with srvr alone some columns stay empty. MEMORY is what is resident \
(of ZooKeeper: of its heap), MEM% how much of the memory is used that the server may use, ! if it is short. The others are found in the ensemble's configuration (the word conf, or /zookeeper/config), \
if that names client ports. Latencies are those since the server's start, or since its statistics were reset (srst). BEHIND is how many \
transactions a server is behind the leader; under load a few are none, since not all are asked at the same time.

NO_COLOR is honoured. Exit status: 0 a server serves, 1 failed, 2 wrong command line, 3 no server serves.";

/// The subcommand.
pub fn command() -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("top")
        .about("A live view of an ensemble, Ringkeeper's or ZooKeeper's: roles, rates, latencies, lag")
        .args([
            Arg::new("servers").value_name("HOST:PORT,...").value_parser(HostList::parse).help("One or more servers"),
            // As `cli` takes them.
            Arg::new("server")
                .short('s')
                .long("server")
                .value_name("HOST:PORT,...")
                .value_parser(HostList::parse)
                .conflicts_with("servers")
                .default_value("localhost:2181")
                .help("The same"),
            Arg::new("interval")
                .long("interval")
                .value_name("SECONDS")
                .default_value("1")
                .value_parser(value_parser!(u64).range(1..=3600))
                .help("How often the servers are asked"),
            flag("once").help("Print once as text, after one interval"),
            flag("json").help("Print one JSON object a line; with --once only one"),
            flag("only").help("Only the servers named here: do not look for the others"),
        ])
        .after_help(EXAMPLES)
}

/// Runs the view.
pub fn run(arguments: &ArgMatches) -> ExitCode {
    let named = |name: &str| arguments.get_one::<HostList>(name);
    let (Some(servers), Some(seconds)) = (named("servers").or(named("server")), arguments.get_one::<u64>("interval"))
    else {
        unreachable!("both have defaults");
    };
    let start = Start {
        servers: servers.clone(),
        discover: !arguments.get_flag("only"),
        interval: Duration::from_secs(*seconds),
        form: if arguments.get_flag("json") { Form::Json } else { Form::Screen },
        once: arguments.get_flag("once"),
    };
    match ringkeeper_top::run(&start) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NONE_SERVES),
        Err(error) => {
            eprintln!("error: cannot show the view: {error}");
            Status::Failed.into()
        }
    }
}
