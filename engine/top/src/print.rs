//! The view as plain text and as JSON.

use crate::columns;
use crate::hot::{Hot, HotPath};
use crate::model::{Behind, Model, Row, Summary};
use serde_json::{Value, json};

/// Most of the hottest paths.
const PATHS: usize = 20;

/// The ensemble in two lines: who is there, and what they do.
pub(crate) fn headlines(summary: &Summary) -> [String; 2] {
    let leader = match &summary.leader {
        Some(leader) => format!("leader {leader}"),
        None if summary.led_by_another => "the leader is not among them (name all servers)".to_owned(),
        None => "no leader".to_owned(),
    };
    let epoch = summary.epoch.map_or_else(String::new, |epoch| format!(", epoch {epoch:x}"));
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), columns::rate);
    [
        format!("{} of {} servers serve, {leader}{epoch}", summary.serving, summary.servers),
        format!(
            "{} txn/s, {} req/s, {} connections",
            rate(summary.transactions),
            columns::rate(summary.requests),
            summary.connections
        ),
    ]
}

/// The hottest paths under their title, so many at most; or in a line why there are none.
pub(crate) fn hottest(hot: Option<&Hot>, most: usize) -> Vec<String> {
    match hot {
        None => Vec::new(),
        Some(Hot::Unknown) => vec!["hottest paths: only Ringkeeper's servers tell them".to_owned()],
        Some(Hot::NotAllowed) => {
            vec!["hottest paths: not told; add hotp to 4lw.commands.whitelist on each server".to_owned()]
        }
        Some(Hot::Told(paths)) if paths.is_empty() => {
            vec!["hottest paths: none yet (one request of 32 is looked at)".to_owned()]
        }
        Some(Hot::Told(paths)) => {
            let line = |path: &HotPath| {
                let [reads, writes] = [path.reads, path.writes].map(columns::rate);
                format!("{reads:>7} {writes:>8}  {}", path.path)
            };
            let title = format!("{:>7} {:>8}  HOTTEST PATH", "READS/S", "WRITES/S");
            std::iter::once(title).chain(paths.iter().take(most).map(line)).collect()
        }
    }
}

/// All that is known, as text.
pub(crate) fn text(model: &Model) -> String {
    let rows = model.rows();
    let mut text = headlines(&model.summary()).join("\n") + "\n";
    for (at, cells) in columns::table(&rows, None).iter().enumerate() {
        text += &(columns::line(cells, at.checked_sub(1).and_then(|at| rows.get(at))) + "\n");
    }
    text.extend(hottest(model.hot().as_ref(), PATHS).into_iter().map(|line| line + "\n"));
    text
}

/// All that is known, as an object. Zxids are strings of hexadecimal digits.
pub(crate) fn json(model: &Model) -> Value {
    let summary = model.summary();
    json!({
        "serving": summary.serving,
        "leader": summary.leader,
        "epoch": summary.epoch,
        "transactionsPerSecond": summary.transactions,
        "requestsPerSecond": summary.requests,
        "connections": summary.connections,
        "hottestPaths": hottest_paths(model.hot().as_ref()),
        "servers": model.rows().iter().map(server).collect::<Vec<_>>(),
    })
}

/// `null` if no server tells them.
fn hottest_paths(hot: Option<&Hot>) -> Value {
    let Some(Hot::Told(paths)) = hot else { return Value::Null };
    let path =
        |path: &HotPath| json!({"path": path.path, "readsPerSecond": path.reads, "writesPerSecond": path.writes});
    paths.iter().take(PATHS).map(path).collect()
}

fn server(row: &Row) -> Value {
    let (transactions, epochs) = match row.behind {
        None => (None, None),
        Some(Behind::Transactions(n)) => (Some(n), Some(0)),
        Some(Behind::Epochs(n)) => (None, Some(n)),
    };
    let mut object = json!({
        "server": row.server,
        "serves": row.serves,
        "state": row.state,
        "behind": transactions,
        "epochsBehind": epochs,
        "requestsPerSecond": row.requests,
        "repliesPerSecond": row.replies,
    });
    if let (Some(sample), Value::Object(fields)) = (&row.sample, &mut object) {
        let told = json!({
            "version": sample.version,
            "zxid": sample.zxid.map(|zxid| format!("{zxid:#x}")),
            "received": sample.received,
            "sent": sample.sent,
            "latencyAvgMs": sample.latency.avg,
            "latencyMaxMs": sample.latency.max,
            "connections": sample.connections,
            "outstanding": sample.outstanding,
            "nodes": sample.nodes,
            "watches": sample.watches,
            "ephemerals": sample.ephemerals,
            "sessions": sample.sessions,
            "dataBytes": sample.data_bytes,
            "memoryBytes": sample.memory_bytes,
            "memoryUsedBytes": sample.allowance.map(|allowance| allowance.used),
            "memoryLimitBytes": sample.allowance.map(|allowance| allowance.limit),
            "memoryShort": sample.allowance.map(|allowance| allowance.short),
            "openFileDescriptors": sample.descriptors,
            "uptimeMs": sample.uptime_ms,
            "learners": sample.followers.map(|followers| followers.learners),
            "syncedFollowers": sample.followers.map(|followers| followers.synced),
        });
        if let Value::Object(told) = told {
            fields.extend(told);
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::tests::ensemble;

    #[test]
    fn text_has_headlines_and_a_line_for_each_server() {
        let text = text(&ensemble());
        assert!(
            text.starts_with(
                "2 of 3 servers serve, leader zk1.example.com:2181, epoch 5\n4096 txn/s, 60000 req/s, 240 connections\nSERVER"
            ),
            "{text}"
        );
        assert!(text.ends_with("READS/S WRITES/S  HOTTEST PATH\n   2500      0.8  /app/config\n"), "{text}");
        assert_eq!(text.lines().count(), 8);
    }

    #[test]
    fn json_has_numbers_for_numbers_and_null_for_what_is_not_told() {
        let object = json(&ensemble());
        assert_eq!(object["servers"][1]["behind"], 2);
        assert_eq!(object["servers"][0]["memoryBytes"], Value::Null);
        assert_eq!(object["servers"][0]["zxid"], "0x500012000");
        assert_eq!(
            (&object["servers"][0]["memoryLimitBytes"], &object["servers"][0]["memoryShort"]),
            (&(1u64 << 30).into(), &true.into())
        );
        assert_eq!(object["hottestPaths"][0]["path"], "/app/config");
        assert_eq!(object["servers"][2]["serves"], false);
        assert_eq!(object["servers"][2]["zxid"], Value::Null);
    }
}
