//! Judges greetings: whether the other side is the peer that this server should talk to.

use crate::links::greeting::{Ensemble, GREETING_BYTES, Greeting, NoGreeting, VERSIONS};
use ringkeeper_core::ids::ServerId;
use thiserror::Error;

/// Who this server is, as its greetings say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) own: ServerId,
    pub(crate) incarnation: u64,
    pub(crate) ensemble: Ensemble,
}

/// Which side made the connection that a greeting came on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// The other side.
    Accepted,
    /// This server, to reach that peer.
    Dialled(ServerId),
}

/// A peer that has greeted as it should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Greeted {
    pub(crate) peer: ServerId,
    pub(crate) incarnation: u64,
    /// The version of the link protocol that both speak.
    pub(crate) version: u16,
}

/// Why a connection does not become a link. The text is for the operator: what is wrong, and what to look at.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum Mismatch {
    #[error("it does not speak the link protocol: does a client, a scanner or a ZooKeeper server use the peer port?")]
    Magic,
    #[error("its greeting is damaged: does something on the way change the bytes?")]
    Checksum,
    #[error("it speaks versions {min} to {max} of the link protocol, this server {} to {}: upgrade the older of the \
             two", VERSIONS.start(), VERSIONS.end())]
    Versions { min: u16, max: u16 },
    #[error(
        "it belongs to ensemble \"{theirs}\", this server to \"{ours}\": check the name of the ensemble and the \
             addresses of servers on both"
    )]
    Ensemble { theirs: String, ours: String },
    #[error(
        "it says that it is server {0}, as this server does: two servers have the same id, or this server's list \
             has its own address for another"
    )]
    OwnId(u8),
    #[error(
        "it wants to talk to server {meant}, and this is server {own}: check ids and addresses in its list of servers"
    )]
    Receiver { meant: u8, own: u8 },
    #[error("server {0} is not in this server's list of servers: add it, or stop it")]
    Unknown(u8),
    #[error(
        "the server at this address is {sender} and not {expected}: check ids and addresses in the list of servers"
    )]
    Unexpected { sender: u8, expected: u8 },
    #[error("server {0} has a lower id and must not connect to this one: check its id and its list of servers")]
    Direction(u8),
    #[error("it refuses this server because {0}: see its log")]
    Refused(&'static str),
    #[error("it did not say in time who it is")]
    Silent,
    #[error(
        "it does not speak TLS, which this server insists on: set sslQuorum=true there, or portUnification=true here while \
             the ensemble is changed over"
    )]
    WithoutTls,
    #[error(
        "it speaks TLS, which this server does not: set portUnification=true here, with the certificates, before another \
             server gets sslQuorum=true"
    )]
    UnexpectedTls,
    #[error("TLS with it failed: {0}")]
    Tls(String),
    #[error(
        "it ended the connection in the middle of the TLS handshake: does it have sslQuorum=true or portUnification=true? \
             See its log"
    )]
    HandshakeCut,
    #[error("the TLS handshake with it took too long (ssl.quorum.handshakeDetectionTimeoutMillis)")]
    HandshakeSlow,
    #[error(
        "its certificate is for {is_for}, and server {server} is at {address}: give it a certificate with that host as \
             subjectAltName, correct its server line, or see {setting}"
    )]
    Certificate { server: u8, address: String, is_for: String, setting: &'static str },
}

impl Mismatch {
    /// What the other side is told; 0 if it is told nothing, being no server.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Mismatch::Magic | Mismatch::Checksum | Mismatch::Silent | Mismatch::Refused(_) => 0,
            Mismatch::UnexpectedTls | Mismatch::Tls(_) | Mismatch::HandshakeCut | Mismatch::HandshakeSlow => 0,
            Mismatch::Versions { .. } => 1,
            Mismatch::Ensemble { .. } => 2,
            Mismatch::OwnId(_) => 3,
            Mismatch::Receiver { .. } | Mismatch::Unexpected { .. } => 4,
            Mismatch::Unknown(_) => 5,
            Mismatch::Direction(_) => 6,
            Mismatch::Certificate { .. } => 7,
            Mismatch::WithoutTls => 8,
        }
    }
}

fn refusal(code: u8) -> &'static str {
    match code {
        1 => "there is no version of the link protocol that both speak",
        2 => "it belongs to another ensemble",
        3 => "it has the same id",
        4 => "it is another server than the one that is wanted",
        5 => "this server is not in its list of servers",
        6 => "the server with the higher id has to connect",
        7 => "this server's certificate is not for the host at which it knows this server",
        8 => "it insists on TLS (sslQuorum=true there), which this server does not speak to it",
        _ => "of a reason that this version does not know",
    }
}

impl Identity {
    /// This server's greeting for `receiver`.
    pub(crate) fn greeting(&self, receiver: ServerId, refusal: u8) -> [u8; GREETING_BYTES] {
        let Identity { own: sender, incarnation, ensemble } = *self;
        let (version_min, version_max) = (*VERSIONS.start(), *VERSIONS.end());
        Greeting { refusal, version_min, version_max, sender, receiver, incarnation, ensemble }.encode()
    }

