//! `loadgen run` against the null server: counts, latencies, the document.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;
use support::null_server::{Conduct, NullServer, Trouble};
use support::{await_that, finish, loadgen, logged_by, number, signal, start, start_with};

#[test]
fn as_many_latencies_as_operations_in_a_closed_loop() {
    let server = NullServer::start(Conduct::default());
    for (connections, depth, threads) in [(1, 1, 1), (8, 16, 1), (7, 3, 3)] {
        let before = server.sets();
        let ran = loadgen(&format!(
            "run -s {} -c {connections} -d {depth} --threads {threads} --read-ratio 0 --keys 50 -w 0s --ops 20_001",
            server.address
        ))
        .expect(0);
        let result = ran.result();
        assert_eq!(number(result, "operations"), 20_001.0, "{ran:#?}");
        assert_eq!(number(result, "kinds/set/operations"), 20_001.0);
        assert_eq!(number(result, "completed"), 20_001.0);
        assert_eq!(server.sets() - before, 20_001, "what the server counted");
        assert!(result["kinds"]["set"]["service_us"].is_null(), "a closed loop has one latency");
    }
    let (sessions, closes) = (&server.counts.sessions, &server.counts.closes);
    await_that("the close of every session", || sessions.load(Ordering::Relaxed) == closes.load(Ordering::Relaxed));
}

#[test]
fn operations_of_the_warmup_are_sent_but_not_measured() {
    let server = NullServer::start(Conduct::default());
    // By schedule: how many a warm-up of a closed loop has is the machine's matter.
    let ran = loadgen(&format!(
        "run -s {} -c 2 -d 4 --read-ratio 0 --keys 9 -w 300ms -n 1000 --rate 1000 --arrival fixed",
        server.address
    ))
    .expect(0);
    assert_eq!(number(ran.result(), "operations"), 1_000.0);
    assert_eq!(server.sets(), 1_300, "a warm-up, and what was measured");
}

#[test]
fn an_open_loop_sends_what_its_schedule_says() {
    let server = NullServer::start(Conduct::default());
    for threads in [1, 2] {
        let before = server.sets();
        let ran = loadgen(&format!(
            "run -s {} -c 4 -d 8 --threads {threads} --read-ratio 0 --keys 9 -w 200ms -t 5s --rate 400 --arrival fixed",
            server.address
        ))
        .expect(0);
        let result = ran.result();
        assert_eq!(number(result, "operations"), 2_000.0, "{ran:#?}");
        assert_eq!(number(result, "unsent"), 0.0);
        assert_eq!(server.sets() - before, 2_080, "warm-up and window");
        assert_eq!(number(result, "offered_rate"), 400.0);
    }
    let ran = loadgen(&format!("run -s {} -c 4 --rate 1000 -w 0s -n 500 --keys 9", server.address)).expect(0);
    assert_eq!(number(ran.result(), "operations"), 500.0, "Poisson, by number");
}

/// All bounds are lower bounds that hold on any machine: the stall is no shorter than it is, and latency counts from
/// a schedule that the server cannot move.
#[test]
fn a_stall_shows_in_full_because_latency_counts_from_the_intended_time() {
    let stall = Trouble::Stall(Duration::from_millis(200));
    let server = NullServer::start(Conduct { trouble: Some((500, stall)), ..Conduct::default() });
    let ran = loadgen(&format!(
        "run -s {} -c 1 -d 1 --read-ratio 0 --keys 9 -w 0s -n 2000 --rate 1000 --arrival fixed",
        server.address
    ))
    .expect(0);
    let set = &ran.result()["kinds"]["set"];
    assert_eq!(number(set, "operations"), 2_000.0);
    assert!(number(set, "latency_us/max") >= 199_000.0, "{set:#}");
    // 50 of 2,000 operations were meant to start in the first 50 ms of the stall.
    assert!(number(set, "latency_us/p99") >= 148_000.0, "{set:#}");
    // Only the operation that was being served knows of the stall; the others' waiting is not in their service time.
    assert!(number(set, "service_us/max") >= 199_000.0, "{set:#}");
    let waiting = number(set, "latency_us/mean") - number(set, "service_us/mean");
    assert!(waiting >= 8_000.0, "200 operations waited 100 ms on average: {waiting} µs over 2,000\n{set:#}");
}

