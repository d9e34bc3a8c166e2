//! What a link costs: round trips and CPU time per message between two servers on two threads, with small batches.
//!
//! One server sends batches as a leader does, at most so many under way; the other one acknowledges all that a turn has
//! brought it with one message, as a follower does. `cargo run --release -p ringkeeper-net --example link_cost`

use ringkeeper_core::frame::{self, FrameBatch, FrameBuf, FrameHeader};
use ringkeeper_core::ids::{ServerId, SessionId, Tag, WallMs, Zxid};
use ringkeeper_net::Signal;
use ringkeeper_net::links::{LinkDown, LinkLimits, LinkService, Links, LinksConfig, PeerAddress, Tail};
use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

const FOLLOWER: ServerId = ServerId(1);
const LEADER: ServerId = ServerId(2);
/// Of the frames' bodies: with the header it makes a batch of 208 bytes.
const BODY: &[u8] = &[7; 136];
/// What a proposal says beside its batch.
const HEAD: &[u8] = &[1; 24];

/// Counts what arrives.
#[derive(Default)]
struct End {
    is_up: Cell<bool>,
    messages: Cell<u64>,
    acknowledged: Cell<u64>,
    turn: Signal,
}

impl LinkService for End {
    fn up(&self, _: ServerId, _: u64) {
        self.is_up.set(true);
    }

    fn message(&self, _: ServerId, head: &[u8], _: Option<FrameBuf>) {
        self.messages.set(self.messages.get() + 1);
        if let Ok(count) = head.try_into() {
            self.acknowledged.set(u64::from_le_bytes(count));
        }
    }

    fn down(&self, _: ServerId, why: &LinkDown) {
        println!("link is down: {why}");
        std::process::exit(1);
    }

    fn received(&self) {
        self.turn.raise();
    }
}

fn main() {
    let ports: Vec<TcpListener> =
        (0..2).map(|_| ringkeeper_net::listen((Ipv4Addr::LOCALHOST, 0).into(), 16).expect("a free port")).collect();
    let addrs: Vec<SocketAddr> = ports.iter().map(|port| port.local_addr().expect("a bound socket")).collect();
    let [to_follower, to_leader] = [config(FOLLOWER, &ports[0], &addrs), config(LEADER, &ports[1], &addrs)];
    let (tell, told) = mpsc::channel();
    executor(move || async move {
        tell.send(own_clock()).expect("the leader waits");
        follow(to_follower).await;
    });
    let follower = told.recv().expect("the follower starts");
    executor(move || lead(to_leader, follower)).join().expect("the leader ends well");
}

fn config(own: ServerId, port: &TcpListener, addrs: &[SocketAddr]) -> LinksConfig {
    LinksConfig {
        own,
        ensemble: "cost".to_owned(),
        incarnation: 1,
        listen: port.try_clone().expect("a descriptor"),
        peers: vec![(FOLLOWER, PeerAddress::from(addrs[0])), (LEADER, PeerAddress::from(addrs[1]))],
        seed: 1,
        tls: None,
        limits: LinkLimits::default(),
    }
}

fn executor<F: Future<Output = ()> + 'static>(
    main: impl FnOnce() -> F + Send + 'static,
) -> glommio::ExecutorJoinHandle<()> {
    let builder = glommio::LocalExecutorBuilder::new(glommio::Placement::Unbound);
    builder.ring_depth(1024).io_memory(256 << 10).spawn(main).expect("io_uring is there")
}

fn start(config: LinksConfig) -> (Rc<End>, Rc<Links>) {
    let end = Rc::new(End::default());
    let links = Links::new(config, Rc::clone(&end) as Rc<dyn LinkService>).expect("an epoll set");
    glommio::spawn_local(Rc::clone(&links).run()).detach();
    (end, links)
}

async fn follow(config: LinksConfig) {
    let (end, links) = start(config);
    loop {
        end.turn.wait().await;
        if end.messages.get() > end.acknowledged.replace(end.messages.get()) {
            links.send(LEADER, &end.messages.get().to_le_bytes(), Tail::None);
            links.flush();
        }
    }
}

async fn lead(config: LinksConfig, follower: libc::clockid_t) {
    let (end, links) = start(config);
    while !end.is_up.get() {
        end.turn.wait().await;
    }
    println!("depth  messages/s  messages/ack  p50 us  p99 us  leader CPU us/msg  follower CPU us/msg");
    let mut sent = 0;
    for (depth, count) in [(1, 2_000), (1, 30_000), (8, 100_000), (64, 300_000), (1024, 1_000_000)] {
        let before = (Instant::now(), cpu(own_clock()), cpu(follower), end.messages.get());
        let mut turns = pump(&end, &links, depth, count, &mut sent).await;
        let (elapsed, leader) = (before.0.elapsed(), cpu(own_clock()) - before.1);
        let (follower, acks) = (cpu(follower) - before.2, end.messages.get() - before.3);
        turns.sort_unstable();
        let at = |part: f64| turns[(turns.len() as f64 * part) as usize].as_nanos() as f64 / 1e3;
        let each = |time: Duration| time.as_nanos() as f64 / 1e3 / count as f64;
        println!(
            "{depth:5}  {:10.0}  {:12.1}  {:6.1}  {:6.1}  {:17.2}  {:19.2}",
            count as f64 / elapsed.as_secs_f64(),
            count as f64 / acks as f64,
            at(0.5),
            at(0.99),
            each(leader),
            each(follower),
        );
    }
}

/// Sends `count` batches, at most `depth` under way. Returns how long it took from each turn that sent some to the
/// acknowledgement of the last of them.
async fn pump(end: &End, links: &Links, depth: u64, count: u64, sent: &mut u64) -> Vec<Duration> {
    let last = *sent + count;
    let (mut took, mut under_way) = (Vec::new(), std::collections::VecDeque::new());
    while end.acknowledged.get() < last {
        let before = *sent;
        while *sent < last && *sent - end.acknowledged.get() < depth {
            *sent += 1;
            links.send(FOLLOWER, HEAD, Tail::Batch(batch(*sent)));
        }
        if *sent > before {
            under_way.push_back((*sent, Instant::now()));
            links.flush();
        }
        end.turn.wait().await;
        while let Some((_, since)) = under_way.pop_front_if(|(number, _)| *number <= end.acknowledged.get()) {
            took.push(since.elapsed());
        }
    }
    took
}

fn batch(zxid: u64) -> Arc<FrameBatch> {
    let header = FrameHeader {
        zxid: Zxid(zxid),
        prev_zxid: Zxid(zxid - 1),
        session: SessionId(7),
        wall: WallMs(8),
        cxid: 9,
        txn_type: 5,
        tag: Tag::NONE,
    };
    let mut bytes = FrameBuf::new();
    frame::encode(&mut bytes, &header, |out| out.extend_from_slice(BODY));
    Arc::new(FrameBatch::new(bytes))
}

/// The clock of this thread's CPU time, for any thread to read.
fn own_clock() -> libc::clockid_t {
    let mut clock = 0;
    // SAFETY: asks for the clock of the calling thread.
    assert_eq!(unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) }, 0);
    clock
}

fn cpu(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for the kernel to fill; the clock is that of a living thread.
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
