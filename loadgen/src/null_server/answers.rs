//! What is answered to each request, and the trouble that can be made of it.

use super::conduct::{Trouble, Welcome};
use super::replies::{int, text};
use super::{Client, Served};
use std::sync::atomic::{AtomicU64, Ordering};

const CREATE: i32 = 1;
const DELETE: i32 = 2;
const EXISTS: i32 = 3;
const GET_DATA: i32 = 4;
pub const SET_DATA: i32 = 5;
const GET_CHILDREN: i32 = 8;
const SYNC: i32 = 9;
const PING: i32 = 11;
pub const CHECK: i32 = 13;
const MULTI: i32 = 14;
const CLOSE: i32 = -11;

/// Zxid, error code, kind and state of the event that data changed.
const DATA_CHANGED: [u8; 20] = [255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 3];

impl Served {
    /// Answers a request; tells whether the connection is to be kept.
    pub fn request(&mut self, client: &mut Client, payload: &[u8]) -> bool {
        if !client.greeted {
            client.greeted = true;
            return self.greet(client, payload);
        }
        if self.mute {
            return true;
        }
        // What is no request ends the connection: loadgen sent something that it must not send.
        let Some((xid, op, body)) = int(payload).and_then(|(xid, rest)| int(rest).map(|(op, body)| (xid, op, body)))
        else {
            return false;
        };
        let counts = &self.counts;
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed) + 1;
        match op {
            SET_DATA => {
                let number = count(&counts.sets);
                if let Some((at, trouble)) = self.conduct.trouble
                    && at == number
                {
                    return self.trouble(client, xid, trouble);
                }
                reply(client, xid, &self.replies.stat);
            }
            EXISTS => reply(client, xid, &self.replies.stat),
            GET_DATA => {
                count(&counts.gets);
                reply(client, xid, &self.replies.data);
                if let Some((&1, path)) = body.split_last() {
                    count(&counts.watches);
                    reply(client, -1, &[&DATA_CHANGED[..], path].concat());
                }
            }
            CREATE | SYNC => {
                if op == CREATE {
                    count(&counts.creates);
                }
                let Some((path, _)) = text(body) else { return false };
                reply(client, xid, &[&[0; 12], path].concat());
            }
            DELETE => {
                count(&counts.deletes);
                reply(client, xid, &self.replies.empty);
            }
            MULTI => {
                count(&counts.multis);
                let Some(results) = self.replies.multi(body) else { return false };
                reply(client, xid, &results);
            }
            GET_CHILDREN => reply(client, xid, &self.replies.children),
            PING => {
                count(&counts.pings);
                reply(client, -2, &self.replies.empty);
            }
            CLOSE => {
                count(&counts.closes);
                reply(client, xid, &self.replies.empty);
            }
            _ => return false,
        }
        true
    }

    fn greet(&mut self, client: &mut Client, payload: &[u8]) -> bool {
        // With read-only byte and a password of 16 bytes.
        if payload.len() != 45 {
            return false;
        }
        let timeout = &payload[12..16];
        let number = self.counts.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let (timeout, session) = match self.conduct.welcome {
            Welcome::Session => (timeout.to_vec(), number),
            Welcome::Expired => (vec![0; 4], 0),
            Welcome::Close => return false,
            Welcome::Silence => return true,
        };
        let response = [&[0; 4], &timeout[..], &session.to_be_bytes(), &16i32.to_be_bytes(), &[9; 16], &[0]].concat();
        client.output.extend_from_slice(&(response.len() as i32).to_be_bytes());
        client.output.extend_from_slice(&response);
        true
    }

    fn trouble(&mut self, client: &mut Client, xid: i32, trouble: Trouble) -> bool {
        match trouble {
            Trouble::Stall(time) => {
                std::thread::sleep(time);
                reply(client, xid, &self.replies.stat);
            }
            Trouble::Error(code) => reply(client, xid, &[&[0; 8], &code.to_be_bytes()[..]].concat()),
            Trouble::WrongXid => reply(client, xid + 1, &self.replies.stat),
            Trouble::ShortBody => reply(client, xid, &self.replies.stat[..40]),
            Trouble::Notification => reply(client, -1, &self.replies.empty),
            Trouble::Garbage => client.output.extend_from_slice(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            Trouble::Close => return false,
            Trouble::Silence => self.mute = true,
        }
        true
    }
}

fn reply(client: &mut Client, xid: i32, rest: &[u8]) {
    client.output.extend_from_slice(&(rest.len() as i32 + 4).to_be_bytes());
    client.output.extend_from_slice(&xid.to_be_bytes());
    client.output.extend_from_slice(rest);
}