#[test]
fn a_server_that_cannot_keep_up_is_said_so() {
    // Longer than the time in which overdue operations are still sent.
    let stall = Trouble::Stall(Duration::from_secs(5));
    let server = NullServer::start(Conduct { trouble: Some((50, stall)), ..Conduct::default() });
    let ran = loadgen(&format!(
        "run -s {} -c 1 -d 1 --read-ratio 0 --keys 9 -w 0s -t 500ms --rate 1000 --arrival fixed --session-timeout 60s",
        server.address
    ))
    .expect(0);
    let (answered, unsent) = (number(ran.result(), "operations"), number(ran.result(), "unsent"));
    assert!(unsent >= 400.0, "{ran:#?}");
    assert_eq!(answered + unsent, 500.0, "nothing is lost between them");
    assert!(ran.stdout.contains("did not keep up"), "{}", ran.stdout);
}

#[test]
fn a_mix_is_counted_by_kind() {
    let server = NullServer::start(Conduct::default());
    let mix = "set=3,get=3,create=2,delete=2,exists=1,children=1";
    let ran = loadgen(&format!("run -s {} -c 3 -d 5 --mix {mix} --keys 500 -w 0s -n 12000 --seed 5", server.address))
        .expect(0);
    let result = ran.result();
    let kinds = result["kinds"].as_object().unwrap();
    assert_eq!(kinds.len(), 6);
    let sum: f64 = kinds.values().map(|kind| number(kind, "operations")).sum();
    assert_eq!(sum, 12_000.0);
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed) as f64;
    assert_eq!(number(result, "kinds/set/operations"), count(&server.counts.sets));
    assert_eq!(number(result, "kinds/get/operations"), count(&server.counts.gets));
    assert_eq!(number(result, "kinds/delete/operations"), count(&server.counts.deletes));
    assert!(number(result, "kinds/create/operations") >= number(result, "kinds/delete/operations"));
    assert!((2_500.0..3_500.0).contains(&number(result, "kinds/get/operations")), "seed 5: {result:#}");
}

#[test]
fn error_replies_are_counted_by_code_and_change_the_exit_status() {
    let server = NullServer::start(Conduct { trouble: Some((10, Trouble::Error(-101))), ..Conduct::default() });
    let ran = loadgen(&format!("run -s {} -c 1 -d 4 --read-ratio 0 --keys 9 -w 0s -n 100", server.address)).expect(3);
    let set = &ran.result()["kinds"]["set"];
    assert_eq!(number(set, "errors/NoNode (-101)"), 1.0);
    assert_eq!(number(set, "operations"), 100.0, "the failed one was answered, too");
    assert!(ran.stdout.contains("NoNode (-101): 1"), "{}", ran.stdout);
}

#[test]
fn an_interrupt_ends_the_run_and_keeps_what_there_is() {
    let server = NullServer::start(Conduct::default());
    let running = start(&format!("run -s {} -c 2 -d 2 --read-ratio 0 --keys 9 -w 0s -t 1h", server.address));
    await_that("a thousand sets", || server.sets() > 1_000);
    signal(&running.0, libc::SIGINT);
    let ran = finish(running).expect(130);
    assert_eq!(ran.result()["status"], "interrupted");
    assert!(number(ran.result(), "operations") > 500.0, "{ran:#?}");
    assert!(ran.stdout.contains("Interrupted"), "{}", ran.stdout);
}

#[test]
fn the_log_of_latencies_has_every_operation_under_the_name_of_its_kind() {
    let server = NullServer::start(Conduct::default());
    let (ran, logged) = logged_by(&format!(
        "run -s {} -c 2 -d 4 --mix set=1,get=1 --keys 9 -w 100ms -n 1000 --rate 5000",
        server.address
    ));
    for kind in ["set", "get"] {
        let measured = number(ran.result(), &format!("kinds/{kind}/operations"));
        assert_eq!(logged[kind] as f64, measured, "{logged:?}");
        assert_eq!(logged[&format!("{kind}.service")] as f64, measured, "{logged:?}");
    }
    let ran = loadgen(&format!("run -s {} --keys 9 -n 10 -w 0s --hdr-log /no/such/place", server.address)).expect(1);
    assert!(ran.stderr.contains("cannot write /no/such/place"), "{}", ran.stderr);
}

