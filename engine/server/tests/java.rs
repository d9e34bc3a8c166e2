//! Debian's Java client against the server: `java/ClientTest.java`, compiled here, prints one line per test.

mod support;

use std::path::Path;
use std::process::{Command, Output};
use support::process::ZOOKEEPER_CLASS_PATH;
use support::server::{Server, Target};
use support::skipped;

/// The tests that the Java program must report: one that silently does not run is a failure.
const TESTS: usize = 14;

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_java_client_works() {
    let target = Target::from_env();
    // The jars and the JVM are the same as those of the server.
    let missing = target.missing().or_else(|| Target::ZooKeeper.missing());
    let missing = missing.or_else(|| {
        let compiler = Command::new("javac").arg("-version").output();
        (!compiler.is_ok_and(|o| o.status.success())).then(|| "no javac: install default-jdk-headless".into())
    });
    if let Some(reason) = missing {
        return skipped("the_java_client_works", &reason);
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/ClientTest.java");
    let classes = tempfile::tempdir().unwrap();
    let compiled = Command::new("javac")
        .args(["-nowarn", "-cp", ZOOKEEPER_CLASS_PATH, "-d"])
        .arg(classes.path())
        .arg(&source)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "javac:\n{}", text(&compiled));

    let server = Server::start_with(target, &[("tickTime", "2000")]);
    let class_path = format!("{}:{ZOOKEEPER_CLASS_PATH}", classes.path().display());
    let run = Command::new("java")
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", &class_path, "ClientTest"])
        .arg(server.addr().to_string())
        .output()
        .unwrap();
    let output = text(&run);
    let passed = output.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(run.status.success() && passed == TESTS, "{passed} of {TESTS} passed:\n{output}");
}
