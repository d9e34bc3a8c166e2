//! An ensemble as its servers' samples show it: rates out of two samples, lags out of two servers.

use crate::hot::Hot;
use crate::sample::{Sample, Silence};
use std::collections::VecDeque;
use std::time::Duration;

/// Intervals whose rate of transactions is kept.
const KEPT: usize = 400;

/// What came of asking a server.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// It told.
    Told(Box<Sample>),
    /// It answered, but not what was asked.
    Silent(Silence),
    /// It did not answer; why.
    Unreachable(String),
}

/// The servers, with their last two answers.
#[derive(Clone, Debug)]
pub struct Model {
    servers: Vec<Server>,
    transactions: VecDeque<f64>,
}

#[derive(Clone, Debug)]
struct Server {
    name: String,
    last: Option<(Duration, Answer)>,
    before: Option<(Duration, Sample)>,
}

/// One server in a table.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Address of the server.
    pub server: String,
    /// Whether it serves clients.
    pub serves: bool,
    /// Role, or why it does not serve.
    pub state: String,
    /// What it tells; `None` if it tells nothing.
    pub sample: Option<Sample>,
    /// Transactions that the leader has applied and this server has not yet.
    pub behind: Option<Behind>,
    /// Requests a second, since the answer before.
    pub requests: Option<f64>,
    /// Replies and events a second.
    pub replies: Option<f64>,
}

/// How far behind a server is. Servers are not asked at the very same time: under load a few transactions are none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behind {
    /// So many transactions.
    Transactions(u64),
    /// So many epochs: the leader's are of a newer one.
    Epochs(u64),
}

/// The ensemble in a line.
#[derive(Clone, PartialEq, Debug)]
pub struct Summary {
    /// Servers that are watched.
    pub servers: usize,
    /// Servers that serve clients.
    pub serving: usize,
    /// The leader, or the server that stands alone.
    pub leader: Option<String>,
    /// Whether some server follows a leader that is not among these.
    pub led_by_another: bool,
    /// Epoch of the newest transaction.
    pub epoch: Option<u64>,
    /// Transactions a second.
    pub transactions: Option<f64>,
    /// Requests a second at all servers.
    pub requests: f64,
    /// Connections at all servers.
    pub connections: u64,
}

impl Model {
    /// A model of these servers, of which nothing is known yet.
    #[must_use]
    pub fn new(servers: &[String]) -> Model {
        let servers = servers.iter().map(|name| Server { name: name.clone(), last: None, before: None }).collect();
        Model { servers, transactions: VecDeque::new() }
    }

    /// Takes a server's answer; `at` is the time since some beginning.
    pub fn take(&mut self, server: usize, at: Duration, answer: Answer) {
        let Some(server) = self.servers.get_mut(server) else { return };
        server.before = match server.last.take() {
            Some((at, Answer::Told(sample))) => Some((at, *sample)),
            _ => None,
        };
        server.last = Some((at, answer));
    }

    /// Ends an interval: notes how many transactions a second there were.
    pub fn end_interval(&mut self) {
        let rate = self.summary().transactions.unwrap_or(0.0);
        self.transactions.push_back(rate);
        if self.transactions.len() > KEPT {
            self.transactions.pop_front();
        }
    }

    /// Transactions a second of the intervals, the latest last.
    pub fn transactions(&self) -> impl DoubleEndedIterator<Item = f64> + ExactSizeIterator {
        self.transactions.iter().copied()
    }

    /// The rows, in the order in which the servers were given.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let newest = self.leader().and_then(Server::zxid);
        self.servers.iter().map(|server| server.row(newest)).collect()
    }

    /// The ensemble in a line.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let rows = self.rows();
        let leader = self.leader();
        Summary {
            servers: rows.len(),
            serving: rows.iter().filter(|row| row.serves).count(),
            leader: leader.map(|server| server.name.clone()),
            led_by_another: leader.is_none()
                && rows.iter().any(|row| matches!(row.state.as_str(), "follower" | "observer")),
            epoch: self.servers.iter().filter_map(Server::zxid).max().map(epoch),
            transactions: leader.and_then(Server::transactions),
            requests: rows.iter().filter_map(|row| row.requests).sum(),
            connections: rows.iter().filter_map(|row| row.sample.as_ref()?.connections).sum(),
        }
    }

    /// The paths that are asked for most, at all servers together; `None` if no server serves.
    #[must_use]
    pub fn hot(&self) -> Option<Hot> {
        let mut told = self.servers.iter().filter_map(|server| Some(&server.sample()?.hot)).peekable();
        told.peek().is_some().then(|| Hot::together(told))
    }

    /// Who leads: of several that say so, the one with the newest transaction.
    fn leader(&self) -> Option<&Server> {
        let leads = |server: &&Server| {
            matches!(server.sample().and_then(|sample| sample.role.as_deref()), Some("leader" | "standalone"))
        };
        self.servers.iter().filter(leads).max_by_key(|server| server.zxid())
    }
}

impl Server {
    fn sample(&self) -> Option<&Sample> {
        match &self.last {
            Some((_, Answer::Told(sample))) => Some(sample),
            _ => None,
        }
    }

    fn zxid(&self) -> Option<u64> {
        self.sample()?.zxid
    }

    /// Transactions a second, by zxids of the same epoch.
    fn transactions(&self) -> Option<f64> {
        let (before, _) = self.before.as_ref().and_then(|(_, sample)| Some((sample.zxid?, ())))?;
        let now = self.zxid()?;
        if epoch(before) == epoch(now) { self.rate(|sample| sample.zxid.map(counter)) } else { None }
    }