#[test]
fn a_threshold_that_is_passed_has_an_exit_status() {
    let run = |threshold: &str| {
        let server = NullServer::start(Conduct { trouble: Some((10, Trouble::Error(-101))), ..Conduct::default() });
        let line = format!("run -s {} --read-ratio 0 --keys 9 -w 0s -n 100 --quiet", server.address);
        let mut arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        arguments.extend(["--fail-if".into(), threshold.into()]);
        finish(start_with(&arguments))
    };
    let ran = run("errors > 0").expect(4);
    assert!(ran.stderr.contains("past the threshold errors > 0: errors is 1\n"), "{}", ran.stderr);
    assert_eq!(ran.json.unwrap()["settings"]["fail_if"][0], "errors > 0");
    run("errors > 1").expect(0);
    run("set.p99 > 0us").expect(4);
    run("rate < 1").expect(3);
    let ran = run("get.p99 > 1s").expect(4);
    assert!(ran.stderr.contains("there is no get.p99"), "no gets were asked for: {}", ran.stderr);
}

#[test]
fn processes_are_accounted_for() {
    let server = NullServer::start(Conduct::default());
    let me = std::process::id();
    let ran = loadgen(&format!(
        "run -s {} -c 4 -d 16 --read-ratio 0 --keys 9 -w 100ms -t 1s --server-pid {me}",
        server.address
    ))
    .expect(0);
    let cost = &ran.result()["server"];
    assert_eq!(cost["pids"][0], me);
    assert!(number(cost, "cpu_us_per_op") > 0.0 && number(cost, "rss_bytes_after") > 1e5, "{cost:#}");
    assert!(number(ran.result(), "loadgen/cpu_us_per_op") > 0.0);
}

#[test]
fn progress_goes_to_standard_error_in_plain_lines_where_there_is_no_terminal() {
    let server = NullServer::start(Conduct::default());
    let ran = loadgen(&format!("run -s {} -c 4 --keys 9 -w 3s -t 3s --report-every 1", server.address)).expect(0);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let (warm, measured): (Vec<&str>, Vec<&str>) = lines.iter().partition(|line| line.contains("warming up"));
    let tells = |line: &&str| line.contains("/s  p50 ") && line.contains("no errors");
    assert!(warm.iter().any(tells) && measured.iter().any(tells), "{lines:?}");
    assert!(!ran.stderr.contains('\x1b') && !ran.stderr.contains('\r'));
}

