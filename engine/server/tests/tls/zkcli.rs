//! Debian's ZooKeeper client over TLS, which speaks through Netty and Java's TLS.

use super::Secure;
use super::pki::write;
use super::support::process::ZOOKEEPER_CLASS_PATH;
use super::support::server::Target;
use super::support::skipped;
use std::process::{Command, Stdio};

/// The shell's commands, each in a session of its own kind of TLS.
const SCRIPT: &str = "create /java hello auth::cdrwa\ngetAcl /java\nget /java\nwhoami\n";

#[test]
fn zkcli_of_debian_is_served() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return skipped("zkcli_of_debian_is_served", &reason);
    }
    let secure = Secure::start(&[]);
    write(secure.dir.path(), "client.pem", &secure.authority.issue("java").pem);
    write(secure.dir.path(), "input", SCRIPT);
    let heard = shell(&secure);
    for expected in ["'x509,'CN=java%2CO=Example\n: cdrwa", "\nhello\n", "x509: CN=java,O=Example"] {
        assert!(heard.contains(expected), "{expected:?} is missing in\n{heard}");
    }
}

fn shell(secure: &Secure) -> String {
    let file = |name: &str| secure.dir.path().join(name);
    let store = |what: &str, name: &str| format!("-Dzookeeper.ssl.{what}.location={}", file(name).display());
    let output = Command::new("java")
        .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-Dzookeeper.client.secure=true"])
        .arg("-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty")
        .args([store("keyStore", "client.pem"), store("trustStore", "ca.pem")])
        .args(["-cp", ZOOKEEPER_CLASS_PATH, "org.apache.zookeeper.ZooKeeperMain"])
        .args(["-server", &format!("localhost:{}", secure.port)])
        .stdin(std::fs::File::open(file("input")).unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
