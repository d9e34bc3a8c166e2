//! Configurations, directories and machines with which a server does not start: each gets one message that names the place
//! and the remedy, and the exit status of its kind.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cases;
mod obstacles;

use cases::{Case, Place};
use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A server that has not given up by then has started.
const PATIENCE: Duration = Duration::from_secs(180);

/// What came of a start.
struct Refusal {
    status: Option<i32>,
    /// Without time, level and module.
    errors: Vec<String>,
    all: String,
}

/// Runs a command that is expected to end by itself.
fn run(mut command: Command) -> std::io::Result<Refusal> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stderr = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).map(|_| said)
    });
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status.code(),
            None if Instant::now() > until => {
                child.kill()?;
                child.wait()?;
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let all = reader.join().unwrap()?;
    Ok(Refusal { status, errors: all.lines().filter_map(error).map(str::to_owned).collect(), all })
}

/// Whoever runs the tests may have settings in the environment.
fn without_settings(command: &mut Command) {
    let names = std::env::vars().map(|(name, _)| name);
    names.filter(|name| name.starts_with("RINGKEEPER_") || name.ends_with("JVMFLAGS")).for_each(|name| {
        command.env_remove(name);
    });
}

fn error(line: &str) -> Option<&str> {
    let logged = || line.split_once(" ERROR ").and_then(|(_, rest)| rest.split_once(": ")).map(|(_, said)| said);
    line.strip_prefix("error: ").or_else(logged)
}

/// Whether a message is the expected one, in which `*` stands for anything (what the system says, a number).
fn is_like(said: &str, expected: &str) -> bool {
    let mut parts = expected.split('*');
    let Some(mut rest) = parts.next().and_then(|first| said.strip_prefix(first)) else { return false };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || expected.ends_with('*')
}

fn judge(case: &Case, failures: &mut Vec<String>) {
    let place = Place::new();
    let mut command = (case.start)(&place);
    let said = match (case.obstacle)(&mut command, &place).map(|()| run(command)) {
        Ok(Ok(said)) => said,
        Ok(Err(error)) | Err(error) => return println!("SKIPPED {}: {error}", case.name),
    };
    let expected = case.says.replace("DIR", place.dir().to_str().unwrap()).replace("PORT", &place.port().to_string());
    let right = said.errors.len() == 1 && is_like(&said.errors[0], &expected);
    if said.status != Some(i32::from(case.status.number())) || !right {
        failures.push(format!(
            "{}: status {:?} instead of {}, said\n{}instead of\n{expected}\n",
            case.name,
            said.status,
            case.status.number(),
            said.all
        ));
    }
}

#[test]
fn each_kind_has_one_message_and_its_status() {
    let all = cases::all();
    let names: BTreeSet<&str> = all.iter().map(|case| case.name).collect();
    assert!(names.len() == all.len() && all.len() >= 30, "{} cases", all.len());
    let mut failures = Vec::new();
    all.iter().for_each(|case| judge(case, &mut failures));
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), all.len(), failures.join("\n"));
}

#[test]
fn a_check_says_the_same_without_starting_and_changes_nothing() {
    let mut checked = 0;
    for case in cases::all().into_iter().filter(|case| case.checkable) {
        let place = Place::new();
        let mut command = (case.start)(&place);
        if let Err(error) = (case.obstacle)(&mut command, &place) {
            println!("SKIPPED {}: {error}", case.name);
            continue;
        }
        let mut check = Command::new(env!("CARGO_BIN_EXE_ringkeeper"));
        check.args(["config", "--check"]).args(command.get_args().skip(1)).current_dir(place.dir());
        without_settings(&mut check);
        check.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let before = place.files();
        let said = run(check).unwrap();
        assert_eq!(said.status, Some(i32::from(case.status.number())), "{}: {}", case.name, said.all);
        assert_eq!(before, place.files(), "{}", case.name);
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn what_is_only_warned_about_fails_a_strict_check() {
    let cases: [(&[u8], &str); 4] = [
        (b"ticktime=5\n", "DIR/zoo.cfg:2: ticktime is not a known setting; did you mean tickTime?"),
        (
            b"tickTime=5\ntickTime=6\n",
            "DIR/zoo.cfg:3: tickTime=6 is given twice; DIR/zoo.cfg:2 is overruled; keep one of them",
        ),
        (b"# \xe4\n", "DIR/zoo.cfg:2: the file is not UTF-8; it is read as Latin-1, as Java would; save it as UTF-8"),
        (
            b"jvm.pause.monitor=true\n",
            "DIR/zoo.cfg:2: jvm.pause.monitor=true has no effect: there is no Java virtual machine to watch",
        ),
    ];
    for (text, warning) in cases {
        let place = Place::new();
        place.configure_bytes(&[format!("dataDir={}\n", place.dir().display()).as_bytes(), text].concat());
        let check = |more: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ringkeeper"));
            command.args(["config", "--check"]).args(more).arg(place.config());
            without_settings(&mut command);
            run(command).unwrap()
        };
        let warning = format!("warning: {}", warning.replace("DIR", place.dir().to_str().unwrap()));
        let said = check(&[]);
        assert_eq!((said.status, said.all.lines().collect::<Vec<_>>()), (Some(0), vec![warning.as_str()]));
        assert_eq!(check(&["--strict"]).status, Some(78));
    }
}