/// Fields that programs rely on, with their types: n number, s string, a array, o object, b truth, N number or null, S string
/// or null.
const SCHEMA: &[(&str, char)] = &[
    ("schema", 'n'),
    ("command", 's'),
    ("started_ms", 'n'),
    ("settings/servers", 'a'),
    ("settings/connections", 'n'),
    ("settings/depth", 'n'),
    ("settings/value_size", 'n'),
    ("settings/mix", 's'),
    ("settings/seed", 'n'),
    ("settings/duration", 'n'),
    ("settings/warmup", 'n'),
    ("settings/rate", 'N'),
    ("settings/key_distribution", 's'),
    ("settings/fail_if", 'a'),
    ("environment/loadgen", 's'),
    ("environment/kernel", 's'),
    ("environment/cpu", 's'),
    ("environment/cores", 'n'),
    ("environment/memory_bytes", 'n'),
    ("environment/virtual_machine", 'b'),
    ("environment/clock_source", 'S'),
    ("environment/file_system", 'S'),
    ("environment/disk", 'S'),
    ("result/status", 's'),
    ("result/failures", 'a'),
    ("result/seconds", 'n'),
    ("result/operations", 'n'),
    ("result/completed", 'n'),
    ("result/rate", 'n'),
    ("result/offered_rate", 'N'),
    ("result/unsent", 'n'),
    ("result/unanswered", 'n'),
    ("result/events", 'n'),
    ("result/all/operations", 'n'),
    ("result/all/errors", 'o'),
    ("result/kinds/set/operations", 'n'),
    ("result/kinds/set/latency_us/mean", 'n'),
    ("result/kinds/set/latency_us/min", 'n'),
    ("result/kinds/set/latency_us/p50", 'n'),
    ("result/kinds/set/latency_us/p90", 'n'),
    ("result/kinds/set/latency_us/p99", 'n'),
    ("result/kinds/set/latency_us/p99_9", 'n'),
    ("result/kinds/set/latency_us/p99_99", 'n'),
    ("result/kinds/set/latency_us/max", 'n'),
    ("result/kinds/get/service_us/p50", 'n'),
    ("result/kinds/get/distribution", 'a'),
    ("result/server/pids", 'a'),
    ("result/server/cpu_us_per_op", 'n'),
    ("result/server/user_us_per_op", 'n'),
    ("result/server/system_us_per_op", 'n'),
    ("result/server/cores", 'n'),
    ("result/server/rss_bytes_before", 'n'),
    ("result/server/rss_bytes_after", 'n'),
    ("result/server/threads", 'n'),
    ("result/loadgen/cpu_us_per_op", 'n'),
    ("result/loadgen/cores", 'n'),
    ("result/course", 'a'),
];

#[test]
fn the_document_has_the_fields_that_programs_rely_on() {
    let server = NullServer::start(Conduct::default());
    let ran = loadgen(&format!(
        "run -s {} --keys 9 -w 100ms -t 2100ms --rate 500 --server-pid {}",
        server.address,
        std::process::id()
    ))
    .expect(0);
    let document = ran.json.as_ref().unwrap();
    for (path, kind) in SCHEMA {
        let value = path.split('/').fold(document, |value, key| &value[key]);
        let right = match kind {
            'n' => value.is_number(),
            's' => value.is_string(),
            'a' => value.is_array(),
            'o' => value.is_object(),
            'b' => value.is_boolean(),
            'S' => value.is_string() || value.is_null(),
            _ => value.is_number() || value.is_null(),
        };
        assert!(right, "{path} is {value}\n{document:#}");
    }
    let course = ran.result()["course"].as_array().unwrap();
    for key in ["phase", "at_s", "rate", "p50_us", "p90_us", "p99_us", "p99_9_us", "max_us", "errors"] {
        assert!(course.iter().all(|point| point.get(key).is_some()), "{key}: {course:#?}");
    }
    let measured = course.iter().filter(|point| point["phase"] == "measure").count();
    assert!(measured >= 2, "{course:#?}");
}

#[test]
fn every_kind_works_and_events_of_watches_are_counted() {
    let server = NullServer::start(Conduct::default());
    let mix = "multi:3=1,check-set=1,ephemeral=2,watch=2,get=1";
    let ran = loadgen(&format!("run -s {} -c 3 -d 5 --mix {mix} --keys 500 -w 0s -n 7000 --seed 5", server.address))
        .expect(0);
    let operations = |kind: &str| number(ran.result(), &format!("kinds/{kind}/operations"));
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed) as f64;
    assert_eq!(operations("multi") + operations("check-set"), count(&server.counts.multis));
    assert_eq!(operations("release"), count(&server.counts.deletes));
    let open = operations("ephemeral") - operations("release");
    assert!((0.0..=3.0).contains(&open), "at most one on each connection: {open}");
    assert_eq!(operations("watch"), count(&server.counts.watches));
    assert!((1_800.0..2_200.0).contains(&operations("watch")), "seed 5: {}", operations("watch"));
    // Events behind the last reply are not waited for.
    let events = number(ran.result(), "events");
    assert!((operations("watch") - 15.0..=operations("watch")).contains(&events), "{events}");
    assert!(ran.stdout.contains("events of watches received"), "{}", ran.stdout);
}

