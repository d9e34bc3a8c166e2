//! The process of a server on this machine: found by the socket that it listens on, and started again as it was.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The process that listens on `server`.
///
/// # Errors
/// If the address is of another machine, if nobody listens there, or if it cannot be seen who does.
pub fn listening_on(server: SocketAddr) -> Result<u32> {
    // Only addresses of this machine can be bound. Without this check, a local process that listens on the same port of
    // all addresses would be taken for the server of another machine.
    if UdpSocket::bind((server.ip(), 0)).is_err() {
        bail!("{server} is not on this machine");
    }
    let mut inodes = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        inodes.extend(text.lines().filter_map(|line| listener(line, server)));
    }
    if inodes.is_empty() {
        bail!("nobody listens on {server} in this network namespace");
    }
    for pid in processes()? {
        if sockets(pid).any(|inode| inodes.contains(&inode)) {
            return Ok(pid);
        }
    }
    bail!("whose process listens on {server} cannot be seen by this user")
}

/// The inode of a line of `/proc/net/tcp`, if it is a socket that listens on this address or on all.
fn listener(line: &str, server: SocketAddr) -> Option<u64> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let (ip, port) = local.split_once(':')?;
    let ip = address(ip)?;
    let here = ip == server.ip().to_canonical() || ip.is_unspecified();
    let fits = *state == LISTEN && here && u16::from_str_radix(port, 16).ok()? == server.port();
    if fits { inode.parse().ok() } else { None }
}

/// An address as `/proc/net` prints it: words of four bytes, each in the byte order of the machine.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for at in 0..4 {
                bytes[at * 4..at * 4 + 4].copy_from_slice(&word(at)?);
            }
            Some(IpAddr::from(Ipv6Addr::from(bytes)).to_canonical())
        }
        _ => None,
    }
}

fn processes() -> Result<Vec<u32>> {
    let entries = fs::read_dir("/proc").context("/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// The inodes of a process's sockets; none if it is gone, or another user's.
fn sockets(pid: u32) -> impl Iterator<Item = u64> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    links.filter_map(|entry| {
        let link = fs::read_link(entry.ok()?.path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    })
}

/// Whether a process has ended. One that ended and was not waited for by its parent has.
pub fn is_gone(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // The state follows the name, which is in brackets and may contain anything.
    let ended = stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']));
    // It is that of the first thread; while there are others, they hold the sockets and the files.
    ended && fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count) <= 1
}

/// Sends a signal.
///
/// # Errors
/// That the process is gone, or belongs to somebody else.
pub fn signal(pid: u32, signal: i32) -> Result<()> {
    let pid = i32::try_from(pid).context("no process has this id")?;
    // SAFETY: kill takes no pointers.
    if unsafe { libc::kill(pid, signal) } != 0 {
        let cause = std::io::Error::last_os_error();
        bail!("cannot signal process {pid}: {cause}");
    }
    Ok(())
}

/// The parent of a process.
pub fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The parent, if it runs the same program: no shell and no test, but something that looks after its servers.
fn keeper(pid: u32) -> Option<u32> {
    let program = |pid: u32| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let parent = parent(pid)?;
    (program(parent)? == program(pid)?).then_some(parent)
}

/// How much of what a server said before it ended is read.
const LONGEST_MESSAGES: u64 = 64 << 10;

/// How a process was started: enough to start it again.
#[derive(Debug)]
pub struct Start {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: PathBuf,
    output: [Option<File>; 2],
    keeper: Option<u32>,
}

impl Start {
    /// Of a process that runs.
    ///
    /// # Errors
    /// If it is gone, or another user's.
    pub fn of(pid: u32) -> Result<Start> {
        let at = |what: &str| format!("/proc/{pid}/{what}");
        let unseen = || format!("how process {pid} was started cannot be seen");
        let program = fs::read_link(at("exe")).with_context(unseen)?;
        if program.to_string_lossy().ends_with(" (deleted)") {
            bail!("the program of process {pid} was replaced since it was started: {}", program.display());
        }
        let arguments = fs::read(at("cmdline")).with_context(unseen)?;
        let environment = fs::read(at("environ")).with_context(unseen)?;
        Ok(Start {
            program,
            arguments: strings(&arguments),
            environment: strings(&environment).into_iter().filter_map(variable).collect(),
            directory: fs::read_link(at("cwd")).with_context(unseen)?,
            output: [1, 2].map(|fd| log_file(pid, fd)),
            keeper: keeper(pid),
        })
    }

    /// Whether its parent starts it again by itself, as `ringkeeper dev` does.
    pub fn is_kept(&self) -> bool {
        self.keeper.is_some_and(|keeper| !is_gone(keeper))
    }

    /// Where its messages end now; those that it writes later are [`said_since`](Start::said_since).
    pub fn said(&self) -> u64 {
        self.output[1].as_ref().and_then(|log| log.metadata().ok()).map_or(0, |found| found.len())
    }

    /// The last message that it wrote behind that place, if it writes them to a file.
    pub fn said_since(&self, place: u64) -> Option<String> {
        let mut log = self.output[1].as_ref()?.try_clone().ok()?;
        log.seek(SeekFrom::Start(place)).ok()?;
        let mut text = Vec::new();
        log.take(LONGEST_MESSAGES).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }

    /// Starts it again, in a process group of its own: an interrupt from the terminal is not for the server.
    ///
    /// # Errors
    /// Those of the system.
    pub fn again(&self) -> Result<Child> {
        let mut command = Command::new(&self.program);
        if let Some((name, arguments)) = self.arguments.split_first() {
            command.arg0(name).args(arguments);
        }
        let output =
            |file: &Option<File>| file.as_ref().and_then(|f| f.try_clone().ok()).map_or(Stdio::null(), Stdio::from);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.directory).process_group(0);
        command.stdin(Stdio::null()).stdout(output(&self.output[0])).stderr(output(&self.output[1]));
        command.spawn().with_context(|| format!("cannot start {}", self.program.display()))
    }
}

