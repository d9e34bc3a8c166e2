//! `loadgen compare` with servers of its own.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use support::{Ran, await_that, finish, free_port, number, signal, skipped, start_with};

/// A place for a comparison: its definition, its results, and its servers' data.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn arguments(&self, definition: &str) -> Vec<String> {
        fs::write(self.path("compare.toml"), definition).unwrap();
        let path = |name: &str| self.path(name).display().to_string();
        ["compare".into(), path("compare.toml"), "-o".into(), path("out"), "--dir".into(), path("data")].into()
    }

    fn compare(&self, definition: &str) -> Ran {
        finish(start_with(&self.arguments(definition)))
    }

    fn document(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path("out/compare.json")).unwrap()).unwrap()
    }

    fn page(&self) -> String {
        fs::read_to_string(self.path("out/compare.md")).unwrap()
    }

    /// No server runs any more, and no data are left.
    fn assert_clean(&self) {
        assert_eq!(fs::read_dir(self.path("data")).unwrap().count(), 0);
        let mark = self.path("data").display().to_string();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let line =
                String::from_utf8_lossy(&fs::read(entry.path().join("cmdline")).unwrap_or_default()).into_owned();
            assert!(!line.contains(&mark), "{line} runs still");
        }
    }
}

/// How many connections a server has.
fn connections(server: &str) -> usize {
    let Ok(mut stream) = TcpStream::connect(server) else { return 0 };
    let mut text = String::new();
    let asked = stream.write_all(b"srvr").and_then(|()| stream.read_to_string(&mut text));
    let count = text.lines().find_map(|line| line.strip_prefix("Connections: ")?.parse().ok());
    asked.map_or(0, |_| count.unwrap_or(0))
}

/// The server of the same build; `None`, with the reason printed, if there is none.
fn ringkeeper() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_BIN_EXE_loadgen")).with_file_name("ringkeeper");
    if !program.exists() {
        skipped(&format!("{} is not built (cargo build -p ringkeeper)", program.display()));
        return None;
    }
    Some(program)
}

#[test]
fn variants_take_turns_and_every_repetition_is_kept() {
    let Some(program) = ringkeeper() else { return };
    let place = Place::new();
    let definition = format!(
        "title = 'Two <drivers>'\nservers = 1\nrepetitions = 2\n\
         [[variant]]\nname = 'r'\nbinary = '{0}'\n[variant.matrix]\nlog.durability = ['always', 'os']\n\
         [[variant]]\nname = 'by command'\nkind = 'command'\naddresses = ['127.0.0.1:{1}']\n\
         start = 'exec {0} serve --data-dir {{dir}}/x --client-port {1} --set clientPortAddress=127.0.0.1'\n\
         [[workload]]\nname = 'sets'\nrun = '-c 2 --read-ratio 0 --keys 9 -w 0s -n 300'\n\
         [[workload]]\nname = 'gets'\nrun = '-c 2 --read-ratio 1 --keys 9 -w 0s -n 300'\n",
        program.display(),
        free_port()
    );
    let ran = place.compare(&definition).expect(0);
    let result = &place.document()["result"];
    let cells = result["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 6, "three variants, two workloads");
    for cell in cells {
        let repetitions = cell["repetitions"].as_array().unwrap();
        assert_eq!(repetitions.len(), 2, "{cell:#}");
        assert!(repetitions.iter().all(|one| number(one, "operations") == 300.0));
        for figure in ["rate", "p50_us", "p99_us", "rss_bytes"] {
            let spread = &cell["spread"][figure];
            assert_eq!(number(spread, "count"), 2.0, "{figure}: {cell:#}");
            assert!(number(spread, "min") <= number(&cell["median"], figure), "{figure}: {cell:#}");
        }
    }
    let count = |what: &str| result[what].as_array().unwrap().len();
    assert_eq!(count("findings"), 6, "three pairs under each of two loads");
    assert_eq!(count("best"), 2, "one under each");
    // A B C A B C.
    let order: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("repetition")).collect();
    assert_eq!(order.len(), 12, "{}", ran.stderr);
    for (line, says) in order.iter().step_by(2).zip(["always", "os", "command", "always", "os", "command"]) {
        assert!(line.contains(says) && line.ends_with(": sets"), "{says}: {line}");
    }
    let page = place.page();
    assert!(page.starts_with("# Two &lt;drivers>") && page.contains("| r log.durability=os | "), "{page}");
    assert!(ran.stdout.contains(&page));
    assert_eq!(fs::read_dir(place.path("out/runs")).unwrap().count(), 36, "a JSON, a log and a text of each");
    assert_eq!(fs::read_dir(place.path("out/logs")).unwrap().count(), 6);
    assert!(fs::read_to_string(place.path("out/report.html")).unwrap().contains("Two &lt;drivers"));
    assert!(fs::read_dir(place.path("out/pictures")).unwrap().count() > 0);
    place.assert_clean();
    let again = place.compare(&definition).expect(1);
    assert!(again.stderr.contains("has results already"), "{}", again.stderr);
}

