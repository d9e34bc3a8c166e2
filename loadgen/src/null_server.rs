//! A server that answers every request at once with a canned reply: what loadgen costs and counts by itself.
//!
//! It writes its bytes by hand, so that it does not share a mistake with the codec that loadgen uses. Tests make trouble with
//! it; `self-test` measures loadgen against it.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const CREATE: i32 = 1;
const DELETE: i32 = 2;
const EXISTS: i32 = 3;
const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
const GET_CHILDREN: i32 = 8;
const SYNC: i32 = 9;
const PING: i32 = 11;
const CHECK: i32 = 13;
const MULTI: i32 = 14;
const CLOSE: i32 = -11;

/// Zxid, error code, kind and state of the event that data changed.
const DATA_CHANGED: [u8; 20] = [255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 3];

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Conduct {
    /// Address of loopback where it listens.
    pub host: Ipv4Addr,
    /// Bytes of the data that gets return, and that stats tell.
    pub value_size: usize,
    /// What it does with a connect request.
    pub welcome: Welcome,
    /// What it does at the setData with this number, from 1.
    pub trouble: Option<(u64, Trouble)>,
}

impl Default for Conduct {
    fn default() -> Conduct {
        Conduct { host: Ipv4Addr::LOCALHOST, value_size: 100, welcome: Welcome::Session, trouble: None }
    }
}

/// What it does with a connect request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Welcome {
    /// Gives a session.
    Session,
    /// Closes the connection.
    Close,
    /// Never answers.
    Silence,
    /// Answers that the session is gone.
    Expired,
}

/// What it does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Answers nobody for a while, then goes on.
    Stall(Duration),
    /// Answers with an error code, this once.
    Error(i32),
    /// Answers with the wrong xid.
    WrongXid,
    /// Answers with a body that is too short.
    ShortBody,
    /// Sends a notification nobody asked for.
    Notification,
    /// Sends a frame of an impossible length.
    Garbage,
    /// Closes the connection.
    Close,
    /// Answers nothing any more, pings included.
    Silence,
}

/// What it was asked.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub sessions: AtomicU64,
    pub sets: AtomicU64,
    pub gets: AtomicU64,
    pub creates: AtomicU64,
    pub deletes: AtomicU64,
    pub multis: AtomicU64,
    /// Gets that left a watch, whose event was sent at once.
    pub watches: AtomicU64,
    pub pings: AtomicU64,
    pub closes: AtomicU64,
}

/// The server, in a thread of its own until it is dropped.
#[derive(Debug)]
pub struct NullServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it was asked.
    pub counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl NullServer {
    /// A server on a free port of loopback.
    ///
    /// # Errors
    /// What the machine does not give.
    pub fn begin(conduct: Conduct) -> io::Result<NullServer> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let mut listener = TcpListener::bind(SocketAddr::from((conduct.host, 0)))?;
        let address = listener.local_addr()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let counts = Arc::new(Counts::default());
        let stop = Arc::new(AtomicBool::new(false));
        let replies = Replies::new(conduct.value_size);
        let served =
            Served { conduct, replies, counts: Arc::clone(&counts), mute: false, connections: HashMap::new(), next: 0 };
        let thread = {
            let stop = Arc::clone(&stop);
            std::thread::Builder::new()
                .name("null server".into())
                .spawn(move || served.serve(poll, &listener, &stop))?
        };
        Ok(NullServer { address, counts, stop, waker, thread: Some(thread) })
    }
}

