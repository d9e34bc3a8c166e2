//! A service that sends every frame back, on an executor of its own: what net's tests and its benchmark talk to.

use ringkeeper_core::ids::ConnId;
use ringkeeper_net::{
    Door, Frames, Listening, Rules, Service, Signal, SocketOptions, SocketStats, Sockets, SocketsConfig, Speaks, Word,
    listen,
};
use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Asks for a reply of [`LONG_REPLY`] bytes.
pub const LONG: &[u8] = b"long";
/// Asks to be held back until the next tick.
pub const HOLD: &[u8] = b"hold";
/// Asks for a [`LONG_REPLY`] and the end of the connection.
pub const CLOSE: &[u8] = b"close";
/// More than a socket buffers.
pub const LONG_REPLY: usize = 12 << 20;

const TICK: Duration = Duration::from_millis(5);

/// A running server; it ends with the process.
pub struct Server {
    pub addr: SocketAddr,
    clock: libc::clockid_t,
    stats: Arc<Mutex<SocketStats>>,
}

impl Server {
    /// What was counted until the last tick.
    #[allow(dead_code, reason = "not for everybody")]
    pub fn stats(&self) -> SocketStats {
        *self.stats.lock().expect("nobody panics with it")
    }

    /// CPU time of the server's thread.
    #[allow(dead_code, reason = "for the benchmark")]
    pub fn cpu(&self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is valid for the kernel to fill; the clock is that of a living thread.
        assert_eq!(unsafe { libc::clock_gettime(self.clock, &raw mut time) }, 0);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

pub fn config() -> SocketsConfig {
    SocketsConfig {
        rules: Rules { max_frame: 0xFFFFF, words: Box::new([Word { name: *b"ruok", argument_bytes: 0 }]) },
        door: Door::default(),
        options: SocketOptions::default(),
        tls: None,
        max_unsent: 32 << 20,
    }
}

/// Starts a server on a free port.
#[allow(dead_code, reason = "not for those who speak TLS")]
pub fn start(config: SocketsConfig) -> Server {
    start_speaking(config, Speaks::Plain)
}

/// Starts a server on a free port, of which connections speak what is said.
pub fn start_speaking(config: SocketsConfig, speaks: Speaks) -> Server {
    let listener = listen((Ipv4Addr::LOCALHOST, 0).into(), 1024).expect("a free port");
    let addr = listener.local_addr().expect("a bound socket");
    let (tell, told) = mpsc::channel();
    let stats = Arc::new(Mutex::new(SocketStats::default()));
    let counted = Arc::clone(&stats);
    glommio::LocalExecutorBuilder::new(glommio::Placement::Unbound)
        .ring_depth(4096)
        .io_memory(256 << 10)
        .spawn(move || async move {
            // SAFETY: asks for the clock of the calling thread.
            let clock = unsafe {
                let mut clock = 0;
                assert_eq!(libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock), 0);
                clock
            };
            tell.send(clock).expect("the starter waits");
            run(config, Listening { socket: listener, speaks }, counted).await;
        })
        .expect("io_uring is there");
    Server { addr, clock: told.recv().expect("the executor starts"), stats }
}

async fn run(config: SocketsConfig, listening: Listening, counted: Arc<Mutex<SocketStats>>) {
    let echo = Rc::new(Echo::default());
    let sockets = Sockets::new(config, Rc::clone(&echo) as Rc<dyn Service>).expect("an epoll set");
    sockets.accept_from(vec![listening], Vec::new()).expect("a listening socket");
    glommio::spawn_local(Rc::clone(&sockets).run()).detach();
    glommio::spawn_local({
        let (echo, sockets) = (Rc::clone(&echo), Rc::clone(&sockets));
        async move {
            loop {
                glommio::timer::sleep(TICK).await;
                sockets.tick(std::time::Instant::now());
                *counted.lock().expect("nobody panics with it") = sockets.stats();
                echo.held.borrow_mut().clear();
                sockets.resume(|conn| echo.accepts_input(conn));
            }
        }
    })
    .detach();
    loop {
        echo.turn.wait().await;
        for mut output in echo.outputs.take() {
            sockets.send(output.conn, &mut output.bytes, output.close);
        }
    }
}

#[derive(Default)]
struct Echo {
    next: Cell<u32>,
    outputs: RefCell<Vec<Output>>,
    held: RefCell<Vec<ConnId>>,
    turn: Signal,
}

struct Output {
    conn: ConnId,
    bytes: Vec<u8>,
    close: bool,
}

impl Echo {
    fn output(&self, conn: ConnId, bytes: &[u8], close: bool) {
        let mut outputs = self.outputs.borrow_mut();
        match outputs.last_mut() {
            Some(last) if last.conn == conn => {
                last.bytes.extend_from_slice(bytes);
                last.close |= close;
            }
            _ => outputs.push(Output { conn, bytes: bytes.to_vec(), close }),
        }
        self.turn.raise();
    }

    fn reply(&self, conn: ConnId, frame: &[u8], close: bool) {
        self.output(conn, &(frame.len() as i32).to_be_bytes(), false);
        self.output(conn, frame, close);
    }
}

impl Service for Echo {
    fn opened(&self, _: SocketAddr) -> ConnId {
        ConnId { frontend: 0, slot: self.next.replace(self.next.get() + 1), generation: 0 }
    }

    fn opened_own(&self) -> ConnId {
        ConnId { frontend: 0, slot: self.next.replace(self.next.get() + 1), generation: 0 }
    }

    fn secured(&self, conn: ConnId, certificate: Option<&[u8]>) {
        // What it knows of the client comes first.
        self.reply(conn, certificate.unwrap_or_default(), false);
    }

    fn receive(&self, conn: ConnId, frames: &mut Frames<'_>) {
        while let Some(frame) = frames.next() {
            match frame {
                LONG => self.reply(conn, &vec![1; LONG_REPLY], false),
                CLOSE => {
                    self.reply(conn, &vec![1; LONG_REPLY], true);
                    while frames.next().is_some() {}
                }
                HOLD => {
                    self.held.borrow_mut().push(conn);
                    self.reply(conn, frame, false);
                    return;
                }
                _ => self.reply(conn, frame, false),
            }
        }
    }

    fn accepts_input(&self, conn: ConnId) -> bool {
        !self.held.borrow().contains(&conn)
    }

    fn word(&self, conn: ConnId, word: [u8; 4], rest: &[u8]) {
        self.output(conn, &word, false);
        self.output(conn, rest, true);
    }

    fn unsent(&self, _: ConnId, _: usize) {}

    fn gone(&self, _: ConnId) {}
}
