//! What the socket layer costs by itself: an echo server on it, and a small epoll client, in one process.
//!
//! ```text
//! echo [connections] [depth] [seconds]     closed loop; prints messages/s, latency, server CPU per message
//! echo idle [connections]                  opens connections, prints the server's memory for each
//! ```
//!
//! In idle mode the client is a child process, so that only the server's memory is counted.

#[path = "../tests/echo/mod.rs"]
mod echo;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const MESSAGE: usize = 100;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| args.get(at).and_then(|a| a.parse().ok()).unwrap_or(default);
    match args.first().map(String::as_str) {
        Some("hold") => hold(args[1].parse().map_err(io::Error::other)?, number(2, 1)),
        Some("idle") => idle(number(1, 9000)),
        _ => closed_loop(number(0, 64), number(1, 1), Duration::from_secs(number(2, 5) as u64)),
    }
}

fn idle(connections: usize) -> io::Result<()> {
    ringkeeper_net::raise_fd_limit()?;
    let server = echo::start(echo::config());
    let before = resident_kib()?;
    let started = Instant::now();
    let mut client = std::process::Command::new(std::env::current_exe()?)
        .args(["hold", &server.addr.to_string(), &connections.to_string()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let mut ready = [0; 1];
    client.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?.read_exact(&mut ready)?;
    let rate = connections as f64 / started.elapsed().as_secs_f64();
    let kib = (resident_kib()? - before) as f64 / connections as f64;
    println!("{connections} connections: {kib:.2} KiB each, {rate:.0} connected and echoed per second");
    drop(client.stdin.take());
    client.wait()?;
    Ok(())
}

fn hold(addr: SocketAddr, connections: usize) -> io::Result<()> {
    ringkeeper_net::raise_fd_limit()?;
    let mut held = Vec::new();
    for _ in 0..connections {
        let mut stream = TcpStream::connect(addr)?;
        stream.write_all(&message())?;
        held.push(stream);
    }
    for stream in &mut held {
        stream.read_exact(&mut [0; MESSAGE])?;
    }
    io::stdout().write_all(b"r")?;
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn closed_loop(connections: usize, depth: usize, duration: Duration) -> io::Result<()> {
    let server = echo::start(echo::config());
    let mut clients = Vec::new();
    // SAFETY: no arguments to get wrong; the descriptor lives until the process ends.
    let epoll = unsafe { libc::epoll_create1(0) };
    for at in 0..connections {
        let stream = TcpStream::connect(server.addr)?;
        stream.set_nodelay(true)?;
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: at as u64 };
        // SAFETY: `event` is valid for the call; both descriptors are open.
        unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, stream.as_raw_fd(), &raw mut event) };
        clients.push(Client { stream, partial: 0, sent: Instant::now() });
    }
    let burst = message().repeat(depth);
    for client in &mut clients {
        client.stream.write_all(&burst)?;
        client.sent = Instant::now();
    }
    let (mut messages, mut latencies, mut buffer) = (0u64, Vec::new(), vec![0; MESSAGE * depth * 2]);
    let (started, cpu) = (Instant::now(), server.cpu());
    while started.elapsed() < duration {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        // SAFETY: the array is valid for as many events as is said.
        let n = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), events.len() as i32, 100) };
        for event in &events[..n.max(0) as usize] {
            let client = &mut clients[event.u64 as usize];
            let whole = client.receive(&mut buffer)?;
            messages += whole as u64;
            latencies.push(client.sent.elapsed().as_nanos() as u64 / 100);
            client.stream.write_all(&burst[..whole * MESSAGE])?;
            client.sent = Instant::now();
        }
    }
    let (elapsed, cpu) = (started.elapsed(), server.cpu() - cpu);
    latencies.sort_unstable();
    let at = |q: f64| latencies[(latencies.len() as f64 * q) as usize] as f64 / 10.0;
    println!(
        "{connections} x {depth}: {:.0} msg/s, p50 {:.0} us, p99 {:.0} us, server CPU {:.2} us/msg",
        messages as f64 / elapsed.as_secs_f64(),
        at(0.5),
        at(0.99),
        cpu.as_secs_f64() * 1e6 / messages as f64
    );
    Ok(())
}

struct Client {
    stream: TcpStream,
    partial: usize,
    sent: Instant,
}

impl Client {
    /// Reads once; returns how many messages have become whole.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer)?;
        assert!(n > 0, "the server closed a connection");
        let whole = (self.partial + n) / MESSAGE;
        self.partial = (self.partial + n) % MESSAGE;
        Ok(whole)
    }
}

fn message() -> Vec<u8> {
    let mut bytes = (MESSAGE as i32 - 4).to_be_bytes().to_vec();
    bytes.resize(MESSAGE, 7);
    bytes
}

fn resident_kib() -> io::Result<i64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).ok_or(io::ErrorKind::NotFound)?;
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).ok_or(io::ErrorKind::InvalidData.into())
}
