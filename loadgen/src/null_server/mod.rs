//! A server that answers every request at once with a canned reply: what loadgen costs and counts by itself.
//!
//! It writes its bytes by hand, so that it does not share a mistake with the codec that loadgen uses. Tests make trouble with
//! it; `self-test` measures loadgen against it.
//!
//! [`conduct`] says how it behaves, [`answers`] what it answers, [`replies`] are the bytes; the rest is its event loop.

mod answers;
mod conduct;
mod replies;

#[allow(unused_imports, reason = "tests and self-test each take a part")]
pub use conduct::{Conduct, Counts, Trouble, Welcome};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use replies::{Replies, int};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);

/// The server, in a thread of its own until it is dropped.
#[derive(Debug)]
pub struct NullServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it was asked.
    pub counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl NullServer {
    /// A server on a free port of loopback.
    ///
    /// # Errors
    /// What the machine does not give.
    pub fn begin(conduct: Conduct) -> io::Result<NullServer> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let mut listener = TcpListener::bind(SocketAddr::from((conduct.host, 0)))?;
        let address = listener.local_addr()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let counts = Arc::new(Counts::default());
        let stop = Arc::new(AtomicBool::new(false));
        let replies = Replies::new(conduct.value_size);
        let served =
            Served { conduct, replies, counts: Arc::clone(&counts), mute: false, connections: HashMap::new(), next: 0 };
        let thread = {
            let stop = Arc::clone(&stop);
            std::thread::Builder::new()
                .name("null server".into())
                .spawn(move || served.serve(poll, &listener, &stop))?
        };
        Ok(NullServer { address, counts, stop, waker, thread: Some(thread) })
    }
}

impl Drop for NullServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Client {
    stream: TcpStream,
    greeted: bool,
    input: Vec<u8>,
    output: Vec<u8>,
}

struct Served {
    conduct: Conduct,
    replies: Replies,
    counts: Arc<Counts>,
    mute: bool,
    connections: HashMap<usize, Client>,
    next: usize,
}

impl Served {
    fn serve(mut self, mut poll: Poll, listener: &TcpListener, stop: &AtomicBool) {
        let mut events = Events::with_capacity(1024);
        let mut scratch = vec![0; 256 << 10];
        while !stop.load(Ordering::Relaxed) {
            match poll.poll(&mut events, None) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
                Ok(()) => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(&poll, listener),
                    WAKER => {}
                    Token(number) => {
                        if let Some(mut client) = self.connections.remove(&number)
                            && self.pass(&mut client, &mut scratch, event.is_read_closed())
                        {
                            self.connections.insert(number, client);
                        }
                    }
                }
            }
        }
    }

    fn accept(&mut self, poll: &Poll, listener: &TcpListener) {
        while let Ok((mut stream, _)) = listener.accept() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registered = poll.registry().register(&mut stream, Token(self.next), interest);
            if stream.set_nodelay(true).and(registered).is_err() {
                continue;
            }
            let client = Client { stream, greeted: false, input: Vec::new(), output: Vec::new() };
            self.connections.insert(self.next, client);
            self.next += 1;
        }
    }

    /// Reads, answers, writes once; tells whether the connection is to be kept.
    fn pass(&mut self, client: &mut Client, scratch: &mut [u8], closed: bool) -> bool {
        // What came before the end is answered all the same, and counted.
        let mut ended = false;
        while !ended {
            match client.stream.read(scratch) {
                Ok(0) => ended = true,
                Ok(n) => {
                    client.input.extend_from_slice(&scratch[..n]);
                    if n < scratch.len() && !closed {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => ended = true,
            }
        }
        let input = std::mem::take(&mut client.input);
        let mut rest = &input[..];
        let mut keep = true;
        while keep && let Some((len, tail)) = int(rest) {
            let Some((payload, tail)) = usize::try_from(len).ok().and_then(|len| tail.split_at_checked(len)) else {
                break;
            };
            keep = self.request(client, payload);
            rest = tail;
        }
        client.input = rest.to_vec();
        while !client.output.is_empty() {
            match client.stream.write(&client.output) {
                Ok(n) => drop(client.output.drain(..n)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        keep && !ended
    }
}
