//! A raw connection: sends any bytes, collects what comes back in order. Convenience calls on top of it for tests that
//! speak in operations.

use super::wire::{self, Acl, ConnectRequest, ConnectResponse, Dec, Enc, Event, ReplyHeader, Stat, op};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A server that has said nothing for this long hangs: the test fails instead of hanging too.
const SILENCE: Duration = Duration::from_secs(60);

/// A TCP connection that cuts frames.
pub struct Conn {
    stream: TcpStream,
    buf: Vec<u8>,
    start: usize,
    /// What to do when nothing comes: fail the test, or say so by closing.
    patient: bool,
    silent: bool,
}

impl Conn {
    /// # Panics
    /// If the server does not listen.
    pub fn open(addr: SocketAddr) -> Conn {
        Conn::try_open(addr).unwrap_or_else(|e| panic!("connect {addr}: {e}"))
    }

    pub fn try_open(addr: SocketAddr) -> io::Result<Conn> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        Ok(Conn { stream, buf: Vec::new(), start: 0, patient: true, silent: false })
    }

    /// From now on a server that is silent for `patience` counts as gone; [`Conn::was_silent`] tells it from one that
    /// has closed.
    pub fn give_up_after(&mut self, patience: Duration) {
        self.patient = false;
        self.stream.set_read_timeout(Some(patience)).unwrap();
    }

    /// The opposite of [`Conn::give_up_after`].
    pub fn wait_patiently(&mut self) {
        self.patient = true;
        self.stream.set_read_timeout(Some(SILENCE)).unwrap();
    }

    /// Whether the connection was given up because nothing came.
    pub fn was_silent(&self) -> bool {
        self.silent
    }

    /// Sends bytes as they are. A connection that the other side has closed takes them silently: the next read tells.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next frame without its length; `None` when the server has closed the connection.
    ///
    /// # Panics
    /// If nothing comes for a minute.
    pub fn frame(&mut self) -> Option<Vec<u8>> {
        loop {
            let have = &self.buf[self.start..];
            if have.len() >= 4 {
                let len = i32::from_be_bytes(have[..4].try_into().unwrap());
                let len = usize::try_from(len).unwrap_or_else(|_| panic!("frame of {len} bytes"));
                if have.len() >= 4 + len {
                    let frame = have[4..4 + len].to_vec();
                    self.start += 4 + len;
                    return Some(frame);
                }
            }
            self.buf.drain(..self.start);
            self.start = 0;
            let mut chunk = [0; 64 << 10];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(n) => self.buf.extend_from_slice(&chunk[..n]),
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    assert!(!self.patient, "the server is silent for {SILENCE:?}");
                    self.silent = true;
                    return None;
                }
                Err(_) => return None,
            }
        }
    }

    /// Reads until the server closes the connection; everything that it sent before.
    pub fn drain(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.frame()).collect()
    }

    /// Closes this side's sending half.
    pub fn finish(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// A second handle of the same socket, for a thread that only writes.
    pub fn writer(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }
}

/// Something that came from the server on a connection with a session.
#[derive(Clone, Debug)]
pub enum Item {
    Reply(ReplyHeader, Vec<u8>),
    Event(Event),
    Closed,
}

/// A connection with a session.
pub struct Client {
    pub conn: Conn,
    pub session: i64,
    pub passwd: Vec<u8>,
    pub timeout_ms: i32,
    xid: i32,
    events: Vec<Event>,
}

/// An error code of the server, or the connection is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    Code(i32),
    Closed,
}

/// Why a connection does not speak for a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The server is not there, or does not answer, or ends the connection.
    NoAnswer,
    /// The server says that there is no such session.
    NoSession,
}

type Res<T> = Result<T, Fault>;

impl Client {
    /// Opens a connection and a new session.
    pub fn connect(addr: SocketAddr) -> Client {
        Client::connect_with(addr, &ConnectRequest::default()).expect("the server accepts a new session")
    }

    /// Sends `request`; `None` if the server closed the connection or answered that the session is gone.
    pub fn connect_with(addr: SocketAddr, request: &ConnectRequest) -> Option<Client> {
        let mut conn = Conn::open(addr);
        conn.send(&request.framed());
        let response = ConnectResponse::decode(&conn.frame()?).expect("a connect response");
        if response.timeout_ms <= 0 {
            return None;
        }
        Some(Client {
            conn,
            session: response.session,
            passwd: response.passwd,
            timeout_ms: response.timeout_ms,
            xid: 0,
            events: Vec::new(),
        })
    }

