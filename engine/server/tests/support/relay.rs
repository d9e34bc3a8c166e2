//! Stands between a client and the servers, so that a test says at which server the client is, and when it moves: for
//! clients that choose among several addresses by chance, and have no way of being sent elsewhere.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A listening socket whose connections go on to one of several servers.
pub struct Relay {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    servers: Vec<SocketAddr>,
    ended: AtomicBool,
    /// Held while a connection is made, so that a move concerns every connection that there is.
    course: Mutex<Course>,
}

struct Course {
    /// The server that the next connection goes to; if nobody listens there, to the one behind it.
    at: usize,
    open: Vec<TcpStream>,
}

impl Relay {
    /// Starts with the server at this place of the list.
    pub fn start(servers: Vec<SocketAddr>, first: usize) -> Relay {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let course = Mutex::new(Course { at: first % servers.len(), open: Vec::new() });
        let shared = Arc::new(Shared { servers, ended: AtomicBool::new(false), course });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Relay { addr, shared }
    }

    /// Where the client connects.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The place of the server that the last connection went to.
    pub fn at(&self) -> usize {
        self.shared.course.lock().unwrap().at
    }

    /// Cuts all connections; the next one goes to the next server.
    pub fn move_on(&self) {
        let mut course = self.shared.course.lock().unwrap();
        course.at = (course.at + 1) % self.shared.servers.len();
        for stream in course.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.addr);
        self.move_on();
    }
}

fn accept(listener: &TcpListener, shared: &Shared) {
    for client in listener.incoming().filter_map(Result::ok) {
        if shared.ended.load(Ordering::Relaxed) {
            return;
        }
        // A client that finds nobody hears it by the end of its connection, which is dropped here.
        let _ = join(&client, shared);
    }
}

/// Connects a client with a server.
fn join(client: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut course = shared.course.lock().unwrap();
    let places = (course.at..shared.servers.len()).chain(0..course.at);
    let connected = places.map(|at| (at, TcpStream::connect(shared.servers[at]))).find(|found| found.1.is_ok());
    let Some((at, Ok(server))) = connected else { return Err(io::ErrorKind::ConnectionRefused.into()) };
    for stream in [client, &server] {
        stream.set_nodelay(true)?;
        course.open.push(stream.try_clone()?);
    }
    course.at = at;
    let (to_server, to_client) = (client.try_clone()?, server.try_clone()?);
    let client = client.try_clone()?;
    thread::spawn(move || pump(to_server, server));
    thread::spawn(move || pump(to_client, client));
    Ok(())
}

/// Carries bytes one way until either side ends, which ends both.
fn pump(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
