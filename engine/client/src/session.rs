//! The thread of a session: it finds a server, reads what comes, keeps the session alive, and starts over.

use crate::client::Options;
use crate::connection::{Connection, Granted, Opened};
use crate::error::{Error, brief};
use crate::event::{Event, EventKind, State};
use crate::path;
use crate::pending::{Pending, Promise, Registration};
use crate::tls::Wire;
use crate::watches::Watches;
use ringkeeper_core::jute::{
    AuthPacket, ConnectRequest, ReplyHeader, Request, SetWatches, StrList, WatcherEvent, append_request,
};
use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of paths in one setWatches request.
const SET_WATCHES_BYTES: usize = 128 << 10;
/// Pause after all servers have been tried, doubled up to the second each time.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Bounds of how long one server has to answer before the next one is tried.
const ATTEMPT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Called with what a session hears, from its thread.
pub(crate) type Listener = Box<dyn Fn(Event) + Send + Sync>;

/// What the thread and the callers share.
pub(crate) struct Session {
    pub options: Options,
    listener: Listener,
    state: Mutex<Shared>,
    changed: Condvar,
}

/// What is behind the lock.
pub(crate) struct Shared {
    pub state: State,
    /// The server that is connected.
    pub server: Option<SocketAddr>,
    pub session: i64,
    pub timeout: Duration,
    pub watches: Watches,
    /// How the last attempt to reach a server failed.
    pub failure: String,
    /// How often all servers have been tried in vain.
    pub rounds: u64,
    /// Whether this side has asked for the end: then the loss of the connection is it.
    pub closing: bool,
    passwd: Vec<u8>,
    last_zxid: i64,
    writer: Option<Wire>,
    last_sent: Instant,
    next_xid: i32,
    pending: Pending,
    /// Answers that are awaited to identities, in order; `None` if nobody waits.
    auths: std::collections::VecDeque<Option<std::sync::mpsc::SyncSender<i32>>>,
    /// Identities of the session, to be told every server.
    identities: Vec<(String, Vec<u8>)>,
}

impl Session {
    pub(crate) fn new(options: Options, listener: Listener) -> Session {
        let shared = Shared {
            state: State::Connecting,
            server: None,
            session: 0,
            timeout: options.timeout,
            watches: Watches::default(),
            failure: String::new(),
            rounds: 0,
            closing: false,
            passwd: vec![0; 16],
            last_zxid: 0,
            writer: None,
            last_sent: Instant::now(),
            next_xid: 0,
            pending: Pending::default(),
            auths: std::collections::VecDeque::new(),
            identities: Vec::new(),
        };
        Session { options, listener, state: Mutex::new(shared), changed: Condvar::new() }
    }

