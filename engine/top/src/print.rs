//! The view as plain text and as JSON.

use crate::columns;
use crate::model::{Behind, Model, Row, Summary};
use serde_json::{Value, json};

/// The ensemble in two lines: who is there, and what they do.
pub(crate) fn headlines(summary: &Summary) -> [String; 2] {
    let leader = match &summary.leader {
        Some(leader) => format!("leader {leader}"),
        None if summary.led_by_another => "the leader is not among them".to_owned(),
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

/// All that is known, as text.
pub(crate) fn text(model: &Model) -> String {
    let rows = model.rows();
    let mut text = headlines(&model.summary()).join("\n") + "\n";
    for (at, cells) in columns::table(&rows, None).iter().enumerate() {
        text += &(columns::line(cells, at.checked_sub(1).and_then(|at| rows.get(at))) + "\n");
    }
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
        "servers": model.rows().iter().map(server).collect::<Vec<_>>(),
    })
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
        assert_eq!(text.lines().count(), 6);
    }

    #[test]
    fn json_has_numbers_for_numbers_and_null_for_what_is_not_told() {
        let object = json(&ensemble());
        assert_eq!(object["servers"][1]["behind"], 2);
        assert_eq!(object["servers"][0]["memoryBytes"], Value::Null);
        assert_eq!(object["servers"][0]["zxid"], "0x500012000");
        assert_eq!(object["servers"][2]["serves"], false);
        assert_eq!(object["servers"][2]["zxid"], Value::Null);
    }
}
