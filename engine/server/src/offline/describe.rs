//! Nodes and transactions as JSON objects, and these as lines of text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ringkeeper_core::acl::{Acl, perms};
use ringkeeper_core::frame::Frame;
use ringkeeper_core::ids::{SessionId, WallMs};
use ringkeeper_core::tree::{Kind, Node};
use ringkeeper_core::txn::{self, TxnType, v1};
use ringkeeper_zookeeper_files::{Entry, Txn};
use serde_json::{Map, Value, json};
use std::time::{Duration, UNIX_EPOCH};

/// Characters of a value that are shown in a line of text.
const SHOWN: usize = 60;

/// An object whose fields keep their order.
pub(crate) type Object = Map<String, Value>;

fn object<const N: usize>(fields: [(&str, Value); N]) -> Object {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A zxid as people write it.
pub(crate) fn zxid(zxid: impl Into<i128>) -> Value {
    format!("0x{:x}", zxid.into()).into()
}

/// A moment in UTC, to the millisecond.
pub(crate) fn moment(at: WallMs) -> String {
    let since = Duration::from_millis(u64::try_from(at.0).unwrap_or(0));
    UNIX_EPOCH.checked_add(since).map_or_else(String::new, |at| humantime::format_rfc3339_millis(at).to_string())
}

fn session(id: i64) -> Value {
    SessionId(id).to_string().into()
}

/// Data as text if it is text, else in base 64.
fn data(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') => text.into(),
        _ => format!("base64:{}", BASE64.encode(bytes)).into(),
    }
}

/// Like ZooKeeper's shell: `world:anyone:cdrwa`.
fn acl<'a>(entries: impl Iterator<Item = (i32, &'a str, &'a str)>) -> Value {
    let letters =
        [(perms::CREATE, 'c'), (perms::DELETE, 'd'), (perms::READ, 'r'), (perms::WRITE, 'w'), (perms::ADMIN, 'a')];
    let text =
        |bits: i32| letters.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, letter)| *letter).collect::<String>();
    let entries: Vec<String> = entries.map(|(bits, scheme, id)| format!("{scheme}:{id}:{}", text(bits))).collect();
    entries.join(",").into()
}

fn acl_of(entries: Option<&[Acl]>) -> Value {
    entries.map_or("world:anyone:cdrwa".into(), |entries| acl(entries.iter().map(|e| (e.perms, &*e.scheme, &*e.id))))
}

/// What a node is, in one word, and what it depends on.
fn kind(kind: Option<Kind>) -> (&'static str, Value) {
    match kind {
        Some(Kind::Persistent) => ("persistent", Value::Null),
        Some(Kind::Ephemeral(id)) => ("ephemeral", id.to_string().into()),
        Some(Kind::Container) => ("container", Value::Null),
        Some(Kind::Ttl(ms)) => ("ttl", ms.into()),
        None => ("unknown", Value::Null),
    }
}

/// A node with its whole stat.
pub(crate) fn node(path: &str, node: &Node<'_>, with_data: bool) -> Object {
    let stat = node.stat();
    let (word, of) = kind(Some(node.kind()));
    let mut fields = object([
        ("path", if path.is_empty() { "/" } else { path }.into()),
        ("kind", word.into()),
        ("session_or_ttl", of),
        ("length", stat.data_length.into()),
        ("children", stat.num_children.into()),
        ("czxid", zxid(stat.czxid)),
        ("mzxid", zxid(stat.mzxid)),
        ("pzxid", zxid(stat.pzxid)),
        ("ctime", moment(WallMs(stat.ctime)).into()),
        ("mtime", moment(WallMs(stat.mtime)).into()),
        ("version", stat.version.into()),
        ("cversion", stat.cversion.into()),
        ("aversion", stat.aversion.into()),
        ("created", node.create_count().into()),
        ("acl", acl_of(node.acl().as_deref())),
    ]);
    if with_data {
        fields.insert("data".to_owned(), data(node.data()));
    }
    fields
}

