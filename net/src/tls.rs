//! TLS without input and output: bytes of the socket in, bytes of the other side out, and the other way round. Clients and
//! other servers are served by the same sessions.
//!
//! What connections are made with is shared by all executors and may be replaced while they run: whoever connects from then on
//! gets the new certificate, whoever is connected keeps what was agreed on.

mod names;

pub use names::authority_verifier;
pub(crate) use names::is_for_one_of;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConnection, Connection, ServerConnection};
use std::cell::Cell;
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;

/// How much more may come out of some bytes of the socket than their number: what was held of a record that they complete.
pub(crate) const RECORD_BYTES: usize = 18 << 10;
/// Content type of the record with which TLS begins. As the first byte of a length it would be of 369 MB and more, and no word
/// of the operator begins with it.
const HANDSHAKE: u8 = 0x16;
/// Bytes that are encrypted at a time, so that a long reply does not need its length once more in between.
const SEAL_BYTES: usize = 64 << 10;

/// Steps of handshakes in one pass over the events.
const STEPS_PER_PASS: u32 = 4;

/// Whether a connection that begins with this byte speaks TLS.
#[must_use]
pub fn begins_tls(first: u8) -> bool {
    first == HANDSHAKE
}

/// What the next TLS connections are made with.
#[derive(Clone, Debug)]
pub struct TlsTerms {
    /// Of connections that are accepted: certificate, key, trust, protocols, cipher suites.
    pub accept: Arc<rustls::ServerConfig>,
    /// Of connections to other servers, the same; `None` where only clients come.
    pub connect: Option<Arc<rustls::ClientConfig>>,
    /// A handshake that takes longer is ended.
    pub handshake_timeout: Duration,
    /// Connections beyond so many handshakes under way are closed; 0 means no limit.
    pub max_handshakes: u32,
    /// Whoever connects must have a certificate, if one at all, that is for it: a client for the address that it connects
    /// from, a server for the host at which it is known.
    pub verify_accepted: bool,
    /// The certificate of a server that is connected to must be for the host at which it is known.
    pub verify_connected: bool,
}

/// Makes TLS connections. Clones share everything.
#[derive(Clone)]
pub struct TlsEndpoint(Arc<Shared>);

struct Shared {
    terms: Mutex<TlsTerms>,
    under_way: AtomicU32,
}

impl fmt::Debug for TlsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsEndpoint").field("under_way", &self.handshakes_under_way()).finish_non_exhaustive()
    }
}

impl TlsEndpoint {
    /// With these terms.
    #[must_use]
    pub fn new(terms: TlsTerms) -> TlsEndpoint {
        TlsEndpoint(Arc::new(Shared { terms: Mutex::new(terms), under_way: AtomicU32::new(0) }))
    }

    /// Puts other terms into force for connections that are made from now on.
    pub fn replace(&self, terms: TlsTerms) {
        *self.0.terms.lock().unwrap_or_else(PoisonError::into_inner) = terms;
    }

    /// Handshakes that have begun and not ended, over all executors.
    #[must_use]
    pub fn handshakes_under_way(&self) -> u32 {
        self.0.under_way.load(Ordering::Relaxed)
    }

    /// How long a handshake may take.
    pub(crate) fn handshake_timeout(&self) -> Duration {
        self.0.terms.lock().unwrap_or_else(PoisonError::into_inner).handshake_timeout
    }

