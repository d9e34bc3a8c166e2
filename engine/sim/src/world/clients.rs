//! The connections of clients: what gets through them, and when.

use super::World;
use super::events::Event;
use super::wires::{ToClient, ToServer};
use crate::client::Client;
use crate::time::{MS, Time, US};
use ringkeeper_node::Clock as _;

/// A message between a client and its server takes about this.
const DELAY: Time = 60 * US;

impl World {
    /// A client connects to a server; the connection, if the server runs.
    pub fn connect(&mut self, client: usize, at: usize) -> Option<usize> {
        let server = &mut self.servers[at];
        let (now, life) = (server.clock.read(self.now).now(), server.life);
        if server.paused_until > self.now {
            return None;
        }
        let process = server.process(life)?;
        if process.stopping {
            return None;
        }
        // Any of them may have the tree replaced.
        let conn = process.node.frontend.open_own(now);
        Some(self.wires.add(client, at, life, conn))
    }

    /// The state that a server shows, as the bytes of a snapshot; `None` if it does not run.
    pub fn snapshot_at(&mut self, at: usize) -> Option<Vec<u8>> {
        let mut tree = self.servers[at].process.as_ref()?.node.tree.clone();
        tree.snapshot_abort();
        tree.snapshot_begin();
        let mut bytes = Vec::new();
        while !tree.snapshot_slice(usize::MAX, &mut bytes) {}
        Some(bytes)
    }

    /// A client sends a frame.
    pub fn send_frame(&mut self, wire: usize, frame: Vec<u8>) {
        self.push_to_server(wire, ToServer::Frame(frame));
    }

    /// A client closes a connection.
    pub fn hang_up(&mut self, wire: usize) {
        self.push_to_server(wire, ToServer::Closed);
    }

    fn push_to_server(&mut self, number: usize, what: ToServer) {
        let mut when = self.now + self.about(DELAY);
        let wire = self.wires.get(number);
        when = when.max(wire.to_server.back().map_or(0, |(when, _)| *when));
        wire.to_server.push_back((when, what));
        self.queue.at(when, Event::ToServer(number));
    }

    pub(super) fn push_to_client(&mut self, number: usize, delay: Time, what: ToClient) {
        let mut when = self.now + self.about(delay);
        let wire = self.wires.get(number);
        when = when.max(wire.to_client.back().map_or(0, |(when, _)| *when));
        wire.to_client.push_back((when, what));
        self.queue.at(when, Event::ToClient(number));
    }

    pub(super) fn reaches_server(&mut self, number: usize) {
        let now = self.now;
        let wire = self.wires.get(number);
        let (at, conn, life) = (wire.server, wire.conn, wire.life);
        let server = &mut self.servers[at];
        if server.paused_until > now {
            self.queue.at(server.paused_until, Event::ToServer(number));
            return;
        }
        let clock = server.clock.read(now).now();
        let Some(process) = server.process(life) else { return };
        let node = &mut process.node;
        if !node.frontend.accepts_input(conn) && matches!(wire.to_server.front(), Some((_, ToServer::Frame(_)))) {
            self.queue.at(now + MS, Event::ToServer(number));
            return;
        }
        match wire.to_server.pop_front() {
            Some((_, ToServer::Frame(frame))) => node.frontend.receive(clock, conn, &frame, &node.tree),
            Some((_, ToServer::Closed)) => node.frontend.gone(clock, conn),
            None => return,
        }
        self.wake(at);
    }

    pub(super) fn reaches_client(&mut self, number: usize) {
        let wire = self.wires.get(number);
        let Some((_, what)) = wire.to_client.pop_front() else { return };
        let name = wire.client;
        self.with_client(name, |client, world| client.receive(world, number, what));
    }

    /// Takes what the frontend has for its connections.
    pub(super) fn collect_replies(&mut self, at: usize, life: u32) {
        let mut outputs = Vec::new();
        let Some(process) = self.servers[at].process(life) else { return };
        while let Some(output) = process.node.frontend.next_output() {
            outputs.push((output.conn, std::mem::take(output.bytes), output.close));
        }
        for (conn, bytes, close) in outputs {
            let Some(wire) = self.wires.of(at, life, conn) else { continue };
            self.trace.note(self.now, &[7, at as u64, wire as u64, bytes.len() as u64]);
            if !bytes.is_empty() {
                self.push_to_client(wire, DELAY, ToClient::Bytes(bytes));
            }
            if close {
                self.push_to_client(wire, DELAY, ToClient::Closed);
            }
        }
    }

    pub(super) fn client_acts(&mut self, name: usize) {
        self.with_client(name, |client, world| client.act(world));
        // What counts when it is calm is that everybody is served, not how often.
        let pause = self.plan.limits.client_pause * if self.calm { 5 } else { 1 };
        let when = self.now + pause / 2 + self.rng.below(pause);
        self.queue.at(when, Event::Client(name));
    }

    pub(super) fn with_client<T>(&mut self, name: usize, what: impl FnOnce(&mut Client, &mut World) -> T) -> T {
        let mut client = self.clients[name].take().expect("a client does one thing at a time");
        let result = what(&mut client, self);
        self.clients[name] = Some(client);
        result
    }

    /// So many servers there are to connect to.
    #[must_use]
    pub fn servers(&self) -> usize {
        self.servers.len()
    }
}
