//! TLS of links: who begins it, what it makes of the bytes of a socket, and whom it lets through.
//!
//! A link without TLS is received and sent as if there were none of this; what it pays is a look at what it is, once a
//! system call. A handshake is a stage before the greeting, with a time of its own; while many are under way each pass
//! takes only some steps of them.

use crate::links::fault::LinkDown;
use crate::links::identity::{Mismatch, Origin};
use crate::links::link::{End, Link, Stage};
use crate::links::owner::Links;
use crate::links::receiving::as_uninit;
use crate::sockets::SCRATCH_BYTES;
use crate::tls::{RECORD_BYTES, Session, TlsEndpoint, TlsRefusal, begins_tls};
use crate::transport::Speaks;
use ringkeeper_core::ids::ServerId;
use rustls::pki_types::ServerName;
use std::io;
use std::rc::Rc;
use std::time::Instant;

/// Most bytes received at once for TLS: what comes out has to fit where frames are cut.
const WIRE_BYTES: usize = SCRATCH_BYTES - RECORD_BYTES;

/// How links are secured.
#[derive(Clone, Debug)]
pub struct LinkTls {
    /// Makes the TLS of both sides; its terms must have those of connections to others.
    pub endpoint: TlsEndpoint,
    /// This server speaks TLS to those that it connects to.
    pub dial: bool,
    /// What is spoken by those that connect to this server.
    pub accept: Speaks,
}

/// What a connection speaks.
pub(crate) enum Transport {
    Plain,
    /// The first byte will tell.
    Undecided,
    Tls(Box<Session>),
}

impl Links {
    /// What those speak that connect to this server.
    pub(crate) fn accepts(&self) -> Speaks {
        self.tls.as_ref().map_or(Speaks::Plain, |tls| tls.accept)
    }

    /// Begins TLS on a connection that this server has made. False if none is wanted.
    pub(crate) fn begin_tls(&self, link: &Rc<Link>, peer: ServerId) -> bool {
        let Some(tls) = self.tls.as_ref().filter(|tls| tls.dial) else {
            return false;
        };
        let known_as = self.peer(peer).and_then(|(_, peer)| peer.names.first().cloned());
        let name = known_as.unwrap_or_else(|| ServerName::from(link.remote.ip()));
        link.advance(Stage::Securing);
        self.shake_hands(link, tls.endpoint.connect(name));
        if let Err(error) = link.send_tls() {
            self.end(link, End::Down(error.into()));
        }
        true
    }

    /// Receives once from a connection that speaks TLS, or of which it is to be found out. Returns as [`Link::receive`], with
    /// how much there was room for.
    pub(crate) fn receive_secured(&self, link: &Rc<Link>) -> (io::Result<Option<usize>>, usize) {
        let mut wire = self.wire.borrow_mut();
        wire.resize(WIRE_BYTES, 0);
        let received = link.receive(as_uninit(&mut wire[..]));
        if let Ok(Some(n @ 1..)) = received {
            self.take_secured(link, &wire[..n]);
        }
        (received, WIRE_BYTES)
    }

    /// Looks whether the other side may say that it is this server.
    pub(crate) fn authenticate(&self, link: &Link, id: ServerId) -> Result<(), Mismatch> {
        match &*link.transport.borrow() {
            Transport::Tls(session) => {
                let peer = self.peer(id).map(|(_, peer)| peer);
                let names = peer.map_or(&[][..], |peer| &peer.names);
                session.verify_names(names).map_err(|is_for| Mismatch::Certificate {
                    server: id.0,
                    address: peer.map(|peer| peer.address.to_string()).unwrap_or_default(),
                    is_for,
                    setting: match link.origin {
                        Origin::Dialled(_) => "ssl.quorum.hostnameVerification",
                        Origin::Accepted => "ssl.quorum.clientHostnameVerification",
                    },
                })
            }
            _ if link.origin == Origin::Accepted && self.accepts() == Speaks::Tls => Err(Mismatch::WithoutTls),
            _ => Ok(()),
        }
    }

