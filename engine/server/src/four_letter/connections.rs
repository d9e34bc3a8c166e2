//! cons, and the clients of stat.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use super::line;
use super::{Connection, ConnectionSession, Snapshot};

/// cons.
pub(super) fn cons(server: &Snapshot, out: &mut String) {
    for connection in &server.connections {
        counters(connection, out);
        if let Some(session) = &connection.session {
            session_fields(session, out);
        }
        out.push_str(")\n");
    }
    out.push('\n');
}

/// The clients of stat.
pub(super) fn brief(server: &Snapshot, out: &mut String) {
    for connection in &server.connections {
        counters(connection, out);
        out.push_str(")\n");
    }
    out.push('\n');
}

fn counters(connection: &Connection, out: &mut String) {
    let Connection { peer, interest, queued, received, sent, .. } = connection;
    let _ = write!(out, " {}[{interest:x}](queued={queued},recved={received},sent={sent}", java_address(*peer));
}

fn session_fields(session: &ConnectionSession, out: &mut String) {
    let ConnectionSession { id, last_operation, established, timeout_ms, .. } = session;
    let _ = write!(out, ",sid={id},lop={last_operation},est={},to={timeout_ms}", established.0);
    if let Some(cxid) = session.last_cxid.filter(|cxid| *cxid >= 0) {
        let _ = write!(out, ",lcxid=0x{cxid:x}");
    }
    let latency = &session.latency;
    let _ = write!(
        out,
        ",lzxid={},lresp={},llat={},minlat={},avglat={:.0},maxlat={}",
        session.last_zxid,
        session.last_response_ms,
        session.last_latency_us / 1000,
        latency.min_us / 1000,
        (latency.avg_us / 1000.0).floor(),
        latency.max_us / 1000,
    );
}

/// An address as Java shows it: `/127.0.0.1:2181`, `/[0:0:0:0:0:0:0:1]:2181`. An IPv4 client of an IPv6 socket is IPv4.
pub(crate) fn java_address(address: SocketAddr) -> String {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => format!("/{ip}:{}", address.port()),
        IpAddr::V6(ip) => {
            let groups = ip.segments().map(|group| format!("{group:x}"));
            format!("/[{}]:{}", groups.join(":"), address.port())
        }
    }
}

/// One line of the connections that dump shows.
pub(super) fn dumped(peer: SocketAddr, session: ringkeeper_core::ids::SessionId, out: &mut String) {
    line!(out, "\tip: {} sessionId: {session}", java_address(peer));
}

#[cfg(test)]
mod tests {
    use super::java_address;

    #[test]
    fn addresses_are_written_as_java_does() {
        for (address, text) in [
            ("127.0.0.1:2181", "/127.0.0.1:2181"),
            ("[::ffff:10.0.0.1]:7", "/10.0.0.1:7"),
            ("[::1]:2181", "/[0:0:0:0:0:0:0:1]:2181"),
            ("[fe80::12:ab]:1", "/[fe80:0:0:0:0:0:12:ab]:1"),
        ] {
            assert_eq!(java_address(address.parse().unwrap()), text);
        }
    }
}
