//! Servers whose links do nothing but note what happens, all on one executor, and peers made of bare sockets.

#![allow(dead_code, reason = "each file of tests uses some of it")]

pub mod pki;

use ringkeeper_core::frame::{self, FrameBatch, FrameBuf, FrameHeader};
use ringkeeper_core::ids::{ServerId, SessionId, Tag, WallMs, Zxid};
use ringkeeper_net::Signal;
use ringkeeper_net::links::{LinkDown, LinkLimits, LinkService, Links, LinksConfig, PeerAddress};
use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

pub const ENSEMBLE: &str = "test";

/// What a server's links have reported.
#[derive(Clone, PartialEq, Debug)]
pub enum Seen {
    Up(u8, u64),
    Message(u8, Vec<u8>, Option<Vec<u8>>),
    Down(u8, LinkDown),
}

type Hook = Box<dyn Fn(&Links, u8, &[u8])>;

/// Notes everything; a hook may answer messages at once.
#[derive(Default)]
struct Recorder {
    seen: RefCell<VecDeque<Seen>>,
    something: Signal,
    links: OnceCell<Weak<Links>>,
    hook: OnceCell<Hook>,
}

impl LinkService for Recorder {
    fn up(&self, peer: ServerId, incarnation: u64) {
        self.seen.borrow_mut().push_back(Seen::Up(peer.0, incarnation));
    }

    fn message(&self, peer: ServerId, head: &[u8], tail: Option<FrameBuf>) {
        let tail = tail.map(|tail| {
            assert!(tail.as_ptr().addr().is_multiple_of(frame::ALIGN) && !tail.is_empty());
            tail.to_vec()
        });
        self.seen.borrow_mut().push_back(Seen::Message(peer.0, head.to_vec(), tail));
        if let Some(hook) = self.hook.get() {
            hook(&self.links.get().unwrap().upgrade().unwrap(), peer.0, head);
        }
    }

    fn down(&self, peer: ServerId, why: &LinkDown) {
        self.seen.borrow_mut().push_back(Seen::Down(peer.0, why.clone()));
    }

    fn received(&self) {
        self.something.raise();
    }
}

/// A server that runs on the executor of the test.
pub struct Server {
    pub links: Rc<Links>,
    pub task: glommio::Task<()>,
    recorder: Rc<Recorder>,
}

/// Runs a test on an executor.
pub fn on_executor<F: Future<Output = ()> + 'static>(test: impl FnOnce() -> F + Send + 'static) {
    let body = move || async move {
        let ticking = async {
            loop {
                glommio::timer::sleep(Duration::from_millis(5)).await;
            }
        };
        glommio::spawn_local(ticking).detach();
        test().await;
    };
    glommio::LocalExecutorBuilder::new(glommio::Placement::Unbound)
        .ring_depth(256)
        .io_memory(256 << 10)
        .spawn(body)
        .expect("io_uring is there")
        .join()
        .expect("the test passes");
}