    /// The state; a thread that panicked has left it as whole as any other.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change of the state, for at most `time`.
    pub(crate) fn wait<'g>(&self, guard: MutexGuard<'g, Shared>, time: Duration) -> MutexGuard<'g, Shared> {
        self.changed.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The thread's body: ends with the session.
    pub(crate) fn run(&self) {
        let (mut next, mut pause) = (0, PAUSE.0);
        while self.lock().state == State::Connecting {
            let (addresses, unresolved) = self.options.servers.resolve_named();
            if let Some(failure) = unresolved.filter(|_| addresses.is_empty()) {
                self.lock().failure = failure;
            }
            for _ in 0..addresses.len() {
                let (host, address) = addresses[next % addresses.len()];
                // After a loss it is the next one's turn.
                next = (next + 1) % addresses.len();
                match self.attempt((host, address), addresses.len()) {
                    Ok(()) => pause = PAUSE.0,
                    Err(error) => self.lock().failure = format!("{address}: {}", brief(&error)),
                }
                if self.lock().state != State::Connecting {
                    return;
                }
            }
            let mut shared = self.lock();
            shared.rounds += 1;
            self.changed.notify_all();
            if shared.state == State::Connecting {
                drop(self.wait(shared, pause));
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Connects to one server and stays until the connection is lost. An error says that there was none.
    fn attempt(&self, (host, address): (&str, SocketAddr), servers: usize) -> io::Result<()> {
        let patience = (self.options.timeout / servers.max(1) as u32).clamp(ATTEMPT.0, ATTEMPT.1);
        let (session, passwd, last_zxid) = {
            let shared = self.lock();
            (shared.session, shared.passwd.clone(), shared.last_zxid)
        };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: last_zxid,
            timeout_ms: i32::try_from(self.options.timeout.as_millis()).unwrap_or(i32::MAX),
            session_id: session,
            passwd: Some(&passwd),
            read_only: Some(self.options.read_only),
        };
        match Connection::open((host, address), &request, &self.options, patience)? {
            Opened::Expired => self.end(State::Expired),
            Opened::Granted(mut connection, granted) => {
                self.begin(address, granted, connection.writer())?;
                let lost = self.read_until_lost(&mut connection);
                self.lose(&lost);
            }
        }
        Ok(())
    }

    /// Takes a connection into use: identities and watches first, then whoever waits.
    fn begin(&self, address: SocketAddr, granted: Granted, writer: Wire) -> io::Result<()> {
        let mut shared = self.lock();
        if !shared.state.is_alive() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "closed"));
        }
        let mut out = Vec::new();
        let identities = std::mem::take(&mut shared.identities);
        for (scheme, auth) in &identities {
            shared.auths.push_back(None);
            append_auth(&mut out, scheme, auth);
        }
        shared.identities = identities;
        append_watches(&mut out, &shared.watches, shared.last_zxid);
        writer.write_all(&out)?;
        shared.state = if granted.read_only { State::ConnectedReadOnly } else { State::Connected };
        shared.server = Some(address);
        shared.session = granted.session;
        shared.passwd = granted.passwd;
        shared.timeout = granted.timeout;
        shared.writer = Some(writer);
        shared.last_sent = Instant::now();
        let state = shared.state;
        drop(shared);
        self.changed.notify_all();
        self.hear(Event { kind: EventKind::None, state, path: None });
        Ok(())
    }

    /// Reads and pings; returns why it ended.
    fn read_until_lost(&self, connection: &mut Connection) -> io::Error {
        let mut heard = Instant::now();
        loop {
            let (timeout, last_sent) = {
                let shared = self.lock();
                (shared.timeout, shared.last_sent)
            };
            let (ping_at, dead_at) = (last_sent + timeout / 3, heard + timeout * 2 / 3);
            match connection.frame_before(ping_at.min(dead_at)) {
                Err(error) => return error,
                Ok(Some(frame)) => {
                    heard = Instant::now();
                    if let Err(error) = self.take(&frame) {
                        return io::Error::new(io::ErrorKind::InvalidData, error);
                    }
                }
                Ok(None) if Instant::now() >= dead_at => {
                    return io::Error::new(io::ErrorKind::TimedOut, "the server has fallen silent");
                }
                Ok(None) => {
                    let mut out = Vec::new();
                    append_request(&mut out, ReplyHeader::PING, &Request::Ping);
                    if let Err(error) = self.lock().send(&out) {
                        return error;
                    }
                }
            }
        }
    }

    /// Takes one frame.
    fn take(&self, frame: &[u8]) -> Result<(), Error> {
        let (header, body) = ReplyHeader::decode(frame)?;
        let mut shared = self.lock();
        if header.zxid > shared.last_zxid {
            shared.last_zxid = header.zxid;
        }
        match header.xid {
            ReplyHeader::PING | ReplyHeader::SET_WATCHES => {}
            ReplyHeader::NOTIFICATION => {
                let event = WatcherEvent::decode(body)?;
                // A kind that nobody knows is for nobody.
                let Some(kind) = EventKind::from_wire(event.kind) else { return Ok(()) };
                shared.watches.fired(kind, &event.path);
                let state = shared.state;
                drop(shared);
                let path = Some(path::to_client(self.options.servers.chroot(), &event.path).to_owned());
                self.hear(Event { kind, state, path });
            }
            ReplyHeader::AUTH => {
                if let Some(Some(waiter)) = shared.auths.pop_front() {
                    let _ = waiter.send(header.err);
                }
                drop(shared);
                if header.err != 0 {
                    self.end(State::AuthFailed);
                }
            }
            xid => {
                let Shared { pending, watches, .. } = &mut *shared;
                pending.answer(xid, header.err, body, watches)?;
            }
        }
        Ok(())
    }

    /// The connection is gone: the session may go on elsewhere.
    fn lose(&self, why: &io::Error) {
        let mut shared = self.lock();
        if shared.closing {
            drop(shared);
            return self.end(State::Closed);
        }
        if shared.state.is_alive() {
            shared.failure = brief(why);
        }
        shared.drop_connection(&Error::ConnectionLost { path: None });
        let alive = shared.state.is_alive();
        if alive {
            shared.state = State::Connecting;
        }
        drop(shared);
        self.changed.notify_all();
        if alive {
            self.hear(Event { kind: EventKind::None, state: State::Connecting, path: None });
        }
    }

    /// Ends the session for good; what waits fails.
    pub(crate) fn end(&self, state: State) {
        let mut shared = self.lock();
        if !shared.state.is_alive() {
            return;
        }
        shared.state = state;
        let error = shared.verdict().unwrap_or(Error::Closed);
        shared.drop_connection(&error);
        drop(shared);
        self.changed.notify_all();
        self.hear(Event { kind: EventKind::None, state, path: None });
    }

    pub(crate) fn hear(&self, event: Event) {
        (self.listener)(event);
    }
}

