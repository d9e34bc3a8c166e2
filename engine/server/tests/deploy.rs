//! What `deploy/` has agrees with the program and with itself, and the server tells its starter how far it is.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod process;

use process::{check, command, scratch};
use serde_json::Value;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const RINGKEEPER: &str = env!("CARGO_BIN_EXE_ringkeeper");
const URING: [&str; 3] = ["io_uring_setup", "io_uring_enter", "io_uring_register"];

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(deploy(path)).unwrap()
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// In continuous integration nothing may be skipped.
fn skip(test: &str, reason: &str) {
    assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "{test} cannot run: {reason}");
    eprintln!("SKIPPED {test}: {reason}");
}

fn succeeds(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{said}");
    said
}

#[test]
fn whoever_started_the_server_is_told_when_it_serves_and_when_it_stops() {
    for cores in ["client.cores=0", "client.cores=2"] {
        let dir = scratch();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        // A server that says nothing is broken; how long a good one takes is not what is tested.
        socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let mut server = command(&dir.path().join("data"), &["--set", cores]);
        server.env("NOTIFY_SOCKET", &path).stderr(Stdio::null());
        // SAFETY: asks that the kernel ends the server with the test; nothing else happens between fork and exec.
        unsafe { server.pre_exec(|| check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))) };
        let mut server = server.spawn().unwrap();
        let told = |what: &str| {
            let mut buffer = [0; 512];
            loop {
                let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("waiting for {what}: {error}"));
                let told = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if told.lines().any(|line| line == what) {
                    return;
                }
            }
        };
        told("READY=1");
        let pid = libc::pid_t::try_from(server.id()).unwrap();
        // SAFETY: signals a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        told("STOPPING=1");
        assert!(server.wait().unwrap().success());
    }
}

