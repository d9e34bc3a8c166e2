//! Which paths are asked for most: one request of many is looked at, and the frequent ones are kept in a table of fixed
//! size. When it is full the rarest gives way and leaves its rank behind: the newcomer may have been as frequent before (the
//! space-saving algorithm of Metwally, Agrawal and El Abbadi, ICDT 2005).

use crate::ids::Instant;
use crate::jute::OpCode;
use core::time::Duration;

/// One request of so many is looked at.
pub const SAMPLE: u32 = 32;
/// Paths that are kept.
const ENTRIES: usize = 128;
/// Counting begins anew after so long; the period before is kept.
const PERIOD: Duration = Duration::from_secs(10);

/// How often a path was asked for, as far as samples tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HotPath {
    /// The path.
    pub path: String,
    /// Reads among the samples since it was taken into the table.
    pub reads: u64,
    /// Writes among them.
    pub writes: u64,
    /// So many samples of it at most were before that.
    pub missed: u64,
}

impl HotPath {
    /// Samples that were surely of this path.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.reads + self.writes
    }

    fn rank(&self) -> u64 {
        self.samples() + self.missed
    }
}

/// The most frequent paths of one period.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HotPaths {
    paths: Vec<HotPath>,
    /// How long samples were taken.
    pub period: Duration,
}

impl HotPaths {
    /// These, sampled for so long.
    #[must_use]
    pub fn new(paths: Vec<HotPath>, period: Duration) -> HotPaths {
        HotPaths { paths, period }
    }

    fn offer(&mut self, path: &str, writes: bool) {
        let at = match self.paths.iter().position(|entry| entry.path == path) {
            Some(at) => at,
            None if self.paths.len() < ENTRIES => {
                self.paths.push(HotPath { path: path.to_owned(), reads: 0, writes: 0, missed: 0 });
                self.paths.len() - 1
            }
            None => self.replace_rarest(path),
        };
        let entry = &mut self.paths[at];
        *(if writes { &mut entry.writes } else { &mut entry.reads }) += 1;
    }

    /// The newcomer may have been as frequent as the one that it replaces, and not more.
    fn replace_rarest(&mut self, path: &str) -> usize {
        let rarest = self.paths.iter().enumerate().min_by_key(|(_, entry)| entry.rank());
        let at = rarest.map_or(0, |(at, _)| at);
        let entry = &mut self.paths[at];
        entry.missed = entry.rank();
        (entry.reads, entry.writes) = (0, 0);
        entry.path.clear();
        entry.path.push_str(path);
        at
    }

    /// Adds what another frontend has seen in the same time.
    pub fn merge(&mut self, other: HotPaths) {
        self.period = self.period.max(other.period);
        for theirs in other.paths {
            match self.paths.iter_mut().find(|mine| mine.path == theirs.path) {
                Some(mine) => {
                    mine.reads += theirs.reads;
                    mine.writes += theirs.writes;
                    mine.missed += theirs.missed;
                }
                None => self.paths.push(theirs),
            }
        }
    }

    /// The most frequent first, by what is sure.
    #[must_use]
    pub fn hottest(mut self) -> Vec<HotPath> {
        self.paths.sort_by(|a, b| b.samples().cmp(&a.samples()).then_with(|| a.path.cmp(&b.path)));
        self.paths
    }
}

/// The samples of this period and of the last one.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    /// Requests until the next sample.
    skip: u32,
    since: Instant,
    current: HotPaths,
    last: HotPaths,
}

