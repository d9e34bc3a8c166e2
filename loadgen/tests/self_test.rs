//! `loadgen self-test`. That it measures, not what: figures are for idle machines.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use support::{loadgen, logged_by, number};

#[test]
fn loadgen_measures_itself() {
    let (ran, logged) = logged_by("self-test -t 3s -w 100ms --quiet --fail-if rate<1");
    let result = ran.result();
    let rate = number(result, "maximum/rate");
    assert!(rate > 0.0 && number(result, "maximum/loadgen/cpu_us_per_op") > 0.0, "{result:#}");
    // Within what text does to a number.
    assert!((number(result, "half/offered_rate") / rate - 0.5).abs() < 1e-9, "{result:#}");
    assert!(number(result, "half/all/latency_us/p99") >= number(result, "half/all/service_us/p50"));
    assert!(ran.stdout.contains("maximum rate, pipelined: ") && ran.stdout.contains("once sent"), "{}", ran.stdout);
    assert!(number(result, "floor/timer_us/p50") >= 0.0 && number(result, "floor/loopback_us/p50") > 0.0, "{result:#}");
    assert!(ran.stdout.contains("a timer's lateness"), "{}", ran.stdout);
    for (series, of) in [("maximum.get", "maximum/kinds/get"), ("half.set.service", "half/kinds/set")] {
        assert_eq!(logged[series] as f64, number(result, &format!("{of}/operations")), "{logged:?}");
    }
    let ran = loadgen("self-test -t 100ms -w 0s --rate 500 --quiet --fail-if p99>0us").expect(4);
    assert_eq!(number(ran.result(), "half/offered_rate"), 500.0);
}
