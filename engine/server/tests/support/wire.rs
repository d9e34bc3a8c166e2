//! ZooKeeper's wire format, written a second time for the tests: a mistake in the server's codec cannot hide by being
//! made on both sides.

/// Opcodes by name.
#[allow(missing_docs)]
pub mod op {
    pub const CREATE: i32 = 1;
    pub const DELETE: i32 = 2;
    pub const EXISTS: i32 = 3;
    pub const GET_DATA: i32 = 4;
    pub const SET_DATA: i32 = 5;
    pub const GET_ACL: i32 = 6;
    pub const SET_ACL: i32 = 7;
    pub const GET_CHILDREN: i32 = 8;
    pub const SYNC: i32 = 9;
    pub const PING: i32 = 11;
    pub const GET_CHILDREN2: i32 = 12;
    pub const CHECK: i32 = 13;
    pub const MULTI: i32 = 14;
    pub const CREATE2: i32 = 15;
    pub const RECONFIG: i32 = 16;
    pub const CHECK_WATCHES: i32 = 17;
    pub const REMOVE_WATCHES: i32 = 18;
    pub const CREATE_CONTAINER: i32 = 19;
    pub const DELETE_CONTAINER: i32 = 20;
    pub const CREATE_TTL: i32 = 21;
    pub const MULTI_READ: i32 = 22;
    pub const AUTH: i32 = 100;
    pub const SET_WATCHES: i32 = 101;
    pub const SASL: i32 = 102;
    pub const GET_EPHEMERALS: i32 = 103;
    pub const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    pub const SET_WATCHES2: i32 = 105;
    pub const ADD_WATCH: i32 = 106;
    pub const WHO_AM_I: i32 = 107;
    pub const CREATE_SESSION: i32 = -10;
    pub const CLOSE_SESSION: i32 = -11;
}

/// One entry of an ACL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acl {
    pub perms: i32,
    pub scheme: Option<String>,
    pub id: Option<String>,
}

impl Acl {
    pub fn new(perms: i32, scheme: &str, id: &str) -> Acl {
        Acl { perms, scheme: Some(scheme.into()), id: Some(id.into()) }
    }
}

/// Everybody may do everything.
pub fn open_acl() -> Vec<Acl> {
    vec![Acl::new(31, "world", "anyone")]
}

/// Builds a request.
#[derive(Clone, Default, Debug)]
pub struct Enc(pub Vec<u8>);

impl Enc {
    pub fn new() -> Enc {
        Enc::default()
    }
    pub fn bool(mut self, v: bool) -> Enc {
        self.0.push(u8::from(v));
        self
    }
    pub fn i32(mut self, v: i32) -> Enc {
        self.0.extend_from_slice(&v.to_be_bytes());
        self
    }
    pub fn i64(mut self, v: i64) -> Enc {
        self.0.extend_from_slice(&v.to_be_bytes());
        self
    }
    pub fn buf(mut self, v: Option<&[u8]>) -> Enc {
        match v {
            None => self.0.extend_from_slice(&(-1i32).to_be_bytes()),
            Some(v) => {
                self.0.extend_from_slice(&(v.len() as i32).to_be_bytes());
                self.0.extend_from_slice(v);
            }
        }
        self
    }
    pub fn str(self, v: &str) -> Enc {
        self.buf(Some(v.as_bytes()))
    }
    pub fn opt_str(self, v: Option<&str>) -> Enc {
        self.buf(v.map(str::as_bytes))
    }
    pub fn strs(self, v: Option<&[String]>) -> Enc {
        match v {
            None => self.i32(-1),
            Some(v) => v.iter().fold(self.i32(v.len() as i32), |e, s| e.str(s)),
        }
    }
    pub fn acl(self, v: Option<&[Acl]>) -> Enc {
        match v {
            None => self.i32(-1),
            Some(v) => v.iter().fold(self.i32(v.len() as i32), |e, a| {
                e.i32(a.perms).opt_str(a.scheme.as_deref()).opt_str(a.id.as_deref())
            }),
        }
    }
    pub fn raw(mut self, v: &[u8]) -> Enc {
        self.0.extend_from_slice(v);
        self
    }
    /// The bytes with the length in front, as they go into the socket.
    pub fn framed(self) -> Vec<u8> {
        let mut out = (self.0.len() as i32).to_be_bytes().to_vec();
        out.extend_from_slice(&self.0);
        out
    }
}

/// A whole request frame.
pub fn request(xid: i32, op: i32, body: &[u8]) -> Vec<u8> {
    Enc::new().i32(xid).i32(op).raw(body).framed()
}

