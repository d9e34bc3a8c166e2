//! Asks an admin server: one request a connection, one answer.

use super::address::Address;
use anyhow::Context as _;
use ringkeeper_core::ids::Zxid;
use rustls::{ClientConnection, StreamOwned};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// A server that says nothing for so long has gone. A large tree takes its time to be replaced.
const PATIENCE: Duration = Duration::from_secs(1800);
/// A longer head is none of an admin server's.
const MAX_HEAD: usize = 16 << 10;
const MAX_HEADERS: usize = 64;
const PIECE: usize = 256 << 10;

/// What a server has answered.
pub(super) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    /// What has come of the body.
    begun: Vec<u8>,
    stream: Box<dyn Stream>,
}

/// A connection, with TLS or without.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// Asks with a method for a command; a file is sent along, and `progress` told of how much of it is there.
///
/// # Errors
/// Of the connection. What the server refuses is an answer.
pub(super) fn ask(
    to: &Address,
    method: &str,
    command: &str,
    file: Option<File>,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Answer> {
    let name = &to.authority;
    let mut stream = connect(to).with_context(|| format!("connecting to the admin server {name}"))?;
    let mut head = format!("{method} {}/{command} HTTP/1.1\r\nHost: {name}\r\n", to.commands);
    if let Some(authorization) = &to.authorization {
        head.push_str(&format!("Authorization: {authorization}\r\n"));
    }
    if let Some(file) = &file {
        head.push_str(&format!("Content-Length: {}\r\n", file.metadata()?.len()));
    }
    head.push_str("Connection: close\r\n\r\n");
    let sent = stream.write_all(head.as_bytes()).and_then(|()| file.map_or(Ok(()), |f| send(f, &mut stream, progress)));
    let sent = sent.and_then(|()| stream.flush());
    match (read_head(stream), sent) {
        // A server that refuses does not wait for the end.
        (Ok(answer), _) => Ok(answer),
        (Err(_), Err(error)) => Err(error).with_context(|| format!("sending to {name}")),
        (Err(error), Ok(())) => Err(error).with_context(|| format!("waiting for the answer of {name}")),
    }
}

fn connect(to: &Address) -> anyhow::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(&to.authority)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some((config, name)) = &to.tls else { return Ok(Box::new(stream)) };
    let mut secure = StreamOwned::new(ClientConnection::new(Arc::clone(config), name.clone())?, stream);
    while secure.conn.is_handshaking() {
        secure.conn.complete_io(&mut secure.sock).context("the handshake of TLS")?;
    }
    Ok(Box::new(secure))
}

fn send(mut file: File, to: &mut dyn Write, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
    let (mut piece, mut done) = (vec![0; PIECE], 0);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&piece[..read])?;
        done += read as u64;
        progress(done);
    }
}

fn read_head(mut stream: Box<dyn Stream>) -> anyhow::Result<Answer> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece)?;
        anyhow::ensure!(read > 0, "the connection was closed without an answer");
        bytes.extend_from_slice(&piece[..read]);
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        match head.parse(&bytes)? {
            httparse::Status::Partial => anyhow::ensure!(bytes.len() < MAX_HEAD, "the answer's head is too long"),
            httparse::Status::Complete(length) => {
                let header = |h: &httparse::Header<'_>| {
                    (h.name.to_ascii_lowercase(), String::from_utf8_lossy(h.value).trim().to_owned())
                };
                let (status, headers) = (head.code.unwrap_or(0), head.headers.iter().map(header).collect());
                return Ok(Answer { status, headers, begun: bytes.split_off(length), stream });
            }
        }
    }
}

impl Answer {
    /// A line of its head.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// The last transaction of what is sent.
    ///
    /// # Errors
    /// If the answer does not say it.
    pub(super) fn last_zxid(&self) -> anyhow::Result<Zxid> {
        let told = self.header("last_zxid").map(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16));
        told.and_then(Result::ok).map(Zxid).context("the answer does not say of which transaction it is")
    }

    /// Writes its body somewhere, and tells how many bytes that were.
    ///
    /// # Errors
    /// Of the connection, or of where it is written; if it ends too early.
    pub(super) fn save(&mut self, to: &mut impl Write, progress: &mut dyn FnMut(u64)) -> anyhow::Result<u64> {
        let length: u64 = self.header("content-length").and_then(|text| text.parse().ok()).context("no length")?;
        let mut done = self.begun.len() as u64;
        to.write_all(&self.begun)?;
        let mut piece = vec![0; PIECE];
        while done < length {
            let read = self.stream.read(&mut piece)?;
            anyhow::ensure!(read > 0, "the connection was closed after {done} of {length} bytes");
            to.write_all(&piece[..read])?;
            done += read as u64;
            progress(done);
        }
        to.flush()?;
        Ok(done)
    }

    /// The answer, if the server has done what it was asked for; what the server says, if not.
    ///
    /// # Errors
    /// The server's.
    pub(super) fn or_refusal(mut self) -> anyhow::Result<Answer> {
        if self.status == 200 {
            return Ok(self);
        }
        let mut body = Vec::new();
        self.save(&mut body, &mut |_| {}).unwrap_or_default();
        let told = serde_json::from_slice::<serde_json::Value>(&body).ok();
        let told = told.as_ref().and_then(|json| json["error"].as_str());
        let text = told.map_or_else(|| String::from_utf8_lossy(&body).trim().to_owned(), str::to_owned);
        anyhow::bail!(refusal(self.status, self.header("www-authenticate"), &text))
    }
}

/// What is told of an answer that is none. Whoever calls a command knows no headers, so who asks is told in its words.
/// `scheme` is the authorisation that the server wants, if it says so.
fn refusal(status: u16, scheme: Option<&str>, text: &str) -> String {
    const WHO: &str = "the super user (DigestAuthenticationProvider.superDigest), or somebody to whom the access list of \
                       / gives all permissions (cdrwa) by name";
    match status {
        401 => format!(
            "the server does not know who asks (401; it wants {}): give --auth digest:user:password, or --auth ip; it must \
             be {WHO}",
            scheme.unwrap_or("an authorisation")
        ),
        403 => format!("the server refuses who asks, see --auth (403): it must be {WHO}"),
        _ => format!("the server refuses ({status}): {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn who_asks_is_told_in_the_words_of_the_command_line() {
        let unknown = refusal(401, Some("digest"), "Authorization: …");
        assert!(unknown.contains("--auth digest:user:password") && unknown.contains("it wants digest"), "{unknown}");
        assert!(!unknown.contains("Authorization") && unknown.contains("superDigest"), "{unknown}");
        let not_granted = refusal(403, None, "…");
        assert!(not_granted.contains("--auth") && not_granted.contains("cdrwa"), "{not_granted}");
        assert_eq!(refusal(409, None, "busy"), "the server refuses (409): busy");
    }
}
