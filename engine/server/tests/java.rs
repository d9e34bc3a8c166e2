//! Debian's Java client against one server and against three: `java/ClientTest.java`, compiled here, prints one line per test.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::path::Path;
use std::process::{Command, Output};
use support::ensemble::{Ensemble, Plan};
use support::process::ZOOKEEPER_CLASS_PATH;
use support::server::{Server, Settings, Target};
use support::skipped;

/// The tests that the Java program must report: one that silently does not run is a failure.
const TESTS: usize = 14;

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

fn compile() -> tempfile::TempDir {
    let classes = tempfile::tempdir().unwrap();
    let sources = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java")).unwrap();
    let compiled = Command::new("javac")
        .args(["-nowarn", "-cp", ZOOKEEPER_CLASS_PATH, "-d"])
        .arg(classes.path())
        .args(sources.map(|source| source.unwrap().path()))
        .output()
        .unwrap();
    assert!(compiled.status.success(), "javac:\n{}", text(&compiled));
    classes
}

/// Runs the Java program against servers at these addresses.
fn run(hosts: &str) {
    let classes = compile();
    let class_path = format!("{}:{ZOOKEEPER_CLASS_PATH}", classes.path().display());
    let run = Command::new("java")
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", &class_path, "ClientTest"])
        .arg(hosts)
        .output()
        .unwrap();
    let output = text(&run);
    let passed = output.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(run.status.success() && passed == TESTS, "{passed} of {TESTS} passed:\n{output}");
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
        let hosts: Vec<String> = ensemble.addrs().iter().map(ToString::to_string).collect();
        run(&hosts.join(","));
    }
}
