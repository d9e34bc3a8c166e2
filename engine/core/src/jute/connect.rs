//! Connect exchange, headers, and the records that stand outside the request cycle.

use super::primitive::{ReadError, Reader, Writer};
use std::borrow::Cow;

/// First payload of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectRequest<'a> {
    /// 0; not checked.
    pub protocol_version: i32,
    /// Newest zxid that the client has seen. A server that is behind it must not serve the client.
    pub last_zxid_seen: i64,
    /// Session timeout that the client asks for, milliseconds.
    pub timeout_ms: i32,
    /// Session to continue; 0 asks for a new one.
    pub session_id: i64,
    /// Password of that session: 16 bytes when it is one that a server made.
    pub passwd: Option<&'a [u8]>,
    /// Whether a read-only server would do. `None`: the client left the byte out, and expects none in the answer.
    pub read_only: Option<bool>,
}

impl<'a> ConnectRequest<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`ReadError`] if a field other than the optional last one is missing.
    pub fn decode(payload: &'a [u8]) -> Result<ConnectRequest<'a>, ReadError> {
        let mut r = Reader::new(payload);
        Ok(ConnectRequest {
            protocol_version: r.i32()?,
            last_zxid_seen: r.i64()?,
            timeout_ms: r.i32()?,
            session_id: r.i64()?,
            passwd: r.buffer()?,
            read_only: r.bool().ok(),
        })
    }

    /// Appends the payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.i32(self.protocol_version);
        w.i64(self.last_zxid_seen);
        w.i32(self.timeout_ms);
        w.i64(self.session_id);
        w.buffer(self.passwd);
        if let Some(read_only) = self.read_only {
            w.bool(read_only);
        }
    }
}

/// First payload of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectResponse<'a> {
    /// 0.
    pub protocol_version: i32,
    /// Session timeout granted, milliseconds; 0 tells that the session to continue is gone.
    pub timeout_ms: i32,
    /// The session; 0 if it is gone.
    pub session_id: i64,
    /// 16 bytes: the C client accepts no other length. All 0 if the session is gone.
    pub passwd: &'a [u8],
    /// Whether the server is read-only. `None` leaves the byte out, for a client that left it out.
    pub read_only: Option<bool>,
}

impl<'a> ConnectResponse<'a> {
    /// The answer to a client whose session is gone, or whose password is wrong.
    #[must_use]
    pub const fn expired(read_only: Option<bool>) -> ConnectResponse<'static> {
        ConnectResponse { protocol_version: 0, timeout_ms: 0, session_id: 0, passwd: &[0; 16], read_only }
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`ReadError`] if a field other than the optional last one is missing.
    pub fn decode(payload: &'a [u8]) -> Result<ConnectResponse<'a>, ReadError> {
        let mut r = Reader::new(payload);
        Ok(ConnectResponse {
            protocol_version: r.i32()?,
            timeout_ms: r.i32()?,
            session_id: r.i64()?,
            passwd: r.buffer()?.ok_or(ReadError::Null)?,
            read_only: r.bool().ok(),
        })
    }

    /// Appends the payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.i32(self.protocol_version);
        w.i32(self.timeout_ms);
        w.i64(self.session_id);
        w.buffer(Some(self.passwd));
        if let Some(read_only) = self.read_only {
            w.bool(read_only);
        }
    }
}

/// What every request starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHeader {
    /// The client's number of the request, echoed in the reply.
    pub xid: i32,
    /// Opcode, not yet known to be one: see [`super::OpCode`].
    pub op: i32,
}

impl RequestHeader {
    /// Splits a payload into header and body.
    ///
    /// # Errors
    /// [`ReadError::Truncated`] below 8 bytes: the connection is to be closed.
    pub fn decode(payload: &[u8]) -> Result<(RequestHeader, &[u8]), ReadError> {
        let mut r = Reader::new(payload);
        Ok((RequestHeader { xid: r.i32()?, op: r.i32()? }, r.rest()))
    }

    /// Appends the header.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.i32(self.xid);
        w.i32(self.op);
    }
}

/// What every reply and notification starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplyHeader {
    /// The request's number, or one of the constants below.
    pub xid: i32,
    /// A write's own zxid, else the last one applied on the server; see the constants of the cases that differ.
    pub zxid: i64,
    /// 0 or an error code. A body follows only on 0, with few exceptions.
    pub err: i32,
}

impl ReplyHeader {
    /// Xid of notifications.
    pub const NOTIFICATION: i32 = -1;
    /// Xid of pings. The reply carries it even if the request did not.
    pub const PING: i32 = -2;
    /// Xid that clients use for auth packets.
    pub const AUTH: i32 = -4;
    /// Xid that clients use for setWatches.
    pub const SET_WATCHES: i32 = -8;
    /// Bytes of the header.
    pub const LEN: usize = 16;

    /// Splits a payload into header and body.
    ///
    /// # Errors
    /// [`ReadError::Truncated`] below 16 bytes.
    pub fn decode(payload: &[u8]) -> Result<(ReplyHeader, &[u8]), ReadError> {
        let mut r = Reader::new(payload);
        Ok((ReplyHeader { xid: r.i32()?, zxid: r.i64()?, err: r.i32()? }, r.rest()))
    }

    /// Appends the header.
    #[inline]
    pub fn encode(&self, w: &mut Writer<'_>) {
        let mut bytes = [0; ReplyHeader::LEN];
        bytes[..4].copy_from_slice(&self.xid.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.zxid.to_be_bytes());
        bytes[12..].copy_from_slice(&self.err.to_be_bytes());
        w.raw(&bytes);
    }
}

/// Body of a notification.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatcherEvent<'a> {
    /// What happened: one of the constants, or a number that only clients make.
    pub kind: i32,
    /// State of the connection: always [`WatcherEvent::SYNC_CONNECTED`] from a server.
    pub state: i32,
    /// The node.
    pub path: Cow<'a, str>,
}

impl<'a> WatcherEvent<'a> {
    /// The node was created.
    pub const CREATED: i32 = 1;
    /// The node was deleted.
    pub const DELETED: i32 = 2;
    /// The node's data was changed.
    pub const DATA_CHANGED: i32 = 3;
    /// A child of the node was created or deleted.
    pub const CHILDREN_CHANGED: i32 = 4;
    /// The only state that a server sends.
    pub const SYNC_CONNECTED: i32 = 3;

    /// Reads the body of a notification.
    ///
    /// # Errors
    /// [`ReadError`] if the bytes are no event.
    pub fn decode(body: &'a [u8]) -> Result<WatcherEvent<'a>, ReadError> {
        let mut r = Reader::new(body);
        Ok(WatcherEvent { kind: r.i32()?, state: r.i32()?, path: r.required_string()? })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.i32(self.kind);
        w.i32(self.state);
        w.string(&self.path);
    }
}

/// Body of an auth request: credentials for the connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthPacket<'a> {
    /// 0; not checked.
    pub kind: i32,
    /// Authentication scheme.
    pub scheme: Option<Cow<'a, str>>,
    /// Credentials in the form that the scheme wants.
    pub auth: Option<&'a [u8]>,
}

impl<'a> AuthPacket<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`ReadError`] if the bytes are no auth packet.
    pub fn read(r: &mut Reader<'a>) -> Result<AuthPacket<'a>, ReadError> {
        Ok(AuthPacket { kind: r.i32()?, scheme: r.string()?, auth: r.buffer()? })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.i32(self.kind);
        w.nullable_string(self.scheme.as_deref());
        w.buffer(self.auth);
    }
}
