//! Output as JSON: one object a line, for programs.
//!
//! Zxids and session numbers are strings of hexadecimal digits, because not every reader of JSON has 64-bit integers; times are
//! milliseconds since 1970. Data is text under `data`, or under `base64` if it is not UTF-8.

use crate::acl;
use crate::command::{Form, Limit};
use crate::failure::Failure;
use crate::output::Output;
use crate::quota::Quota;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringkeeper_client::{Event, Stat};
use serde_json::{Map, Value, json};

/// The object of an output.
#[must_use]
pub fn of(output: &Output) -> Value {
    match output {
        Output::Created { path } => json!({ "created": path }),
        Output::Children { path, names, stat } => with_stat(json!({ "path": path, "children": names }), stat.as_ref()),
        Output::Node { path } => json!({ "path": path }),
        Output::Data { path, data, form, stat } => {
            with_stat(with_data(json!({ "path": path }), data.as_deref(), *form), stat.as_ref())
        }
        Output::Stat { path, stat } => with_stat(json!({ "path": path }), Some(stat)),
        Output::Acl { path, acl, stat } => {
            let acl: Vec<Value> = acl
                .iter()
                .map(|entry| json!({ "scheme": entry.scheme, "id": entry.id, "perms": acl::letters(entry.perms) }))
                .collect();
            with_stat(json!({ "path": path, "acl": acl }), stat.as_ref())
        }
        Output::Count { path, count } => json!({ "path": path, "count": count }),
        Output::Ephemerals { paths } => json!({ "ephemerals": paths }),
        Output::Quota { path, limits, used } => {
            json!({ "path": path, "limits": of_limits(limits), "used": of_use(used) })
        }
        Output::NoQuota { path } => json!({ "path": path, "limits": null }),
        Output::QuotaExceeded { what, used } => {
            json!({ "warning": format!("the {what} limit is exceeded"), "used": of_use(used) })
        }
        Output::Identities { identities } => {
            let identities: Vec<Value> =
                identities.iter().map(|(scheme, user)| json!({ "scheme": scheme, "user": user })).collect();
            json!({ "identities": identities })
        }
        Output::Synced { path } => json!({ "synced": path }),
        Output::Config { text, stat, .. } => with_stat(json!({ "config": text }), stat.as_ref()),
        Output::Connect { version, servers } => json!({ "version": version, "servers": servers }),
        Output::Deleted { path, nodes } => json!({ "deleted": path, "nodes": nodes }),
        Output::Notice(text) | Output::Text(text) => json!({ "text": text }),
    }
}

/// The object of a failure.
#[must_use]
pub fn of_failure(failure: &Failure) -> Value {
    json!({ "error": { "message": failure.words, "hint": failure.hint, "code": failure.code, "status": failure.status } })
}

/// The object of an event.
#[must_use]
pub fn of_event(event: &Event) -> Value {
    json!({ "event": event.kind.to_string(), "state": event.state.event_name(), "path": event.path })
}

fn with(object: Value, key: &str, value: Value) -> Value {
    let mut fields = match object {
        Value::Object(fields) => fields,
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    fields.insert(key.to_owned(), value);
    Value::Object(fields)
}

fn with_data(object: Value, data: Option<&[u8]>, form: Form) -> Value {
    let Some(bytes) = data else { return with(object, "data", Value::Null) };
    match std::str::from_utf8(bytes) {
        Ok(text) if form == Form::Plain => with(object, "data", text.into()),
        _ => with(object, "base64", STANDARD.encode(bytes).into()),
    }
}

fn with_stat(object: Value, stat: Option<&Stat>) -> Value {
    let Some(stat) = stat else { return object };
    let hex = |number: i64| format!("{number:#x}");
    with(
        object,
        "stat",
        json!({
            "czxid": hex(stat.czxid),
            "mzxid": hex(stat.mzxid),
            "pzxid": hex(stat.pzxid),
            "ctime": stat.ctime,
            "mtime": stat.mtime,
            "version": stat.version,
            "cversion": stat.cversion,
            "aversion": stat.aversion,
            "ephemeralOwner": hex(stat.ephemeral_owner),
            "dataLength": stat.data_length,
            "numChildren": stat.num_children,
        }),
    )
}

fn of_limits(quota: &Quota) -> Value {
    let limit = |limit| match quota.get(limit) {
        -1 => Value::Null,
        value => value.into(),
    };
    json!({
        "count": limit(Limit::Count),
        "bytes": limit(Limit::Bytes),
        "countHardLimit": limit(Limit::CountHard),
        "byteHardLimit": limit(Limit::BytesHard),
    })
}

fn of_use(quota: &Quota) -> Value {
    json!({ "count": quota.get(Limit::Count), "bytes": quota.get(Limit::Bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(data: Option<&[u8]>, form: Form) -> Value {
        of(&Output::Data { path: "/a".into(), data: data.map(<[u8]>::to_vec), form, stat: None })
    }

    #[test]
    fn data_is_text_where_it_can_be() {
        assert_eq!(data(Some(b"x\n"), Form::Plain), json!({"data":"x\n","path":"/a"}));
        assert_eq!(data(Some(b"\xff"), Form::Plain), json!({"base64":"/w==","path":"/a"}));
        assert_eq!(data(Some(b"x"), Form::Base64), json!({"base64":"eA==","path":"/a"}));
        assert_eq!(data(None, Form::Plain), json!({"data":null,"path":"/a"}));
    }

    #[test]
    fn numbers_that_may_be_large_are_strings() {
        let stat = Stat { ephemeral_owner: i64::MIN, czxid: 0x27, ..Stat::default() };
        let object = of(&Output::Stat { path: "/a".into(), stat });
        assert_eq!(object["stat"]["ephemeralOwner"], "0x8000000000000000");
        assert_eq!(object["stat"]["czxid"], "0x27");
    }

    #[test]
    fn limits_that_are_none_are_null() {
        let mut limits = Quota::unlimited();
        limits.set(Limit::CountHard, 5);
        let object = of(&Output::Quota { path: "/a".into(), limits, used: Quota::new(1, 2) });
        assert_eq!(object["limits"]["count"], Value::Null);
        assert_eq!(object["limits"]["countHardLimit"], 5);
        assert_eq!(object["used"]["bytes"], 2);
    }
}
