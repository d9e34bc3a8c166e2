//! Our own shell over TLS.

use super::Secure;
use super::pki::{Authority, write};
use std::process::{Command, Output};

fn cli(secure: &Secure, flags: &[&str], command: &[&str]) -> (Option<i32>, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_ringkeeper"))
        .args(["cli", "-s", &format!("localhost:{}", secure.port)])
        .args(flags)
        .args(command)
        .current_dir(secure.dir.path())
        .output()
        .unwrap();
    let both = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(both).unwrap())
}

#[test]
fn the_shell_speaks_tls() {
    let secure = Secure::start(&[]);
    let dir = secure.dir.path();
    write(dir, "me.pem", &secure.authority.issue("me").pem);
    write(dir, "stranger.pem", &Authority::new("stranger").pem());
    let properties = "zookeeper.client.secure=true\nzookeeper.ssl.trustStore.location=ca.pem\n\
                      zookeeper.ssl.keyStore.location=me.pem\n";
    write(dir, "client.cfg", properties);
    let large = "x".repeat(900_000);
    write(dir, "script", &format!("create /large {large}\nget /large\nwhoami\n"));

    let flags = ["--tls-ca", "ca.pem", "--tls-cert", "me.pem"];
    let (status, said) = cli(&secure, &[&flags[..], &["--stop", "-f", "script"]].concat(), &[]);
    assert_eq!(status, Some(0), "{}", &said[..said.len().min(400)]);
    assert!(said.contains(&large) && said.contains("x509: CN=me,O=Example"));
    let (status, said) = cli(&secure, &["-client-configuration", "client.cfg"], &["create", "/mine", "x", "auth::r"]);
    assert_eq!((status, said.as_str()), (Some(0), "Created /mine\n"));
    let (_, said) = cli(&secure, &flags, &["getAcl", "/mine"]);
    assert_eq!(said, "'x509,'CN=me%2CO=Example\n: r\n");

    // Who does not trust the server, or has no certificate where one is needed, is told so.
    let (status, said) = cli(&secure, &["--tls-ca", "stranger.pem"], &["ls", "/"]);
    assert!(status != Some(0) && said.contains("UnknownIssuer"), "{said}");
    let (status, said) = cli(&secure, &["--tls-ca", "ca.pem"], &["ls", "/"]);
    assert!(status != Some(0) && said.to_lowercase().contains("certificate"), "{said}");
    let (status, said) = cli(&secure, &["--tls-ca", "nowhere.pem"], &["ls", "/"]);
    assert!(status != Some(0) && said.contains("--tls-ca nowhere.pem cannot be read"), "{said}");
}
