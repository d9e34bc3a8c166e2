//! The world: servers, their network, their clients, and what happens to them, one event after the other.

mod cable;
mod calm;
mod clients;
mod clock;
mod events;
mod links;
mod network;
mod run;
mod server;
mod strike;
mod turns;
mod wires;

pub use wires::ToClient;

use crate::check::Check;
use crate::client::Client;
use crate::plan::{Mode, Plan, Who};
use crate::seen::Seen;
use crate::time::{MS, Time};
use crate::trace::Trace;
use events::{Event, Queue};
use network::Network;
use ringkeeper_core::zab::RoleChange;
use ringkeeper_txnlog::sim::Rng;
use server::Server;
use wires::Wires;

/// See the module.
pub struct World {
    /// What is run.
    pub plan: Plan,
    /// The time.
    pub now: Time,
    /// What has happened.
    pub trace: Trace,
    /// How often what has happened.
    pub seen: Seen,
    /// What must hold.
    pub check: Check,
    queue: Queue,
    servers: Vec<Server>,
    net: Network,
    wires: Wires,
    clients: Vec<Option<Client>>,
    rng: Rng,
    /// No fault strikes any more.
    calm: bool,
    /// What stays wrong for good is.
    went_wrong: bool,
}

/// Servers look for links that they lack so often.
const DIAL: Time = 15 * MS;

impl World {
    /// Before anything happens.
    #[must_use]
    pub fn new(plan: Plan) -> World {
        let mut rng = Rng::new(plan.seed);
        let servers: Vec<Server> = (0..plan.limits.servers()).map(|at| Server::new(at, &plan, &mut rng)).collect();
        let clients = (0..plan.clients).map(|name| Some(Client::new(name, &plan, &mut rng))).collect();
        let mut world = World {
            now: 0,
            trace: Trace::default(),
            seen: Seen::default(),
            check: Check::new(),
            queue: Queue::default(),
            net: Network::new(servers.len()),
            servers,
            wires: Wires::default(),
            clients,
            rng,
            calm: false,
            went_wrong: false,
            plan,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for at in 0..self.servers.len() {
            let when = self.rng.below(20) * MS;
            self.queue.at(when, Event::Start(at));
        }
        for client in 0..self.clients.len() {
            self.queue.at(30 * MS + self.rng.below(20) * MS, Event::Client(client));
        }
        for (index, planned) in self.plan.faults.iter().enumerate() {
            self.queue.at(planned.at, Event::Strike(index));
        }
        self.queue.at(DIAL, Event::Dial);
    }

    /// The next event.
    fn step(&mut self) {
        let (now, event) = self.queue.pop().expect("servers dial for ever");
        assert!(now >= self.now, "time does not go back");
        self.now = now;
        match event {
            Event::Turn(at, life) => self.turn(at, life),
            Event::Tick(at, life) => self.tick(at, life),
            Event::Disk(at, life) => self.disk(at, life),
            Event::Start(at) => self.start(at),
            Event::Stopped(at, life) => self.stopped(at, life),
            Event::Arrive(from, to) => self.arrive(from, to),
            Event::LinkLost(at, peer, generation) => self.link_lost(at, peer, generation),
            Event::Dial => self.dial(),
            Event::Healed(from, to) => self.healed(from, to),
            Event::ToServer(wire) => self.reaches_server(wire),
            Event::ToClient(wire) => self.reaches_client(wire),
            Event::Client(client) => self.client_acts(client),
            Event::Strike(index) => self.strike(index),
            Event::Room(at) => self.servers[at].disk.set_capacity(u64::MAX),
        }
    }

    /// Something between `time` and twice as much.
    fn about(&mut self, time: Time) -> Time {
        time + self.rng.below(time.max(1))
    }

    /// What a server is at the moment.
    fn role(&self, at: usize) -> RoleChange {
        self.servers[at].process.as_ref().map_or(RoleChange::Looking, |process| process.role)
    }

    /// The leader of the newest epoch.
    fn leader(&self) -> Option<usize> {
        let led = |at: &usize| if let RoleChange::Leading { epoch } = self.role(*at) { Some(epoch) } else { None };
        (0..self.servers.len()).filter(|at| led(at).is_some()).max_by_key(led)
    }

    fn whom(&self, who: Who) -> Option<usize> {
        let servers = self.servers.len();
        match who {
            Who::Server(at) => Some(at % servers),
            Who::Leader => self.leader(),
            Who::Other(n) => {
                let leader = self.leader();
                let others: Vec<usize> = (0..servers).filter(|at| Some(*at) != leader).collect();
                others.get(n % others.len()).copied()
            }
        }
    }

    /// Whether its process is there.
    pub fn is_running(&self, at: usize) -> bool {
        self.servers[at].process.is_some()
    }

    fn is_paused(&self, at: usize) -> bool {
        self.servers[at].paused_until > self.now
    }

    /// Whether `at` may lose something that it has acknowledged: enough voters must be left that have not.
    fn may_forget(&self, at: usize) -> bool {
        let voters = self.plan.limits.voters;
        let unsound = (0..voters).filter(|other| *other != at && !self.servers[*other].sound).count();
        at >= voters || voters - unsound > voters / 2 + 1
    }

    fn is_liveness(&self) -> bool {
        self.plan.mode == Mode::Liveness
    }
}