    fn shake_hands(&self, link: &Rc<Link>, session: Result<Session, TlsRefusal>) {
        match session {
            Ok(session) => {
                link.deadline.set(Instant::now() + session.handshake_timeout());
                link.transport.replace(Transport::Tls(Box::new(session)));
            }
            Err(refusal) => self.end(link, End::Refused(Mismatch::Tls(explain(&refusal)))),
        }
    }

    fn take_secured(&self, link: &Rc<Link>, wire: &[u8]) {
        if matches!(&*link.transport.borrow(), Transport::Undecided) && !begins_tls(wire[0]) {
            link.transport.replace(Transport::Plain);
            self.await_greeting(link);
            return self.take(link, wire);
        }
        if matches!(&*link.transport.borrow(), Transport::Undecided)
            && let Some(tls) = &self.tls
        {
            self.shake_hands(link, tls.endpoint.accept());
        }
        if link.stage() < Stage::Ended {
            self.open(link, wire);
        }
    }

    /// Takes bytes of the socket through TLS.
    fn open(&self, link: &Rc<Link>, wire: &[u8]) {
        let mut scratch = self.scratch.borrow_mut();
        let (opened, completed) = match &mut *link.transport.borrow_mut() {
            Transport::Tls(session) => (session.open(wire, &mut scratch), session.has_completed()),
            _ => unreachable!("only what speaks TLS is opened"),
        };
        // Also when it fails: an alert tells the other side why.
        let sent = link.send_tls();
        let opened = match opened {
            Ok(opened) => opened,
            Err(refusal) if link.stage() == Stage::Up => {
                return self.end(link, End::Down(LinkDown::Tls(explain(&refusal))));
            }
            Err(refusal) => return self.end(link, End::Refused(Mismatch::Tls(explain(&refusal)))),
        };
        if let Err(error) = sent {
            return self.end(link, End::Down(error.into()));
        }
        if completed {
            self.secured(link);
        }
        if link.stage() < Stage::Ended {
            self.take(link, &scratch[..opened.bytes]);
        }
        if opened.ended {
            self.end(link, End::Down(LinkDown::Closed));
        }
    }

    /// The handshake is complete. Whoever has connected says who it is, if the other side is whom it wanted.
    fn secured(&self, link: &Rc<Link>) {
        self.await_greeting(link);
        if let Origin::Dialled(peer) = link.origin {
            match self.authenticate(link, peer) {
                Ok(()) => self.greet_first(link, peer),
                Err(mismatch) => self.refuse(link, peer, mismatch),
            }
        }
    }
}

/// With what an operator can do about it.
fn explain(refusal: &TlsRefusal) -> String {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error, InvalidMessage};
    let TlsRefusal::Tls(error) = refusal else {
        return refusal.to_string();
    };
    let hint = match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::MessageTooLarge) => {
            "it does not speak TLS: does it have sslQuorum=true?"
        }
        Error::NoCertificatesPresented => {
            "it shows no certificate, and ssl.quorum.clientAuth=need wants one: give it one by ssl.quorum.keyStore.location"
        }
        // Another authority of the same name makes it a bad signature.
        Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => {
            "its certificate is of an authority that is not trusted here: add that one to ssl.quorum.trustStore.location, \
             or give it another certificate"
        }
        Error::InvalidCertificate(
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. },
        ) => "renew its certificate, or correct the clocks",
        Error::InvalidCertificate(Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. }) => {
            "its certificate must be for both ends of a connection (extended key usage serverAuth and clientAuth)"
        }
        Error::InvalidCertificate(_) => "its certificate is not accepted",
        Error::AlertReceived(
            Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRequired
            | Alert::DecryptError,
        ) => {
            "it does not accept this server's certificate: is the authority in its ssl.quorum.trustStore.location? See its \
             log"
        }
        Error::PeerIncompatible(_) | Error::AlertReceived(Alert::HandshakeFailure | Alert::ProtocolVersion) => {
            "there is no protocol or cipher suite that both speak: compare ssl.quorum.enabledProtocols and \
             ssl.quorum.ciphersuites"
        }
        _ => return error.to_string(),
    };
    format!("{error}: {hint}")
}