impl Drop for NullServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Client {
    stream: TcpStream,
    greeted: bool,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// Canned replies: everything behind the xid.
struct Replies {
    stat: Vec<u8>,
    data: Vec<u8>,
    children: Vec<u8>,
    empty: Vec<u8>,
}

impl Replies {
    fn new(value_size: usize) -> Replies {
        let ok = [0u8; 12];
        let mut stat = vec![0; 68];
        stat[52..56].copy_from_slice(&(value_size as i32).to_be_bytes());
        let mut data = ok.to_vec();
        data.extend_from_slice(&(value_size as i32).to_be_bytes());
        data.resize(data.len() + value_size, 7);
        data.extend_from_slice(&stat);
        let children = [&ok[..], &1i32.to_be_bytes(), &1i32.to_be_bytes(), b"x"].concat();
        Replies { stat: [&ok[..], &stat].concat(), data, children, empty: ok.to_vec() }
    }
}

impl Replies {
    /// The results of a transaction of sets and checks; `None` if it is none.
    fn multi(&self, mut rest: &[u8]) -> Option<Vec<u8>> {
        let mut results = self.empty.clone();
        loop {
            let (op, tail) = int(rest)?;
            let (&done, tail) = tail.split_first()?;
            let (_, tail) = int(tail)?;
            if done != 0 {
                results.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff]);
                return Some(results);
            }
            let (_, tail) = text(tail)?;
            let tail = match op {
                SET_DATA => text(tail)?.1,
                CHECK => tail,
                _ => return None,
            };
            rest = int(tail)?.1;
            results.extend_from_slice(&[&op.to_be_bytes()[..], &[0; 5]].concat());
            if op == SET_DATA {
                results.extend_from_slice(&self.stat[12..]);
            }
        }
    }
}

/// The integer in front, and what follows.
fn int(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let (head, tail) = bytes.split_first_chunk::<4>()?;
    Some((i32::from_be_bytes(*head), tail))
}

/// The text or buffer in front, its length included, and what follows.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, _) = int(bytes)?;
    bytes.split_at_checked(4usize.checked_add(usize::try_from(len).ok()?)?)
}

struct Served {
    conduct: Conduct,
    replies: Replies,
    counts: Arc<Counts>,
    mute: bool,
    connections: HashMap<usize, Client>,
    next: usize,
}

impl Served {
    fn serve(mut self, mut poll: Poll, listener: &TcpListener, stop: &AtomicBool) {
        let mut events = Events::with_capacity(1024);
        let mut scratch = vec![0; 256 << 10];
        while !stop.load(Ordering::Relaxed) {
            match poll.poll(&mut events, None) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
                Ok(()) => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(&poll, listener),
                    WAKER => {}
                    Token(number) => {
                        if let Some(mut client) = self.connections.remove(&number)
                            && self.pass(&mut client, &mut scratch, event.is_read_closed())
                        {
                            self.connections.insert(number, client);
                        }
                    }
                }
            }
        }
    }

    fn accept(&mut self, poll: &Poll, listener: &TcpListener) {
        while let Ok((mut stream, _)) = listener.accept() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registered = poll.registry().register(&mut stream, Token(self.next), interest);
            if stream.set_nodelay(true).and(registered).is_err() {
                continue;
            }
            let client = Client { stream, greeted: false, input: Vec::new(), output: Vec::new() };
            self.connections.insert(self.next, client);
            self.next += 1;
        }
    }

    /// Reads, answers, writes once; tells whether the connection is to be kept.
    fn pass(&mut self, client: &mut Client, scratch: &mut [u8], closed: bool) -> bool {
        loop {
            match client.stream.read(scratch) {
                Ok(0) => return false,
                Ok(n) => {
                    client.input.extend_from_slice(&scratch[..n]);
                    if n < scratch.len() && !closed {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        let input = std::mem::take(&mut client.input);
        let mut rest = &input[..];
        let mut keep = true;
        while keep && let Some((len, tail)) = int(rest) {
            let Some((payload, tail)) = usize::try_from(len).ok().and_then(|len| tail.split_at_checked(len)) else {
                break;
            };
            keep = self.request(client, payload);
            rest = tail;
        }
        client.input = rest.to_vec();
        while !client.output.is_empty() {
            match client.stream.write(&client.output) {
                Ok(n) => drop(client.output.drain(..n)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        keep
    }

    fn request(&mut self, client: &mut Client, payload: &[u8]) -> bool {
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