#[test]
fn a_leader_is_killed_and_the_server_that_came_back_is_ended_too() {
    let Some(program) = ringkeeper() else { return };
    let place = Place::new();
    let silence = "'ensemble.silence.min.ms' = 5000\n'ensemble.silence.max.ms' = 5000\n";
    let short = "--lead 200ms --downtime 200ms --settle 200ms --clients 1 --session-timeout 9s -n 1";
    let definition = format!(
        "repetitions = 1\n[settings]\ntickTime = 500\n{silence}[[variant]]\nname = 'r'\nbinary = '{}'\n\
         [[workload]]\nname = 'kill'\nfailover = '{short}'\n[[workload]]\nname = 'sets'\nrun = '-c 3 --keys 9 -w 0s -n 90'\n",
        program.display()
    );
    place.compare(&definition).expect(0);
    let cells = &place.document()["result"]["cells"];
    assert!(number(&cells[0]["median"], "write_gap_p50_ms") > 0.0, "{cells:#}");
    assert_eq!(number(&cells[0]["median"], "lost_writes"), 0.0);
    assert_eq!(cells[1]["repetitions"][0]["server"]["pids"].as_array().unwrap().len(), 3, "those of now");
    place.assert_clean();
}

#[test]
fn an_interrupt_ends_the_servers_and_keeps_what_was_measured() {
    let Some(program) = ringkeeper() else { return };
    let place = Place::new();
    let definition = format!(
        "servers = 1\n[[variant]]\nname = 'r'\nbinary = '{}'\n\
         [[workload]]\nname = 'short'\nrun = '--keys 9 -w 0s -n 90'\n[[workload]]\nname = 'endless'\nrun = '--keys 9 -w 0s -t 9h'\n",
        program.display()
    );
    let running = start_with(&place.arguments(&definition));
    // Its sessions are there: from then on an interrupt finds somebody who heeds it.
    await_that("the second load", || {
        let said = fs::read_to_string(place.path("out/runs/r-endless-1.txt")).unwrap_or_default();
        let server = said.split(' ').find(|word| word.starts_with("127.0.0.1:"));
        server.is_some_and(|server| connections(server) > 10)
    });
    signal(&running.0, libc::SIGINT);
    let ran = finish(running).expect(130);
    assert!(ran.stderr.contains("interrupted"), "{}", ran.stderr);
    let document = place.document();
    assert_eq!(document["result"]["status"], "interrupted");
    let kept = |cell: usize| document["result"]["cells"][cell]["repetitions"].as_array().unwrap().len();
    assert_eq!((kept(0), kept(1)), (1, 0));
    // The run itself was asked to end, and not cut off.
    let said = fs::read_to_string(place.path("out/runs/r-endless-1.txt")).unwrap();
    assert!(said.contains("loadgen: interrupted"), "{said}");
    place.assert_clean();
}

#[test]
fn a_variant_that_does_not_start_ends_with_its_last_words() {
    let place = Place::new();
    let definition = format!(
        "repetitions = 1\n[[variant]]\nname = 'mute'\nkind = 'command'\nstart = 'echo the disk is full; exit 7'\n\
         addresses = ['127.0.0.1:{}']\n[[workload]]\nname = 'w'\nrun = '-n 9'\n",
        free_port()
    );
    let ran = place.compare(&definition).expect(1);
    assert!(ran.stderr.contains("mute did not start") && ran.stderr.contains("the disk is full"), "{}", ran.stderr);
    assert!(!place.path("out/compare.json").exists(), "nothing was measured");
    place.assert_clean();
}

#[test]
fn servers_that_are_there_already_are_not_measured_in_anothers_place() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            drop(stream);
        }
    });
    let definition = format!(
        "[[variant]]\nname = 'c'\nkind = 'command'\nstart = 'true'\naddresses = ['{address}']\n\
         [[workload]]\nname = 'w'\nrun = '-n 9'\n"
    );
    let ran = place.compare(&definition).expect(1);
    assert!(ran.stderr.contains(&format!("something listens on {address} already")), "{}", ran.stderr);
    place.assert_clean();
}

#[test]
fn bad_definitions_are_refused_before_anything_is_started() {
    let place = Place::new();
    for (definition, says) in [
        ("servers = 'three'\n", "compare.toml: TOML parse error at line 1"),
        (
            "[[variant]]\nname = 'r'\nbinary = '/no/such'\n[[workload]]\nname = 'w'\nrun = '-n 9'\n",
            "no program /no/such",
        ),
        ("[[variant]]\nname = 'r'\nbinary = '/bin/sh'\n[[workload]]\nname = 'w'\nrun = '-x'\n", "workload \"w\""),
    ] {
        let ran = place.compare(definition).expect(1);
        assert!(ran.stderr.contains(says), "{definition}: {}", ran.stderr);
        assert!(!place.path("out").exists());
    }
    let ran = finish(start_with(&["compare", "/no/such.toml", "-o", "x"].map(str::to_owned))).expect(1);
    assert!(ran.stderr.contains("cannot read /no/such.toml"), "{}", ran.stderr);
    let plan = "compare -o x --variant a=ringkeeper:/bin/sh --variant b=ringkeeper:/bin/true --plan --run";
    let line: Vec<String> = plan.split(' ').map(str::to_owned).chain(["-c 2 -t 60s -w 0s".into()]).collect();
    let ran = finish(start_with(&line)).expect(0);
    assert!(ran.stdout.contains("3 repetitions of 2 variants with 3 servers each; 6 min in all"), "{}", ran.stdout);
}