#[test]
fn nobody_to_tell_is_no_reason_to_fail() {
    let dir = scratch();
    let mut server = command(dir.path(), &[]);
    server.env("NOTIFY_SOCKET", dir.path().join("nobody")).stderr(Stdio::piped());
    let mut server = server.spawn().unwrap();
    let stderr = io::BufReader::new(server.stderr.take().unwrap());
    let said = io::BufRead::lines(stderr).map_while(Result::ok).find(|line| line.contains("NOTIFY_SOCKET is set"));
    assert!(said.is_some());
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn unit_and_container_allow_the_same_calls() {
    let unit = text("systemd/ringkeeper.service");
    let filter = unit.lines().find_map(|line| line.strip_prefix("SystemCallFilter=")).unwrap();
    assert!(filter.starts_with("@system-service ") && URING.iter().all(|call| filter.contains(call)), "{filter}");
    let profile: Value = serde_json::from_str(&text("container/seccomp.json")).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    let allowed = profile["syscalls"][0]["names"].as_array().unwrap();
    assert!(URING.iter().all(|call| allowed.iter().any(|name| name == call)));
    for refused in ["unshare", "setns", "mount", "ptrace", "bpf", "clone3"] {
        assert!(!allowed.iter().any(|name| name == refused), "{refused}");
    }
}

/// Whoever reads such a profile takes what it does not know for nothing, or refuses to start a container: so everything in it
/// has to be of the form (docs.docker.com, "Seccomp security profiles"; runc's names of actions and comparisons).
#[test]
fn the_profile_for_containers_has_the_form_that_docker_reads() {
    const TOP: [&str; 4] = ["defaultAction", "defaultErrnoRet", "archMap", "syscalls"];
    const RULE: [&str; 4] = ["names", "action", "errnoRet", "args"];
    const ARGUMENT: [&str; 4] = ["index", "value", "valueTwo", "op"];
    const ACTIONS: [&str; 2] = ["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"];
    let keys = |value: &Value, known: &[&str]| {
        let unknown = value.as_object().unwrap().keys().filter(|key| !known.contains(&key.as_str()));
        assert_eq!(unknown.collect::<Vec<_>>(), Vec::<&String>::new(), "{value}");
    };
    let profile: Value = serde_json::from_str(&text("container/seccomp.json")).unwrap();
    keys(&profile, &TOP);
    assert!(profile["defaultErrnoRet"].is_u64());
    for arch in profile["archMap"].as_array().unwrap() {
        let all = std::iter::once(&arch["architecture"]).chain(arch["subArchitectures"].as_array().unwrap());
        assert!(all.into_iter().all(|name| name.as_str().unwrap().starts_with("SCMP_ARCH_")), "{arch}");
    }
    let mut seen = std::collections::BTreeSet::new();
    for rule in profile["syscalls"].as_array().unwrap() {
        keys(rule, &RULE);
        assert!(ACTIONS.contains(&rule["action"].as_str().unwrap()), "{rule}");
        assert_eq!(rule["action"] == "SCMP_ACT_ERRNO", rule["errnoRet"].is_u64(), "{rule}");
        for name in rule["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()) {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
            assert!(seen.insert(name), "{name} has two rules");
        }
        for argument in rule["args"].as_array().into_iter().flatten() {
            keys(argument, &ARGUMENT);
            assert!(argument["index"].as_u64().unwrap() < 6 && argument["value"].is_u64(), "{argument}");
            assert_eq!(argument["op"], "SCMP_CMP_MASKED_EQ", "{argument}");
        }
    }
    assert!(seen.len() > 200, "{} calls", seen.len());
}

/// The image is of files that are there, and its server takes the variables that it is given.
#[test]
fn the_image_is_made_of_what_is_there() {
    let recipe = text("container/Dockerfile");
    let dir = scratch();
    let mut check = Command::new(RINGKEEPER);
    check.env_clear().args(["config", "--check", "--strict"]);
    for line in recipe.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match &words[..] {
            ["COPY", from, _] if *from != "." => assert!(deploy("..").join(from).is_file(), "{line}"),
            ["ENV", variable] => {
                let (name, value) = variable.split_once('=').unwrap();
                check.env(name, value.replace("/var/lib/ringkeeper", dir.path().to_str().unwrap()));
            }
            ["ENTRYPOINT", words] => assert_eq!(*words, "[\"ringkeeper\"]"),
            ["CMD", words] => assert_eq!(*words, "[\"serve\"]"),
            _ => {}
        }
    }
    assert!(succeeds(&mut check).contains("the configuration is valid"));
    let stages = recipe.lines().filter(|line| line.starts_with("COPY --from=build ")).count();
    assert!(stages == 1 && recipe.contains(" AS build\n") && recipe.contains("/out/ringkeeper\n"), "{recipe}");
    // As nobody of the host's, and healthy when it answers.
    assert!(recipe.contains("\nUSER 10001:10001\n") && recipe.contains("CMD [\"healthy\"]\n"));
}

#[test]
fn the_unit_gives_what_doctor_asks_for() {
    let dir = scratch();
    let unit = text("systemd/ringkeeper.service");
    for line in ["Type=notify", "Restart=on-failure", "LimitMEMLOCK=64M", "LimitNOFILE=1048576", "MemorySwapMax=0"] {
        assert!(unit.lines().any(|one| one == line), "{line}");
    }
    // What the program calls "configuration refused" is not tried again.
    let mut refused = Command::new(RINGKEEPER);
    refused.args(["serve", "--data-dir"]).arg(dir.path()).args(["--tick-time", "never"]);
    let status = refused.output().unwrap().status.code().unwrap();
    let hopeless = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus=")).unwrap();
    assert!(hopeless.split(' ').any(|one| one == status.to_string()), "{status}");
    if !is_there("systemd-analyze") {
        return skip("systemd-analyze verify", "it is not installed");
    }
    // It looks for the program, so it gets a copy of the unit that names the one under test.
    let copy = dir.path().join("ringkeeper.service");
    std::fs::write(&copy, unit.replace("/usr/bin/ringkeeper", RINGKEEPER)).unwrap();
    let said = succeeds(Command::new("systemd-analyze").arg("verify").arg(&copy).env("SYSTEMD_LOG_LEVEL", "warning"));
    assert!(!said.contains("ringkeeper.service:"), "{said}");
}