#[test]
fn a_workload_file_is_run_and_flags_override_it() {
    let server = NullServer::start(Conduct::default());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        let ran =
            loadgen(&format!("run -s {} --workload {} -c 5 -w 0s -n 2000", server.address, path.display())).expect(0);
        assert_eq!(number(ran.result(), "operations"), 2_000.0, "{}", path.display());
        let settings = &ran.json.as_ref().unwrap()["settings"];
        assert_eq!(settings["connections"], 5, "as the flag says");
        assert!(number(settings, "keys") < 10_000.0, "as the file says: {settings:#}");
    }
    let help = loadgen("help run").expect(0).stdout;
    assert!(names.iter().all(|name| help.contains(name.as_str())), "{names:?} are named by the help");
}

#[test]
fn the_highest_rate_that_holds_is_found() {
    // The first step has an error, whatever the machine does.
    let server = NullServer::start(Conduct { trouble: Some((1, Trouble::Error(-101))), ..Conduct::default() });
    let line = format!("run -s {} --read-ratio 0 --keys 9 -w 0s -t 1s --rate 1000", server.address);
    let search = |bound: &str| {
        let mut arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        arguments.extend(["--until-saturated".into(), bound.into()]);
        finish(start_with(&arguments))
    };
    let ran = search("p99 <= 10m").expect(0);
    let found = &ran.result()["saturation"];
    let steps = found["steps"].as_array().unwrap();
    assert_eq!(
        (steps[0]["held"].as_bool(), steps[0]["verdict"].as_str()),
        (Some(false), Some("replies with an error: 1"))
    );
    assert_eq!(number(&steps[1], "offered_rate"), 250.0, "{found:#}");
    // How far it comes is the machine's matter. In a window as short as this nothing has to be quick.
    assert!(number(found, "rate") < 1_000.0 && number(found, "broke_at") > number(found, "rate"), "{found:#}");
    assert_eq!(number(ran.result(), "offered_rate"), number(found, "rate"), "the result is the step that was found");
    assert!(ran.stdout.contains("p99 <= 10m holds up to "), "{}", ran.stdout);
    assert!(ran.stderr.contains("step 1: 1,000/s: replies with an error: 1"), "{}", ran.stderr);
    let ran = search("p99 < 0us").expect(4);
    assert!(ran.stderr.contains("step 3: 62.5/s: ") && ran.stderr.contains("step 5: 3.90625/s: "), "{}", ran.stderr);
    assert!(ran.stdout.contains("holds at no rate"), "{}", ran.stdout);
    assert!(ran.result()["saturation"]["rate"].is_null());
}

/// The machine can only make a rate break sooner: the last step may hold or not, and the result is of the highest that did.
#[test]
fn the_result_of_a_search_is_the_step_that_held() {
    let server = NullServer::start(Conduct::default());
    let line = format!("run -s {} --read-ratio 0 --keys 9 -w 0s -t 1s --rate 1000 --arrival fixed", server.address);
    let mut arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    // More than 300 a second are more than the bound allows, and with them ends the search.
    arguments.extend(["--until-saturated".into(), "rate < 300".into()]);
    let ran = finish(start_with(&arguments)).expect(0);
    let found = &ran.result()["saturation"];
    assert!(number(found, "rate") < number(found, "broke_at"), "{found:#}");
    assert_eq!(number(ran.result(), "offered_rate"), number(found, "rate"), "{found:#}");
}

#[test]
fn a_rate_at_which_the_servers_fall_behind_does_not_hold() {
    // Nothing is completed in the first step's window.
    let stall = Trouble::Stall(Duration::from_secs(3));
    let server = NullServer::start(Conduct { trouble: Some((1, stall)), ..Conduct::default() });
    let line = format!(
        "run -s {} -c 1 -d 1 --read-ratio 0 --keys 9 -w 0s -t 1s --rate 1000 --arrival fixed --session-timeout 60s",
        server.address
    );
    let mut arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    arguments.extend(["--until-saturated".into(), "p99 < 0us".into()]);
    let ran = finish(start_with(&arguments)).expect(4);
    assert!(ran.stderr.contains("step 1: 1,000/s: only 0/s were completed\n"), "{}", ran.stderr);
}