    fn terms(&self) -> TlsTerms {
        self.0.terms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a thread of its own accepts the next connection with, and how long the handshake may take. It is not among the
    /// handshakes that are counted.
    #[must_use]
    pub fn accepting(&self) -> (Arc<rustls::ServerConfig>, Duration) {
        let terms = self.terms();
        (terms.accept, terms.handshake_timeout)
    }

    /// The server's side of a new connection.
    pub(crate) fn accept(&self) -> Result<Session, TlsRefusal> {
        let terms = self.terms();
        let place = UnderWay::begin(&self.0);
        // Counted first: two executors must not both take the last place.
        if terms.max_handshakes != 0 && self.handshakes_under_way() > terms.max_handshakes {
            return Err(TlsRefusal::TooMany(terms.max_handshakes));
        }
        let conn = ServerConnection::new(Arc::clone(&terms.accept))?.into();
        Ok(Session::new(conn, place, terms))
    }

    /// The side of a new connection that was made to the server of this name.
    ///
    /// # Panics
    /// If there are no terms for that.
    pub(crate) fn connect(&self, name: ServerName<'static>) -> Result<Session, TlsRefusal> {
        let terms = self.terms();
        let config = terms.connect.clone().expect("whoever connects was given terms for it");
        let conn = ClientConnection::new(config, name)?.into();
        Ok(Session::new(conn, UnderWay::begin(&self.0), terms))
    }
}

/// A place among the handshakes under way, given back when it is dropped.
struct UnderWay(Arc<Shared>);

impl UnderWay {
    fn begin(shared: &Arc<Shared>) -> UnderWay {
        shared.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(shared))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a connection got no TLS.
#[derive(Debug, Error)]
pub(crate) enum TlsRefusal {
    /// There are enough handshakes under way.
    #[error("{0} handshakes are under way already (netty.server.outstandingHandshake.limit)")]
    TooMany(u32),
    /// The certificate that the client has shown is for other addresses.
    #[error("its certificate is not for the address that it comes from (ssl.clientHostnameVerification)")]
    Address,
    /// TLS says so.
    #[error("{}", explain(.0))]
    Tls(#[from] rustls::Error),
}

/// With a hint where the words of TLS do not say enough to an operator.
fn explain(error: &rustls::Error) -> String {
    use rustls::{AlertDescription, Error, InvalidMessage};
    let hint = match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::MessageTooLarge) => {
            "it does not speak TLS; clients without TLS belong on clientPort"
        }
        Error::NoCertificatesPresented => "it showed no certificate, and ssl.clientAuth=need wants one",
        Error::InvalidCertificate(_) => "its certificate is not accepted; is its authority in ssl.trustStore.location?",
        Error::AlertReceived(AlertDescription::UnknownCA | AlertDescription::CertificateUnknown) => {
            "it does not accept this server's certificate; is the authority in the client's trust store?"
        }
        Error::AlertReceived(AlertDescription::BadCertificate) => "it does not accept this server's certificate",
        Error::PeerIncompatible(_) => {
            "it has no protocol or cipher suite in common with ssl.enabledProtocols and ssl.ciphersuites"
        }
        _ => return error.to_string(),
    };
    format!("{error}: {hint}")
}

/// One connection's TLS.
pub(crate) struct Session {
    conn: Connection,
    handshake: Option<UnderWay>,
    terms: TlsTerms,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("handshaking", &self.is_handshaking()).finish_non_exhaustive()
    }
}

/// What bytes of the socket turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Opened {
    /// So many bytes of the client.
    pub(crate) bytes: usize,
    /// It will send no more.
    pub(crate) ended: bool,
}

impl Session {
    fn new(mut conn: Connection, place: UnderWay, terms: TlsTerms) -> Session {
        // What is unsent is counted and bounded where it waits for the socket.
        conn.set_buffer_limit(None);
        Session { conn, handshake: Some(place), terms }
    }

    /// Takes what has come from the socket, and writes what the client has said to `plain`, which has room for
    /// [`RECORD_BYTES`] more than came. There may be something to send afterwards, also when it fails.
    ///
    /// # Errors
    /// [`TlsRefusal`]: the connection must end.
    pub(crate) fn open(&mut self, mut wire: &[u8], plain: &mut [u8]) -> Result<Opened, TlsRefusal> {
        assert!(plain.len() >= wire.len() + RECORD_BYTES, "there is room for what may come out");
        let mut opened = Opened { bytes: 0, ended: false };
        while !wire.is_empty() && !opened.ended {
            // Reading from memory does not fail; what is too long for a record is told by the next line.
            let taken = self.conn.read_tls(&mut wire).unwrap_or(0);
            let state = self.conn.process_new_packets()?;
            let readable = state.plaintext_bytes_to_read();
            opened.ended = state.peer_has_closed() || (taken == 0 && readable == 0);
            let into = &mut plain[opened.bytes..opened.bytes + readable];
            self.conn.reader().read_exact(into).expect("so many bytes are there to be read");
            opened.bytes += readable;
        }
        Ok(opened)
    }

