//! The handle of a session.

use crate::address::HostList;
use crate::error::Error;
use crate::event::{Event, State};
use crate::pending::{Promise, Registration, Reply};
use crate::session::{Session, Shared};
use crate::tls::Tls;
use ringkeeper_core::jute::Request;
use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

/// How long a server may take to confirm the end of a session before the connection is simply closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// How a session is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The servers, tried in this order, and the root of all paths.
    pub servers: HostList,
    /// Session timeout to ask for; the server may grant another.
    pub timeout: Duration,
    /// Whether a server will do that has lost the others and takes no writes.
    pub read_only: bool,
    /// How long a request waits for a connection. All servers are tried at least once.
    pub patience: Duration,
    /// TLS, if it is to be spoken.
    pub tls: Option<Tls>,
}

impl Options {
    /// ZooKeeper's defaults (30 s), and a second of patience.
    #[must_use]
    pub const fn new(servers: HostList) -> Options {
        Options {
            servers,
            timeout: Duration::from_secs(30),
            read_only: false,
            patience: Duration::from_secs(1),
            tls: None,
        }
    }
}

/// A session.
pub struct Client {
    pub(crate) session: Arc<Session>,
}

impl Client {
    /// Begins a session. That servers are found is not waited for: see [`Client::wait_connected`].
    ///
    /// `listener` hears of changes that the session watches and of its own state. It is called from the session's thread before
    /// any answer that comes later is handed out, so it must not call the client, nor take long.
    pub fn open(options: Options, listener: impl Fn(Event) + Send + Sync + 'static) -> Client {
        let session = Arc::new(Session::new(options, Box::new(listener)));
        let of_thread = Arc::clone(&session);
        let thread = std::thread::Builder::new().name("session".into()).spawn(move || of_thread.run());
        if thread.is_err() {
            session.end(State::Closed);
        }
        Client { session }
    }

    /// State of the session.
    #[must_use]
    pub fn state(&self) -> State {
        self.session.lock().state
    }

    /// The server that is connected.
    #[must_use]
    pub fn server(&self) -> Option<SocketAddr> {
        self.session.lock().server
    }

    /// Number of the session; 0 before it has one.
    #[must_use]
    pub fn session_id(&self) -> i64 {
        self.session.lock().session
    }

    /// The session timeout that was granted, or asked for before one was.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.session.lock().timeout
    }

    /// Waits until a server is connected.
    ///
    /// # Errors
    /// [`Error::NoServer`] if that takes longer than `patience` and every server was tried; what ended the session.
    pub fn wait_connected(&self, patience: Duration) -> Result<(), Error> {
        self.connected(patience, None).map(drop)
    }

    /// The shared state once there is a connection.
    fn connected(&self, patience: Duration, path: Option<&str>) -> Result<MutexGuard<'_, Shared>, Error> {
        let since = Instant::now();
        let mut shared = self.session.lock();
        let rounds = shared.rounds;
        loop {
            if let Some(error) = shared.verdict() {
                return Err(error);
            }
            if shared.state.is_connected() {
                return Ok(shared);
            }
            if shared.rounds > rounds && since.elapsed() >= patience {
                return Err(Error::NoServer { path: path.map(str::to_owned), tried: shared.failure.clone() });
            }
            shared = self.session.wait(shared, Duration::from_millis(100));
        }
    }

    /// Sends a request as soon as there is a connection. `path` is the client's, for messages.
    pub(crate) fn send(
        &self,
        request: &Request<'_>,
        path: Option<&str>,
        registration: Option<Registration>,
    ) -> Result<Promise, Error> {
        let mut shared = self.connected(self.session.options.patience, path)?;
        Ok(shared.request(request, path, registration))
    }

    /// Sends a request and waits for the answer.
    pub(crate) fn call(
        &self,
        request: &Request<'_>,
        path: Option<&str>,
        registration: Option<Registration>,
    ) -> Result<Reply, Error> {
        self.send(request, path, registration)?.wait()
    }

    /// Adds an identity to the session. It is told every server that the session turns to.
    ///
    /// # Errors
    /// [`Error::AuthFailed`]: that has ended the session.
    pub fn add_auth(&self, scheme: &str, auth: &[u8]) -> Result<(), Error> {
        let answer = self.connected(self.session.options.patience, None)?.authenticate(scheme, auth);
        match answer.recv() {
            Ok(0) => Ok(()),
            Ok(_) => {
                // The session's thread is about to end it; whoever comes next shall find that done.
                let mut shared = self.session.lock();
                while shared.state.is_alive() {
                    shared = self.session.wait(shared, Duration::from_millis(100));
                }
                Err(Error::AuthFailed)
            }
            Err(_) => Err(self.session.lock().verdict().unwrap_or(Error::ConnectionLost { path: None })),
        }
    }

    /// Ends the session: its ephemeral nodes go. Nothing can be asked any more.
    pub fn close(&self) {
        let promise = {
            let mut shared = self.session.lock();
            shared.closing = true;
            shared.state.is_connected().then(|| shared.request(&Request::CloseSession, None, None))
        };
        if let Some(promise) = promise {
            promise.wait_at_most(FAREWELL);
        }
        self.session.end(State::Closed);
    }
}

/// Ends the session. Its thread may still be about to give up a server that does not answer; nobody waits for that.
impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}