/// A transaction of ours. A body that is none is said to be so.
pub(crate) fn frame(frame: &Frame<'_>, committed: bool) -> Object {
    let mut fields = head(frame.zxid().0.into(), frame.wall(), frame.session().0, frame.cxid());
    if !committed {
        fields.insert("committed".to_owned(), false.into());
    }
    fields.extend(body(frame).unwrap_or_else(|| object([("type", "damaged".into())])));
    fields
}

/// A transaction of ZooKeeper's.
pub(crate) fn entry(entry: &Entry) -> Object {
    let header = &entry.header;
    let mut fields = head(header.zxid.into(), WallMs(header.time), header.session, header.cxid);
    fields.extend(zookeepers(&entry.txn));
    if let Some(digest) = entry.digest {
        fields.insert("digest".to_owned(), format!("{:x}", digest.value).into());
    }
    fields
}

fn head(number: i128, at: WallMs, by: i64, cxid: i32) -> Object {
    object([("zxid", zxid(number)), ("time", moment(at).into()), ("session", session(by)), ("cxid", cxid.into())])
}

fn body(frame: &Frame<'_>) -> Option<Object> {
    let body = frame.body();
    Some(match TxnType::from_wire(frame.txn_type())? {
        TxnType::Create => create(txn::read_create(body).ok()?),
        TxnType::Delete => delete(&txn::read_delete(body).ok()?.path),
        TxnType::SetData => set_data(txn::read_set_data(body).ok()?),
        TxnType::SetAcl => {
            let txn = txn::read_set_acl(body).ok()?;
            let entries = txn.acl.iter().map(|e| (e.perms.to_native(), &*e.scheme, &*e.id));
            let (list, aversion) = (acl(entries), txn.aversion.to_native());
            object([
                ("type", "setACL".into()),
                ("path", (&*txn.path).into()),
                ("acl", list),
                ("aversion", aversion.into()),
            ])
        }
        TxnType::Multi => {
            let steps = txn::read_multi(body).ok()?.ops.iter().map(|op| match op {
                v1::ArchivedOp::Create { txn, .. } => create(txn),
                v1::ArchivedOp::Delete(txn) => delete(&txn.path),
                v1::ArchivedOp::SetData(txn) => set_data(txn),
                v1::ArchivedOp::Check => object([("type", "check".into())]),
            });
            object([("type", "multi".into()), ("steps", steps.map(Value::Object).collect())])
        }
        TxnType::CreateSession => {
            let timeout = txn::read_create_session(body).ok()?.timeout_ms.to_native();
            object([("type", "createSession".into()), ("timeout_ms", timeout.into())])
        }
        TxnType::Restore => {
            let txn = txn::read_restore(body).ok()?;
            let digest = format!("{:016x}", txn.digest.to_native());
            object([("type", "restore".into()), ("path", (&*txn.path).into()), ("digest", digest.into())])
        }
        TxnType::CloseSession => object([("type", "closeSession".into())]),
        TxnType::MoveSession => {
            let timeout = txn::read_move_session(body).ok()?.timeout_ms.to_native();
            object([("type", "moveSession".into()), ("timeout_ms", timeout.into())])
        }
    })
}

fn create(txn: &v1::ArchivedCreate<'_>) -> Object {
    let (word, of) = kind(Kind::from_owner(txn.owner.to_native()));
    let list = match txn.acl.is_empty() {
        true => acl_of(None),
        false => acl(txn.acl.iter().map(|e| (e.perms.to_native(), &*e.scheme, &*e.id))),
    };
    object([
        ("type", "create".into()),
        ("path", (&*txn.path).into()),
        ("kind", word.into()),
        ("session_or_ttl", of),
        ("parent_created", txn.parent_cversion.to_native().into()),
        ("acl", list),
        ("data", data(txn.data.as_ref().map(|data| &**data))),
    ])
}

fn delete(path: &str) -> Object {
    object([("type", "delete".into()), ("path", path.into())])
}

fn set_data(txn: &v1::ArchivedSetData<'_>) -> Object {
    let value = data(txn.data.as_ref().map(|data| &**data));
    object([
        ("type", "setData".into()),
        ("path", (&*txn.path).into()),
        ("version", txn.version.to_native().into()),
        ("data", value),
    ])
}

