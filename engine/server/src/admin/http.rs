//! HTTP/1.1, as much as a server needs that answers one request a connection: requests from bytes, responses to bytes.

use std::fs::File;
use std::io::{self, Write};
use thiserror::Error;

/// A longer head of a request is refused.
pub const MAX_HEAD: usize = 16 << 10;
/// More header lines are refused.
const MAX_HEADERS: usize = 64;

/// What may be asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Tell.
    Get,
    /// Tell what would be told, without saying it.
    Head,
    /// Do.
    Post,
}

/// A request without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How.
    pub method: Method,
    /// What, decoded, without the part behind the question mark.
    pub path: String,
    /// Names and values behind the question mark, decoded.
    pub query: Vec<(String, String)>,
    /// Who asks, by their own account.
    pub authorization: Option<String>,
    /// Bytes of the head, behind which the body begins.
    pub head: usize,
    /// Bytes of the body, if that is told.
    pub length: Option<u64>,
    /// The body is sent when it has been asked for.
    pub expects_continue: bool,
}

impl Request {
    /// The value with this name behind the question mark.
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadRequest {
    /// It is not HTTP.
    #[error("this is no HTTP request")]
    Malformed,
    /// Its head is too long, or has too many lines.
    #[error("the head of the request is too long")]
    TooLong,
    /// GET, HEAD and POST are there.
    #[error("there are GET, HEAD and POST")]
    Method,
}

impl BadRequest {
    /// What is answered.
    pub fn response(self) -> Response {
        let status = match self {
            BadRequest::Malformed => Status::BadRequest,
            BadRequest::TooLong => Status::HeadTooLong,
            BadRequest::Method => Status::MethodNotAllowed,
        };
        Response::text(status, format!("{self}\n"))
    }
}

/// Reads a request's head. `None`: it is not complete.
///
/// # Errors
/// [`BadRequest`]
pub fn parse(bytes: &[u8]) -> Result<Option<Request>, BadRequest> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length_of_head = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() >= MAX_HEAD => return Err(BadRequest::TooLong),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(BadRequest::TooLong),
        Err(_) => return Err(BadRequest::Malformed),
    };
    let method = match head.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        _ => return Err(BadRequest::Method),
    };
    let target = head.path.unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let value = |name: &str| {
        let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
    };
    Ok(Some(Request {
        method,
        path: decoded(path),
        query: arguments(query),
        authorization: value("authorization"),
        head: length_of_head,
        length: value("content-length").and_then(|text| text.parse().ok()),
        expects_continue: value("expect").is_some_and(|text| text.eq_ignore_ascii_case("100-continue")),
    }))
}

fn arguments(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let split = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    split.map(|(name, value)| (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))).collect()
}

/// `%41` is `A`. What is not so encoded stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let code = code.and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum Status {
    Ok,
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    Gone,
    LengthRequired,
    ContentTooLarge,
    TooManyRequests,
    HeadTooLong,
    InternalServerError,
    ServiceUnavailable,
}

impl Status {
    /// Number and words.
    pub const fn text(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::Unauthorized => "401 Unauthorized",
            Status::Forbidden => "403 Forbidden",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::Conflict => "409 Conflict",
            Status::Gone => "410 Gone",
            Status::LengthRequired => "411 Length Required",
            Status::ContentTooLarge => "413 Content Too Large",
            Status::TooManyRequests => "429 Too Many Requests",
            Status::HeadTooLong => "431 Request Header Fields Too Large",
            Status::InternalServerError => "500 Internal Server Error",
            Status::ServiceUnavailable => "503 Service Unavailable",
        }
    }
}

/// What is sent behind the head.
#[derive(Debug)]
pub enum Body {
    /// This.
    Bytes(Vec<u8>),
    /// So many bytes of a file.
    File(File, u64),
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// How it went.
    pub status: Status,
    /// Of what kind the body is.
    pub content_type: &'static str,
    /// Further header lines.
    pub headers: Vec<(&'static str, String)>,
    /// What is told.
    pub body: Body,
}

impl Response {
    /// Plain text.
    pub fn text(status: Status, text: impl Into<String>) -> Response {
        Response::new(status, "text/plain; charset=utf-8", text.into().into_bytes())
    }

    /// Bytes of some kind.
    pub fn new(status: Status, content_type: &'static str, bytes: Vec<u8>) -> Response {
        Response { status, content_type, headers: Vec::new(), body: Body::Bytes(bytes) }
    }

    /// Writes it; without body if the method is HEAD.
    ///
    /// # Errors
    /// Of the connection, or of the file.
    pub fn write(self, method: Method, out: &mut impl Write) -> io::Result<()> {
        let length = match &self.body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File(_, length) => *length,
        };
        let mut head = format!("HTTP/1.1 {}\r\n", self.status.text());
        let usual = [
            ("Content-Type", self.content_type.to_owned()),
            ("Content-Length", length.to_string()),
            ("Cache-Control", "no-store".to_owned()),
            ("Connection", "close".to_owned()),
        ];
        for (name, value) in usual.into_iter().chain(self.headers) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        out.write_all(head.as_bytes())?;
        match self.body {
            _ if method == Method::Head => {}
            Body::Bytes(bytes) => out.write_all(&bytes)?,
            Body::File(file, length) => {
                let sent = io::copy(&mut io::Read::take(file, length), out)?;
                if sent < length {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
                }
            }
        }
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Option<Request>, BadRequest> {
        parse(text.as_bytes())
    }

    #[test]
    fn requests_are_read() {
        let text =
            "GET /commands/stmk?traceMask=1%2b1&x=a+b&flag HTTP/1.1\r\nHost: x\r\naUthorization:  digest a:b \r\n\r\n";
        let request = parsed(text).unwrap().unwrap();
        assert_eq!((request.method, &*request.path), (Method::Get, "/commands/stmk"));
        assert_eq!(
            (request.argument("traceMask"), request.argument("x"), request.argument("flag"), request.argument("y")),
            (Some("1+1"), Some("a b"), Some(""), None)
        );
        assert_eq!(request.authorization.as_deref(), Some("digest a:b"));
        assert_eq!(parsed(&text[..40]), Ok(None), "the rest may come");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(parsed("ruok\r\n\r\n"), Err(BadRequest::Malformed));
        assert_eq!(parsed("\x16\x03\x01\x02"), Err(BadRequest::Malformed), "TLS");
        assert_eq!(parsed("DELETE / HTTP/1.1\r\n\r\n"), Err(BadRequest::Method));
        assert_eq!(parsed(&format!("GET /{} HTTP/1.1\r\n", "a".repeat(MAX_HEAD))), Err(BadRequest::TooLong));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(parsed(&many), Err(BadRequest::TooLong));
    }

    #[test]
    fn odd_encodings_stay_as_they_are() {
        for (text, meant) in
            [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%41%", "A%"), ("%+1", "%+1"), ("%ff", "\u{fffd}")]
        {
            assert_eq!(decoded(text), meant, "{text}");
        }
    }

    #[test]
    fn responses_are_written() {
        let mut out = Vec::new();
        let mut response = Response::text(Status::Forbidden, "no\n");
        response.headers.push(("X-Why", "because".to_owned()));
        response.write(Method::Get, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with(
                "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
            )
        );
        assert!(text.ends_with("Connection: close\r\nX-Why: because\r\n\r\nno\n"), "{text}");
        let mut out = Vec::new();
        Response::text(Status::Ok, "body").write(Method::Head, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("Content-Length: 4\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    }
}
