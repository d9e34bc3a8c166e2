//! A server process and a plain blocking client for it.

#![allow(dead_code, reason = "every test binary compiles this and uses a part of it")]

use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::jute::{ConnectRequest, ConnectResponse};
use ringkeeper_core::jute::{
    Create, OPEN_ACL, OpCode, PREFIX_LEN, ReplyHeader, Request, Response, SetData, append_connect_request,
    append_request, first_payload,
};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A server that has not said in this time what is waited for never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `ringkeeper serve`; killed when dropped.
pub struct Server {
    child: Child,
    pub addr: SocketAddr,
    lines: Receiver<String>,
}

/// A directory on a real disk: /tmp may be in memory, where direct I/O is refused.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// The command with a free port and the data directory `dir`.
pub fn command(dir: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringkeeper"));
    command.args(["serve", "--client-port", "0", "--client-port-address", "127.0.0.1", "--data-dir"]);
    command.arg(dir).args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Server {
    /// Starts a server and waits until it serves.
    pub fn start(dir: &Path, flags: &[&str]) -> Server {
        Server::spawn(dir, flags).wait_for_recovery().1
    }

    /// Starts a server.
    pub fn spawn(dir: &Path, flags: &[&str]) -> Server {
        let mut command = command(dir, flags);
        // SAFETY: asks that the kernel ends the server with the test; nothing else happens between fork and exec.
        unsafe { command.pre_exec(|| check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))) };
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Server { child, addr: (Ipv4Addr::LOCALHOST, 0).into(), lines }
    }

    /// Waits until the server serves; returns what it said about its state.
    pub fn wait_for_recovery(mut self) -> (String, Server) {
        let line = self.wait_for("port=");
        let port = line.rsplit_once("port=").unwrap().1.trim().parse().unwrap();
        self.addr.set_port(port);
        let recovered = self.wait_for("state recovered");
        self.wait_for("serving");
        (recovered, self)
    }

    /// The next log line that contains `text`.
    pub fn wait_for(&mut self, text: &str) -> String {
        let (deadline, mut seen) = (Instant::now() + PATIENCE, Vec::new());
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("the server has not said {text:?} in {PATIENCE:?}: {seen:#?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the server ended without saying {text:?}: {seen:#?}")
                }
            }
        }
    }

    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).unwrap();
        // SAFETY: signals a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub fn kill(self) {
        self.signal(libc::SIGKILL);
        self.wait();
    }

    /// The whole answer to a four-letter word.
    pub fn word(&self, word: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.write_all(word).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What a client speaks over.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A session on a connection.
pub struct Client {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
    xid: i32,
    pub session: (i64, [u8; 16]),
}

impl Client {
    pub fn new(server: &Server) -> Client {
        Client::attach(server, (0, [0; 16])).unwrap()
    }

    /// Takes a session up again; `None` if it is not there any more.
    pub fn attach(server: &Server, session: (i64, [u8; 16])) -> Option<Client> {
        let stream = TcpStream::connect(server.addr).unwrap();
        stream.set_nodelay(true).unwrap();
        Client::over(Box::new(stream), session).unwrap()
    }

    /// The same over a connection that is there.
    pub fn over(stream: Box<dyn Stream>, (session_id, passwd): (i64, [u8; 16])) -> io::Result<Option<Client>> {
        let mut client = Client { stream, received: Vec::new(), xid: 0, session: (0, [0; 16]) };
        let mut out = Vec::new();
        append_connect_request(
            &mut out,
            &ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: 0,
                timeout_ms: 20_000,
                session_id,
                passwd: Some(&passwd),
                read_only: Some(false),
            },
        );
        client.stream.write_all(&out)?;
        let payload = client.payload()?;
        let response = ConnectResponse::decode(&payload).unwrap();
        client.session = (response.session_id, response.passwd.try_into().unwrap());
        Ok((response.session_id != 0).then_some(client))
    }

    /// Sends without waiting for the reply.
    pub fn send(&mut self, request: &Request<'_>) -> io::Result<()> {
        self.xid += 1;
        let mut out = Vec::new();
        append_request(&mut out, self.xid, request);
        self.stream.write_all(&out)
    }

    /// The next reply: header and body.
    pub fn reply(&mut self) -> io::Result<(ReplyHeader, Vec<u8>)> {
        let payload = self.payload()?;
        let (header, body) = ReplyHeader::decode(&payload).unwrap();
        Ok((header, body.to_vec()))
    }

    pub fn call(&mut self, request: &Request<'_>) -> Result<Vec<u8>, i32> {
        self.send(request).unwrap();
        let (header, body) = self.reply().unwrap();
        assert_eq!(header.xid, self.xid);
        if header.err == ErrorCode::Ok.wire() { Ok(body) } else { Err(header.err) }
    }

    pub fn create(&mut self, path: &str, data: &[u8], flags: i32) -> Result<(), i32> {
        self.call(&create(path, data, flags)).map(drop)
    }

    /// Data and version of a node; `None` if there is none.
    pub fn get(&mut self, path: &str) -> Option<(Vec<u8>, i32)> {
        let body = self.call(&Request::GetData { path: path.into(), watch: false }).ok()?;
        match Response::decode(OpCode::GetData, &body).unwrap() {
            Response::Data { data, stat } => Some((data.unwrap_or_default().to_vec(), stat.version)),
            other => panic!("{other:?}"),
        }
    }

    /// Reads until the node has this version, and demands that the event of a watch came before.
    pub fn read_until_version(&mut self, path: &str, version: i32) {
        let mut told = false;
        loop {
            self.send(&Request::GetData { path: path.into(), watch: false }).unwrap();
            let (mut header, mut body) = self.reply().unwrap();
            while header.xid == ReplyHeader::NOTIFICATION {
                assert!(!std::mem::replace(&mut told, true), "a watch fires once");
                (header, body) = self.reply().unwrap();
            }
            match Response::decode(OpCode::GetData, &body).unwrap() {
                Response::Data { stat, .. } if stat.version < version => {}
                Response::Data { stat, .. } => {
                    assert!(told && stat.version == version, "version {} was seen, told: {told}", stat.version);
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn payload(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 64 << 10];
        loop {
            if let Some(payload) = first_payload(&self.received, 8 << 20).unwrap() {
                let payload = payload.to_vec();
                self.received.drain(..PREFIX_LEN + payload.len());
                return Ok(payload);
            }
            match self.stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.received.extend_from_slice(&buffer[..n]),
            }
        }
    }
}

pub fn create<'a>(path: &'a str, data: &'a [u8], flags: i32) -> Request<'a> {
    let (data, acl) = (Some(data), Some(OPEN_ACL));
    Request::Create(Create { op: OpCode::Create, path: Some(path.into()), data, acl, flags, ttl: None })
}

pub fn set<'a>(path: &'a str, data: &'a [u8]) -> Request<'a> {
    Request::SetData(SetData { path: path.into(), data: Some(data), version: -1 })
}