fn zookeepers(txn: &Txn) -> Object {
    match txn {
        Txn::Create { path, data: value, acl, owner, parent_cversion } => {
            let (word, of) = kind(Kind::from_owner(*owner));
            object([
                ("type", "create".into()),
                ("path", path.as_str().into()),
                ("kind", word.into()),
                ("session_or_ttl", of),
                ("parent_created", (*parent_cversion).into()),
                ("acl", acl_of(acl.as_deref())),
                ("data", data(value.as_deref())),
            ])
        }
        Txn::Delete { path } => delete(path),
        Txn::SetData { path, data: value, version } => object([
            ("type", "setData".into()),
            ("path", path.as_str().into()),
            ("version", (*version).into()),
            ("data", data(value.as_deref())),
        ]),
        Txn::SetAcl { path, acl, aversion } => object([
            ("type", "setACL".into()),
            ("path", path.as_str().into()),
            ("acl", acl_of(acl.as_deref())),
            ("aversion", (*aversion).into()),
        ]),
        Txn::Check { path, version } => {
            object([("type", "check".into()), ("path", path.as_str().into()), ("version", (*version).into())])
        }
        Txn::CreateSession { timeout_ms } => {
            object([("type", "createSession".into()), ("timeout_ms", (*timeout_ms).into())])
        }
        Txn::CloseSession { paths } => object([("type", "closeSession".into()), ("paths", json!(paths))]),
        Txn::Error(code) => object([("type", "error".into()), ("code", (*code).into())]),
        Txn::Multi(steps) => {
            let steps = steps.iter().map(|step| Value::Object(zookeepers(step)));
            object([("type", "multi".into()), ("steps", steps.collect())])
        }
    }
}

/// As a line for people: values without a name where they speak for themselves, nothing for null, long values cut.
pub(crate) fn line(fields: &Object) -> String {
    let shown = |(name, value): (&String, &Value)| {
        let text = match value {
            Value::Null => return None,
            Value::String(text) if name == "data" => format!("{:?}", cut(text)),
            Value::String(text) => text.clone(),
            Value::Array(list) => {
                let steps: Vec<String> = list.iter().map(|v| v.as_object().map_or(v.to_string(), line)).collect();
                format!("[{}]", steps.join("; "))
            }
            other => other.to_string(),
        };
        let speaks = matches!(name.as_str(), "zxid" | "time" | "type" | "path" | "kind" | "steps");
        Some(if speaks { text } else { format!("{name}={text}") })
    };
    fields.iter().filter_map(shown).collect::<Vec<_>>().join(" ")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_text_or_base_64() {
        assert_eq!(data(None), Value::Null);
        assert_eq!(data(Some("grün\n".as_bytes())), Value::from("grün\n"));
        assert_eq!(data(Some(b"\xff\x00")), Value::from("base64:/wA="));
        assert_eq!(data(Some(b"a\x07")), Value::from("base64:YQc="));
    }

    #[test]
    fn lists_look_as_in_zookeepers_shell() {
        assert_eq!(acl_of(None), Value::from("world:anyone:cdrwa"));
        let list = [Acl::new(perms::READ | perms::ADMIN, "digest", "u:h"), Acl::new(31, "ip", "::1")];
        assert_eq!(acl_of(Some(&list)), Value::from("digest:u:h:ra,ip:::1:cdrwa"));
    }

    #[test]
    fn lines_leave_out_what_says_nothing() {
        let step = object([("type", "delete".into()), ("path", "/a".into())]);
        let fields = object([
            ("zxid", zxid(26)),
            ("session", Value::Null),
            ("type", "multi".into()),
            ("steps", vec![Value::Object(step)].into()),
            ("data", "x".repeat(100).into()),
        ]);
        assert_eq!(line(&fields), format!("0x1a multi [delete /a] data=\"{}...\"", "x".repeat(60)));
        assert_eq!(moment(WallMs(1_700_000_000_123)), "2023-11-14T22:13:20.123Z");
    }
}
