//! Fills a tree with everything that there can be in one, and its log with everything that there can be in a log.

use crate::support::client::{Client, Fault, create_body};
use crate::support::rng::Rng;
use crate::support::wire::{Acl, Enc, op, open_acl};

const EPHEMERAL: i32 = 1;
const SEQUENTIAL: i32 = 2;
const CONTAINER: i32 = 4;
const TTL: i32 = 5;
/// Longer than any test.
const TTL_MS: i64 = 100_000_000;
/// Requests under way.
const WINDOW: usize = 200;

/// Who may read everything that is made here.
pub const USER: &[u8] = b"user:secret";

/// Requests that are answered later; refusals are a part of the load.
struct Pipe<'a> {
    client: &'a mut Client,
    waiting: usize,
}

impl Pipe<'_> {
    fn send(&mut self, op: i32, body: Enc) {
        if self.waiting == WINDOW {
            self.take();
        }
        self.client.send(op, &body.0);
        self.waiting += 1;
    }

    fn take(&mut self) {
        self.client.reply().unwrap();
        self.waiting -= 1;
    }

    fn flush(&mut self) {
        while self.waiting > 0 {
            self.take();
        }
    }
}

/// Makes at least so many nodes. The client's session owns the ephemeral ones, and goes on living.
pub fn fill(client: &mut Client, nodes: u64, seed: u64) {
    client.auth("digest", USER).unwrap();
    for path in ["/app", "/app/kept", "/seq", "/zookeeper/quota/app"] {
        client.create(path, b"", 0).unwrap();
    }
    client.create("/zookeeper/quota/app/zookeeper_limits", b"count=1000000,bytes=100000000", 0).unwrap();
    client.create("/zookeeper/quota/app/zookeeper_stats", b"count=0,bytes=0", 0).unwrap();
    let mut rng = Rng::new(seed);
    let mut made = Made { parents: vec!["/app".to_owned(), String::new()], leaves: Vec::new() };
    let mut pipe = Pipe { client, waiting: 0 };
    // A part of the steps makes nothing, or removes something.
    for n in 0..nodes * 3 / 2 {
        step(&mut pipe, &mut rng, &mut made, n);
    }
    pipe.flush();
}

/// Nodes that were made: those that may have children, and those that have none.
struct Made {
    parents: Vec<String>,
    leaves: Vec<String>,
}

fn step(pipe: &mut Pipe<'_>, rng: &mut Rng, made: &mut Made, n: u64) {
    let Made { parents, leaves } = made;
    // Of all, not of the last ones: the depth grows with the logarithm of the number, and so do the paths.
    let parent = parents[rng.below(parents.len() as u64) as usize].clone();
    let known = parents[rng.below(parents.len() as u64) as usize].clone();
    let known = if known.is_empty() { "/app".to_owned() } else { known };
    let path = format!("{parent}/n{n}");
    let data = vec![b'a' + (n % 26) as u8; rng.below(60) as usize];
    let acl = [
        Acl::new(31, "auth", ""),
        Acl::new(1 + (n % 31) as i32, "digest", &format!("other{}:aGFzaGhhc2hoYXNoaGFzaGhhc2g=", n % 7)),
    ];
    match rng.below(20) {
        0..8 => {
            pipe.send(op::CREATE, create_body(&path, &data, &open_acl(), 0));
            parents.push(path);
        }
        8..10 => pipe.send(op::CREATE2, create_body("/seq/s-", &data, &acl, SEQUENTIAL)),
        10 => {
            pipe.send(op::CREATE_CONTAINER, create_body(&path, &data, &open_acl(), CONTAINER));
            leaves.push(path);
        }
        11 => pipe.send(op::CREATE_TTL, create_body(&path, &data, &open_acl(), TTL).i64(TTL_MS + n as i64)),
        12..14 => pipe.send(op::CREATE, create_body(&path, &data, &acl, EPHEMERAL)),
        14 => pipe.send(op::SET_DATA, Enc::new().str(&known).buf(Some(&data)).i32(-1)),
        15 => pipe.send(op::SET_ACL, Enc::new().str(&known).acl(Some(&acl)).i32(-1)),
        16 => {
            // Without a leaf, one that is refused: it has children.
            let path = leaves.pop().filter(|_| !n.is_multiple_of(3)).unwrap_or_else(|| "/app".to_owned());
            pipe.send(op::DELETE, Enc::new().str(&path).i32(-1));
        }
        17 => pipe.send(op::SET_DATA, Enc::new().str(&known).buf(Some(&data)).i32(1_000_000)),
        18 => pipe.send(op::MULTI, multi(&path, &known, 0)),
        _ => pipe.send(op::MULTI, multi(&path, &known, 1_000_000)),
    }
}

/// A create, a change and a delete together, if the version is one that the node made has.
fn multi(path: &str, known: &str, version: i32) -> Enc {
    let header = |enc: Enc, op: i32| enc.i32(op).bool(op == -1).i32(-1);
    let enc = header(Enc::new(), op::CREATE).raw(&create_body(path, b"made", &open_acl(), 0).0);
    let enc = header(enc, op::SET_DATA).str(known).buf(Some(b"set")).i32(-1);
    let enc = header(enc, op::CREATE).raw(&create_body(&format!("{path}-gone"), b"", &open_acl(), 0).0);
    let enc = header(enc, op::CHECK).str(path).i32(version);
    let enc = header(enc, op::DELETE).str(&format!("{path}-gone")).i32(-1);
    header(enc, -1)
}

/// A session that is closed, with the ephemeral nodes that it had.
pub fn session_that_goes(mut client: Client, name: &str) {
    for n in 0..3 {
        let made = client.create(&format!("/app/{name}-{n}"), b"", EPHEMERAL);
        assert!(matches!(made, Ok(_) | Err(Fault::Code(_))), "{made:?}");
    }
    client.close();
}