/// The servers of an example are nowhere: here each is an address of this machine.
fn with_known_hosts(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("server.").and_then(|rest| rest.split_once('=')) {
        Some((id, rest)) => {
            let (_, ports) = rest.split_once(':').unwrap();
            format!("server.{id}=127.0.0.{id}:{ports}\n")
        }
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn configurations_that_are_shipped_are_valid() {
    let dir = scratch();
    let check = |text: &str, more: &[&str]| {
        let file = dir.path().join("zoo.cfg");
        let text = with_known_hosts(text).replace("/var/lib/ringkeeper", dir.path().join("data").to_str().unwrap());
        std::fs::write(&file, text).unwrap();
        succeeds(Command::new(RINGKEEPER).env_clear().args(["config", "--check"]).arg(file).args(more))
    };
    let packaged = text("debian/zoo.cfg");
    assert_eq!(check(&packaged, &[]), "the configuration is valid\n");
    // Its example of an ensemble, too.
    let ensemble = packaged.replace("#server.", "server.").replace("#ensemble.", "ensemble.");
    assert_eq!(check(&ensemble, &["--id", "2"]), "the configuration is valid\n");
    let kubernetes = text("kubernetes/ringkeeper.yaml");
    let lines = kubernetes.lines().skip_while(|line| line.trim() != "zoo.cfg: |").skip(1);
    let lines: Vec<&str> = lines.map_while(|line| line.strip_prefix("    ")).collect();
    assert!(lines.len() > 6, "{lines:?}");
    assert_eq!(check(&lines.join("\n"), &["--id", "3"]), "the configuration is valid\n");
    assert!(kubernetes.contains("RINGKEEPER_SERVER_ID"));
    // Its probes are answered where they ask.
    assert!(lines.contains(&"admin.serverPort=8080") && kubernetes.contains("containerPort: 8080"));
}

#[test]
fn the_health_check_of_containers() {
    let dir = scratch();
    let server = process::Server::start(dir.path(), &[]);
    let healthy = |port: u16| {
        let mut command = Command::new("bash");
        command.arg(deploy("container/healthy")).env("HEALTHY_PORT", port.to_string());
        command.stderr(Stdio::null()).status().unwrap().success()
    };
    assert!((0..10).any(|_| healthy(server.addr.port())), "it has three seconds each time");
    let port = server.addr.port();
    server.kill();
    assert!(!healthy(port));
}

/// With the real dpkg, in an overlay of this machine that is thrown away.
#[test]
fn the_debian_package_installs_serves_and_goes() {
    if !is_there("dpkg-deb") || !is_there("objdump") {
        return skip("the Debian package", "dpkg-deb or objdump is not installed");
    }
    let dir = scratch();
    let mut build = Command::new(deploy("debian/build"));
    let said = succeeds(build.args(["--binary", RINGKEEPER, "--output"]).arg(dir.path()));
    let package = said.lines().last().unwrap();
    let control = succeeds(Command::new("dpkg-deb").args(["--field", package]));
    assert!(control.contains("Package: ringkeeper\n") && control.contains("libc6 (>= 2."), "{control}");
    const CANNOT: i32 = 77;
    let tried = Command::new(deploy("debian/try-install")).arg(package).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&tried.stdout), String::from_utf8_lossy(&tried.stderr));
    if tried.status.code() == Some(CANNOT) {
        return skip("the installation of the Debian package", &said);
    }
    assert!(tried.status.success() && said.contains("\nall good\n"), "{said}");
}