    /// Judges what the other side sent. With a mismatch comes its id, if it has one: it can be told.
    pub(crate) fn judge(
        &self,
        bytes: &[u8; GREETING_BYTES],
        origin: Origin,
        is_peer: impl Fn(ServerId) -> bool,
    ) -> Result<Greeted, (Mismatch, Option<ServerId>)> {
        let greeting = Greeting::decode(bytes).map_err(|none| match none {
            NoGreeting::Magic => (Mismatch::Magic, None),
            NoGreeting::Checksum => (Mismatch::Checksum, None),
        })?;
        let version = self.check(&greeting, origin, is_peer).map_err(|why| (why, Some(greeting.sender)))?;
        Ok(Greeted { peer: greeting.sender, incarnation: greeting.incarnation, version })
    }

    /// The order is that of usefulness to the operator: another ensemble explains a wrong id, and not the reverse.
    fn check(&self, greeting: &Greeting, origin: Origin, is_peer: impl Fn(ServerId) -> bool) -> Result<u16, Mismatch> {
        let (sender, own) = (greeting.sender, self.own);
        let version = greeting.version_max.min(*VERSIONS.end());
        if version < greeting.version_min.max(*VERSIONS.start()) {
            return Err(Mismatch::Versions { min: greeting.version_min, max: greeting.version_max });
        }
        if greeting.ensemble != self.ensemble {
            return Err(Mismatch::Ensemble { theirs: greeting.ensemble.shown(), ours: self.ensemble.shown() });
        }
        if sender == own {
            return Err(Mismatch::OwnId(own.0));
        }
        match origin {
            Origin::Dialled(expected) if sender != expected => {
                return Err(Mismatch::Unexpected { sender: sender.0, expected: expected.0 });
            }
            Origin::Dialled(_) => {}
            Origin::Accepted if !is_peer(sender) => return Err(Mismatch::Unknown(sender.0)),
            Origin::Accepted if sender < own => return Err(Mismatch::Direction(sender.0)),
            Origin::Accepted => {}
        }
        if greeting.refusal != 0 {
            return Err(Mismatch::Refused(refusal(greeting.refusal)));
        }
        if greeting.receiver != own {
            return Err(Mismatch::Receiver { meant: greeting.receiver.0, own: own.0 });
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(own: u8, ensemble: &str) -> Identity {
        Identity { own: ServerId(own), incarnation: u64::from(own) * 11, ensemble: Ensemble::new(ensemble) }
    }

    fn judge(bytes: &[u8; GREETING_BYTES], origin: Origin) -> Result<Greeted, Mismatch> {
        identity(2, "a").judge(bytes, origin, |id| id != ServerId(9)).map_err(|(why, _)| why)
    }

    fn from(own: u8, ensemble: &str, receiver: u8, refusal: u8) -> [u8; GREETING_BYTES] {
        identity(own, ensemble).greeting(ServerId(receiver), refusal)
    }

    #[test]
    fn a_peer_is_welcome() {
        let three = Greeted { peer: ServerId(3), incarnation: 33, version: 1 };
        assert_eq!(judge(&from(3, "a", 2, 0), Origin::Accepted), Ok(three));
        let one = Greeted { peer: ServerId(1), incarnation: 11, version: 1 };
        assert_eq!(judge(&from(1, "a", 2, 0), Origin::Dialled(ServerId(1))), Ok(one));
    }

    #[test]
    fn everybody_else_is_told_why_not() {
        let accepted = |bytes: [u8; GREETING_BYTES]| judge(&bytes, Origin::Accepted).unwrap_err();
        let (theirs, ours) = ("b".to_owned(), "a".to_owned());
        assert_eq!(accepted([0; GREETING_BYTES]), Mismatch::Magic);
        assert_eq!(accepted(from(3, "b", 7, 0)), Mismatch::Ensemble { theirs, ours });
        assert_eq!(accepted(from(3, "a", 7, 0)), Mismatch::Receiver { meant: 7, own: 2 });
        assert_eq!(accepted(from(2, "a", 2, 0)), Mismatch::OwnId(2));
        assert_eq!(accepted(from(9, "a", 2, 0)), Mismatch::Unknown(9));
        assert_eq!(accepted(from(1, "a", 2, 0)), Mismatch::Direction(1));
        let dialled = |bytes: [u8; GREETING_BYTES]| judge(&bytes, Origin::Dialled(ServerId(1))).unwrap_err();
        assert_eq!(dialled(from(3, "a", 2, 0)), Mismatch::Unexpected { sender: 3, expected: 1 });
        assert_eq!(dialled(from(1, "a", 2, 5)), Mismatch::Refused(refusal(5)));
        let mut damaged = from(1, "a", 2, 0);
        damaged[20] ^= 1;
        assert_eq!(dialled(damaged), Mismatch::Checksum);
    }

    #[test]
    fn the_highest_common_version_is_used() {
        let with = |min, max| {
            let mut greeting = Greeting::decode(&from(3, "a", 2, 0)).unwrap();
            (greeting.version_min, greeting.version_max) = (min, max);
            judge(&greeting.encode(), Origin::Accepted).map(|greeted| greeted.version)
        };
        assert_eq!(with(1, 1), Ok(1));
        assert_eq!(with(0, 9), Ok(1));
        assert_eq!(with(2, 9), Err(Mismatch::Versions { min: 2, max: 9 }));
        assert_eq!(with(0, 0), Err(Mismatch::Versions { min: 0, max: 0 }));
        assert_eq!(with(2, 1), Err(Mismatch::Versions { min: 2, max: 1 }));
    }
}
