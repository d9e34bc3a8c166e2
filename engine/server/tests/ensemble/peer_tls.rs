//! TLS between servers: an ensemble that is changed over to it while it is written to, servers that the others do not take,
//! and certificates that are renewed.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::pki::{Authority, write};
use crate::support::ensemble::{Ensemble, Plan};
use crate::{check_journeys, wanderer};
use std::path::Path;

/// What servers make TLS of: files in a directory.
struct Material {
    dir: tempfile::TempDir,
    authority: Authority,
}

impl Material {
    fn new() -> Material {
        let material = Material { dir: tempfile::tempdir().unwrap(), authority: Authority::new("servers") };
        material.write("good.pem", &material.authority.issue("server").pem);
        material.write("ca.pem", &material.authority.pem());
        material
    }

    fn write(&self, name: &str, text: &str) {
        // As whoever renews certificates should: the file is there at any time, whole.
        write(self.dir.path(), "new", text);
        std::fs::rename(self.dir.path().join("new"), self.path(name)).unwrap();
    }

    fn path(&self, name: &str) -> String {
        Path::join(self.dir.path(), name).display().to_string()
    }
}

#[test]
fn an_ensemble_goes_over_to_tls_while_it_is_written_to() {
    let material = Material::new();
    let (key, trust) = (material.path("good.pem"), material.path("ca.pem"));
    let mut ensemble = Ensemble::start(3);
    let settled = wanderer::start(&ensemble.addrs(), 3, 1, 0);
    let steps: [&[(&str, &str)]; 3] = [
        &[
            ("portUnification", "true"),
            ("ssl.quorum.keyStore.location", key.as_str()),
            ("ssl.quorum.trustStore.location", trust.as_str()),
        ],
        &[("sslQuorum", "true")],
        &[("portUnification", "false")],
    ];
    for step in steps {
        for at in 0..3 {
            settled.progress(200);
            ensemble.stop(at);
            ensemble.configure(at, step);
            settled.progress(200);
            ensemble.restart(at);
        }
    }
    settled.progress(200);
    assert!(check_journeys(&ensemble, &settled.stop()) > 0, "a server that stops ends its connections");
    for at in 0..3 {
        let output = ensemble.output(at);
        let links: Vec<&str> = output.lines().filter(|line| line.contains("link is up")).collect();
        assert!(links[0].contains("tls=false"), "{}", links[0]);
        // The links of its last start are among the last ones, and there are two.
        assert!(links[links.len() - 2..].iter().all(|line| line.contains("tls=true")), "{links:#?}");
    }
}

/// Three servers with TLS, of which the last is about to be one that the others do not take.
struct Odd {
    ensemble: Ensemble,
    material: Material,
}

impl Odd {
    fn start() -> Odd {
        let material = Material::new();
        let (key, trust) = (material.path("good.pem"), material.path("ca.pem"));
        let settings = [
            ("sslQuorum", "true"),
            ("ssl.quorum.keyStore.location", key.as_str()),
            ("ssl.quorum.trustStore.location", trust.as_str()),
            ("sslQuorumReloadCertFiles", "true"),
        ];
        let ensemble = Ensemble::of(&Plan { settings: &settings, ..Plan::default() });
        Odd { ensemble, material }
    }

    /// Starts one server anew with these settings; it says something of the others, and of them `other` something of it.
    fn is_turned_away(&mut self, odd: usize, settings: &[(&str, &str)], it_says: &str, (other, says): (usize, &str)) {
        let ensemble = &mut self.ensemble;
        ensemble.stop(odd);
        ensemble.configure(odd, settings);
        // A server repeats its complaints only after a while: one that has none yet is to have this.
        ensemble.stop(other);
        ensemble.restart(other);
        let before: Vec<usize> = (0..3).map(|at| ensemble.output(at).len()).collect();
        ensemble.launch(odd);
        for (at, what) in [(odd, it_says), (other, says)] {
            ensemble.wait_until(&format!("server {at} says: {what}"), |e| {
                e.output(at).get(before[at]..).is_some_and(|text| text.contains(what))
            });
        }
        assert_eq!(ensemble.mode(odd), None, "it has no leader");
    }
}

#[test]
fn servers_that_are_not_taken_are_told_of_by_both_sides_until_they_have_what_they_need() {
    let mut odd = Odd::start();
    let good = odd.material.path("good.pem");

    let foreign = odd.material.path("foreign.pem");
    odd.material.write("foreign.pem", &Authority::new("foreign").issue("server").pem);
    let it_says = "does not accept this server's certificate";
    let says = (0, "UnknownIssuer: its certificate is of an authority");
    odd.is_turned_away(2, &[("ssl.quorum.keyStore.location", foreign.as_str())], it_says, says);
    // Another file, by SIGHUP.
    odd.ensemble.reconfigure(2, &[("ssl.quorum.keyStore.location", good.as_str())]);
    odd.ensemble.wait_until_serving(2);

    let elsewhere = odd.material.path("elsewhere.pem");
    odd.material.write("elsewhere.pem", &odd.material.authority.issue_for("server", &["zk9.example.com"]).pem);
    let it_says = "is not for the host at which";
    let says = (0, "for DnsName(\"zk9.example.com\"), and server 3 is at 127.0.0.1:");
    odd.is_turned_away(2, &[("ssl.quorum.keyStore.location", elsewhere.as_str())], it_says, says);
    // The same file with other contents, which is noticed.
    odd.material.write("elsewhere.pem", &odd.material.authority.issue("server").pem);
    odd.ensemble.wait_until_serving(2);

    let both = [("sslQuorum", "false"), ("portUnification", "true")];
    let says = (0, "it does not speak TLS, which this server insists on");
    odd.is_turned_away(2, &both, "it insists on TLS", says);
    odd.ensemble.stop(2);
    odd.ensemble.configure(2, &[("sslQuorum", "true"), ("portUnification", "false")]);
    odd.ensemble.restart(2);

    let says = (1, "ended the connection in the middle of the TLS handshake");
    odd.is_turned_away(0, &[("sslQuorum", "false")], "it speaks TLS, which this server does not", says);
    odd.ensemble.stop(0);
    odd.ensemble.configure(0, &[("sslQuorum", "true")]);
    odd.ensemble.restart(0);
    odd.ensemble.wait_until_equal();

    odd.ensemble.reconfigure(1, &[("sslQuorum", "false"), ("ssl.quorum.keyStore.location", "/nowhere")]);
    for said in
        ["TLS between servers begins or ends with a restart", "ssl.quorum.keyStore.location=/nowhere needs a restart"]
    {
        odd.ensemble.wait_until(said, |ensemble| ensemble.output(1).contains(said));
    }
}