    /// Appends to `wire` what the client gets to see as `plain`.
    pub(crate) fn seal(&mut self, plain: &[u8], wire: &mut Vec<u8>) {
        for part in plain.chunks(SEAL_BYTES) {
            self.conn.writer().write_all(part).expect("a session without a limit takes everything");
            self.take_output(wire);
        }
    }

    /// Encrypts these bytes, in as few records as they fit in. [`Session::send`] sends them.
    pub(crate) fn seal_slices(&mut self, plain: &[IoSlice<'_>]) {
        let len: usize = plain.iter().map(|slice| slice.len()).sum();
        let taken = self.conn.writer().write_vectored(plain);
        assert_eq!(taken.ok(), Some(len), "a session without a limit takes everything");
    }

    /// Whether there is something to be sent.
    pub(crate) fn has_output(&self) -> bool {
        self.conn.wants_write()
    }

    /// Hands the socket what is encrypted, with one call of it; none is left when it has no room.
    pub(crate) fn send(&mut self, socket: &mut impl Write) -> io::Result<usize> {
        self.conn.write_tls(socket)
    }

    /// Appends to `wire` what TLS itself has to say: parts of the handshake, alerts.
    pub(crate) fn take_output(&mut self, wire: &mut Vec<u8>) {
        while self.conn.wants_write() {
            let written: io::Result<usize> = self.conn.write_tls(wire);
            written.expect("memory takes everything");
        }
    }

    /// Appends to `wire` that nothing more will come.
    pub(crate) fn say_goodbye(&mut self, wire: &mut Vec<u8>) {
        self.conn.send_close_notify();
        self.take_output(wire);
    }

    /// Whether the handshake is not complete yet.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.handshake.is_some()
    }

    /// How long the handshake may take.
    pub(crate) fn handshake_timeout(&self) -> Duration {
        self.terms.handshake_timeout
    }

    /// True once, when the handshake is complete.
    pub(crate) fn has_completed(&mut self) -> bool {
        !self.conn.is_handshaking() && self.handshake.take().is_some()
    }

    /// Once, when the handshake is complete: the client's certificate as it was sent, if it has one.
    ///
    /// # Errors
    /// The certificate is not for this address, and must be.
    pub(crate) fn completed(&mut self, peer: IpAddr) -> Option<Result<Option<Vec<u8>>, TlsRefusal>> {
        let name = ServerName::from(peer.to_canonical());
        self.has_completed().then(|| match self.verify_names(&[name]) {
            Ok(()) => Ok(self.certificate().map(|certificate| certificate.to_vec())),
            Err(_) => Err(TlsRefusal::Address),
        })
    }

    /// Looks whether the certificate of the other side is for one of these names, if it must be.
    ///
    /// # Errors
    /// The names that it is for, for people.
    pub(crate) fn verify_names(&self, names: &[ServerName<'_>]) -> Result<(), String> {
        let must_be = match self.conn {
            Connection::Client(_) => self.terms.verify_connected,
            Connection::Server(_) => self.terms.verify_accepted,
        };
        match self.certificate() {
            Some(certificate) if must_be => is_for_one_of(certificate, names),
            _ => Ok(()),
        }
    }

    fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.conn.peer_certificates().and_then(|chain| chain.first())
    }
}

/// How many more steps of handshakes may be taken before the other connections and the turn have their time: each costs
/// about half a millisecond.
#[derive(Default)]
pub(crate) struct HandshakeSteps(Cell<u32>);

impl HandshakeSteps {
    /// Another pass over the events begins.
    pub(crate) fn begin_pass(&self) {
        self.0.set(STEPS_PER_PASS);
    }

    /// Takes a step, unless there were enough.
    pub(crate) fn may_step(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left > 0
    }
}

#[cfg(test)]
mod tests;
