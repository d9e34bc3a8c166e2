//! Whether a server serves: its answer to `srvr`.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A server on this machine that is slower than this is asked again.
const PATIENCE: Duration = Duration::from_millis(500);
/// The answer is a few hundred bytes.
const LONGEST_ANSWER: u64 = 16 << 10;

/// The server's role (`standalone`, `leader`, `follower`) if it serves.
pub(super) fn mode(port: u16) -> Option<String> {
    ask(port).ok().as_deref().and_then(mode_in)
}

fn ask(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"srvr")?;
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}

/// A server without a leader answers too, but not with a mode.
fn mode_in(answer: &str) -> Option<String> {
    answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(|mode| mode.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_serves_when_it_has_a_mode() {
        let serving = "Zookeeper version: 3.9.5\nZxid: 0x0\nMode: follower\nNode count: 5\n";
        assert_eq!(mode_in(serving).as_deref(), Some("follower"));
        assert_eq!(mode_in("This ZooKeeper instance is not currently serving requests\n"), None);
        assert_eq!(mode_in(""), None);
    }
}
