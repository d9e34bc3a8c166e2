//! Turns what a server sent into text that must be the same for both servers: zxids by their place among the successful
//! writes, sessions by their slot, times by whether they belong to the transaction they should belong to.

use super::plan::{Dialect, Op};
use super::support::wire::{Acl, Dec, Event, Malformed, ReplyHeader, Stat, op};
use std::collections::{BTreeMap, HashMap};

/// What one server's numbers and names stand for.
pub struct Meaning {
    pub dialect: Dialect,
    /// Names of the case's directories.
    pub open: String,
    pub secret: String,
    /// Zxid before the case.
    pub baseline: i64,
    /// Zxids of the case's successful writes, rising.
    pub successes: Vec<i64>,
    /// Session ids of the case.
    pub sessions: HashMap<i64, String>,
    /// The time that a transaction was seen with.
    pub times: HashMap<i64, i64>,
    /// How often each operation got each result: shows what the generator reaches.
    pub seen: BTreeMap<(i32, i32), u64>,
}

type Text = Result<String, Malformed>;

impl Meaning {
    /// A zxid as the number of successful writes up to it.
    pub fn rank(&self, zxid: i64) -> String {
        match zxid {
            -1 | 0 => format!("{zxid}"),
            z => format!("#{}", self.successes.partition_point(|&s| s <= z)),
        }
    }

    /// Remembers a successful write.
    pub fn succeeded(&mut self, zxid: i64) {
        if self.successes.last().copied().unwrap_or(self.baseline) < zxid {
            self.successes.push(zxid);
        }
    }

    pub fn path(&self, path: &str) -> String {
        format!("{:?}", path.replace(&self.open, "@").replace(&self.secret, "%"))
    }

    /// `fresh` are the zxids that an event may carry now; `replay` says whether watches have just been set again.
    pub fn event(&mut self, event: &Event, fresh: &[i64], replay: bool) -> String {
        let right = match self.dialect {
            // The old server always says -1 (`event-zxid`).
            Dialect::Old => event.zxid == -1,
            Dialect::Current => fresh.contains(&event.zxid) || replay && event.zxid == -1,
        };
        let zxid = if right { String::new() } else { format!(" zxid {:#x} of none of {fresh:x?}", event.zxid) };
        *self.seen.entry((0, event.kind)).or_default() += 1;
        format!("event {} state {} {}{zxid}", event.kind, event.state, self.path(&event.path))
    }

    pub fn reply(&mut self, op: &Op, header: &ReplyHeader, body: &[u8]) -> String {
        let zxid = self.rank(header.zxid);
        *self.seen.entry((op.code(Dialect::Current), header.err)).or_default() += 1;
        let text = if header.err == 0 {
            self.body(op.base(), body).unwrap_or_else(|Malformed| format!("malformed {body:02x?}"))
        } else if body.is_empty() || matches!(op.base(), Op::MultiRead { .. }) {
            // A refused multiRead carries the results before the refusal, which no client reads.
            String::new()
        } else {
            format!("{body:02x?}")
        };
        format!("reply xid {} zxid {zxid} err {} {text}", header.xid, header.err)
    }

    fn body(&mut self, op: &Op, body: &[u8]) -> Text {
        let mut d = Dec(body);
        let text = match op {
            Op::Create { op: op::CREATE, .. } => self.path(&d.str()?),
            Op::Create { .. } => format!("{} {}", self.path(&d.str()?), self.stat(&d.stat()?)),
            Op::Delete { .. } | Op::Ping { .. } | Op::Check { .. } | Op::CloseSession => String::new(),
            Op::Auth { .. } | Op::SetWatches { .. } | Op::RemoveWatches { .. } | Op::CheckWatches { .. } => {
                String::new()
            }
            Op::Exists { path, .. } => {
                // Asked as getData of the old server in the secret directory (`exists-needs-read`).
                if self.dialect == Dialect::Old && path.as_ref().is_some_and(|p| p.contains('%')) {
                    d.buf()?;
                }
                self.stat(&d.stat()?)
            }
            Op::SetData { .. } | Op::SetAcl { .. } => self.stat(&d.stat()?),
            Op::GetData { .. } | Op::Reconfig { .. } => format!("{} {}", data(d.buf()?), self.stat(&d.stat()?)),
            Op::GetAcl { .. } => format!("{} {}", acl(d.acl()?), self.stat(&d.stat()?)),
            Op::GetChildren { .. } => self.names(d.strs()?),
            Op::GetChildren2 { .. } => format!("{} {}", self.names(d.strs()?), self.stat(&d.stat()?)),
            Op::Sync { .. } => d.opt_str()?.map_or("null".into(), |p| self.path(&p)),
            Op::Multi { .. } | Op::MultiRead { .. } => self.results(&mut d)?,
            Op::AddWatch { .. } => format!("code {}", d.i32()?),
            Op::GetEphemerals { .. } => self.names(d.strs()?),
            Op::GetAllChildrenNumber { .. } => format!("{}", d.i32()?),
            Op::WhoAmI => identities(&mut d)?,
            Op::Sasl { .. } => data(d.buf()?),
            Op::Refused { .. } | Op::Truncated { .. } | Op::Extended { .. } | Op::Changed { .. } => {
                return Err(Malformed);
            }
        };
        d.end().map(|()| text)
    }

