//! Servers in network namespaces of their own, so that the network between servers can be cut while every client still
//! reaches every server.
//!
//! ```text
//!   the test's namespace                       a server's namespace
//!     bridge `clients` 10.78.1.254 ───────────── `clients` 10.78.1.N
//!     bridge `peers` ─────────────────────────── `peers`   10.78.2.N
//! ```
//!
//! The namespaces have no names: descriptors and processes hold them, and the kernel takes them away with the last of
//! these, bridges and links included. So nothing is left behind, however a test ends.

use super::process;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::Arc;
use std::thread;

/// A hardware address that nobody has.
const NOBODY: &str = "02:00:00:00:00:01";

/// See the module. Servers are numbered from 0.
pub struct Network {
    namespaces: Vec<Arc<OwnedFd>>,
}

impl Network {
    /// Makes the network for `count` servers. The calling thread changes over to its namespace for ever, and so do the
    /// threads and processes that it starts.
    ///
    /// # Errors
    /// Why it cannot be had on this machine.
    pub fn new(count: usize) -> Result<Network, String> {
        if !Command::new("ip").arg("-V").output().is_ok_and(|output| output.status.success()) {
            return Err("no command `ip`: install iproute2".into());
        }
        let namespaces: Result<Vec<_>, String> =
            (0..count).map(|_| thread::spawn(own_namespace).join().expect("it does not panic").map(Arc::new)).collect();
        let network = Network { namespaces: namespaces? };
        own_namespace()?;
        for bridge in ["clients", "peers"] {
            ip(None, &format!("link add {bridge} type bridge"))?;
            ip(None, &format!("link set {bridge} up"))?;
        }
        ip(None, "addr add 10.78.1.254/24 dev clients")?;
        (0..count).try_for_each(|at| network.connect(at))?;
        Ok(network)
    }

    fn connect(&self, at: usize) -> Result<(), String> {
        let namespace = &self.namespaces[at];
        let path = format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd());
        ip(Some(namespace), "link set lo up")?;
        for (bridge, address) in [("clients", client_address(at)), ("peers", peer_address(at))] {
            ip(None, &format!("link add {bridge}-{at} type veth peer name {bridge} netns {path}"))?;
            ip(None, &format!("link set {bridge}-{at} master {bridge} up"))?;
            ip(Some(namespace), &format!("addr add {address}/24 dev {bridge}"))?;
            ip(Some(namespace), &format!("link set {bridge} up"))?;
        }
        Ok(())
    }

    /// Where a server runs.
    pub fn namespace(&self, at: usize) -> Arc<OwnedFd> {
        Arc::clone(&self.namespaces[at])
    }

    /// Where clients reach a server, and where other servers do.
    pub fn addresses(&self, at: usize) -> (SocketAddr, SocketAddr) {
        (SocketAddr::from((client_address(at), 2181)), SocketAddr::from((peer_address(at), 2888)))
    }

    /// Cuts a server off from all others, as by a cable pulled out at the switch.
    pub fn unplug(&self, at: usize) {
        ip(None, &format!("link set peers-{at} down")).unwrap();
    }

    /// The opposite of [`Network::unplug`].
    pub fn plug(&self, at: usize) {
        ip(None, &format!("link set peers-{at} up")).unwrap();
    }

    /// Nothing that one server sends reaches the other any more; the way back stays open. The sender's kernel is given a
    /// hardware address that nobody has, so that packets are lost on the way, without an error.
    pub fn lose_packets(&self, from: usize, to: usize) {
        let command = format!("neigh replace {} lladdr {NOBODY} nud permanent dev peers", peer_address(to));
        ip(Some(&self.namespaces[from]), &command).unwrap();
    }

    /// The opposite of [`Network::lose_packets`].
    pub fn deliver_packets(&self, from: usize, to: usize) {
        ip(Some(&self.namespaces[from]), &format!("neigh del {} dev peers", peer_address(to))).unwrap();
    }
}

fn client_address(at: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 78, 1, at as u8 + 1)
}

fn peer_address(at: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 78, 2, at as u8 + 1)
}

/// Moves this thread to a new namespace.
fn own_namespace() -> Result<OwnedFd, String> {
    // SAFETY: changes the namespace of this thread alone.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(format!("no network namespace can be made (root may): {}", std::io::Error::last_os_error()));
    }
    File::open("/proc/thread-self/ns/net").map(OwnedFd::from).map_err(|e| format!("/proc/thread-self/ns/net: {e}"))
}

/// Runs `ip` with these arguments, in a server's namespace or in this thread's.
fn ip(namespace: Option<&Arc<OwnedFd>>, arguments: &str) -> Result<(), String> {
    let mut command = Command::new("ip");
    command.args(arguments.split(' '));
    if let Some(namespace) = namespace {
        process::enter(&mut command, namespace);
    }
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(e) => Err(format!("ip {arguments}: {e}")),
    }
}
