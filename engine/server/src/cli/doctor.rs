//! `ringkeeper doctor`: the command line of [`crate::doctor`].

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::{flags, inputs, print, refused};
use crate::config::{Config, Inputs, Problems, Settings, table};
use crate::doctor::{Order, Severity, examine};
use crate::exit::Status;

/// A warning was found, and `--fail-if warning` given.
const WARNED: u8 = 3;
/// An error was found.
const UNFIT: u8 = 4;
/// Interrupted.
const INTERRUPTED: u8 = 130;

/// What is examined if nobody names a directory.
const USUAL_DIR: &str = "/var/lib/ringkeeper";

const EXAMPLES: &str = "\
Examples:
  The host as it is, for a server with its data in /var/lib/ringkeeper:
    ringkeeper doctor
  For the server of a configuration file: its directories, ports, and the other servers:
    ringkeeper doctor /etc/ringkeeper/zoo.cfg
  As the user that the server will run as, who may be allowed less than root:
    sudo -u ringkeeper ringkeeper doctor /etc/ringkeeper/zoo.cfg
  A disk that is to be chosen, thoroughly:
    ringkeeper doctor --data-dir /mnt/candidate --writes 5000
  In a script that prepares machines; facts, findings and recommended settings as JSON:
    ringkeeper doctor /etc/ringkeeper/zoo.cfg --json --fail-if warning > doctor.json

What it looks at: io_uring, kernel, clock; processors, their frequency, quotas and other load;
memory, swap, huge pages; file system, direct I/O, write cache, scheduler and space of the data
and log directories, and how long a write of the log takes by each driver; limits, also those of
the systemd unit; whether the server's ports are free, and whether the other servers can be
reached. Of each it says what was found, why it matters and what to do. It changes nothing; to
time the log it writes about 50 MiB into a directory of its own beside the log, and removes it.

Severity: error, the server does not start or does not keep its promises; warning, it is slower
or less safe than it need be; note, good to know.

Every setting of `ringkeeper serve` may be given as a flag here too.
Exit status: 0 nothing as bad as --fail-if, 3 a warning (with --fail-if warning), 4 an error,
130 interrupted; 1 doctor itself failed, 2 wrong command line.";

/// The subcommand.
pub(super) fn command(file: Arg) -> Command {
    let json =
        Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON: findings, recommendation, facts");
    let fail_if = Arg::new("fail-if")
        .long("fail-if")
        .value_name("SEVERITY")
        .value_parser(PossibleValuesParser::new(["warning", "error"]))
        .default_value("error")
        .help("How bad a finding must be to make the exit status other than 0");
    let writes = Arg::new("writes")
        .long("writes")
        .value_name("N")
        .value_parser(value_parser!(u32).range(0..=100_000))
        .default_value("300")
        .help(
            "Log writes that are timed with each driver; at most 15 s are spent on them; 0: none, nothing is written",
        );
    let unit = Arg::new("unit")
        .long("unit")
        .value_name("NAME")
        .default_value("ringkeeper.service")
        .help("The systemd unit that starts the server");
    Command::new("doctor")
        .about("Examine this host: is it fit for a server, and what would make it better?")
        .args([file, json, fail_if, writes, unit])
        .args(flags::all().into_iter().map(|flag| flag.hide(true)))
        .after_help(EXAMPLES)
}

/// Examines, and prints what was found.
pub(super) fn run(arguments: &ArgMatches) -> ExitCode {
    let inputs = match inputs(arguments) {
        Ok(inputs) => inputs,
        Err(refusal) => return refused(&refusal),
    };
    let stop = Arc::new(AtomicBool::new(false));
    if let Err(error) = heed_signals(&stop) {
        eprintln!("error: signal handlers: {error}");
        return Status::Failed.into();
    }
    let report = examine(&order(arguments, inputs, &stop), progress());
    if stop.load(Ordering::Relaxed) {
        eprintln!("interrupted");
        return ExitCode::from(INTERRUPTED);
    }
    let printed = print(&if arguments.get_flag("json") { report.json() } else { report.text() });
    if printed != ExitCode::SUCCESS {
        return printed;
    }
    let from_warning = arguments.get_one::<String>("fail-if").is_some_and(|severity| severity == "warning");
    match report.worst() {
        Severity::Error => ExitCode::from(UNFIT),
        Severity::Warning if from_warning => ExitCode::from(WARNED),
        _ => ExitCode::SUCCESS,
    }
}

fn order(arguments: &ArgMatches, mut inputs: Inputs, stop: &Arc<AtomicBool>) -> Order {
    // What is wrong with the settings is told by loading them, below; the directories may be right nevertheless.
    let settings = Settings::resolve(&inputs, &mut Problems::default());
    let named = |key| settings.text(key).map(PathBuf::from);
    let data_dir = named(&table::DATA_DIR).unwrap_or_else(|| {
        if inputs.file.is_none() {
            inputs.flags.push((table::DATA_DIR.name.to_owned(), USUAL_DIR.to_owned(), "(the usual place)".to_owned()));
        }
        PathBuf::from(USUAL_DIR)
    });
    Order {
        config: Config::load(&inputs, super::cores()),
        log_dir: named(&table::DATA_LOG_DIR).unwrap_or_else(|| data_dir.clone()),
        data_dir,
        unit: arguments.get_one::<String>("unit").cloned().unwrap_or_default(),
        writes: arguments.get_one::<u32>("writes").copied().unwrap_or_default(),
        stop: Arc::clone(stop),
    }
}

/// The first signal ends the timing, so that what it wrote is removed; the second ends the process.
fn heed_signals(stop: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), Arc::clone(stop))?;
        flag::register(signal, Arc::clone(stop))?;
    }
    Ok(())
}

fn progress() -> impl FnMut(u32, u32) {
    let line = io::stderr().is_terminal().then(|| Line);
    move |done, all| {
        if let Some(line) = &line {
            line.show(&format!("timing log writes: {done} of {all}"));
        }
    }
}

/// A line on a terminal, gone with its value.
struct Line;

impl Line {
    fn show(&self, text: &str) {
        let mut err = io::stderr().lock();
        // Nobody misses it.
        let _ = write!(err, "\r{text:<40}\r").and_then(|()| err.flush());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.show("");
    }
}
