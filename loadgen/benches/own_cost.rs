//! What loadgen itself costs: `cargo bench -p loadgen`.
//!
//! The null server answers at once from a process of its own; loadgen's processor time per operation is what remains.
//! At depth 1 nearly all of it is the kernel's: sending, sleeping and being woken. A second table, with both processes
//! on one core, leaves out what it costs to wake another core, which on a virtual machine is most of it.
//! Figures of a machine that does something else at the same time are worth little.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made ends")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use support::null_server::{Conduct, NullServer};
use support::{loadgen, number};

const SERVE: &str = "--serve-null";

fn main() {
    if std::env::args().any(|argument| argument == SERVE) {
        return serve();
    }
    println!("every process on any core");
    table(&[1_000, 20_000, 100_000]);
    stay_on_one_core();
    println!("both processes on one core");
    table(&[]);
}

fn table(rates: &[u32]) {
    let (mut server, address, stdin) = spawn_server();
    let pid = server.id();
    let header = ["per second", "loadgen ns/op", "server ns/op", "p50 µs", "p99 µs"];
    println!("{:<24}{:>12}{:>15}{:>15}{:>10}{:>10}", "", header[0], header[1], header[2], header[3], header[4]);
    for (connections, depth) in [(64, 64), (64, 1), (1, 64), (1, 1)] {
        for (name, ratio) in [("writes", "0"), ("reads", "1")] {
            let shape = format!("-c {connections} -d {depth} --read-ratio {ratio}");
            report(&format!("{name} {connections} x {depth}"), &shape, &address, pid);
        }
    }
    for rate in rates {
        report(&format!("open loop {rate}/s"), &format!("-c 64 -d 64 --rate {rate}"), &address, pid);
    }
    drop(stdin);
    server.wait().unwrap();
}

/// Confines this process, and those that it starts from here on.
fn stay_on_one_core() {
    // SAFETY: `cpu_set_t` is a set of bits, for which zero is a value.
    let mut cores: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours, and core 0 is within its bounds.
    unsafe { libc::CPU_SET(0, &mut cores) };
    // SAFETY: the pointer is to a live set of the size given. If it fails, the second table is like the first.
    unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const cores) };
}

fn report(title: &str, shape: &str, address: &str, pid: u32) {
    let line = format!("run -s {address} {shape} -w 1s -t 4s --keys 10k --server-pid {pid} --quiet");
    let ran = loadgen(&line).expect(0);
    let result = ran.result();
    println!(
        "{title:<24}{:>12.0}{:>15.0}{:>15.0}{:>10.1}{:>10.1}",
        number(result, "rate"),
        number(result, "loadgen/cpu_us_per_op") * 1e3,
        number(result, "server/cpu_us_per_op") * 1e3,
        number(result, "all/latency_us/p50"),
        number(result, "all/latency_us/p99"),
    );
}

/// The null server in a process of its own, until its standard input is closed.
fn spawn_server() -> (Child, String, ChildStdin) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(SERVE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = Vec::new();
    let mut stdout = child.stdout.take().unwrap();
    while address.last() != Some(&b'\n') {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        address.push(byte[0]);
    }
    let stdin = child.stdin.take().unwrap();
    (child, String::from_utf8(address).unwrap().trim().to_owned(), stdin)
}

fn serve() {
    let server = NullServer::start(Conduct::default());
    println!("{}", server.address);
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
