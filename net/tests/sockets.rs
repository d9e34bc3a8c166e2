//! Real sockets against the echo service: framing, closing, limits, back-pressure.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod echo;

use echo::{CLOSE, HOLD, LONG, LONG_REPLY, Server, config, start};
use ringkeeper_net::{ConnectionLimits, SocketStats};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.addr).unwrap()
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix)?;
    let mut payload = vec![0; i32::from_be_bytes(prefix) as usize];
    stream.read_exact(&mut payload)?;
    Ok(payload)
}

/// Everything until the server closes; a reset counts as a close.
fn read_rest(stream: &mut TcpStream) -> Vec<u8> {
    let (mut rest, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return rest,
            Ok(n) => rest.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return rest,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn frames_of_all_sizes_come_back() {
    let server = start(config());
    let mut stream = connect(&server);
    let mut writer = stream.try_clone().unwrap();
    let sizes = [0, 1, 100, 40_000, 300_000, 0xFFFFF, 5];
    let sending = std::thread::spawn(move || {
        for size in sizes {
            writer.write_all(&frame(&vec![size as u8; size])).unwrap();
        }
    });
    for size in sizes {
        assert_eq!(read_frame(&mut stream).unwrap(), vec![size as u8; size]);
    }
    sending.join().unwrap();
}

#[test]
fn impossible_lengths_close_without_a_reply() {
    let server = start(config());
    for prefix in [0x10_0000i32, -1, i32::MIN, i32::MAX] {
        let mut stream = connect(&server);
        stream.write_all(&prefix.to_be_bytes()).unwrap();
        assert_eq!(read_rest(&mut stream), b"");
    }
    wait_until_counted(&server, |stats| stats.bad_frames == 4 && stats.too_slow == 0);
}

#[test]
fn words_are_answered_and_the_connection_closed() {
    let server = start(config());
    let mut stream = connect(&server);
    stream.write_all(b"ruok\n").unwrap();
    assert_eq!(read_rest(&mut stream), b"ruok\n");
}

#[test]
fn a_long_reply_is_sent_whole_before_the_close() {
    let server = start(config());
    let mut stream = connect(&server);
    stream.write_all(&[frame(b"a"), frame(CLOSE), frame(b"ignored")].concat()).unwrap();
    assert_eq!(read_frame(&mut stream).unwrap(), b"a");
    assert_eq!(read_frame(&mut stream).unwrap().len(), LONG_REPLY);
    assert_eq!(read_rest(&mut stream), b"");
}

fn wait_until_counted(server: &Server, expected: impl Fn(&SocketStats) -> bool) {
    let started = Instant::now();
    while !expected(&server.stats()) {
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", server.stats());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_client_that_does_not_read_is_closed_and_others_live() {
    let server = start(config());
    let mut greedy = connect(&server);
    for _ in 0..6 {
        // The server may have closed already.
        let _ = greedy.write_all(&frame(LONG));
    }
    let mut other = connect(&server);
    other.write_all(&frame(b"hello")).unwrap();
    assert_eq!(read_frame(&mut other).unwrap(), b"hello");
    assert!(read_rest(&mut greedy).len() < 6 * LONG_REPLY);
    wait_until_counted(&server, |stats| stats.too_slow == 1 && stats.bad_frames == 0);
}

#[test]
fn a_connection_that_is_held_back_loses_nothing() {
    let server = start(config());
    let mut stream = connect(&server);
    let frames: Vec<u8> = (0..100).flat_map(|n| [frame(HOLD), frame(&[n])].concat()).collect();
    stream.write_all(&frames).unwrap();
    for n in 0..100 {
        assert_eq!(read_frame(&mut stream).unwrap(), HOLD);
        assert_eq!(read_frame(&mut stream).unwrap(), [n]);
    }
}

#[test]
fn connections_over_the_limit_are_closed_and_room_returns() {
    let limits = ConnectionLimits { per_address: 2, total: 0 };
    let server = start(ringkeeper_net::SocketsConfig { door: ringkeeper_net::Door::new(limits), ..config() });
    let mut two = [connect(&server), connect(&server)];
    for stream in &mut two {
        stream.write_all(&frame(b"in")).unwrap();
        assert_eq!(read_frame(stream).unwrap(), b"in");
    }
    assert_eq!(read_rest(&mut connect(&server)), b"");
    let [mut first, _second] = two;
    first.write_all(&(-1i32).to_be_bytes()).unwrap();
    assert_eq!(read_rest(&mut first), b"");
    let mut third = connect(&server);
    third.write_all(&frame(b"in")).unwrap();
    assert_eq!(read_frame(&mut third).unwrap(), b"in");
}
