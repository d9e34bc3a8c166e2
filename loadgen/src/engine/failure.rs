//! Why a measurement cannot begin or go on.

use std::io;
use thiserror::Error;

/// What ends a connection, and with it (unless losses are tolerated) the measurement.
#[derive(Debug, Error)]
pub enum Failure {
    /// No TCP connection.
    #[error("cannot connect to {server}: {cause}{}", connect_hint(.cause))]
    Connect {
        /// Address of the server.
        server: String,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The handshake took too long.
    #[error("{server} did not establish a session within {seconds} s: is there a server that serves clients?")]
    ConnectTimeout {
        /// Address of the server.
        server: String,
        /// The limit that was set.
        seconds: u64,
    },
    /// Closed instead of a connect response.
    #[error(
        "{server} closed the connection before a session was established ({established} were): it may not be serving \
         yet, or limit the connections of one address (maxClientCnxns is 60 unless set; 0 lifts it)"
    )]
    Turned {
        /// Address of the server.
        server: String,
        /// Sessions that this thread had by then.
        established: usize,
    },
    /// The server does not know the session any more.
    #[error("{server} says that session 0x{session:x} has expired")]
    SessionExpired {
        /// Address of the server.
        server: String,
        /// The session.
        session: i64,
    },
    /// An established connection ended.
    #[error("lost the connection to {server} with {in_flight} operations in flight: {cause}")]
    Lost {
        /// Address of the server.
        server: String,
        /// Operations whose outcome is unknown.
        in_flight: usize,
        /// Why it ended.
        cause: String,
    },
    /// Nothing was heard for two thirds of the session timeout, pings included.
    #[error("{server} has been silent for {millis} ms with {in_flight} operations in flight: dead, stopped or cut off")]
    Silent {
        /// Address of the server.
        server: String,
        /// Operations whose outcome is unknown.
        in_flight: usize,
        /// How long nothing came.
        millis: u64,
    },
    /// The server broke the protocol.
    #[error("{server} broke the protocol: {what}")]
    Protocol {
        /// Address of the server.
        server: String,
        /// What it did.
        what: String,
    },
    /// The server left an answer out. Client libraries drop the connection then; so do sessions that survive.
    #[error("{server} broke the protocol: reply to xid {got} where xid {due} is due")]
    Skipped {
        /// Address of the server.
        server: String,
        /// The answer that came.
        got: i32,
        /// The answer that should have come.
        due: i32,
    },
    /// A request of the preparation or the cleanup was refused.
    #[error("{what}: {server} answered {code}")]
    Refused {
        /// Address of the server.
        server: String,
        /// The request.
        what: String,
        /// The error code, by name.
        code: String,
    },
    /// Nobody waits for its answers any more.
    #[error("given up")]
    GivenUp,
    /// The user ended it.
    #[error("interrupted")]
    Interrupted,
    /// The machine that loadgen runs on does not give what is needed.
    #[error("{what}: {cause}")]
    Local {
        /// What failed.
        what: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },
}

impl Failure {
    /// The kind under which losses are counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Failure::Connect { .. } => "connect",
            Failure::ConnectTimeout { .. } => "connect timeout",
            Failure::Turned { .. } => "turned away",
            Failure::SessionExpired { .. } => "session expired",
            Failure::Lost { .. } => "connection lost",
            Failure::Silent { .. } => "silent",
            Failure::Protocol { .. } => "protocol",
            Failure::Skipped { .. } => "answer left out",
            Failure::Refused { .. } => "refused",
            Failure::GivenUp => "given up",
            Failure::Interrupted => "interrupted",
            Failure::Local { .. } => "local",
        }
    }

    /// Operations in flight when it happened: sent, outcome unknown.
    pub fn in_flight(&self) -> usize {
        match self {
            Failure::Lost { in_flight, .. } | Failure::Silent { in_flight, .. } => *in_flight,
            _ => 0,
        }
    }
}

fn connect_hint(cause: &io::Error) -> &'static str {
    match cause.raw_os_error() {
        Some(libc::ECONNREFUSED) => " (nothing listens there)",
        Some(libc::EADDRNOTAVAIL) => {
            " (out of local ports: widen net.ipv4.ip_local_port_range or name several addresses of the server)"
        }
        Some(libc::EMFILE) => " (out of file descriptors: raise `ulimit -n`)",
        _ => "",
    }
}