impl Shared {
    /// Why nothing can be asked any more, if that is so.
    pub(crate) fn verdict(&self) -> Option<Error> {
        match self.state {
            State::Connecting | State::Connected | State::ConnectedReadOnly => None,
            State::Closed => Some(Error::Closed),
            State::Expired => Some(Error::SessionExpired),
            State::AuthFailed => Some(Error::AuthFailed),
        }
    }

    /// Sends a request. A failure is the reader's business: it will fail the promise.
    pub(crate) fn request(
        &mut self,
        request: &Request<'_>,
        path: Option<&str>,
        registration: Option<Registration>,
    ) -> Promise {
        // Numbers stay positive: the negative ones have meanings.
        self.next_xid = if self.next_xid == i32::MAX { 1 } else { self.next_xid + 1 };
        let promise = self.pending.push(self.next_xid, request.op(), path, registration);
        let mut out = Vec::new();
        append_request(&mut out, self.next_xid, request);
        let _ = self.send(&out);
        promise
    }

    /// Sends an identity, and keeps it for the next servers.
    pub(crate) fn authenticate(&mut self, scheme: &str, auth: &[u8]) -> std::sync::mpsc::Receiver<i32> {
        let (answer, receiver) = std::sync::mpsc::sync_channel(1);
        self.identities.push((scheme.to_owned(), auth.to_vec()));
        self.auths.push_back(Some(answer));
        let mut out = Vec::new();
        append_auth(&mut out, scheme, auth);
        let _ = self.send(&out);
        receiver
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.last_sent = Instant::now();
        let Some(writer) = &self.writer else { return Err(io::ErrorKind::NotConnected.into()) };
        writer.write_all(bytes).inspect_err(|_| {
            // Half a request may have been written: the connection is of no use. The reader notices.
            writer.shutdown();
        })
    }

    fn drop_connection(&mut self, error: &Error) {
        if let Some(writer) = self.writer.take() {
            writer.shutdown();
        }
        self.server = None;
        self.auths.clear();
        self.pending.fail(error);
    }
}

fn append_auth(out: &mut Vec<u8>, scheme: &str, auth: &[u8]) {
    let packet = AuthPacket { kind: 0, scheme: Some(Cow::Borrowed(scheme)), auth: Some(auth) };
    append_request(out, ReplyHeader::AUTH, &Request::Auth(packet));
}

fn append_watches(out: &mut Vec<u8>, watches: &Watches, last_zxid: i64) {
    for batch in watches.batches(SET_WATCHES_BYTES) {
        let lists = [&batch.data, &batch.exist, &batch.children, &batch.persistent, &batch.recursive]
            .map(|list| list.iter().map(|path| Cow::Borrowed(path.as_str())).collect::<Vec<_>>());
        let [data, exist, child, persistent, persistent_recursive] = lists.each_ref().map(|list| StrList::new(list));
        let watches = SetWatches { relative_zxid: last_zxid, data, exist, child, persistent, persistent_recursive };
        // Servers before 3.6 know only the older request.
        let newer = !batch.persistent.is_empty() || !batch.recursive.is_empty();
        let request = if newer { Request::SetWatches2(watches) } else { Request::SetWatches(watches) };
        append_request(out, ReplyHeader::SET_WATCHES, &request);
    }
}
