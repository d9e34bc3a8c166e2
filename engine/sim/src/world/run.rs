//! A run: faults until it becomes calm, then agreement within a bound.

use super::World;
use crate::time::{MS, SECOND, Time};
use ringkeeper_core::zab::RoleChange;

/// Once everything that can be mended is, a leader must be there, and every client must have had an answer to a write,
/// within this time. It is long beside what it usually takes, so that chance alone does not exceed it.
const SETTLES_WITHIN: Time = 30 * SECOND;
/// The last answers, and the last transactions, get everywhere within this time.
const ENDS_WITHIN: Time = 15 * SECOND;
/// How often is looked.
const LOOK: Time = 10 * MS;

impl World {
    /// Runs the plan to its end.
    ///
    /// # Panics
    /// If anything that must not happen happens.
    pub fn run(&mut self) {
        self.run_until(self.plan.calm);
        self.mend();
        self.settle("after all faults had ended");
        if self.is_liveness() {
            self.went_wrong = true;
            self.go_wrong_for_good();
            self.settle("although a quorum was well");
            // By now the leader has written: one whose disk hangs is found out within this time.
            let timing = self.plan.limits.timing();
            let found_out = timing.disk_stall.max(timing.silence_max).as_nanos() as Time + 10 * LOOK;
            self.run_until(self.now + found_out);
            self.settle("although a quorum was well");
            let leader = self.stable_leader();
            self.run_until(self.now + found_out);
            assert_eq!(self.stable_leader(), leader, "the leader changes although a quorum is well");
        }
        self.finish();
    }

    /// Runs until that time.
    pub fn run_until(&mut self, time: Time) {
        while self.now < time {
            self.step();
        }
    }

    /// Until there is a leader and all clients have been served by it.
    fn settle(&mut self, when: &str) {
        let (since, until) = (self.now, self.now + SETTLES_WITHIN);
        for name in 0..self.clients.len() {
            self.with_client(name, |client, _| client.wants_an_answer(since));
        }
        loop {
            self.run_until(self.now + LOOK);
            let led = self.leader().is_some_and(|leader| self.are_all_behind(leader));
            let served = self.clients.iter().flatten().all(|client| client.was_answered());
            if led && served {
                break;
            }
            assert!(self.now < until, "no agreement {when}:\n{}", self.describe());
        }
        self.seen.add("milliseconds to agreement", (self.now - since) / MS);
    }

    /// Who leads, and which epoch, unless epochs are short: those change without an outage.
    fn stable_leader(&self) -> Option<(usize, RoleChange)> {
        let long = self.plan.limits.last_counter == u32::MAX;
        self.leader().filter(|_| long).map(|at| (at, self.role(at)))
    }

    /// Whether every server that is well and has a link to the leader follows it, and nobody else leads.
    fn are_all_behind(&self, leader: usize) -> bool {
        let RoleChange::Leading { epoch } = self.role(leader) else { return false };
        (0..self.servers.len()).all(|at| match self.role(at) {
            _ if at == leader => true,
            RoleChange::Following { epoch: followed, .. } if followed == epoch => true,
            RoleChange::Leading { .. } => !self.is_well(at) && self.is_frozen(at),
            _ => !self.is_well(at) || !self.net.is_open(at, leader, self.now),
        })
    }

    /// It does nothing, so that it cannot know what happens.
    fn is_frozen(&self, at: usize) -> bool {
        !self.is_running(at) || self.is_paused(at)
    }

    /// Clients ask for nothing more; everything ends, and everybody has the same.
    fn finish(&mut self) {
        for name in 0..self.clients.len() {
            self.with_client(name, |client, _| client.stop());
        }
        let until = self.now + ENDS_WITHIN;
        loop {
            self.run_until(self.now + LOOK);
            let idle = self.clients.iter().flatten().all(crate::client::Client::is_idle);
            if idle && self.are_equal() {
                break;
            }
            assert!(self.now < until, "not everything comes to an end:\n{}", self.describe());
        }
        let trees = self.servers.iter().filter_map(|server| server.process.as_ref()).map(|p| &p.node.tree);
        self.check.end(trees);
        self.seen.add("transactions", self.check.transactions());
    }

    /// Whether everybody that must be is at the same place. What is at the same place is the same: that is checked
    /// all the time.
    fn are_equal(&self) -> bool {
        let Some(leader) = self.leader().filter(|leader| self.are_all_behind(*leader)) else { return false };
        let last = |at: usize| self.servers[at].process.as_ref().map(|process| process.node.tree.last_zxid());
        (0..self.servers.len())
            .filter(|at| self.is_well(*at) && self.net.is_open(*at, leader, self.now))
            .all(|at| last(at) == last(leader))
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for at in 0..self.servers.len() {
            let server = &self.servers[at];
            let state = server.process.as_ref().map(|process| {
                let outlook = process.node.backend.replica.outlook();
                let status = process.node.backend.replica.status(&process.node.tree);
                let disk = process.device.waiting();
                format!("{:?}, {status:?}, {outlook}; its disk is asked for {disk:?}", process.role)
            });
            let links: Vec<usize> = (0..self.servers.len()).filter(|peer| self.net.is_linked(at, *peer)).collect();
            let state = state.unwrap_or_else(|| "down".to_owned());
            text += &format!("  server {at} (sound: {}, links {links:?}): {state}\n", server.sound);
        }
        for client in self.clients.iter().flatten() {
            text += &format!("  {}\n", client.describe());
        }
        text
    }
}
