//! TLS without input and output: bytes of the socket in, bytes of the client out, and the other way round.
//!
//! What connections are made with is shared by all executors and may be replaced while they run: whoever connects from then on
//! gets the new certificate, whoever is connected keeps what was agreed on.

use rustls::ServerConnection;
use std::fmt;
use std::io::{self, Read, Write};
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

/// Whether a connection that begins with this byte speaks TLS.
pub(crate) fn begins_tls(first: u8) -> bool {
    first == HANDSHAKE
}

/// What the next TLS connections are made with.
#[derive(Clone, Debug)]
pub struct TlsTerms {
    /// Certificate, key, trust, protocols, cipher suites.
    pub config: Arc<rustls::ServerConfig>,
    /// A handshake that takes longer is ended.
    pub handshake_timeout: Duration,
    /// Connections beyond so many handshakes under way are closed; 0 means no limit.
    pub max_handshakes: u32,
    /// A client's certificate must be for the address that it connects from.
    pub verify_address: bool,
}

/// Makes TLS connections. Clones share everything.
#[derive(Clone)]
pub struct TlsAcceptor(Arc<Shared>);

struct Shared {
    terms: Mutex<TlsTerms>,
    under_way: AtomicU32,
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").field("under_way", &self.handshakes_under_way()).finish_non_exhaustive()
    }
}

impl TlsAcceptor {
    /// With these terms.
    #[must_use]
    pub fn new(terms: TlsTerms) -> TlsAcceptor {
        TlsAcceptor(Arc::new(Shared { terms: Mutex::new(terms), under_way: AtomicU32::new(0) }))
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

    fn terms(&self) -> TlsTerms {
        self.0.terms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server's side of a new connection.
    pub(crate) fn accept(&self) -> Result<Session, TlsRefusal> {
        let terms = self.terms();
        let place = UnderWay::begin(&self.0);
        // Counted first: two executors must not both take the last place.
        if terms.max_handshakes != 0 && self.handshakes_under_way() > terms.max_handshakes {
            return Err(TlsRefusal::TooMany(terms.max_handshakes));
        }
        let mut conn = ServerConnection::new(Arc::clone(&terms.config))?;
        // What is unsent is counted and bounded where it waits for the socket; nothing is left here.
        conn.set_buffer_limit(None);
        Ok(Session { conn, handshake: Some(place), terms })
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
    conn: ServerConnection,
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

    /// Once, when the handshake is complete: the client's certificate as it was sent, if it has one.
    ///
    /// # Errors
    /// The certificate is not for this address, and must be.
    pub(crate) fn completed(&mut self, peer: IpAddr) -> Option<Result<Option<Vec<u8>>, TlsRefusal>> {
        if self.conn.is_handshaking() {
            return None;
        }
        self.handshake.take()?;
        let certificate = self.conn.peer_certificates().and_then(|chain| chain.first());
        let is_of_peer = certificate.is_none_or(|certificate| is_for(certificate, peer));
        Some(match is_of_peer || !self.terms.verify_address {
            true => Ok(certificate.map(|certificate| certificate.to_vec())),
            false => Err(TlsRefusal::Address),
        })
    }
}

fn is_for(certificate: &rustls::pki_types::CertificateDer<'_>, peer: IpAddr) -> bool {
    let name = rustls::pki_types::ServerName::from(peer.to_canonical());
    rustls::server::ParsedCertificate::try_from(certificate)
        .and_then(|parsed| rustls::client::verify_server_name(&parsed, &name))
        .is_ok()
}

#[cfg(test)]
mod tests;