    /// Opens a new connection for the session of `session` and `passwd`.
    pub fn reattach(addr: SocketAddr, session: i64, passwd: &[u8]) -> Option<Client> {
        Client::connect_with(
            addr,
            &ConnectRequest { session, passwd: Some(passwd.to_vec()), ..ConnectRequest::default() },
        )
    }

    /// As [`Client::reattach`], at a server that may be dead, mute or without a leader.
    ///
    /// # Errors
    /// Why this connection does not speak for the session.
    pub fn try_reattach(addr: SocketAddr, session: i64, passwd: &[u8], patience: Duration) -> Result<Client, Refusal> {
        let mut conn = Conn::try_open(addr).map_err(|_| Refusal::NoAnswer)?;
        conn.give_up_after(patience);
        let request = ConnectRequest { session, passwd: Some(passwd.to_vec()), ..ConnectRequest::default() };
        conn.send(&request.framed());
        let response = ConnectResponse::decode(&conn.frame().ok_or(Refusal::NoAnswer)?).expect("a connect response");
        if response.timeout_ms <= 0 {
            return Err(Refusal::NoSession);
        }
        conn.wait_patiently();
        let ConnectResponse { session, passwd, timeout_ms, .. } = response;
        Ok(Client { conn, session, passwd, timeout_ms, xid: 0, events: Vec::new() })
    }

    pub fn next_xid(&mut self) -> i32 {
        self.xid += 1;
        self.xid
    }

    /// Sends one request and returns its number.
    pub fn send(&mut self, op: i32, body: &[u8]) -> i32 {
        let xid = self.next_xid();
        self.conn.send(&wire::request(xid, op, body));
        xid
    }

    /// What comes next.
    pub fn item(&mut self) -> Item {
        let Some(frame) = self.conn.frame() else { return Item::Closed };
        let (header, body) = wire::reply(&frame).expect("a reply header");
        if header.xid != -1 {
            return Item::Reply(header, body.to_vec());
        }
        assert_eq!(header.err, 0, "an event has no error");
        let mut d = Dec(body);
        let event = (|| {
            let event = Event { zxid: header.zxid, kind: d.i32()?, state: d.i32()?, path: d.str()? };
            d.end().map(|()| event)
        })();
        Item::Event(event.expect("an event"))
    }

    /// Waits for the next reply; events on the way are kept for [`Client::take_events`].
    pub fn reply(&mut self) -> Res<(ReplyHeader, Vec<u8>)> {
        loop {
            match self.item() {
                Item::Reply(header, body) => return Ok((header, body)),
                Item::Event(event) => self.events.push(event),
                Item::Closed => return Err(Fault::Closed),
            }
        }
    }

    /// Sends a request, waits for its reply.
    pub fn call(&mut self, op: i32, body: Enc) -> Res<Vec<u8>> {
        self.call_full(op, body).and_then(|(h, b)| if h.err == 0 { Ok(b) } else { Err(Fault::Code(h.err)) })
    }

    /// Like [`Client::call`], with the header.
    pub fn call_full(&mut self, op: i32, body: Enc) -> Res<(ReplyHeader, Vec<u8>)> {
        let xid = self.send(op, &body.0);
        let (header, body) = self.reply()?;
        assert_eq!(header.xid, xid, "replies come in the order of the requests");
        Ok((header, body))
    }

    /// The events that have come so far.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// All events of what the servers has done so far: a sync stands behind them.
    pub fn events_until_now(&mut self) -> Vec<Event> {
        self.sync("/").expect("sync");
        self.take_events()
    }

    /// The next event; waits for it.
    pub fn event(&mut self) -> Event {
        if !self.events.is_empty() {
            return self.events.remove(0);
        }
        match self.item() {
            Item::Event(event) => event,
            other => panic!("expected an event, got {other:?}"),
        }
    }

    // ----- operations

    pub fn create(&mut self, path: &str, data: &[u8], flags: i32) -> Res<String> {
        self.create_acl(path, data, &wire::open_acl(), flags)
    }

    pub fn create_acl(&mut self, path: &str, data: &[u8], acl: &[Acl], flags: i32) -> Res<String> {
        let body = self.call(op::CREATE, create_body(path, data, acl, flags))?;
        Ok(Dec(&body).str().expect("a path"))
    }

