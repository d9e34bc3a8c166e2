//! Makes files of ZooKeeper's, and trees.

use crate::load::Files;
use crate::output::Output;
use crate::txn::TxnHeader;
use crate::{DataTree, Loaded, into_tree, load, write_snapshot};
use ringkeeper_core::acl::Acl;
use ringkeeper_core::ids::{SessionId, Tag, Zxid};
use ringkeeper_core::session::password;
use ringkeeper_core::tree::{Builder, Kind, NodeState, SessionEntry, Tree};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Files by name.
#[derive(Clone, Default)]
pub struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Memory {
    pub fn with(files: &[(&str, &[u8])]) -> Memory {
        Memory(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect())
    }

    pub fn load(&self) -> Result<Loaded, crate::FileError> {
        load(self, None, &mut || ())
    }
}

impl Files for Memory {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(&self.0[name][..]))
    }
}

/// splitmix64
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// A tree with nodes of all kinds, lists, sessions, quotas, null and empty data, and stats that are all different.
pub fn tree(seed: u64, nodes: u64) -> Tree {
    let mut rng = Rng(seed);
    let mut builder = Builder::default();
    let lists: Vec<u32> = (0..5)
        .map(|n| builder.list(&[Acl::new(1 + n, "digest", &format!("user{n}:hash")), Acl::new(31, "ip", "10.0.0.1")]))
        .chain([0])
        .collect();
    for id in 1..=4 {
        let id = SessionId(id << 56 | id);
        let entry = SessionEntry { timeout_ms: 4000 + id.0 as i32, passwd: password(id), owner: Tag::NONE };
        builder.session(id, entry).unwrap();
    }
    let mut numbers = vec![("".to_owned(), builder.node(0, &state("", 0, 0, None, &mut rng)).unwrap())];
    for path in ["/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
        add(&mut builder, &mut numbers, path, Kind::Persistent, 0, Some(b""), &mut rng);
    }
    for n in 0..nodes {
        let parent = rng.below(numbers.len() as u64 / 2 + 1) as usize;
        let path = format!("{}/node-{n}", numbers[parent].0);
        if path.starts_with("/zookeeper") {
            continue;
        }
        let data = vec![n as u8; rng.below(50) as usize];
        let data = (rng.below(5) > 0).then_some(&data[..]);
        let list = lists[rng.below(lists.len() as u64) as usize];
        let kind = match rng.below(8) {
            0 => Kind::Container,
            1 => Kind::Ttl(1 + rng.below(1 << 40)),
            _ => Kind::Persistent,
        };
        add(&mut builder, &mut numbers, &path, kind, list, data, &mut rng);
    }
    for session in 1..=4 {
        let path = format!("/ephemeral-{session:010}");
        let kind = Kind::Ephemeral(SessionId(session << 56 | session));
        add(&mut builder, &mut numbers, &path, kind, lists[1], Some(b"x"), &mut rng);
    }
    builder.finish(Zxid(0x3_0000_0123)).unwrap()
}

fn add(
    builder: &mut Builder,
    numbers: &mut Vec<(String, u32)>,
    path: &str,
    kind: Kind,
    list: u32,
    data: Option<&[u8]>,
    rng: &mut Rng,
) {
    let (parent, name) = path.rsplit_once('/').unwrap();
    let above = numbers.iter().find(|(path, _)| path == parent).unwrap().1;
    let number = builder.node(above, &state(name, list, kind.owner(), data, rng)).unwrap();
    numbers.push((path.to_owned(), number));
}

fn state<'a>(name: &'a str, acl: u32, owner: i64, data: Option<&'a [u8]>, rng: &mut Rng) -> NodeState<'a> {
    NodeState {
        name,
        data,
        acl,
        czxid: rng.below(1 << 40),
        mzxid: rng.below(1 << 40),
        pzxid: rng.below(1 << 40),
        ctime: rng.below(1 << 40) as i64,
        mtime: rng.below(1 << 40) as i64,
        version: rng.next() as i32,
        create_count: rng.below(1 << 30) as i32,
        aversion: rng.next() as i32,
        owner,
    }
}

