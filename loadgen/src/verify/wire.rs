//! What is asked and answered, to the wire and from it.

use super::history::{Answer, Ask, Stat};
use ringkeeper_core::jute::{
    Create, List, MultiOp, MultiResult, OPEN_ACL, OpCode, ReadError, Request, Response, SetData, SetWatches,
    append_request,
};
use std::borrow::Cow;

fn create<'a>(op: OpCode, path: &'a str, data: &'a str, ephemeral: bool, sequential: bool) -> Create<'a> {
    let flags = i32::from(ephemeral) + 2 * i32::from(sequential);
    let (path, data) = (Some(Cow::Borrowed(path)), Some(data.as_bytes()));
    Create { op, path, data, acl: Some(OPEN_ACL), flags, ttl: None }
}

/// An operation of a multi. Its creates are of the older kind: releases differ in what they answer to the newer one.
fn part(ask: &Ask) -> Option<MultiOp<'_>> {
    Some(match ask {
        Ask::Create { path, data, ephemeral, sequential } => {
            MultiOp::Create(create(OpCode::Create, path, data, *ephemeral, *sequential))
        }
        Ask::Set { path, data, version } => {
            MultiOp::SetData(SetData { path: Cow::Borrowed(path), data: Some(data.as_bytes()), version: *version })
        }
        Ask::Delete { path, version } => MultiOp::Delete { path: Cow::Borrowed(path), version: *version },
        Ask::Check { path, version } => MultiOp::Check { path: Cow::Borrowed(path), version: *version },
        _ => return None,
    })
}

fn strings(paths: &[String]) -> Vec<Cow<'_, str>> {
    paths.iter().map(|path| Cow::Borrowed(path.as_str())).collect()
}

/// Appends a request.
pub fn append(out: &mut Vec<u8>, xid: i32, ask: &Ask) {
    let parts: Vec<MultiOp<'_>>;
    let lists: [Vec<Cow<'_, str>>; 3];
    let request = match ask {
        Ask::Create { path, data, ephemeral, sequential } => {
            Request::Create(create(OpCode::Create2, path, data, *ephemeral, *sequential))
        }
        Ask::Set { path, data, version } => {
            Request::SetData(SetData { path: Cow::Borrowed(path), data: Some(data.as_bytes()), version: *version })
        }
        Ask::Delete { path, version } => Request::Delete { path: Cow::Borrowed(path), version: *version },
        Ask::Multi(asks) => {
            parts = asks.iter().filter_map(part).collect();
            Request::Multi(List::new(&parts))
        }
        Ask::Check { path, .. } | Ask::Sync { path } => Request::Sync { path: Some(Cow::Borrowed(path)) },
        Ask::Get { path, watch } => Request::GetData { path: Cow::Borrowed(path), watch: *watch },
        Ask::Exists { path, watch } => Request::Exists { path: Cow::Borrowed(path), watch: *watch },
        Ask::Children { path, watch } => Request::GetChildren2 { path: Cow::Borrowed(path), watch: *watch },
        Ask::SetWatches { since, data, exist, child } => {
            lists = [data, exist, child].map(|paths| strings(paths));
            let [data, exist, child] = lists.each_ref().map(|paths| List::new(paths));
            let none = List::new(&[]);
            let (persistent, persistent_recursive) = (none, none);
            let relative_zxid = *since;
            Request::SetWatches(SetWatches { relative_zxid, data, exist, child, persistent, persistent_recursive })
        }
        Ask::Close => Request::CloseSession,
    };
    append_request(out, xid, &request);
}

/// The error code of an answer: that of a multi is not in the reply's header, but with the operation that failed.
pub fn code(err: i32, answer: &Answer) -> i32 {
    let Answer::Results(results) = answer else { return err };
    let failed = results.iter().find_map(|result| match result {
        // The operations after the one that failed have this one.
        Answer::Error(err) if *err != RUNTIME_INCONSISTENCY => Some(*err),
        _ => None,
    });
    failed.unwrap_or(err)
}

const RUNTIME_INCONSISTENCY: i32 = -2;

/// What the reply says.
///
/// # Errors
/// If it is no reply to what was asked.
pub fn answer(ask: &Ask, err: i32, body: &[u8]) -> Result<Answer, ReadError> {
    let op = match ask {
        Ask::Create { .. } => OpCode::Create2,
        Ask::Set { .. } => OpCode::SetData,
        Ask::Delete { .. } => OpCode::Delete,
        Ask::Multi(_) => OpCode::Multi,
        Ask::Get { .. } => OpCode::GetData,
        Ask::Exists { .. } => OpCode::Exists,
        Ask::Children { .. } => OpCode::GetChildren2,
        Ask::Check { .. } | Ask::Sync { .. } => OpCode::Sync,
        Ask::SetWatches { .. } => OpCode::SetWatches,
        Ask::Close => OpCode::CloseSession,
    };
    // A multi that failed tells which of its operations did.
    if err != 0 && (op != OpCode::Multi || body.is_empty()) {
        return Ok(Answer::Nothing);
    }
    Ok(match Response::decode(op, body)? {
        Response::Created { path, stat } => Answer::Created(path.into_owned(), Some(told(&stat))),
        Response::Stat(stat) => Answer::Stat(told(&stat)),
        Response::Data { data, stat } => {
            Answer::Data(String::from_utf8_lossy(data.unwrap_or_default()).into_owned(), told(&stat))
        }
        Response::Children2 { children, stat } => {
            Answer::Children(children.iter().map(Cow::into_owned).collect(), told(&stat))
        }
        Response::Multi(results) => Answer::Results(results.iter().map(result).collect()),
        _ => Answer::Nothing,
    })
}

fn result(result: MultiResult<'_>) -> Answer {
    match result {
        MultiResult::Created { path } => Answer::Created(path.into_owned(), None),
        MultiResult::Created2 { path, stat } => Answer::Created(path.into_owned(), Some(told(&stat))),
        MultiResult::SetData(stat) => Answer::Stat(told(&stat)),
        MultiResult::Error(err) if err != 0 => Answer::Error(err),
        _ => Answer::Nothing,
    }
}

fn told(stat: &ringkeeper_core::stat::Stat) -> Stat {
    Stat {
        czxid: stat.czxid,
        mzxid: stat.mzxid,
        pzxid: stat.pzxid,
        version: stat.version,
        cversion: stat.cversion,
        owner: stat.ephemeral_owner,
        children: stat.num_children,
    }
}
