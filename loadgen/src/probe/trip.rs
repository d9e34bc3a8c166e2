//! Round trips.

use crate::engine::{Stop, nanos};
use crate::times::Times;
use anyhow::{Context, Result, bail};
use ringkeeper_core::jute::{
    ConnectRequest, ConnectResponse, ReplyHeader, Request, append_connect_request, append_request,
};
use serde::Serialize;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Bytes of a message over loopback: about those of a small request.
const MESSAGE: usize = 64;
/// How long a server gets to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest frame of an answer to a connect request or a ping.
const LONGEST: usize = 4096;

/// A round trip, many times.
#[derive(Debug, Serialize)]
pub struct Trip {
    /// Round trips that were timed.
    pub trips: u64,
    /// How long they took.
    pub latency_us: Times,
}

/// The round trip to a server.
#[derive(Debug, Serialize)]
pub struct ServerTrip {
    /// The server as it was named.
    pub server: String,
    /// A session's ping.
    #[serde(flatten)]
    pub trip: Trip,
}

/// Times round trips between two threads that wait in the kernel, by TCP over loopback.
///
/// # Errors
/// If there is no loopback.
pub fn over_loopback(trips: u32, stop: &Stop) -> Result<Trip> {
    let listener = TcpListener::bind("127.0.0.1:0").context("loopback")?;
    let mut here = TcpStream::connect(listener.local_addr().context("loopback")?).context("loopback")?;
    let (mut there, _) = listener.accept().context("loopback")?;
    here.set_nodelay(true)?;
    there.set_nodelay(true)?;
    let echo = std::thread::spawn(move || -> io::Result<()> {
        let mut message = [0; MESSAGE];
        // It ends when the other side closes.
        loop {
            there.read_exact(&mut message)?;
            there.write_all(&message)?;
        }
    });
    let mut message = [0; MESSAGE];
    let trip = many(trips, stop, || {
        here.write_all(&message)?;
        here.read_exact(&mut message)
    });
    drop(here);
    // It ended by the close, which is an error to it.
    let _ = echo.join();
    trip.context("loopback")
}

/// Times pings on a session of its own.
///
/// # Errors
/// What the server did instead of answering, and its name.
pub fn to_server(name: &str, address: SocketAddr, trips: u32, stop: &Stop) -> Result<ServerTrip> {
    let trip = pings(address, trips, stop).with_context(|| format!("round trip to {name}"))?;
    Ok(ServerTrip { server: name.to_owned(), trip })
}

fn pings(address: SocketAddr, trips: u32, stop: &Stop) -> Result<Trip> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    greet(&mut stream)?;
    let (mut ping, mut answer) = (Vec::new(), Vec::new());
    append_request(&mut ping, ReplyHeader::PING, &Request::Ping);
    let trip = many(trips, stop, || {
        stream.write_all(&ping)?;
        frame(&mut stream, &mut answer)?;
        match ReplyHeader::decode(&answer) {
            Ok((header, _)) if header.xid == ReplyHeader::PING => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the answer to a ping is none")),
        }
    })?;
    let mut goodbye = Vec::new();
    append_request(&mut goodbye, 1, &Request::CloseSession);
    // The figures are there. A session that is not closed ends by its timeout.
    let _ = stream.write_all(&goodbye).and_then(|()| frame(&mut stream, &mut answer));
    Ok(trip)
}

fn greet(stream: &mut TcpStream) -> Result<()> {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: 10_000,
        session_id: 0,
        passwd: Some(&[0; 16]),
        read_only: Some(false),
    };
    let (mut bytes, mut answer) = (Vec::new(), Vec::new());
    append_connect_request(&mut bytes, &request);
    stream.write_all(&bytes)?;
    frame(stream, &mut answer).context("it gave no session")?;
    match ConnectResponse::decode(&answer) {
        Ok(response) if response.timeout_ms > 0 => Ok(()),
        _ => bail!("it gave no session"),
    }
}

fn frame(stream: &mut TcpStream, body: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes: this is no server"),
        ));
    }
    body.resize(length, 0);
    stream.read_exact(body)
}

fn many(trips: u32, stop: &Stop, mut once: impl FnMut() -> io::Result<()>) -> io::Result<Trip> {
    let mut times = Times::new();
    for _ in 0..trips {
        if stop.is_set() {
            break;
        }
        let began = Instant::now();
        once()?;
        times.record(nanos(began.elapsed()));
    }
    Ok(Trip { trips: times.len(), latency_us: times })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_trips_as_asked_for() {
        let trip = over_loopback(40, &Stop::default()).unwrap();
        assert_eq!(trip.trips, 40);
        assert!(trip.latency_us.percentiles().unwrap().min > 0.0);
    }
}
