//! The connections of clients.

use crate::time::Time;
use ringkeeper_core::ids::ConnId;
use std::collections::{BTreeMap, VecDeque};

/// What gets from a server to a client.
#[derive(Debug)]
pub enum ToClient {
    /// Bytes.
    Bytes(Vec<u8>),
    /// The end of the connection.
    Closed,
}

/// What gets from a client to a server.
#[derive(Debug)]
pub enum ToServer {
    /// A frame, without its length.
    Frame(Vec<u8>),
    /// The end of the connection.
    Closed,
}

/// A connection.
#[derive(Debug)]
pub struct Wire {
    pub client: usize,
    pub server: usize,
    /// The server's life that it belongs to.
    pub life: u32,
    pub conn: ConnId,
    pub to_server: VecDeque<(Time, ToServer)>,
    pub to_client: VecDeque<(Time, ToClient)>,
}

/// All of them, the ended ones included.
#[derive(Debug, Default)]
pub struct Wires {
    all: Vec<Wire>,
    by_conn: BTreeMap<(usize, u32, u32, u32), usize>,
}

impl Wires {
    /// A new one; its number.
    pub fn add(&mut self, client: usize, server: usize, life: u32, conn: ConnId) -> usize {
        let number = self.all.len();
        let (to_server, to_client) = (VecDeque::new(), VecDeque::new());
        self.all.push(Wire { client, server, life, conn, to_server, to_client });
        self.by_conn.insert((server, life, conn.slot, conn.generation), number);
        number
    }

    pub fn get(&mut self, number: usize) -> &mut Wire {
        &mut self.all[number]
    }

    /// That of a server's connection.
    #[must_use]
    pub fn of(&self, server: usize, life: u32, conn: ConnId) -> Option<usize> {
        self.by_conn.get(&(server, life, conn.slot, conn.generation)).copied()
    }

    /// Those of a server's life.
    #[must_use]
    pub fn at(&self, server: usize, life: u32) -> Vec<usize> {
        self.by_conn.range((server, life, 0, 0)..(server, life + 1, 0, 0)).map(|(_, number)| *number).collect()
    }
}
