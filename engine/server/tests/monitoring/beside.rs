//! Three servers of either kind after the same few requests of clients, and what they tell.

use crate::http;
use crate::support::client::Client;
use crate::support::ensemble::{Ensemble, Plan};
use crate::support::server::Target;
use serde_json::Value;

/// Ephemeral nodes.
const EPHEMERAL: i32 = 1;

/// The line of the last transaction.
fn zxid(srvr: &str) -> Option<String> {
    srvr.lines().find(|line| line.starts_with("Zxid: ")).map(str::to_owned)
}

/// A running ensemble with a client at each server, which has made nodes and set watches.
pub struct Story {
    pub ensemble: Ensemble,
    /// They keep their sessions while the servers are asked.
    _clients: Vec<Client>,
}

impl Story {
    pub fn tell(target: Target) -> Story {
        // The sessions last until all is asked, though nobody pings.
        let settings = &[("maxSessionTimeout", "600000")];
        let ensemble = Ensemble::of(&Plan { target, admin: true, settings, ..Plan::default() });
        let clients = (0..3).map(|at| {
            let mut client = Client::connect(ensemble.addr(at));
            client.create(&format!("/node-{at}"), b"data", 0).unwrap();
            client.create(&format!("/ephemeral-{at}"), b"", EPHEMERAL).unwrap();
            client.get(&format!("/node-{at}"), true).unwrap();
            client.set(&format!("/ephemeral-{at}"), b"changed", -1).unwrap();
            client
        });
        let clients = clients.collect();
        ensemble.wait_until("servers that have applied the same", |ensemble| {
            let zxids: Vec<_> = (0..3).map(|at| zxid(&ensemble.word(at, "srvr"))).collect();
            zxids[0].is_some() && zxids.iter().all(|zxid| *zxid == zxids[0])
        });
        Story { ensemble, _clients: clients }
    }

    /// A server that leads, or one that follows.
    pub fn server(&self, leads: bool) -> usize {
        let leader = self.ensemble.leader();
        if leads { leader } else { (leader + 1) % 3 }
    }

    pub fn word(&self, leads: bool, word: &str) -> String {
        self.ensemble.told(self.server(leads), word)
    }

    pub fn command(&self, leads: bool, command: &str) -> Value {
        http::get(self.ensemble.admin_addr(self.server(leads)), &format!("/commands/{command}")).json()
    }
}
