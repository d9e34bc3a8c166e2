use super::super::readings::{Change, Moments};
use super::super::tape::{Loss, Refusal, Tape};
use super::*;

const MS: Nanos = 1_000_000;

fn servers() -> Vec<Server> {
    ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(|text| text.parse().unwrap()).into()
}

fn sample(client: usize, kind: OpKind, intended_ms: u64, answered_ms: u64) -> Sample {
    Sample { client, kind, intended: intended_ms * MS, answered: answered_ms * MS }
}

/// Three clients, one for each server; server 0 leads and falls at 1,000 ms, and is started at 2,000 ms. Client 1 has its
/// first write acknowledged at 1,030 ms, client 2 at 1,040 ms, client 0 (elsewhere by then) at 1,200 ms.
fn record() -> Record {
    let mut samples = Vec::new();
    for at in (0..3_000).step_by(10) {
        for client in 0..3 {
            let down_until = [1_200, 1_030, 1_040][client];
            let answered = if (1_000..down_until).contains(&at) { down_until } else { at + 1 };
            samples.push(sample(client, OpKind::Create, at, answered));
            samples.push(sample(client, OpKind::Get, at, if client == 0 { answered } else { at + 2 }));
        }
    }
    samples.sort_by_key(|sample| sample.answered);
    let loss = Loss { client: 0, kind: "connection lost", unknown_writes: 3, unanswered_reads: 2 };
    let refusal = Refusal { client: 2, kind: OpKind::Create, code: -101 };
    Record {
        target: 0,
        leader: 0,
        began: 0,
        fault: 1_000 * MS,
        fault_us: 0.0,
        effective: 1_002 * MS,
        undone: 2_000 * MS,
        returned: Some(2_150 * MS),
        ended: 2_990 * MS,
        placed: vec![0, 1, 2],
        unrecovered: Vec::new(),
        lost_between: 1,
        change: None,
        tape: Tape {
            samples,
            losses: vec![loss],
            refusals: vec![refusal],
            expired: vec![0],
            late: 400_000,
            ..Tape::default()
        },
    }
}

#[test]
fn a_round_tells_the_gap_of_all_from_that_of_each_client() {
    let found = RoundFindings::of(&record(), &servers());
    assert_eq!((found.server.as_str(), found.led), ("127.0.0.1:1", true));
    // From 991 ms, the last acknowledgement before the fault, to 1,030 ms.
    assert_eq!((found.write_gap_ms, found.write_gap_open), (39.0, false));
    assert_eq!(found.first_write_after_ms, 30.0);
    assert_eq!(found.survivor_gap_ms, [39.0, 49.0]);
    assert_eq!(found.displaced_gap_ms, [209.0]);
    assert_eq!((found.steady_gap_ms, found.return_gap_ms, found.back_ms), (10.0, Some(10.0), Some(150.0)));
    assert_eq!((found.effect_ms, found.lead_ms, found.late_ms), (2.0, 1_000.0, 0.4));
}

#[test]
fn the_gap_around_the_change_is_divided_even_if_another_one_is_longer() {
    let moments = Moments { noticed: 4.0, synchronise: 10.0, first_commit: Some(3.0) };
    let mut record = Record { change: Some(Change { elect: 2.0, moments: Some(moments) }), ..record() };
    let divided = |record: &Record| {
        let phases = RoundFindings::of(record, &servers()).phases_ms.unwrap();
        phases.named().map(|(_, part)| part.unwrap())
    };
    // From 991 ms to 1,030 ms: established at 1,016, something committed at 1,019.
    let parts = [39.0, 9.0, 4.0, 2.0, 10.0, 3.0, 11.0, 0.0];
    assert_eq!(divided(&record), parts);
    // Nobody hears of anything for a while when all is long over.
    record.tape.samples.retain(|sample| !(1_500 * MS..1_900 * MS).contains(&sample.answered));
    assert!(RoundFindings::of(&record, &servers()).write_gap_ms > 400.0);
    assert_eq!(divided(&record), parts);
    // Nor did anybody for a while before the fault.
    record.tape.samples.retain(|sample| !(300 * MS..700 * MS).contains(&sample.answered));
    assert_eq!(divided(&record), parts);
}