    pub fn create2(&mut self, op: i32, path: &str, data: &[u8], flags: i32, ttl: Option<i64>) -> Res<(String, Stat)> {
        let mut body = create_body(path, data, &wire::open_acl(), flags);
        if let Some(ttl) = ttl {
            body = body.i64(ttl);
        }
        let reply = self.call(op, body)?;
        let mut d = Dec(&reply);
        Ok((d.str().expect("a path"), d.stat().expect("a stat")))
    }

    pub fn delete(&mut self, path: &str, version: i32) -> Res<()> {
        self.call(op::DELETE, Enc::new().str(path).i32(version)).map(drop)
    }

    pub fn exists(&mut self, path: &str, watch: bool) -> Res<Stat> {
        let body = self.call(op::EXISTS, Enc::new().str(path).bool(watch))?;
        Ok(Dec(&body).stat().expect("a stat"))
    }

    pub fn get(&mut self, path: &str, watch: bool) -> Res<(Option<Vec<u8>>, Stat)> {
        let body = self.call(op::GET_DATA, Enc::new().str(path).bool(watch))?;
        let mut d = Dec(&body);
        Ok((d.buf().expect("data").map(<[u8]>::to_vec), d.stat().expect("a stat")))
    }

    pub fn set(&mut self, path: &str, data: &[u8], version: i32) -> Res<Stat> {
        let body = self.call(op::SET_DATA, Enc::new().str(path).buf(Some(data)).i32(version))?;
        Ok(Dec(&body).stat().expect("a stat"))
    }

    /// Names in order.
    pub fn children(&mut self, path: &str, watch: bool) -> Res<Vec<String>> {
        let body = self.call(op::GET_CHILDREN, Enc::new().str(path).bool(watch))?;
        let mut names = Dec(&body).strs().expect("names").expect("names");
        names.sort();
        Ok(names)
    }

    pub fn acl(&mut self, path: &str) -> Res<(Vec<Acl>, Stat)> {
        let body = self.call(op::GET_ACL, Enc::new().str(path))?;
        let mut d = Dec(&body);
        Ok((d.acl().expect("an ACL").expect("an ACL"), d.stat().expect("a stat")))
    }

    pub fn set_acl(&mut self, path: &str, acl: &[Acl], version: i32) -> Res<Stat> {
        let body = self.call(op::SET_ACL, Enc::new().str(path).acl(Some(acl)).i32(version))?;
        Ok(Dec(&body).stat().expect("a stat"))
    }

    pub fn sync(&mut self, path: &str) -> Res<()> {
        self.call(op::SYNC, Enc::new().str(path)).map(drop)
    }

    pub fn ping(&mut self) -> Res<ReplyHeader> {
        self.conn.send(&wire::request(-2, op::PING, &[]));
        let (header, _) = self.reply()?;
        assert_eq!(header.xid, -2, "a ping is answered as a ping");
        Ok(header)
    }

    pub fn add_watch(&mut self, path: &str, mode: i32) -> Res<()> {
        self.call(op::ADD_WATCH, Enc::new().str(path).i32(mode)).map(drop)
    }

    pub fn remove_watches(&mut self, path: &str, kind: i32) -> Res<()> {
        self.call(op::REMOVE_WATCHES, Enc::new().str(path).i32(kind)).map(drop)
    }

    pub fn check_watches(&mut self, path: &str, kind: i32) -> Res<()> {
        self.call(op::CHECK_WATCHES, Enc::new().str(path).i32(kind)).map(drop)
    }

    /// Adds an identity to the connection.
    pub fn auth(&mut self, scheme: &str, data: &[u8]) -> Res<()> {
        self.conn.send(&wire::request(-4, op::AUTH, &Enc::new().i32(0).str(scheme).buf(Some(data)).0));
        let (header, _) = self.reply()?;
        assert_eq!(header.xid, -4);
        if header.err == 0 { Ok(()) } else { Err(Fault::Code(header.err)) }
    }

    /// Ends the session and waits until the server has closed the connection.
    pub fn close(mut self) {
        let _ = self.call(op::CLOSE_SESSION, Enc::new());
        self.conn.drain();
    }
}

/// The body of create and create2.
pub fn create_body(path: &str, data: &[u8], acl: &[Acl], flags: i32) -> Enc {
    Enc::new().str(path).buf(Some(data)).acl(Some(acl)).i32(flags)
}

/// Asks a four-letter word and returns the whole answer; an error if there is none within `patience`.
pub fn four_letter_word(addr: SocketAddr, word: &str, patience: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(word.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
