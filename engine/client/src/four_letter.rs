//! Four-letter words: one question, one answer, one connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Longest answer that is taken: that of a server with very many connections or watches.
const MAX_ANSWER: u64 = 64 << 20;

/// Asks a server one of the four-letter words (`srvr`, `mntr`, `cons`, …) and returns its whole answer.
///
/// # Errors
/// Those of the connection; [`io::ErrorKind::TimedOut`] if the answer is not complete within `patience`.
pub fn ask(server: SocketAddr, word: &str, patience: Duration) -> io::Result<String> {
    let deadline = Instant::now() + patience;
    let mut stream = TcpStream::connect_timeout(&server, patience)?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 16 << 10];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no complete answer"));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(String::from_utf8_lossy(&answer).into_owned()),
            Ok(n) if answer.len() as u64 + n as u64 <= MAX_ANSWER => answer.extend_from_slice(&chunk[..n]),
            Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer has no end")),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // Some servers reset a connection that they are done with.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !answer.is_empty() => {
                return Ok(String::from_utf8_lossy(&answer).into_owned());
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether an answer says that the server does not answer this word.
#[must_use]
pub fn is_refused(answer: &str) -> bool {
    answer.contains("is not executed because it is not in the whitelist")
}
