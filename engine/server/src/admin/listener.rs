//! Threads that accept connections and answer them. One thread accepts; each connection has a thread for the one request
//! that it may ask, and there are only so many.

use super::desk::Desk;
use super::http::{self, MAX_HEAD, Method, Response, Status};
use super::routes::{self, Site};
use super::upload::Upload;
use crate::config::Address;
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Connections at a time; a further one is told to come later.
const MAX_CONNECTIONS: usize = 32;
/// All of a request's head must be there by then.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Pause after a failure to accept: descriptors may have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens on the first of the addresses where that is possible.
///
/// # Errors
/// Why it is possible nowhere.
pub(crate) fn listen(address: &Address) -> io::Result<TcpListener> {
    let addresses = address.resolve()?;
    TcpListener::bind(&*addresses)
}

/// Serves a site on a thread of its own, as long as the process lives.
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn serve(listener: TcpListener, site: Site, desk: Arc<Desk>) -> io::Result<()> {
    let open = Arc::new(AtomicUsize::new(0));
    std::thread::Builder::new().name("admin".into()).spawn(move || {
        loop {
            match listener.accept() {
                Ok((stream, peer)) => admit(stream, peer, site, &desk, &open),
                Err(error) => {
                    tracing::debug!(%error, "a connection to the admin server could not be accepted");
                    std::thread::sleep(PAUSE);
                }
            }
        }
    })?;
    Ok(())
}

/// One connection less when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn admit(stream: TcpStream, peer: SocketAddr, site: Site, desk: &Arc<Desk>, open: &Arc<AtomicUsize>) {
    let taken = open.fetch_add(1, Ordering::AcqRel);
    let place = Place(Arc::clone(open));
    if taken >= MAX_CONNECTIONS {
        let _ = stream.set_write_timeout(Some(PAUSE));
        let response = Response::text(Status::ServiceUnavailable, "too many connections to the admin server\n");
        let _ = response.write(Method::Get, &mut &stream);
        return;
    }
    let desk = Arc::clone(desk);
    let started = std::thread::Builder::new().name("admin-connection".into()).spawn(move || {
        let _place = place;
        if let Err(error) = answer(&stream, peer, site, &desk) {
            tracing::debug!(%peer, %error, "a connection to the admin server has failed");
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "no thread for a connection to the admin server");
    }
}

/// A request, and the beginning of its body.
type Begun = (http::Request, Vec<u8>);

/// Reads one request, answers it, closes.
fn answer(stream: &TcpStream, peer: SocketAddr, site: Site, desk: &Desk) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(desk.idle()))?;
    let (method, response) = match request(stream, desk.idle())? {
        Some(Ok((request, begun))) => {
            let mut upload = Upload::new(stream, &request, begun, desk.idle());
            (request.method, routes::answer(site, &request, &mut upload, peer, desk))
        }
        Some(Err(bad)) => (Method::Get, bad.response()),
        None => return Ok(()),
    };
    response.write(method, &mut &*stream)?;
    stream.shutdown(Shutdown::Write)?;
    swallow(stream)
}

/// A request's head, with what has come of its body; `None` if the connection was closed before it said anything.
fn request(mut stream: &TcpStream, idle: Duration) -> io::Result<Option<Result<Begun, http::BadRequest>>> {
    let deadline = Instant::now() + HEAD_TIME;
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).min(idle);
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return if head.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        head.extend_from_slice(&piece[..read]);
        match http::parse(&head) {
            Ok(None) if head.len() >= MAX_HEAD => return Ok(Some(Err(http::BadRequest::TooLong))),
            Ok(None) => {}
            Ok(Some(request)) => {
                let body = head.split_off(request.head);
                return Ok(Some(Ok((request, body))));
            }
            Err(bad) => return Ok(Some(Err(bad))),
        }
    }
}

/// What the client still sends (the body of a request that has none) is read for a moment: closing at once would take the
/// answer back from it.
fn swallow(mut stream: &TcpStream) -> io::Result<()> {
    const BYTES: usize = 1 << 20;
    stream.set_read_timeout(Some(PAUSE))?;
    let mut piece = [0; 4096];
    let mut swallowed = 0;
    while swallowed < BYTES {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(read) => swallowed += read,
        }
    }
    Ok(())
}