pub fn snapshot(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_snapshot(tree, true, &mut bytes).unwrap();
    bytes
}

pub fn imported(tree: DataTree) -> Tree {
    into_tree(tree).unwrap().0
}

/// A log file of these payloads.
pub fn log(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0".to_vec();
    for payload in payloads {
        bytes.extend(entry(payload));
    }
    bytes
}

pub fn entry(payload: &[u8]) -> Vec<u8> {
    let mut bytes = i64::from(simd_adler32::adler32(&payload)).to_be_bytes().to_vec();
    bytes.extend((payload.len() as i32).to_be_bytes());
    bytes.extend(payload);
    bytes.push(0x42);
    bytes
}

pub fn header(zxid: i64, kind: i32) -> TxnHeader {
    TxnHeader { session: 0x77, cxid: 5, zxid, time: 1_700_000_000_000 + zxid, kind }
}

/// A header, then the body.
pub fn payload(zxid: i64, kind: i32, body: &[u8]) -> Vec<u8> {
    let TxnHeader { session, cxid, time, .. } = header(zxid, kind);
    let mut bytes = session.to_be_bytes().to_vec();
    bytes.extend(cxid.to_be_bytes());
    bytes.extend(zxid.to_be_bytes());
    bytes.extend(time.to_be_bytes());
    bytes.extend(kind.to_be_bytes());
    bytes.extend(body);
    bytes
}

pub fn string(text: &str) -> Vec<u8> {
    [&(text.len() as i32).to_be_bytes()[..], text.as_bytes()].concat()
}

/// world:anyone, everything.
pub fn open_acl() -> Vec<u8> {
    [&1_i32.to_be_bytes()[..], &31_i32.to_be_bytes(), &string("world"), &string("anyone")].concat()
}

/// Body of a create of today.
pub fn create(path: &str, ephemeral: bool, parent_cversion: i32) -> Vec<u8> {
    [create_of_3_3(path, ephemeral), parent_cversion.to_be_bytes().to_vec()].concat()
}

pub fn create_of_3_3(path: &str, ephemeral: bool) -> Vec<u8> {
    [string(path), string("data"), open_acl(), vec![ephemeral.into()]].concat()
}

pub fn set_data(path: &str, data: &str, version: i32) -> Vec<u8> {
    [string(path), string(data), version.to_be_bytes().to_vec()].concat()
}

/// A snapshot with nothing in it but what every server has, of zxid 0.
pub fn first_snapshot() -> Vec<u8> {
    snapshot(&Tree::new())
}

/// A snapshot as 3.9 ends it: with the newest transaction that was applied when it was complete.
pub fn with_last_zxid(mut snapshot: Vec<u8>, zxid: i64) -> Vec<u8> {
    snapshot.extend(zxid.to_be_bytes());
    let sum = i64::from(simd_adler32::adler32(&&snapshot[..]));
    snapshot.extend(sum.to_be_bytes());
    snapshot.extend(string("/"));
    snapshot
}

/// A snapshot of a root and these nodes (path, number of the list, data), with one list of number 1, which none of them need
/// have. Nothing is checked.
pub fn raw_snapshot(list: &[Acl], nodes: &[(&str, i64, &[u8])]) -> Vec<u8> {
    let mut out = Output::new(Vec::new());
    let mut write = || -> io::Result<()> {
        out.int(i32::from_be_bytes(*b"ZKSN"))?;
        out.int(2)?;
        out.long(-1)?;
        out.int(0)?;
        out.int(1)?;
        out.long(1)?;
        out.acl(list)?;
        for (path, acl, data) in [("", -1, &b""[..])].iter().chain(nodes) {
            out.string(path)?;
            out.buffer(Some(data))?;
            out.long(*acl)?;
            // Its stat.
            (0..4).try_for_each(|_| out.long(0))?;
            (0..3).try_for_each(|_| out.int(0))?;
            (0..2).try_for_each(|_| out.long(0))?;
        }
        out.string("/")?;
        out.long(out.checksum().into())?;
        out.string("/")
    };
    write().unwrap();
    out.into_inner()
}
