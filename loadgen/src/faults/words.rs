//! Four-letter words; above all who leads, asked by `srvr`, the one that ZooKeeper allows unless told otherwise.

use super::servers::Server;
use crate::engine::Stop;
use anyhow::{Result, bail};
use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a server gets to answer. One that is paused accepts connections and says nothing.
const PATIENCE: Duration = Duration::from_millis(1000);
/// How long to wait before all are asked again.
const AGAIN: Duration = Duration::from_millis(50);
/// Longest answer that is read.
const ANSWER: u64 = 64 << 10;

/// What a server says that it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// It leads.
    Leader,
    /// It follows a leader (as voter or observer).
    Follower,
    /// It serves alone.
    Standalone,
    /// It is there, but serves no clients.
    NotServing,
    /// It does not say, because the word is not allowed.
    Forbidden,
    /// It does not answer.
    Silent(String),
    /// It answered something else.
    Unclear(String),
}

impl Role {
    /// From the answer to `srvr`.
    fn parse(answer: &str) -> Role {
        let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: "));
        match mode.map(str::trim) {
            Some("leader") => Role::Leader,
            Some("follower" | "observer") => Role::Follower,
            Some("standalone") => Role::Standalone,
            Some(mode) => Role::Unclear(format!("mode {mode:?}")),
            None if answer.is_empty() || answer.contains("not currently serving") => Role::NotServing,
            None if answer.contains("whitelist") => Role::Forbidden,
            None => Role::Unclear(answer.chars().take(60).collect()),
        }
    }

    /// Whether it serves clients.
    pub fn serves(&self) -> bool {
        matches!(self, Role::Leader | Role::Follower | Role::Standalone)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Leader => f.write_str("leads"),
            Role::Follower => f.write_str("follows"),
            Role::Standalone => f.write_str("stands alone, so there is nothing to fail over to"),
            Role::NotServing => f.write_str("serves no clients"),
            Role::Forbidden => f.write_str("does not allow srvr (add it to 4lw.commands.whitelist)"),
            Role::Silent(why) => write!(f, "does not answer: {why}"),
            Role::Unclear(what) => write!(f, "answers srvr with {what}"),
        }
    }
}

/// Asks one server.
pub fn role(server: SocketAddr) -> Role {
    match ask(server, "srvr") {
        Ok(answer) => Role::parse(&answer),
        Err(e) => Role::Silent(e.to_string()),
    }
}

/// A server's answer to a four-letter word.
///
/// # Errors
/// Those of the connection; that the server says nothing.
pub fn ask(server: SocketAddr, word: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Waits until one server leads and all others follow; which it is.
///
/// # Errors
/// What every server said last, if it does not come to that.
pub fn await_leader(servers: &[Server], patience: Duration, stop: &Stop) -> Result<usize> {
    let began = Instant::now();
    loop {
        let roles: Vec<Role> = servers.iter().map(|server| role(server.address)).collect();
        match leader_of(servers, &roles) {
            Ok(leader) => return Ok(leader),
            Err(said) if began.elapsed() > patience || stop.is_set() => bail!("no healthy ensemble: {said}"),
            Err(_) => std::thread::sleep(AGAIN),
        }
    }
}

/// The leader, if one of the servers leads and all others follow.
///
/// # Errors
/// What every server says, if it is not so.
fn leader_of(servers: &[Server], roles: &[Role]) -> Result<usize, String> {
    let leaders: Vec<usize> = (0..roles.len()).filter(|&at| roles[at] == Role::Leader).collect();
    match leaders[..] {
        [leader] if roles.iter().all(Role::serves) => Ok(leader),
        _ => {
            let said: Vec<String> =
                servers.iter().zip(roles).map(|(server, role)| format!("{server} {role}")).collect();
            Err(said.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_servers_are_understood() {
        for (answer, role) in [
            ("Zookeeper version: 3.8\nMode: leader\nNode count: 5\n", Role::Leader),
            ("Mode: follower\n", Role::Follower),
            ("Mode: observer\n", Role::Follower),
            ("Mode: standalone\n", Role::Standalone),
            ("This ZooKeeper instance is not currently serving requests\n", Role::NotServing),
            ("", Role::NotServing),
            ("srvr is not executed because it is not in the whitelist.\n", Role::Forbidden),
            ("Mode: read-only\n", Role::Unclear("mode \"read-only\"".into())),
            ("HTTP/1.1 400 Bad Request", Role::Unclear("HTTP/1.1 400 Bad Request".into())),
        ] {
            assert_eq!(Role::parse(answer), role, "{answer:?}");
        }
    }

    #[test]
    fn one_leads_and_all_others_follow_or_each_servers_word_is_told() {
        let servers = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(|text| text.parse::<Server>().unwrap());
        use Role::{Follower, Leader, NotServing};
        assert_eq!(leader_of(&servers, &[Follower, Leader, Follower]), Ok(1));
        let two = leader_of(&servers, &[Leader, Leader, Follower]).unwrap_err();
        assert_eq!(two, "127.0.0.1:1 leads; 127.0.0.1:2 leads; 127.0.0.1:3 follows");
        assert!(leader_of(&servers, &[Leader, NotServing, Follower]).is_err());
        assert!(leader_of(&servers, &[Follower, Follower, Follower]).is_err());
    }
}
