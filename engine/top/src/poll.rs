//! One thread for each server, which asks it again and again: a server that hangs delays no other.

use crate::model::Answer;
use crate::sample::{Sample, Words};
use ringkeeper_client::{brief, four_letter};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// An answer of a server, by its number.
pub(crate) struct Heard {
    pub server: usize,
    pub at: Duration,
    pub answer: Answer,
}

/// Asks servers from now on, every `interval`, until nobody listens.
pub(crate) fn start(servers: &[String], begun: Instant, interval: Duration, heard: &Sender<Heard>) {
    for (number, address) in servers.iter().enumerate() {
        let (address, heard) = (address.clone(), heard.clone());
        let ask_again_and_again = move || {
            let mut next = begun;
            loop {
                let answer = ask(&address, interval.max(Duration::from_secs(1)));
                if heard.send(Heard { server: number, at: begun.elapsed(), answer }).is_err() {
                    return;
                }
                // One that took too long is asked at the next full interval, not at once.
                while next <= Instant::now() {
                    next += interval;
                }
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        };
        // Without a thread the server stays "asking".
        let _ = std::thread::Builder::new().name("poll".into()).spawn(ask_again_and_again);
    }
}

/// Asks a server once.
pub(crate) fn ask(server: &str, patience: Duration) -> Answer {
    match resolve(server).and_then(|address| words(address, patience)) {
        Ok(words) => match Sample::parse(&words) {
            Ok(sample) => Answer::Told(Box::new(sample)),
            Err(silence) => Answer::Silent(silence),
        },
        Err(error) => Answer::Unreachable(brief(&error)),
    }
}

fn words(address: SocketAddr, patience: Duration) -> std::io::Result<Words> {
    let ask = |word| four_letter::ask(address, word, patience);
    let srvr = ask("srvr")?;
    let mntr = ask("mntr")?;
    // Each kind of server has something that the other one does not have; without it the sample has gaps.
    let (envi, hotp) = match srvr.contains("ringkeeper") {
        true => (String::new(), ask("hotp").unwrap_or_default()),
        false => (ask("envi").unwrap_or_default(), String::new()),
    };
    Ok(Words { srvr, mntr, envi, hotp })
}

fn resolve(server: &str) -> std::io::Result<SocketAddr> {
    server.to_socket_addrs()?.next().ok_or_else(|| std::io::Error::other("the name has no address"))
}