/// What `/proc` separates by zero bytes.
fn strings(bytes: &[u8]) -> Vec<OsString> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    bytes.split(|byte| *byte == 0).map(|part| OsString::from_vec(part.to_vec())).collect()
}

fn variable(text: OsString) -> Option<(OsString, OsString)> {
    let bytes = text.into_vec();
    let equals = bytes.iter().position(|byte| *byte == b'=')?;
    Some((OsString::from_vec(bytes[..equals].to_vec()), OsString::from_vec(bytes[equals + 1..].to_vec())))
}

/// The file that a process writes its output to, to go on there. Pipes and terminals belong to whoever reads them.
fn log_file(pid: u32, fd: u32) -> Option<File> {
    let path = format!("/proc/{pid}/fd/{fd}");
    let regular = fs::metadata(&path).ok()?.is_file();
    if regular { File::options().read(true).append(true).open(path).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listening_socket_leads_to_its_process() {
        let ours = std::process::id();
        for (bound, asked) in [("127.0.0.1:0", "127.0.0.1"), ("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "127.0.0.1")] {
            let Ok(listener) = TcpListener::bind(bound) else { continue };
            let port = listener.local_addr().unwrap().port();
            assert_eq!(listening_on(SocketAddr::new(asked.parse().unwrap(), port)).unwrap(), ours, "{bound}");
        }
    }

    #[test]
    fn a_place_without_a_process_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(listening_on(address).unwrap_err().to_string().contains("nobody listens"));
        // An address for documentation: no machine has it (RFC 5737).
        let elsewhere = listening_on("192.0.2.1:2181".parse().unwrap()).unwrap_err();
        assert!(elsewhere.to_string().contains("not on this machine"), "{elsewhere}");
    }

    #[test]
    fn only_sockets_that_listen_there_are_taken() {
        let line = |local: &str, state: &str| format!("  1: {local} 00000000:0000 {state} 0:0 0:0 00 0 0 4711 1");
        let loopback = u32::from_ne_bytes([127, 0, 0, 1]);
        let server: SocketAddr = "127.0.0.1:2181".parse().unwrap();
        let local = |ip: u32, port: u16| format!("{ip:08X}:{port:04X}");
        assert_eq!(listener(&line(&local(loopback, 2181), "0A"), server), Some(4711));
        assert_eq!(listener(&line(&local(0, 2181), "0A"), server), Some(4711));
        assert_eq!(listener(&line(&local(loopback, 2182), "0A"), server), None, "another port");
        assert_eq!(listener(&line(&local(loopback, 2181), "01"), server), None, "a connection");
        let other = u32::from_ne_bytes([10, 0, 0, 1]);
        assert_eq!(listener(&line(&local(other, 2181), "0A"), server), None, "another address");
        assert_eq!(listener("  sl  local_address rem_address   st", server), None, "the heading");
    }

    #[test]
    fn a_process_is_started_again_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let output = File::create(dir.path().join("log")).unwrap();
        // The shell's second argument, its environment and its directory are what it writes.
        let script = "echo $0 $1 $COLOUR $(pwd); exec sleep 600";
        let mut first = Command::new("sh");
        first.args(["-c", script, "name", "two words"]).env_clear().env("COLOUR", "blue");
        let mut first = first.env("PATH", "/usr/bin:/bin").current_dir(dir.path()).stdout(output).spawn().unwrap();
        let written = || fs::read_to_string(dir.path().join("log")).unwrap();
        let wait_for = |lines: usize| {
            while written().lines().count() < lines {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        };
        wait_for(1);
        // While the shell becomes `sleep` there is no environment, for a moment also when the name is its new one already.
        let read = |what: &str| fs::read(format!("/proc/{}/{what}", first.id())).unwrap_or_default();
        while read("comm") != b"sleep\n" || read("environ").is_empty() {
            std::thread::yield_now();
        }
        let start = Start::of(first.id()).unwrap();
        signal(first.id(), libc::SIGKILL).unwrap();
        while !is_gone(first.id()) {
            std::thread::yield_now();
        }
        first.wait().unwrap();
        let again = Start {
            program: "/bin/sh".into(),
            arguments: ["sh", "-c", script, "name", "two words"].map(OsString::from).into(),
            ..start
        };
        let mut second = again.again().unwrap();
        wait_for(2);
        second.kill().unwrap();
        second.wait().unwrap();
        let lines = written();
        let (one, two) = lines.trim_end().split_once('\n').unwrap();
        assert_eq!(one, two);
        assert!(one.starts_with("name two words blue /"), "{one}");
    }
}