    /// How much a counter has grown a second. One that has become smaller was reset.
    fn rate(&self, counter: impl Fn(&Sample) -> Option<u64>) -> Option<f64> {
        let (Some((now, _)), Some((then, before))) = (&self.last, &self.before) else { return None };
        let grown = counter(self.sample()?)?.checked_sub(counter(before)?)?;
        let seconds = now.saturating_sub(*then).as_secs_f64();
        (seconds > 0.0).then(|| grown as f64 / seconds)
    }

    fn row(&self, newest: Option<u64>) -> Row {
        let sample = self.sample().cloned();
        let state = match &self.last {
            None => "asking".to_owned(),
            Some((_, Answer::Unreachable(why))) => format!("down: {why}"),
            Some((_, Answer::Silent(Silence::NotServing))) => "no quorum".to_owned(),
            Some((_, Answer::Silent(Silence::NotAllowed))) => "srvr is not allowed (4lw.commands.whitelist)".to_owned(),
            Some((_, Answer::Silent(Silence::Foreign))) => "not a ZooKeeper port".to_owned(),
            Some((_, Answer::Told(sample))) => sample.role.clone().unwrap_or_else(|| "serves".to_owned()),
        };
        Row {
            server: self.name.clone(),
            serves: sample.is_some(),
            state,
            behind: match self.sample().and_then(|sample| sample.role.as_deref()) {
                // It is behind nobody, even if it was named beside an ensemble.
                Some("standalone") => Some(Behind::Transactions(0)),
                _ => newest.zip(self.zxid()).map(|(newest, own)| behind(newest, own)),
            },
            requests: self.rate(|sample| sample.received),
            replies: self.rate(|sample| sample.sent),
            sample,
        }
    }
}

/// The epoch of a zxid.
#[must_use]
pub const fn epoch(zxid: u64) -> u64 {
    zxid >> 32
}

/// The number of a zxid within its epoch.
#[must_use]
pub const fn counter(zxid: u64) -> u64 {
    zxid & 0xffff_ffff
}

fn behind(newest: u64, own: u64) -> Behind {
    if epoch(own) < epoch(newest) {
        Behind::Epochs(epoch(newest) - epoch(own))
    } else {
        Behind::Transactions(newest.saturating_sub(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(role: &str, zxid: u64, received: u64) -> Answer {
        Answer::Told(Box::new(Sample {
            role: Some(role.into()),
            zxid: Some(zxid),
            received: Some(received),
            connections: Some(2),
            ..Sample::default()
        }))
    }

    fn model() -> Model {
        Model::new(&["a:1".to_owned(), "b:1".to_owned(), "c:1".to_owned()])
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rates_come_of_two_answers() {
        let mut model = model();
        model.take(0, SECOND, told("leader", 0x1_0000_0010, 100));
        assert_eq!(model.rows()[0].requests, None);
        model.take(0, SECOND * 3, told("leader", 0x1_0000_0030, 300));
        assert_eq!(model.rows()[0].requests, Some(100.0));
        assert_eq!(model.summary().transactions, Some(16.0));
        // Statistics that were reset, and a new epoch, give no rate.
        model.take(0, SECOND * 4, told("leader", 0x2_0000_0001, 5));
        assert_eq!((model.rows()[0].requests, model.summary().transactions), (None, None));
        // Nor does the answer after a silence.
        model.take(0, SECOND * 5, Answer::Unreachable("refused".into()));
        model.take(0, SECOND * 6, told("leader", 0x2_0000_0002, 50));
        assert_eq!(model.rows()[0].requests, None);
    }

    #[test]
    fn lags_come_of_the_leader() {
        let mut model = model();
        model.take(0, SECOND, told("follower", 0x2_0000_0005, 0));
        assert_eq!(model.rows()[0].behind, None);
        model.take(1, SECOND, told("leader", 0x2_0000_0007, 0));
        model.take(2, SECOND, told("follower", 0x1_0000_0ff0, 0));
        let behind: Vec<_> = model.rows().iter().map(|row| row.behind).collect();
        let expected = [Behind::Transactions(2), Behind::Transactions(0), Behind::Epochs(1)];
        assert_eq!(behind, expected.map(Some));
        // A follower that was asked later may be ahead.
        model.take(0, SECOND, told("follower", 0x2_0000_0009, 0));
        assert_eq!(model.rows()[0].behind, Some(Behind::Transactions(0)));
    }

    #[test]
    fn a_deposed_leader_that_still_answers_is_not_the_leader() {
        let mut model = model();
        model.take(0, SECOND, told("leader", 0x1_0000_0005, 0));
        model.take(1, SECOND, told("leader", 0x2_0000_0001, 0));
        assert_eq!(model.summary().leader.as_deref(), Some("b:1"));
        assert_eq!(model.summary().epoch, Some(2));
    }

    #[test]
    fn servers_that_do_not_serve_say_why() {
        let mut model = model();
        model.take(0, SECOND, Answer::Unreachable("Connection refused".into()));
        model.take(1, SECOND, Answer::Silent(Silence::NotServing));
        let states: Vec<_> = model.rows().into_iter().map(|row| row.state).collect();
        assert_eq!(states, ["down: Connection refused", "no quorum", "asking"]);
        let summary = model.summary();
        assert_eq!((summary.serving, summary.servers, summary.leader), (0, 3, None));
    }
}