#[test]
fn what_went_wrong_is_counted_for_the_group_of_the_client() {
    let found = RoundFindings::of(&record(), &servers());
    assert_eq!((found.displaced.connections_lost, found.survivors.connections_lost), (1, 0));
    assert_eq!(found.displaced.losses, [("connection lost", 1)].into());
    assert_eq!((found.displaced.unknown_writes, found.displaced.unanswered_reads), (3, 2));
    assert_eq!((found.displaced.sessions_expired, found.survivors.sessions_expired), (1, 0));
    assert_eq!(found.survivors.errors, [("create: NoNode (-101)".to_owned(), 1)].into());
    assert!(found.displaced.errors.is_empty());
}

#[test]
fn a_service_that_stays_away_has_an_open_gap() {
    let mut record = record();
    record.tape.samples.retain(|sample| sample.answered < 1_000 * MS);
    record.returned = None;
    let found = RoundFindings::of(&record, &servers());
    assert_eq!((found.write_gap_ms, found.write_gap_open), (1_999.0, true), "to the end of the round");
    assert_eq!((found.back_ms, found.return_gap_ms), (None, None));
}

#[test]
fn latencies_count_from_the_intended_time_and_by_group() {
    let mut gathering = Gathering::default();
    gathering.add(&record(), &servers());
    let found = gathering.conclude(Vec::new(), false, None, 0.0);
    let max = |p: Option<Percentiles>| (p.unwrap().max / 1e3).round();
    let l = found.latency_us;
    assert_eq!((max(l.steady_writes), max(l.steady_reads)), (1.0, 2.0));
    assert_eq!((max(l.survivor_writes), max(l.survivor_reads)), (40.0, 2.0), "reads of survivors go on");
    assert_eq!((max(l.displaced_writes), max(l.displaced_reads)), (200.0, 200.0));
}

#[test]
fn quantiles_are_figures_that_were_measured() {
    let q = Quantiles::of((1..=30).map(f64::from));
    assert_eq!((q.count, q.p50, q.p90, q.p99, q.max), (30, 15.0, 27.0, 30.0, 30.0));
    assert_eq!(Quantiles::of([7.0]), Quantiles { count: 1, p50: 7.0, p90: 7.0, p99: 7.0, max: 7.0 });
    assert_eq!(Quantiles::of([]), Quantiles::default());
}

#[test]
fn rounds_are_gathered() {
    let mut gathering = Gathering::default();
    let mut late = record();
    late.tape.late = 3 * MS;
    gathering.add(&record(), &servers());
    gathering.add(&late, &servers());
    let found = gathering.conclude(Vec::new(), false, Some(Verification::default()), 0.1);
    assert_eq!(found.status, Status::Complete);
    assert_eq!((found.write_gap_ms.count, found.survivor_gap_ms.count, found.displaced_gap_ms.count), (2, 4, 2));
    assert_eq!(found.displaced.unknown_writes, 6);
    assert_eq!((found.late_ms, found.lost_between), (3.0, 2));
}

#[test]
fn lost_writes_and_stale_reads_are_failures() {
    let breach = || Some(Verification { breaches: vec!["s: lost".into()], ..Verification::default() });
    assert_eq!(Gathering::default().conclude(Vec::new(), true, breach(), 0.0).status, Status::Failed);
    let mut stale = record();
    stale.tape.stale_reads = vec!["client 0".into()];
    let mut gathering = Gathering::default();
    gathering.add(&stale, &servers());
    let found = gathering.conclude(Vec::new(), false, None, 0.0);
    assert_eq!((found.status, found.stale_reads), (Status::Failed, 1));
    assert_eq!(Gathering::default().conclude(Vec::new(), true, None, 0.0).status, Status::Interrupted);
}

#[test]
fn the_course_of_a_round_is_cut_at_the_fault() {
    let course = RoundFindings::of(&record(), &servers()).course;
    assert_eq!((course.from_ms, course.step_ms, course.undone_ms), (-1_000.0, 20.0, 1_000.0));
    assert_eq!(course.returned_ms, Some(1_150.0));
    // Two writes of each of three clients; nothing in the first step of the fault, and in the second what client 1 held back.
    assert_eq!(course.writes[48..52], [6, 6, 0, 3 + 1]);
    // The last step is not whole.
    assert_eq!(course.writes.len(), 50 + 99);
    let long = Record { ended: 60_000 * MS, ..record() };
    assert!((100..=210).contains(&RoundFindings::of(&long, &servers()).course.writes.len()));
}