    /// Results of multi and multiRead.
    fn results(&mut self, d: &mut Dec<'_>) -> Text {
        let mut text = String::new();
        loop {
            let (kind, done, err) = (d.i32()?, d.bool()?, d.i32()?);
            if done {
                return Ok(format!("{text}; end {kind} {err}"));
            }
            let body = match kind {
                op::CREATE => format!("created {}", self.path(&d.str()?)),
                // 3.8.0 answers create2 in a multi with a create result (`multi-create2-result`).
                op::CREATE2 => {
                    let path = self.path(&d.str()?);
                    let stat = self.stat(&d.stat()?);
                    let ok = stat.contains("v=0 cv=0 av=0") && !stat.contains("time!");
                    format!("created {path}{}", if ok { "" } else { &stat })
                }
                op::DELETE => "deleted".into(),
                op::CHECK => "checked".into(),
                op::SET_DATA => format!("set {}", self.stat(&d.stat()?)),
                op::GET_CHILDREN => self.names(d.strs()?),
                op::GET_DATA => format!("{} {}", data(d.buf()?), self.stat(&d.stat()?)),
                -1 => format!("error {}", d.i32()?),
                _ => return Err(Malformed),
            };
            text = format!("{text}; {err} {body}");
        }
    }

    pub fn stat(&mut self, s: &Stat) -> String {
        let owner = match s.ephemeral_owner {
            0 => "0".to_owned(),
            id => self.sessions.get(&id).cloned().unwrap_or_else(|| format!("unknown session {id:#x}")),
        };
        let times = [(s.czxid, s.ctime), (s.mzxid, s.mtime)];
        let right = times.iter().all(|&(zxid, time)| *self.times.entry(zxid).or_insert(time) == time);
        format!(
            "c={} m={} p={} v={} cv={} av={} owner={owner} len={} n={}{}",
            self.rank(s.czxid),
            self.rank(s.mzxid),
            self.rank(s.pzxid),
            s.version,
            s.cversion,
            s.aversion,
            s.data_length,
            s.num_children,
            if right { String::new() } else { format!(" time! {s:?}") }
        )
    }

    /// Names without their order: no server promises one.
    pub fn names(&self, names: Option<Vec<String>>) -> String {
        let Some(names) = names else { return "null".into() };
        let mut names: Vec<String> = names.iter().map(|n| self.path(n)).collect();
        names.sort();
        format!("[{}]", names.join(" "))
    }
}

/// Data in a form that stays readable when it is long.
pub fn data(data: Option<&[u8]>) -> String {
    match data {
        None => "null".into(),
        Some(d) if d.len() > 40 => format!(
            "{} bytes sum {:x}",
            d.len(),
            d.iter().fold(0u64, |h, &b| h.wrapping_mul(1_099_511_628_211).wrapping_add(u64::from(b) + 1))
        ),
        Some(d) => format!("{:?}", String::from_utf8_lossy(d)),
    }
}

/// An ACL without its order: identities of a connection are a set in ZooKeeper, and an `auth` entry is expanded to them.
pub fn acl(acl: Option<Vec<Acl>>) -> String {
    let Some(acl) = acl else { return "null".into() };
    let mut entries: Vec<String> = acl.iter().map(|a| format!("{}:{:?}:{:?}", a.perms, a.scheme, a.id)).collect();
    entries.sort();
    entries.join(",")
}

fn identities(d: &mut Dec<'_>) -> Text {
    let n = d.i32()?;
    let mut all =
        (0..n).map(|_| Ok(format!("{:?}:{:?}", d.opt_str()?, d.opt_str()?))).collect::<Result<Vec<_>, Malformed>>()?;
    all.sort();
    Ok(all.join(","))
}