impl Sampler {
    /// A request has come in.
    pub(super) fn request(&mut self, op: OpCode, body: &[u8]) {
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        self.skip = SAMPLE - 1;
        if let Some(path) = path_of(op, body) {
            self.current.offer(path, super::measures::is_update(op.wire()));
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant) {
        let period = now.since(self.since);
        if period >= PERIOD {
            self.current.period = period;
            self.last = core::mem::take(&mut self.current);
            self.since = now;
        }
    }

    /// What the last whole period has seen, or this one if there is none yet.
    pub(super) fn seen(&self, now: Instant) -> HotPaths {
        if self.last.period.is_zero() {
            return HotPaths { period: now.since(self.since), ..self.current.clone() };
        }
        self.last.clone()
    }
}

/// The path that a request is about, if it is about one.
pub(super) fn path_of(op: OpCode, body: &[u8]) -> Option<&str> {
    let has_path = matches!(
        op,
        OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::Delete
            | OpCode::SetData
            | OpCode::SetAcl
            | OpCode::Sync
            | OpCode::Exists
            | OpCode::GetData
            | OpCode::GetAcl
            | OpCode::GetChildren
            | OpCode::GetChildren2
            | OpCode::GetAllChildrenNumber
            | OpCode::GetEphemerals
            | OpCode::AddWatch
            | OpCode::RemoveWatches
            | OpCode::CheckWatches
    );
    // All of these begin with it.
    let (len, rest) = body.split_first_chunk::<4>().filter(|_| has_path)?;
    let bytes = rest.get(..usize::try_from(i32::from_be_bytes(*len)).ok()?)?;
    core::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(path: &str) -> Vec<u8> {
        let mut body = (path.len() as i32).to_be_bytes().to_vec();
        body.extend_from_slice(path.as_bytes());
        body.push(0);
        body
    }

    #[test]
    fn a_path_is_found_in_requests_that_have_one() {
        assert_eq!(path_of(OpCode::GetData, &body("/a/b")), Some("/a/b"));
        assert_eq!(path_of(OpCode::Multi, &body("/a/b")), None);
        for nonsense in [&[][..], &[0, 0, 0], &[0, 0, 0, 9, b'/'], &[0xff; 8], &[0, 0, 0, 1, 0xff]] {
            assert_eq!(path_of(OpCode::GetData, nonsense), None);
        }
    }

    #[test]
    fn the_frequent_ones_stay_however_many_others_come() {
        let mut seen = HotPaths::default();
        for n in 0..20_000 {
            seen.offer("/hot", n % 4 == 0);
            seen.offer(&format!("/rare/{n}"), false);
        }
        let hottest = seen.hottest();
        assert_eq!((&*hottest[0].path, hottest[0].writes, hottest[0].missed), ("/hot", 5_000, 0));
        assert!(hottest[1].samples() < 20, "rare ones do not inherit what others had: {:?}", hottest[1]);
        assert!(hottest[1].missed > 100, "but may have been as frequent: {:?}", hottest[1]);
        assert_eq!((hottest[0].samples(), hottest.len()), (20_000, ENTRIES));
    }

    #[test]
    fn what_two_have_seen_is_put_together() {
        let (mut one, mut other) = (HotPaths::default(), HotPaths::default());
        one.offer("/a", true);
        other.offer("/a", false);
        other.offer("/b", false);
        one.paths[0].missed = 3;
        other.paths[0].missed = 4;
        one.merge(other);
        let hottest = one.hottest();
        assert_eq!(hottest[0].missed, 7);
        assert_eq!((&*hottest[0].path, hottest[0].reads, hottest[0].writes, hottest.len()), ("/a", 1, 1, 2));
    }

    #[test]
    fn one_request_of_many_is_looked_at() {
        let mut sampler = Sampler::default();
        for n in 0..64 * SAMPLE {
            sampler.request(if n < 60 * SAMPLE { OpCode::GetData } else { OpCode::SetData }, &body("/a"));
        }
        let told = sampler.seen(Instant(1)).hottest();
        assert_eq!((told[0].reads, told[0].writes), (60, 4));
    }

    #[test]
    fn the_last_whole_period_is_told() {
        let mut sampler = Sampler::default();
        sampler.request(OpCode::GetData, &body("/a"));
        (1..SAMPLE).for_each(|_| sampler.request(OpCode::GetData, &body("/skipped")));
        let early = sampler.seen(Instant(1_000_000_000));
        assert_eq!((early.period, early.hottest().len()), (Duration::from_secs(1), 1));
        sampler.tick(Instant(10_000_000_000));
        sampler.request(OpCode::GetData, &body("/b"));
        let told = sampler.seen(Instant(11_000_000_000));
        assert_eq!((told.period, &*told.hottest()[0].path), (PERIOD, "/a"));
    }
}
