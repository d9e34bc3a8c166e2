//! Debian's Java client against one server and against three, and Curator while leaders die: the programs of `java/client` and
//! `java/curator`, compiled here, print one line per test.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use support::ensemble::{Ensemble, Plan};
use support::process::{ZOOKEEPER_CLASS_PATH, dies_with_us};
use support::server::{Server, Settings, Target};
use support::skipped;

/// The tests that a program must report: one that silently does not run is a failure.
const CLIENT_TESTS: usize = 14;
const RECIPES: usize = 8;

const SETTINGS: Settings<'static> = &[("tickTime", "2000")];

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Whether this machine has what the test needs; says so if not.
fn can_run(test: &str) -> bool {
    // The jars and the JVM are the same as those of the server.
    let missing = Target::from_env().missing().or_else(|| Target::ZooKeeper.missing());
    let missing = missing.or_else(|| {
        let compiler = Command::new("javac").arg("-version").output();
        (!compiler.is_ok_and(|o| o.status.success())).then(|| "no javac: install default-jdk-headless".into())
    });
    if let Some(reason) = &missing {
        skipped(test, reason);
    }
    missing.is_none()
}

/// The sources of a folder, compiled.
fn compile(folder: &str, class_path: &str) -> tempfile::TempDir {
    let classes = tempfile::tempdir().unwrap();
    let sources = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java").join(folder)).unwrap();
    let compiled = Command::new("javac")
        .args(["-nowarn", "-cp", class_path, "-d"])
        .arg(classes.path())
        .args(sources.map(|source| source.unwrap().path()))
        .output()
        .unwrap();
    assert!(compiled.status.success(), "javac:\n{}", text(&compiled));
    classes
}

/// A compiled program, to be run against servers at these addresses.
fn java(classes: &tempfile::TempDir, class_path: &str, class: &str, hosts: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args([
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        ])
        .args(["-cp", &format!("{}:{class_path}", classes.path().display()), class, hosts]);
    command
}

fn assert_passed(run: &Output, tests: usize) {
    let output = text(run);
    let passed = output.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(run.status.success() && passed == tests, "{passed} of {tests} passed:\n{output}");
}

/// All of the Java client's API.
fn run(hosts: &str) {
    let classes = compile("client", ZOOKEEPER_CLASS_PATH);
    assert_passed(&java(&classes, ZOOKEEPER_CLASS_PATH, "ClientTest", hosts).output().unwrap(), CLIENT_TESTS);
}

#[test]
fn the_java_client_works() {
    if can_run("the_java_client_works") {
        let server = Server::start_with(Target::from_env(), SETTINGS);
        run(&server.addr().to_string());
    }
}

#[test]
fn the_java_client_works_with_three_servers() {
    if can_run("the_java_client_works_with_three_servers") {
        let ensemble = Ensemble::of(&Plan { target: Target::from_env(), settings: SETTINGS, ..Plan::default() });
        run(&hosts(&ensemble));
    }
}

#[test]
fn curators_recipes_keep_their_promises_while_leaders_die() {
    const TEST: &str = "curators_recipes_keep_their_promises_while_leaders_die";
    if !can_run(TEST) {
        return;
    }
    if !Path::new("/usr/share/java/curator-recipes.jar").exists() {
        return skipped(TEST, "no Curator: install libcurator-recipes-java");
    }
    let jars = ["curator-recipes", "curator-framework", "curator-client", "guava"];
    let jars: String = jars.iter().map(|jar| format!("/usr/share/java/{jar}.jar:")).collect();
    let class_path = jars + ZOOKEEPER_CLASS_PATH;
    let classes = compile("curator", &class_path);

    let plan = Plan { target: Target::from_env(), settings: SETTINGS, ..Plan::default() };
    let mut ensemble = Ensemble::of(&plan);
    let mut command = java(&classes, &class_path, "CuratorTest", &hosts(&ensemble));
    dies_with_us(&mut command);
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    if wait_for_line(&mut program, "running") {
        for _ in 0..3 {
            let leader = ensemble.leader();
            wait_for_writes(&ensemble, leader, 200);
            ensemble.kill(leader);
            let survivors: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
            let next = ensemble.leader_among(&survivors);
            wait_for_writes(&ensemble, next, 200);
            ensemble.restart(leader);
        }
        // Whether it still listens is seen by what it says next.
        let _ = program.stdin.take().unwrap().write_all(b"finish\n");
    }
    assert_passed(&program.wait_with_output().unwrap(), RECIPES);
}

fn hosts(ensemble: &Ensemble) -> String {
    let hosts: Vec<String> = ensemble.addrs().iter().map(ToString::to_string).collect();
    hosts.join(",")
}

/// Whether the program says this before it ends. What it says behind it is not touched: it waits for an answer.
fn wait_for_line(program: &mut Child, wanted: &str) -> bool {
    let mut line = String::new();
    let mut output = BufReader::with_capacity(1, program.stdout.as_mut().unwrap());
    while output.read_line(&mut line).is_ok_and(|read| read > 0) {
        if line.trim_end() == wanted {
            return true;
        }
        line.clear();
    }
    false
}

/// Waits until a server has seen so many more transactions.
fn wait_for_writes(ensemble: &Ensemble, at: usize, count: u64) {
    let seen = || {
        let zxid = ensemble
            .word(at, "srvr")
            .lines()
            .find_map(|line| u64::from_str_radix(line.strip_prefix("Zxid: 0x")?, 16).ok());
        zxid.unwrap_or_default()
    };
    let from = seen();
    ensemble.wait_until(&format!("{count} transactions at server {at}"), |_| seen() >= from + count);
}
