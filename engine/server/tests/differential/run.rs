//! Plays a case on two servers side by side and compares what comes back, step by step, then the trees that are left.

use super::plan::{BadFrame, Dialect, Hello, Names, Op, PasswdRef, SessionRef, Step, ZxidRef};
use super::render::{Meaning, acl, data};
use super::support::client::{Client, Conn, Item};
use super::support::wire::{self, ConnectRequest, ConnectResponse, Dec, Enc, Event, ReplyHeader, op};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

/// Clients of a case.
pub const SLOTS: usize = 4;

/// Password of the identity that may do everything; both servers are started with its digest.
pub const SUPER: (&str, &str) = ("super:admin", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=");

/// A server that says nothing for so long when it should: the case fails, and can be shrunk.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that has answered so many pings is not being closed.
const PINGS_TO_OUTLIVE: usize = 2_000;

/// Request number of the sync that ends every step.
const BARRIER: i32 = 0x7fff_fff0;

#[derive(Default)]
struct Slot {
    session: Option<(i64, Vec<u8>)>,
    conn: Option<Conn>,
}

/// One server with the state of the case that runs on it.
pub struct Side {
    addr: SocketAddr,
    meaning: Meaning,
    slots: Vec<Slot>,
    janitor: Client,
    xid: i32,
    sessions_made: usize,
    /// Leaves out the n-th request of a case, to show that the comparison notices.
    pub omit: Option<usize>,
    requests: usize,
}

/// What one side saw in one step.
type Lines = Vec<String>;

impl Side {
    pub fn new(addr: SocketAddr, dialect: Dialect) -> Side {
        let mut janitor = Client::connect(addr);
        janitor.auth("digest", SUPER.0.as_bytes()).expect("the super user is known");
        let meaning = Meaning {
            dialect,
            open: String::new(),
            secret: String::new(),
            baseline: 0,
            successes: Vec::new(),
            sessions: HashMap::new(),
            times: HashMap::new(),
            seen: BTreeMap::new(),
        };
        let slots = (0..SLOTS).map(|_| Slot::default()).collect();
        Side { addr, meaning, slots, janitor, xid: 0, sessions_made: 0, omit: None, requests: 0 }
    }

    /// How often each operation got each result; as operation 0, how often each kind of event came.
    pub fn seen(&self) -> &BTreeMap<(i32, i32), u64> {
        &self.meaning.seen
    }

    /// Makes the case's directories.
    fn begin(&mut self, name: &str) {
        let (open, secret) = (format!("open-{name}"), format!("secret-{name}"));
        for dir in [&open, &secret] {
            self.janitor.create(&format!("/{dir}"), b"", 0).expect("a fresh directory");
        }
        self.meaning.baseline = self.janitor.ping().expect("ping").zxid;
        self.meaning.successes.clear();
        self.meaning.sessions.clear();
        (self.meaning.open, self.meaning.secret) = (open, secret);
        self.slots = (0..SLOTS).map(|_| Slot::default()).collect();
        (self.xid, self.sessions_made, self.requests) = (0, 0, 0);
    }

    fn zxid(&self, of: ZxidRef) -> i64 {
        let all = &self.meaning.successes;
        match of {
            ZxidRef::Zero => 0,
            ZxidRef::Back(n) if n < all.len() => all[all.len() - 1 - n],
            ZxidRef::Back(_) => self.meaning.baseline,
            ZxidRef::Ahead => i64::MAX,
        }
    }

    /// A connect exchange; the connection if the server accepted.
    fn greet(&self, request: &[u8]) -> Option<(Conn, ConnectResponse)> {
        let mut conn = Conn::open(self.addr);
        conn.give_up_after(PATIENCE);
        conn.send(request);
        let response = ConnectResponse::decode(&conn.frame()?).expect("a connect response");
        Some((conn, response))
    }

    /// Gives the slot a session and a connection if it lacks them.
    fn ensure(&mut self, slot: usize) -> Lines {
        if self.slots[slot].conn.is_some() {
            return Vec::new();
        }
        let mut request = ConnectRequest::default();
        if let Some((id, passwd)) = &self.slots[slot].session {
            (request.session, request.passwd) = (*id, Some(passwd.clone()));
        }
        let Some((conn, response)) = self.greet(&request.framed()) else { return vec!["no answer".into()] };
        let line = format!("attached for {} ms, {:?}", response.timeout_ms, response.read_only);
        if response.timeout_ms > 0 {
            self.adopt(slot, conn, &response, request.session == 0);
        }
        vec![line]
    }

    /// The slot's new connection, and its session if it is new.
    fn adopt(&mut self, slot: usize, mut conn: Conn, response: &ConnectResponse, new: bool) {
        self.slots[slot].session = Some((response.session, response.passwd.clone()));
        if new {
            self.note_session(response.session, &mut conn);
        }
        self.slots[slot].conn = Some(conn);
    }

    /// A new session was a write: a ping tells its zxid.
    fn note_session(&mut self, session: i64, conn: &mut Conn) {
        self.meaning.sessions.insert(session, format!("session{}", self.sessions_made));
        self.sessions_made += 1;
        conn.send(&wire::request(-2, op::PING, &[]));
        let frame = conn.frame().expect("a new session answers a ping");
        let (header, _) = wire::reply(&frame).expect("a reply");
        self.meaning.succeeded(header.zxid);
    }

    // ----- bursts

    /// Writes the requests; returns their numbers.
    fn send(&mut self, slot: usize, ops: &[Op]) -> Vec<i32> {
        let mut bytes = Vec::new();
        let (mut xids, mut requests) = (Vec::new(), self.requests);
        for op in ops {
            self.xid += 1;
            let xid = op.own_xid().unwrap_or(self.xid);
            let dialect = self.meaning.dialect;
            let zxid = |r| self.zxid(r);
            let names = Names { open: &self.meaning.open, secret: &self.meaning.secret, dialect, zxid: &zxid };
            let omitted = self.omit == Some(requests);
            requests += 1;
            let (code, body) = if omitted {
                (op::GET_DATA, Enc::new().str("/").bool(false).0)
            } else {
                (op.code(dialect), op.body(&names))
            };
            bytes.extend(wire::request(xid, code, &body));
            // A ping is answered as -2 whatever its number was.
            xids.push(if code == op::PING { -2 } else { xid });
        }
        self.requests = requests;
        if let Some(conn) = &mut self.slots[slot].conn {
            conn.send(&bytes);
        }
        xids
    }

    /// Reads what belongs to the requests, then brings all connections up to now.
    fn collect(&mut self, slot: usize, ops: &[Op], xids: &[i32]) -> Lines {
        let before = self.meaning.successes.len();
        let mut answered: Vec<Option<(ReplyHeader, Vec<u8>)>> = vec![None; ops.len()];
        let mut order: Vec<Result<usize, Event>> = Vec::new();
        let mut trouble = Vec::new();
        let mut closed = self.slots[slot].conn.is_none();
        while !closed && answered.iter().any(Option::is_none) {
            match next_item(self.slots[slot].conn.as_mut().expect("connected")) {
                Item::Event(event) => order.push(Err(event)),
                Item::Closed => closed = true,
                Item::Reply(header, body) => {
                    match (0..ops.len()).find(|&i| answered[i].is_none() && xids[i] == header.xid) {
                        Some(i) => {
                            answered[i] = Some((header, body));
                            order.push(Ok(i));
                        }
                        None => trouble.push(format!("reply to no request: {header:?}")),
                    }
                }
            }
        }
        let last_says_close = ops.last().is_some_and(Op::ends_connection);
        if !closed && last_says_close {
            closed = self.is_closed(slot);
        }
        self.note_writes(ops, &answered);
        let events = self.barrier(slot, closed);
        let lines = self.tell(ops, &answered, &order, &events, before);
        if self.slots[slot].conn.as_ref().is_some_and(Conn::was_silent) {
            let open: Lines =
                (0..ops.len()).filter(|&i| answered[i].is_none()).map(|i| format!("{:?}", ops[i])).collect();
            trouble.push(format!("silent: no reply to {}", open.join(" and ")));
        }
        if closed {
            self.slots[slot].conn = None;
            let ended = |i: usize| matches!(ops[i], Op::CloseSession) && answered[i].is_some();
            if (0..ops.len()).any(ended) {
                self.slots[slot].session = None;
            }
        }
        trouble.into_iter().chain(lines).chain(closed.then(|| "closed".to_owned())).collect()
    }

    /// Whether the server closes the slot's connection; one that does not goes on answering pings. ZooKeeper may answer
    /// one or two between its last reply and the close.
    fn is_closed(&mut self, slot: usize) -> bool {
        let conn = self.slots[slot].conn.as_mut().expect("connected");
        for _ in 0..PINGS_TO_OUTLIVE {
            conn.send(&wire::request(-2, op::PING, &[]));
            loop {
                match next_item(conn) {
                    Item::Closed => return true,
                    Item::Reply(..) => break,
                    Item::Event(_) => {}
                }
            }
        }
        false
    }

    fn note_writes(&mut self, ops: &[Op], answered: &[Option<(ReplyHeader, Vec<u8>)>]) {
        for (op, answer) in ops.iter().zip(answered) {
            let Some((header, body)) = answer else { continue };
            let failed_multi = matches!(op.base(), Op::Multi { .. }) && body.starts_with(&[0xff; 4]) && body.len() > 9;
            if op.writes() && header.err == 0 && !failed_multi {
                self.meaning.succeeded(header.zxid);
            }
        }
    }

    /// A sync on every connection: what was caused before has arrived before its reply.
    fn barrier(&mut self, acting: usize, acting_closed: bool) -> Vec<(usize, Event)> {
        let live = |i: usize, s: &Slot| s.conn.is_some() && !(i == acting && acting_closed);
        for (i, slot) in self.slots.iter_mut().enumerate() {
            if live(i, slot) {
                let sync = wire::request(BARRIER, op::SYNC, &Enc::new().str("/").0);
                slot.conn.as_mut().expect("connected").send(&sync);
            }
        }
        let mut events = Vec::new();
        for i in 0..self.slots.len() {
            if !live(i, &self.slots[i]) {
                continue;
            }
            let conn = self.slots[i].conn.as_mut().expect("connected");
            loop {
                match next_item(conn) {
                    Item::Event(event) => events.push((i, event)),
                    Item::Reply(header, _) if header.xid == BARRIER && header.err == 0 => break,
                    other => {
                        let event = Event { zxid: -1, kind: -1, state: -1, path: format!("barrier got {other:?}") };
                        events.push((i, event));
                        if matches!(other, Item::Closed) {
                            self.slots[i].conn = None;
                            break;
                        }
                    }
                }
            }
        }
        events
    }

    /// The step as text.
    fn tell(
        &mut self,
        ops: &[Op],
        answered: &[Option<(ReplyHeader, Vec<u8>)>],
        order: &[Result<usize, Event>],
        others: &[(usize, Event)],
        before: usize,
    ) -> Lines {
        let fresh = self.meaning.successes[before..].to_vec();
        let replay = ops.iter().any(|o| matches!(o.base(), Op::SetWatches { .. }));
        let (mut lines, mut overtaking) = (Vec::new(), Vec::new());
        for item in order {
            match item {
                Err(event) => lines.push(self.meaning.event(event, &fresh, replay)),
                Ok(i) => {
                    let (header, body) = answered[*i].as_ref().expect("answered");
                    let line = self.meaning.reply(&ops[*i], header, body);
                    if ops[*i].overtakes() { overtaking.push(line) } else { lines.push(line) }
                }
            }
        }
        let mut events: Lines =
            others.iter().map(|(i, e)| format!("slot {i}: {}", self.meaning.event(e, &fresh, replay))).collect();
        // The ephemeral nodes of a closing session go in no particular order (`close-event-order`).
        if ops.iter().any(|o| matches!(o, Op::CloseSession)) {
            events.sort();
            let is_event = |l: &&String| l.starts_with("event");
            let reply = lines.len() - usize::from(!lines.last().is_none_or(|l| l.starts_with("event")));
            let first = reply - lines[..reply].iter().rev().take_while(is_event).count();
            lines[first..reply].sort();
        }
        lines.into_iter().chain(overtaking).chain(events).collect()
    }

    // ----- connect exchanges and bad frames

    fn hello(&mut self, hello: &Hello) -> Lines {
        let slot = match hello.session {
            SessionRef::Slot(i) if self.slots[i].session.is_some() => Some(i),
            SessionRef::Slot(_) => return Vec::new(),
            _ => None,
        };
        let (session, right) = match (hello.session, slot) {
            (SessionRef::Unknown(id), _) => (id, vec![7; 16]),
            (_, Some(i)) => self.slots[i].session.clone().expect("has one"),
            _ => (0, vec![0; 16]),
        };
        let passwd = match hello.passwd {
            PasswdRef::Right => Some(right),
            PasswdRef::Wrong => Some(right.iter().map(|b| b ^ 0x55).collect()),
            PasswdRef::Zero => Some(vec![0; 16]),
            PasswdRef::Short => Some(right[..7].to_vec()),
            PasswdRef::Null => None,
        };
        let request = ConnectRequest {
            last_zxid_seen: self.zxid(hello.last_seen),
            timeout_ms: hello.timeout_ms,
            session,
            passwd,
            read_only: hello.read_only,
        };
        let mut bytes = request.framed();
        if let Some(keep) = hello.keep {
            let keep = keep.min(bytes.len() - 4);
            bytes = Enc::new().raw(&bytes[4..4 + keep]).framed();
        }
        let greeted = self.greet(&bytes);
        let mut lines = vec![self.tell_greeting(&greeted, session)];
        let accepted = greeted.filter(|(_, r)| r.timeout_ms > 0);
        match (slot, accepted) {
            (Some(i), Some((conn, response))) => lines.extend(self.take_over(i, conn, &response)),
            (Some(i), None) => lines.extend(self.after_refusal(i, hello)),
            (None, Some((mut conn, response))) => {
                self.note_session(response.session, &mut conn);
                lines.extend(self.close_at_once(conn));
            }
            (None, None) => {}
        }
        lines
    }

    fn tell_greeting(&self, greeted: &Option<(Conn, ConnectResponse)>, asked: i64) -> String {
        match greeted {
            None => "closed without answer".into(),
            Some((_, r)) => format!(
                "timeout {} session {} passwd {} read only {:?}",
                r.timeout_ms,
                if r.session == 0 {
                    "0"
                } else if r.session == asked {
                    "same"
                } else {
                    "new"
                },
                if r.passwd == [0; 16] { "zero".into() } else { format!("of {}", r.passwd.len()) },
                r.read_only,
            ),
        }
    }

    /// The session moves to a new connection: the old one is closed.
    fn take_over(&mut self, slot: usize, conn: Conn, response: &ConnectResponse) -> Lines {
        let old = self.slots[slot].conn.take();
        let lines =
            old.map_or_else(Vec::new, |mut old| vec![format!("old connection got {} frames", old.drain().len())]);
        self.adopt(slot, conn, response, false);
        lines
    }

    /// A refused attempt: the old server has closed the session's connection, a current one keeps it (`password-first`).
    /// Either way the slot goes on without a connection.
    fn after_refusal(&mut self, slot: usize, hello: &Hello) -> Lines {
        let Some(mut old) = self.slots[slot].conn.take() else { return Vec::new() };
        let ahead = matches!(hello.last_seen, ZxidRef::Ahead) || hello.keep.is_some();
        if self.meaning.dialect == Dialect::Old && !ahead {
            return vec![format!("old connection got {} frames", old.drain().len())];
        }
        old.send(&wire::request(-2, op::PING, &[]));
        let alive = old.frame().is_some();
        let expected = if ahead { "old connection lives" } else { "old connection got 0 frames" };
        vec![if alive { expected.into() } else { "old connection is dead".into() }]
    }

    fn close_at_once(&mut self, mut conn: Conn) -> Lines {
        conn.send(&wire::request(1, op::CLOSE_SESSION, &[]));
        let frames = conn.drain();
        for frame in &frames {
            let (header, _) = wire::reply(frame).expect("a reply");
            self.meaning.succeeded(header.zxid);
        }
        vec![format!("closed at once with {} frames", frames.len())]
    }

    fn bad_frame(&mut self, slot: usize, kind: BadFrame) -> Lines {
        let mut lines = self.ensure(slot);
        let Some(mut conn) = self.slots[slot].conn.take() else { return lines };
        let bytes = match kind {
            BadFrame::Length(n) => n.to_be_bytes().to_vec(),
            BadFrame::Short(n) => Enc::new().raw(&vec![0; n]).framed(),
        };
        conn.send(&bytes);
        lines.push(format!("{} frames, then closed", conn.drain().len()));
        lines
    }

    // ----- the tree that is left

    /// All nodes of the case and the server's own, level by level, as text; and their paths.
    fn dump(&mut self) -> (Lines, Vec<String>) {
        let (mut lines, mut all) = (Vec::new(), Vec::new());
        let mut level = vec!["/".to_owned()];
        while !level.is_empty() {
            let mut next = Vec::new();
            for chunk in level.chunks(200) {
                for path in chunk {
                    self.janitor.send(op::GET_DATA, &Enc::new().str(path).bool(false).0);
                    self.janitor.send(op::GET_ACL, &Enc::new().str(path).0);
                    self.janitor.send(op::GET_CHILDREN, &Enc::new().str(path).bool(false).0);
                }
                for path in chunk {
                    let (line, names) = self.dump_one(path);
                    lines.push(line);
                    let dir = if path == "/" { "" } else { path };
                    next.extend(names.iter().map(|n| format!("{dir}/{n}")));
                }
            }
            all.append(&mut level);
            level = next;
            level.sort();
        }
        lines.sort();
        (lines, all)
    }

    fn dump_one(&mut self, path: &str) -> (String, Vec<String>) {
        let mut bodies = Vec::new();
        for _ in 0..3 {
            let (header, body) = self.janitor.reply().expect("the janitor is served");
            if header.err != 0 {
                return (format!("{path:?}: error {}", header.err), Vec::new());
            }
            bodies.push(body);
        }
        let (mut d, mut a, mut c) = (Dec(&bodies[0]), Dec(&bodies[1]), Dec(&bodies[2]));
        let content = data(d.buf().expect("data"));
        let stat = self.meaning.stat(&d.stat().expect("a stat"));
        let acl = acl(a.acl().expect("an ACL"));
        let names = c.strs().expect("names").expect("names");
        (format!("node {} {content} {stat} {acl}", self.meaning.path(path)), names)
    }

    /// Removes what the case has left behind.
    fn clean(&mut self, nodes: &[String]) {
        let keep = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
        let gone: Vec<&String> = nodes.iter().rev().filter(|p| !keep.contains(&p.as_str())).collect();
        for path in &gone {
            self.janitor.send(op::DELETE, &Enc::new().str(path).i32(-1).0);
        }
        for path in &gone {
            let (header, _) = self.janitor.reply().expect("the janitor is served");
            assert_eq!(header.err, 0, "the janitor cannot delete {path}");
        }
        for path in &keep[..3] {
            self.janitor.set_acl(path, &wire::open_acl(), -1).expect("the janitor resets ACLs");
        }
    }
}

fn next_item(conn: &mut Conn) -> Item {
    let Some(frame) = conn.frame() else { return Item::Closed };
    let (header, body) = wire::reply(&frame).expect("a reply header");
    if header.xid != -1 {
        return Item::Reply(header, body.to_vec());
    }
    let mut d = Dec(body);
    let mut event =
        || Ok::<_, wire::Malformed>(Event { zxid: header.zxid, kind: d.i32()?, state: d.i32()?, path: d.str()? });
    Item::Event(event().expect("an event"))
}

/// Where two servers parted.
#[derive(Clone, Debug)]
pub struct Mismatch {
    pub text: String,
}

fn compare(what: &str, a: &[String], b: &[String]) -> Result<(), Mismatch> {
    if a == b && !a.iter().any(|l| l.starts_with("silent")) {
        return Ok(());
    }
    let mut text = format!("{what}:\n");
    for i in 0..a.len().max(b.len()) {
        match (a.get(i), b.get(i)) {
            (Some(x), Some(y)) if x == y => text += &format!("    {x}\n"),
            (x, y) => {
                text += &format!("  A {}\n  B {}\n", x.map_or("-", String::as_str), y.map_or("-", String::as_str));
            }
        }
    }
    Err(Mismatch { text })
}

/// Plays `steps` on both sides. Afterwards both are clean again, whatever happened.
pub fn run_case(a: &mut Side, b: &mut Side, name: &str, steps: &[Step]) -> Result<(), Mismatch> {
    a.begin(name);
    b.begin(name);
    let mut outcome = (0..steps.len()).try_for_each(|i| play(a, b, i, &steps[i]));
    for slot in 0..SLOTS {
        let closing = Step::Burst(slot, vec![Op::CloseSession]);
        if a.slots[slot].session.is_some() || b.slots[slot].session.is_some() {
            let end = play(a, b, steps.len(), &closing);
            outcome = outcome.and(end);
        }
    }
    let ((lines_a, nodes_a), (lines_b, nodes_b)) = (a.dump(), b.dump());
    a.clean(&nodes_a);
    b.clean(&nodes_b);
    outcome.and_then(|()| compare("trees at the end", &lines_a, &lines_b))
}

fn play(a: &mut Side, b: &mut Side, index: usize, step: &Step) -> Result<(), Mismatch> {
    let (lines_a, lines_b) = match step {
        Step::Burst(slot, ops) => {
            let (mut lines_a, mut lines_b) = (a.ensure(*slot), b.ensure(*slot));
            let (xids_a, xids_b) = (a.send(*slot, ops), b.send(*slot, ops));
            lines_a.extend(a.collect(*slot, ops, &xids_a));
            lines_b.extend(b.collect(*slot, ops, &xids_b));
            (lines_a, lines_b)
        }
        Step::Hello(hello) => (a.hello(hello), b.hello(hello)),
        Step::BadFrame(slot, kind) => (a.bad_frame(*slot, *kind), b.bad_frame(*slot, *kind)),
        Step::Drop(slot) => {
            a.slots[*slot].conn = None;
            b.slots[*slot].conn = None;
            (Vec::new(), Vec::new())
        }
    };
    compare(&format!("step {index}, {step:?}"), &lines_a, &lines_b)
}