/// A free port, and a listening socket on it.
pub fn port() -> (TcpListener, SocketAddr) {
    let listener = ringkeeper_net::listen((Ipv4Addr::LOCALHOST, 0).into(), 64).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Settings of a test's server.
pub fn config(own: u8, listen: TcpListener, peers: &[(u8, SocketAddr)]) -> LinksConfig {
    let peers = peers.iter().map(|(id, addr)| (ServerId(*id), PeerAddress::from(*addr))).collect();
    // Who is slow is no stranger, unless a test says so.
    let long = Duration::from_secs(60);
    let limits = LinkLimits { connect_timeout: long, greeting_timeout: long, ..LinkLimits::default() };
    let ensemble = ENSEMBLE.to_owned();
    LinksConfig {
        own: ServerId(own),
        ensemble,
        incarnation: incarnation(own),
        listen,
        peers,
        seed: 1,
        tls: None,
        limits,
    }
}

pub fn incarnation(id: u8) -> u64 {
    1000 + u64::from(id)
}

/// Starts a server.
pub fn start(config: LinksConfig) -> Server {
    start_with(config, None)
}

/// Starts a server that calls `hook` with each message.
pub fn start_with(config: LinksConfig, hook: Option<Hook>) -> Server {
    let recorder = Rc::new(Recorder::default());
    let links = Links::new(config, Rc::clone(&recorder) as Rc<dyn LinkService>).unwrap();
    recorder.links.set(Rc::downgrade(&links)).unwrap();
    if let Some(hook) = hook {
        assert!(recorder.hook.set(hook).is_ok());
    }
    let task = glommio::spawn_local(Rc::clone(&links).run());
    Server { links, task, recorder }
}

impl Server {
    /// The next thing that happens.
    pub async fn next(&self) -> Seen {
        loop {
            let seen = self.recorder.seen.borrow_mut().pop_front();
            match seen {
                Some(seen) => return seen,
                None => self.recorder.something.wait().await,
            }
        }
    }

    pub async fn expect(&self, expected: Seen) {
        assert_eq!(self.next().await, expected);
    }

    /// The next message, which must be from `peer`.
    pub async fn message(&self, peer: u8) -> (Vec<u8>, Option<Vec<u8>>) {
        match self.next().await {
            Seen::Message(from, head, tail) if from == peer => (head, tail),
            other => panic!("instead of a message: {}", brief(&other)),
        }
    }

    /// Why the link to `peer` went down.
    pub async fn down(&self, peer: u8) -> LinkDown {
        match self.next().await {
            Seen::Down(from, why) if from == peer => why,
            other => panic!("instead of the end: {}", brief(&other)),
        }
    }

    pub fn nothing_seen(&self) -> bool {
        self.recorder.seen.borrow().is_empty()
    }
}

fn brief(seen: &Seen) -> String {
    format!("{seen:?}").chars().take(200).collect()
}

/// Runs what blocks on a thread of its own.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    glommio::executor().spawn_blocking(work).await
}

/// A batch of `count` frames behind `prev`.
pub fn batch(prev: u64, count: u64, body: &[u8]) -> Arc<FrameBatch> {
    let mut bytes = FrameBuf::new();
    for zxid in prev + 1..=prev + count {
        let header = FrameHeader {
            zxid: Zxid(zxid),
            prev_zxid: Zxid(zxid - 1),
            session: SessionId(7),
            wall: WallMs(8),
            cxid: 9,
            txn_type: 5,
            tag: Tag::NONE,
        };
        frame::encode(&mut bytes, &header, |out| out.extend_from_slice(body));
    }
    Arc::new(FrameBatch::new(bytes))
}

/// A greeting by the book; `change` may spoil it before it is summed.
pub fn greeting(sender: u8, receiver: u8, change: impl FnOnce(&mut [u8; 64])) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..6].copy_from_slice(b"RKPEER");
    bytes[8] = 1;
    bytes[10] = 1;
    bytes[12] = sender;
    bytes[13] = receiver;
    bytes[16..24].copy_from_slice(&incarnation(sender).to_le_bytes());
    bytes[24..24 + ENSEMBLE.len()].copy_from_slice(ENSEMBLE.as_bytes());
    bytes[56..60].copy_from_slice(&crc32c::crc32c(ENSEMBLE.as_bytes()).to_le_bytes());
    change(&mut bytes);
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// A message by the book.
pub fn message(head: &[u8], tail: &[u8]) -> Vec<u8> {
    let mut envelope = [0; 12];
    envelope[0..4].copy_from_slice(&(head.len() as u32).to_le_bytes());
    envelope[4..8].copy_from_slice(&(tail.len() as u32).to_le_bytes());
    let crc = crc32c::crc32c(&[tail, &envelope, head].concat());
    [&envelope[..], &crc.to_le_bytes(), head, tail].concat()
}

/// Connects as server `sender` and exchanges greetings with `receiver`.
pub fn greet(addr: SocketAddr, sender: u8, receiver: u8, incarnation: u64) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    let ours = greeting(sender, receiver, |bytes| bytes[16..24].copy_from_slice(&incarnation.to_le_bytes()));
    stream.write_all(&ours).unwrap();
    let mut theirs = [0; 64];
    stream.read_exact(&mut theirs).unwrap();
    assert_eq!(theirs, greeting(receiver, sender, |_| {}));
    stream
}

/// Everything until the other side closes; a reset counts as a close.
pub fn read_rest(stream: &mut TcpStream) -> Vec<u8> {
    let (mut rest, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        rest.extend_from_slice(&buffer[..n]);
    }
    rest
}