/// Reads a reply. Every method fails when the bytes end too early.
#[derive(Clone, Debug)]
pub struct Dec<'a>(pub &'a [u8]);

/// A reply that is not what its request's reply should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed;

impl<'a> Dec<'a> {
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        if self.0.len() < n {
            return Err(Malformed);
        }
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        Ok(head)
    }
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.take(1)?[0] != 0)
    }
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into().unwrap()))
    }
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into().unwrap()))
    }
    pub fn buf(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.i32()? {
            -1 => Ok(None),
            n => Ok(Some(self.take(usize::try_from(n).map_err(|_| Malformed)?)?)),
        }
    }
    pub fn opt_str(&mut self) -> Result<Option<String>, Malformed> {
        self.buf()?.map(|b| String::from_utf8(b.to_vec()).map_err(|_| Malformed)).transpose()
    }
    pub fn str(&mut self) -> Result<String, Malformed> {
        self.opt_str()?.ok_or(Malformed)
    }
    pub fn strs(&mut self) -> Result<Option<Vec<String>>, Malformed> {
        match self.i32()? {
            -1 => Ok(None),
            n => (0..n).map(|_| self.str()).collect::<Result<_, _>>().map(Some),
        }
    }
    pub fn acl(&mut self) -> Result<Option<Vec<Acl>>, Malformed> {
        let n = self.i32()?;
        if n == -1 {
            return Ok(None);
        }
        (0..n)
            .map(|_| Ok(Acl { perms: self.i32()?, scheme: self.opt_str()?, id: self.opt_str()? }))
            .collect::<Result<_, _>>()
            .map(Some)
    }
    pub fn stat(&mut self) -> Result<Stat, Malformed> {
        Ok(Stat {
            czxid: self.i64()?,
            mzxid: self.i64()?,
            ctime: self.i64()?,
            mtime: self.i64()?,
            version: self.i32()?,
            cversion: self.i32()?,
            aversion: self.i32()?,
            ephemeral_owner: self.i64()?,
            data_length: self.i32()?,
            num_children: self.i32()?,
            pzxid: self.i64()?,
        })
    }
    pub fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// What a client sees of a node beside data, children and ACL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    pub czxid: i64,
    pub mzxid: i64,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    pub cversion: i32,
    pub aversion: i32,
    pub ephemeral_owner: i64,
    pub data_length: i32,
    pub num_children: i32,
    pub pzxid: i64,
}

/// What stands in front of every reply and event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplyHeader {
    pub xid: i32,
    pub zxid: i64,
    pub err: i32,
}

/// The header of a frame and the bytes behind it.
pub fn reply(frame: &[u8]) -> Result<(ReplyHeader, &[u8]), Malformed> {
    let mut d = Dec(frame);
    let header = ReplyHeader { xid: d.i32()?, zxid: d.i64()?, err: d.i32()? };
    Ok((header, d.0))
}

/// A watch event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    pub zxid: i64,
    pub kind: i32,
    pub state: i32,
    pub path: String,
}

/// The first frame of a connection.
#[derive(Clone, Debug)]
pub struct ConnectRequest {
    pub last_zxid_seen: i64,
    pub timeout_ms: i32,
    pub session: i64,
    pub passwd: Option<Vec<u8>>,
    pub read_only: Option<bool>,
}

impl Default for ConnectRequest {
    fn default() -> ConnectRequest {
        ConnectRequest {
            last_zxid_seen: 0,
            timeout_ms: 200_000,
            session: 0,
            passwd: Some(vec![0; 16]),
            read_only: Some(false),
        }
    }
}

impl ConnectRequest {
    pub fn framed(&self) -> Vec<u8> {
        let e = Enc::new().i32(0).i64(self.last_zxid_seen).i32(self.timeout_ms).i64(self.session);
        let e = e.buf(self.passwd.as_deref());
        match self.read_only {
            Some(v) => e.bool(v).framed(),
            None => e.framed(),
        }
    }
}

/// The server's answer to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectResponse {
    pub timeout_ms: i32,
    pub session: i64,
    pub passwd: Vec<u8>,
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    pub fn decode(frame: &[u8]) -> Result<ConnectResponse, Malformed> {
        let mut d = Dec(frame);
        if d.i32()? != 0 {
            return Err(Malformed);
        }
        let (timeout_ms, session) = (d.i32()?, d.i64()?);
        let passwd = d.buf()?.ok_or(Malformed)?.to_vec();
        let read_only = if d.0.is_empty() { None } else { Some(d.bool()?) };
        d.end()?;
        Ok(ConnectResponse { timeout_ms, session, passwd, read_only })
    }
}
