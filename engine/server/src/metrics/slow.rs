//! Slow requests: logged with where their time went, at a bounded rate, and the last ones kept.

use super::ours::op_name;
use crate::four_letter::Clocks;
use ringkeeper_core::frontend::SlowRequest;
use ringkeeper_core::ids::{Instant, SessionId, WallMs, Zxid};
use ringkeeper_core::jute::OpCode;
use ringkeeper_node::Stages;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// So many are kept.
const KEPT: usize = 100;
/// So many are logged in each period; of the others their number.
const LOGGED: u32 = 10;
const PERIOD: Duration = Duration::from_secs(1);

/// A slow request, with the wall clock's time.
#[derive(Debug, Clone, PartialEq)]
pub struct SlowEntry {
    /// When it was answered.
    pub at: WallMs,
    /// From its arrival to its answer.
    pub took: Duration,
    /// Who asked.
    pub peer: SocketAddr,
    /// In which session.
    pub session: SessionId,
    /// ZooKeeper's name of the operation.
    pub op: String,
    /// About which path, if that is known.
    pub path: Option<String>,
    /// The transaction that it has become.
    pub zxid: Option<Zxid>,
    /// Where the time went, if it has become one.
    pub stages: Option<Stages>,
}

/// The last slow requests.
#[derive(Debug, Default)]
pub struct SlowLog {
    entries: VecDeque<SlowEntry>,
    limit: Limit,
}

impl SlowLog {
    /// Takes slow requests of the turn under way; `stages` tells where the time of one went.
    pub(crate) fn add(
        &mut self,
        clocks: Clocks,
        requests: Vec<SlowRequest>,
        stages: impl Fn(&SlowRequest) -> Option<Stages>,
    ) {
        for request in requests {
            let stages = stages(&request);
            let entry = SlowEntry::of(request, stages, clocks);
            match self.limit.admits(clocks.now) {
                Some(passed_over) => entry.log(passed_over),
                None => tracing::debug!("a further slow request is not logged"),
            }
            if self.entries.len() == KEPT {
                self.entries.pop_front();
            }
            self.entries.push_back(entry);
        }
    }

    /// The last ones, oldest first.
    pub(crate) fn entries(&self) -> Vec<SlowEntry> {
        self.entries.iter().cloned().collect()
    }
}

impl SlowEntry {
    fn of(request: SlowRequest, stages: Option<Stages>, clocks: Clocks) -> SlowEntry {
        SlowEntry {
            at: clocks.wall_at(request.answered),
            took: request.answered.since(request.received),
            peer: request.peer,
            session: request.session,
            op: OpCode::from_wire(request.op).map_or_else(|| request.op.to_string(), op_name),
            path: request.path,
            zxid: request.zxid,
            stages,
        }
    }

    fn log(&self, passed_over: u32) {
        let SlowEntry { took, peer, session, op, path, stages, .. } = self;
        let ms = took.as_millis() as u64;
        let stages = stages.as_ref().map_or_else(|| "not known: it became no transaction".to_owned(), in_words);
        let path = path.as_deref().unwrap_or("-");
        if passed_over > 0 {
            tracing::warn!(passed_over, "slow requests were not logged, since there were too many");
        }
        tracing::warn!(ms, op, path, %session, %peer, stages, "slow request");
    }
}

/// The stages with their milliseconds.
fn in_words(stages: &Stages) -> String {
    let all = named(stages).into_iter();
    let texts: Vec<String> = all.map(|(name, time)| format!("{name} {:.1}", time.as_secs_f64() * 1000.0)).collect();
    texts.join(", ")
}

/// The stages by name, in order.
pub(crate) fn named(stages: &Stages) -> Vec<(&'static str, Duration)> {
    let Stages { queue, prepare, log, quorum, apply, reply } = *stages;
    let mut all = vec![("queue", queue), ("prepare", prepare)];
    all.extend(log.map(|log| ("log", log)));
    all.extend([("quorum", quorum), ("apply", apply), ("reply", reply)]);
    all
}

/// At most so many in a period.
#[derive(Debug, Default)]
struct Limit {
    since: Option<Instant>,
    admitted: u32,
    passed_over: u32,
}

impl Limit {
    /// Whether one more is within the limit; then, how many were not since the last one that was.
    fn admits(&mut self, now: Instant) -> Option<u32> {
        if self.since.is_none_or(|since| now.since(since) >= PERIOD) {
            (self.since, self.admitted) = (Some(now), 0);
        }
        if self.admitted >= LOGGED {
            self.passed_over += 1;
            return None;
        }
        self.admitted += 1;
        Some(std::mem::take(&mut self.passed_over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(ms: u64) -> SlowRequest {
        SlowRequest {
            peer: "127.0.0.1:1".parse().unwrap(),
            session: SessionId(5),
            op: OpCode::SetData.wire(),
            path: Some("/a".into()),
            zxid: Some(Zxid(9)),
            received: Instant(0),
            answered: Instant(ms * 1_000_000),
        }
    }

    #[test]
    fn the_last_ones_are_kept_with_their_stages() {
        let mut slow = SlowLog::default();
        let clocks = Clocks { now: Instant(1_000_000_000), wall: WallMs(50_000) };
        let stages = Stages { queue: Duration::from_millis(2), ..Stages::default() };
        slow.add(clocks, (1..=KEPT as u64 + 5).map(request).collect(), |_| Some(stages));
        let kept = slow.entries();
        assert_eq!((kept.len(), kept[0].took, &*kept[0].op), (KEPT, Duration::from_millis(6), "setData"));
        assert_eq!((kept[0].at, kept[0].stages), (WallMs(49_006), Some(stages)));
    }

    #[test]
    fn a_flood_is_not_logged() {
        let mut limit = Limit::default();
        let admitted = (0..25).filter(|n| limit.admits(Instant(n * 1_000_000)).is_some()).count();
        assert_eq!(admitted, 10);
        assert_eq!(limit.admits(Instant(1_000_000_000)), Some(15));
        assert_eq!(limit.admits(Instant(1_000_000_001)), Some(0));
    }

    #[test]
    fn stages_are_told_in_order() {
        let stages = Stages { quorum: Duration::from_micros(2500), ..Stages::default() };
        assert_eq!(in_words(&stages), "queue 0.0, prepare 0.0, quorum 2.5, apply 0.0, reply 0.0");
    }
}
