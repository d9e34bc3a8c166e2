//! What servers tell of their elections in `mntr`, read before and after each round. Ringkeeper tells the moments of its last
//! change of leaders, ZooKeeper how long its elections took.

use crate::engine::Nanos;
use crate::faults::{self, Server};
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// So much later than a fault its consequences are at least noticed, by clocks that do not quite agree, in microseconds.
const SLACK_US: f64 = 100_000.0;

/// Microseconds since 1970, by this machine's clock.
pub fn wall_us() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e6
}

/// What one server tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// It leads.
    leads: bool,
    /// Elections since it was started: how many, and how long all of them took, in milliseconds.
    elections: Option<(f64, f64)>,
    /// When it noticed last that it had no leader, in microseconds since 1970 by this machine's clock.
    noticed_us: Option<f64>,
    /// What came after that, in milliseconds.
    elect: Option<f64>,
    synchronise: Option<f64>,
    first_commit: Option<f64>,
}

/// The change of leaders that followed a fault, as the server tells that leads since. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// How long the election took.
    pub elect: f64,
    /// The rest, if it is told.
    pub moments: Option<Moments>,
}

/// Moments before and behind an election. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// From the fault until the server noticed that it had no leader.
    pub noticed: f64,
    /// From the election until a quorum had the leader's history.
    pub synchronise: f64,
    /// From then on until something was committed; `None` if nothing was.
    pub first_commit: Option<f64>,
}

impl Change {
    /// When the new leader was established, by the clock that showed `fault` at the fault; never before that.
    pub fn established(&self, fault: Nanos) -> Option<Nanos> {
        let moments = self.moments.as_ref()?;
        let after = (moments.noticed + self.elect + moments.synchronise).max(0.0);
        Some(fault + (after * 1e6) as Nanos)
    }
}

/// Asks all servers. One that does not answer, or must not, has told nothing.
pub fn ask(servers: &[Server]) -> Vec<Reading> {
    let ask = |server: &Server| {
        let sent = wall_us();
        // Each time a second at most: a server may be busy.
        let answer = (0..3).find_map(|_| faults::ask(server.address, "mntr").ok()).unwrap_or_default();
        Reading::parse(&answer, sent, wall_us())
    };
    servers.iter().map(ask).collect()
}

impl Reading {
    /// From the answer to `mntr`, which was sent for and there at these readings of our clock.
    fn parse(mntr: &str, sent_us: f64, heard_us: f64) -> Reading {
        let lines: HashMap<&str, &str> = mntr.lines().filter_map(|line| line.split_once('\t')).collect();
        let number = |name: &str| lines.get(name)?.trim().parse::<f64>().ok();
        let millis = |name: &str| number(name).map(|us| us / 1e3);
        let ahead = number("zk_clock_us").map_or(0.0, |theirs| ahead(theirs, sent_us, heard_us));
        Reading {
            leads: lines.get("zk_server_state").is_some_and(|state| state.trim() == "leader"),
            elections: number("zk_cnt_election_time").zip(number("zk_sum_election_time")),
            noticed_us: number("zk_leader_change_noticed_us").map(|us| us - ahead),
            elect: millis("zk_leader_change_elect_us"),
            synchronise: millis("zk_leader_change_synchronise_us"),
            first_commit: millis("zk_leader_change_first_commit_us"),
        }
    }

    /// The change that it tells, if that followed the fault.
    fn change(&self, fault_us: f64) -> Option<Change> {
        let (noticed_us, elect, synchronise) = (self.noticed_us?, self.elect?, self.synchronise?);
        let noticed = (noticed_us - fault_us) / 1e3;
        let moments = Moments { noticed, synchronise, first_commit: self.first_commit };
        (noticed_us > fault_us - SLACK_US).then_some(Change { elect, moments: Some(moments) })
    }

    /// The one election that it has had since `before`.
    fn election_since(&self, before: &Reading) -> Option<Change> {
        let ((count, sum), (count_before, sum_before)) = (self.elections?, before.elections?);
        (count - count_before == 1.0).then_some(Change { elect: sum - sum_before, moments: None })
    }
}

/// By how much another clock that showed `theirs` between two readings of ours is ahead of it. Within these two readings the
/// clocks agree as far as can be known.
fn ahead(theirs: f64, sent: f64, heard: f64) -> f64 {
    if (sent..=heard).contains(&theirs) { 0.0 } else { theirs - sent.midpoint(heard) }
}

/// The change of leaders that followed a fault; `None` if there was none, or the new leader tells nothing of it.
pub fn change(before: &[Reading], after: &[Reading], fault_us: f64) -> Option<Change> {
    let (leader, before) = after.iter().zip(before).find(|(reading, _)| reading.leads)?;
    if leader.noticed_us.is_some() { leader.change(fault_us) } else { leader.election_since(before) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RINGKEEPER: &str = "zk_server_state\tleader\nzk_cnt_election_time\t3\nzk_sum_election_time\t9\n\
        zk_clock_us\t5000500\nzk_leader_change_noticed_us\t4002000\nzk_leader_change_elect_us\t1500\n\
        zk_leader_change_synchronise_us\t2500\nzk_leader_change_first_commit_us\t700\n";

    fn zookeeper(state: &str, count: u32, sum: u32) -> Reading {
        let text = format!("zk_server_state\t{state}\nzk_cnt_election_time\t{count}\nzk_sum_election_time\t{sum}\n");
        Reading::parse(&text, 0.0, 1.0)
    }

    #[test]
    fn the_new_leader_tells_its_change() {
        let after = [Reading::default(), Reading::parse(RINGKEEPER, 5_000_000.0, 5_001_000.0)];
        let moments = Moments { noticed: 2.0, synchronise: 2.5, first_commit: Some(0.7) };
        let told = Change { elect: 1.5, moments: Some(moments) };
        assert_eq!(change(&[Reading::default(); 2], &after, 4_000_000.0), Some(told));
        assert_eq!(change(&[Reading::default(); 2], &after, 4_900_000.0), None, "it was before the fault");
    }

    #[test]
    fn the_clock_of_another_machine_is_put_right() {
        // Its clock is a second ahead of ours.
        let reading = Reading::parse(RINGKEEPER, 4_000_000.0, 4_001_000.0);
        assert_eq!(reading.noticed_us, Some(3_002_000.0));
        assert_eq!([4.0, 5.0, 6.0, 7.0].map(|theirs| ahead(theirs, 5.0, 6.0)), [-1.5, 0.0, 0.0, 1.5]);
    }

    #[test]
    fn zookeeper_tells_how_long_elections_took() {
        let before = [zookeeper("leader", 1, 200), zookeeper("follower", 1, 230), zookeeper("follower", 2, 300)];
        let after = |count, sum| [Reading::default(), zookeeper("leader", count, sum), zookeeper("follower", 3, 320)];
        let election = Change { elect: 25.0, moments: None };
        assert_eq!(change(&before, &after(2, 255), 0.0), Some(election));
        assert_eq!(change(&before, &after(1, 230), 0.0), None, "there was none");
        assert_eq!(change(&before, &after(3, 270), 0.0), None, "of several it does not tell the last");
    }

    #[test]
    fn a_server_that_tells_nothing_explains_nothing() {
        for answer in ["", "mntr is not executed because it is not in the whitelist.\n", "zk_server_state\tleader\n"] {
            let reading = Reading::parse(answer, 0.0, 0.0);
            assert_eq!(change(&[reading], &[reading], 0.0), None, "{answer}");
        }
    }
}
