//! Threads that accept connections and answer them. One thread accepts; each connection has a thread for the one request
//! that it may ask, and there are only so many.

use super::authorisation::Caller;
use super::desk::Desk;
use super::http::{self, MAX_HEAD, Method, Response, Status};
use super::routes::{self, Site};
use super::upload::Upload;
use super::wire::{Secure, Wire};
use crate::config::Address;
use crate::tls::identities;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Connections at a time; a further one is told to come later.
const MAX_CONNECTIONS: usize = 32;
/// All of a request's head must be there by then, counted from the end of the handshake of TLS.
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
pub(crate) fn serve(listener: TcpListener, site: Site, desk: Arc<Desk>, secure: Option<Secure>) -> io::Result<()> {
    let (open, secure) = (Arc::new(AtomicUsize::new(0)), Arc::new(secure));
    std::thread::Builder::new().name("admin".into()).spawn(move || {
        loop {
            match listener.accept() {
                Ok((stream, peer)) => admit(stream, peer, site, &desk, &secure, &open),
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

fn admit(
    stream: TcpStream,
    peer: SocketAddr,
    site: Site,
    desk: &Arc<Desk>,
    secure: &Arc<Option<Secure>>,
    open: &Arc<AtomicUsize>,
) {
    let taken = open.fetch_add(1, Ordering::AcqRel);
    let place = Place(Arc::clone(open));
    if taken >= MAX_CONNECTIONS {
        let _ = stream.set_write_timeout(Some(PAUSE));
        let response = Response::text(Status::ServiceUnavailable, "too many connections to the admin server\n");
        let _ = response.write(Method::Get, &mut &stream);
        return;
    }
    let (desk, secure) = (Arc::clone(desk), Arc::clone(secure));
    let started = std::thread::Builder::new().name("admin-connection".into()).spawn(move || {
        let _place = place;
        if let Err(error) = answer(stream, peer, site, &desk, secure.as_ref().as_ref()) {
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
fn answer(stream: TcpStream, addr: SocketAddr, site: Site, desk: &Desk, secure: Option<&Secure>) -> io::Result<()> {
    let mut wire = Wire::new(stream, desk.idle())?;
    wire.set_deadline(Some(Instant::now() + HEAD_TIME));
    if let Some(secure) = secure {
        match wire.begins_tls()? {
            Some(true) => wire = wire.over_tls(&secure.endpoint)?,
            Some(false) if !secure.or_plain => {
                let response = Response::text(Status::BadRequest, "only TLS is spoken here: ask with https://\n");
                response.write(Method::Get, &mut wire)?;
                return wire.close(PAUSE);
            }
            Some(false) => {}
            None => return Ok(()),
        }
        if let Err(error) = wire.shake_hands() {
            tracing::info!(%addr, %error, "TLS connection to the admin server refused");
            return wire.close(PAUSE);
        }
        wire.set_deadline(Some(Instant::now() + HEAD_TIME));
    }
    let (method, response) = match request(&mut wire)? {
        Some(Ok((request, begun))) => {
            let caller =
                Caller { addr, identities: identities(wire.certificate(), desk.access.super_subject.as_deref()) };
            let mut upload = Upload::new(&mut wire, &request, begun);
            (request.method, routes::answer(site, &request, &mut upload, &caller, desk))
        }
        Some(Err(bad)) => (Method::Get, bad.response()),
        None => return Ok(()),
    };
    response.write(method, &mut wire)?;
    wire.close(PAUSE)
}

/// A request's head, with what has come of its body; `None` if the connection was closed before it said anything.
fn request(wire: &mut Wire) -> io::Result<Option<Result<Begun, http::BadRequest>>> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = wire.read(&mut piece)?;
        if read == 0 {
            return if head.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        head.extend_from_slice(&piece[..read]);
        match http::parse(&head) {
            Ok(None) if head.len() >= MAX_HEAD => return Ok(Some(Err(http::BadRequest::TooLong))),
            Ok(None) => {}
            Ok(Some(request)) => {
                // The body may take its time, as long as something comes.
                wire.set_deadline(None);
                let body = head.split_off(request.head);
                return Ok(Some(Ok((request, body))));
            }
            Err(bad) => return Ok(Some(Err(bad))),
        }
    }
}
