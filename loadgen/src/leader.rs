//! Who leads, for the live line: asked beside the load, at most once a second.

use crate::faults::{Role, role};
use std::net::SocketAddr;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(1);

/// A thread that asks servers whether they lead, until it is dropped.
#[derive(Debug)]
pub struct Lookout {
    leader: Arc<Mutex<Option<SocketAddr>>>,
    /// The thread ends when this is gone. It is not waited for: it may be waiting for a server that says nothing.
    _end: Sender<()>,
    _thread: Option<JoinHandle<()>>,
}

impl Lookout {
    /// Begins to ask these servers. If no thread can be had, nobody is known to lead.
    pub fn begin(servers: &[SocketAddr]) -> Lookout {
        let leader = Arc::new(Mutex::new(None));
        let (end, ended) = channel();
        let (servers, found) = (distinct(servers), Arc::clone(&leader));
        let thread = Builder::new().name("lookout".into()).spawn(move || {
            while let Some(roles) = willing(&servers) {
                let leads = servers.iter().zip(roles).find(|(_, role)| *role == Role::Leader);
                *found.lock().unwrap_or_else(PoisonError::into_inner) = leads.map(|(server, _)| *server);
                if ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        });
        Lookout { leader, _end: end, _thread: thread.ok() }
    }

    /// The server that led when it was last asked.
    pub fn leader(&self) -> Option<SocketAddr> {
        *self.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the servers say; `None` if none of them may be asked.
fn willing(servers: &[SocketAddr]) -> Option<Vec<Role>> {
    let roles: Vec<Role> = servers.iter().map(|server| role(*server)).collect();
    (!roles.iter().all(|role| matches!(role, Role::Forbidden | Role::Standalone))).then_some(roles)
}

fn distinct(servers: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> = Vec::new();
    for server in servers {
        if !found.contains(server) {
            found.push(*server);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Instant;

    /// A server that answers every word so.
    fn saying(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read_exact(&mut [0; 4]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        address
    }

    #[test]
    fn the_one_that_leads_is_found_and_those_that_must_not_tell_are_not_asked_again() {
        let (follower, leader) = (saying("Mode: follower\n"), saying("Mode: leader\n"));
        let lookout = Lookout::begin(&[follower, leader, leader]);
        let began = Instant::now();
        while lookout.leader().is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "in vain");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(lookout.leader(), Some(leader));
        let forbidden = saying("srvr is not executed because it is not in the whitelist.\n");
        while willing(&[forbidden]).is_some() {
            assert!(began.elapsed() < Duration::from_secs(60), "in vain");
        }
        assert!(willing(&[forbidden, follower]).is_some());
    }
}
