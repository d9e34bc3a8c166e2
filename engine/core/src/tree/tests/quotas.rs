//! Quotas, as ZooKeeper 3.8.0 keeps them: the texts are what that server answered to the same steps.

use super::super::*;
use super::writer::Writer;

const LIMITS: &str = "/zookeeper/quota/q/zookeeper_limits";
const STATS: &str = "/zookeeper/quota/q/zookeeper_stats";

fn with_quota() -> Writer {
    let mut w = Writer::new();
    w.create("/q", b"hello").unwrap();
    w.create("/q/a", b"12345").unwrap();
    w.create("/zookeeper/quota/q", b"").unwrap();
    w.create(LIMITS, b"count=5,bytes=100=;byteHardLimit=-1;countHardLimit=7").unwrap();
    w.create(STATS, b"count=0,bytes=0").unwrap();
    w
}

#[test]
fn the_stats_leaf_counts_from_its_creation_on() {
    let mut w = with_quota();
    assert!(matches!(&w.out.results[0], OpResult::Created { stat, .. } if stat.data_length == 15), "as it was sent");
    assert_eq!(w.text(STATS), "count=2,bytes=10");
    let before = w.tree.get(STATS).unwrap().stat();
    w.create("/q/a/b", b"123").unwrap();
    assert_eq!(w.text(STATS), "count=3,bytes=13");
    w.set("/q/a", Some(b"1")).unwrap();
    assert_eq!(w.text(STATS), "count=3,bytes=9");
    assert_eq!(w.out.changes.len(), 1, "nobody is told of the stats");
    w.delete("/q/a/b").unwrap();
    assert_eq!(w.text(STATS), "count=2,bytes=6");
    assert_eq!(w.tree.get(STATS).unwrap().stat(), Stat { data_length: 15, ..before });
    w.set(STATS, Some(b"count=50,bytes=60")).unwrap();
    w.create("/q/c", b"").unwrap();
    assert_eq!(w.text(STATS), "count=51,bytes=60");
    w.delete(LIMITS).unwrap();
    w.create("/q/d", b"").unwrap();
    assert_eq!(w.text(STATS), "count=51,bytes=60");
    assert_eq!(w.tree.quota_for("/q"), None);
}

#[test]
fn the_deepest_quota_counts_alone_and_the_roots_not_at_all() {
    let mut w = with_quota();
    w.create("/zookeeper/quota/zookeeper_limits", b"count=1,bytes=1").unwrap();
    w.create("/zookeeper/quota/zookeeper_stats", b"count=0,bytes=0").unwrap();
    w.create("/zookeeper/quota/q/a", b"").unwrap();
    w.create("/zookeeper/quota/q/a/zookeeper_limits", b"count=1").unwrap();
    w.create("/q/a/b", b"123").unwrap();
    assert_eq!((w.tree.quota_for("/q/a"), w.text(STATS)), (None, "count=2,bytes=10".to_owned()), "no stats, no quota");
    w.create("/zookeeper/quota/q/a/zookeeper_stats", b"").unwrap();
    w.create("/q/a/b/c", b"4").unwrap();
    w.create("/q/ab", b"56").unwrap();
    w.create("/z", b"").unwrap();
    assert_eq!(w.text(STATS), "count=3,bytes=12");
    assert_eq!(w.text("/zookeeper/quota/q/a/zookeeper_stats"), "count=3,bytes=9");
    assert_eq!(w.text("/zookeeper/quota/zookeeper_stats"), "count=0,bytes=0");
    let found = w.tree.quota_for("/q/a/not/there").unwrap();
    let expected =
        QuotaUse { root: "/q/a", count_limit: 1, count_hard: -1, bytes_limit: -1, bytes_hard: -1, count: 3, bytes: 9 };
    assert_eq!(found, expected);
    assert_eq!(w.tree.quota_for("/q/ab").unwrap().root, "/q");
    assert_eq!((w.tree.quota_for("/"), w.tree.quota_for(""), w.tree.quota_for("/z")), (None, None, None));
    assert_eq!(w.tree.digest(), w.tree.recomputed_digest());
}

#[test]
fn ephemerals_that_go_with_their_session_are_counted() {
    let mut w = with_quota();
    w.open_session(4).unwrap();
    w.create_owned("/q/e", b"1234567", 4).unwrap();
    assert_eq!(w.text(STATS), "count=3,bytes=17");
    w.close_session(4).unwrap();
    assert_eq!(w.text(STATS), "count=2,bytes=10");
}
