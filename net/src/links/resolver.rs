//! Resolves the names of peers on threads of its own: the system's resolver may block for many seconds.

use crate::bell::Bell;
use crossbeam::queue::SegQueue;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

/// Results on their way from the threads to the executor.
pub(crate) struct Resolver {
    done: SegQueue<Resolved>,
    bell: Arc<Bell>,
}

/// What became of one peer's names.
pub(crate) struct Resolved {
    /// As given to [`Resolver::start`].
    pub(crate) place: usize,
    /// None if no name could be resolved.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Why some could not.
    pub(crate) problem: Option<String>,
}

impl Resolver {
    /// `bell` rings when there is a result.
    pub(crate) fn new(bell: Arc<Bell>) -> Arc<Resolver> {
        Arc::new(Resolver { done: SegQueue::new(), bell })
    }

    /// Begins to resolve `hosts`, each `host:port`; `place` tells whose they are.
    pub(crate) fn start(self: &Arc<Self>, place: usize, hosts: &[String]) {
        let (hosts, resolver) = (hosts.to_vec(), Arc::clone(self));
        let work = move || resolver.finish(resolve(place, &hosts));
        if let Err(error) = std::thread::Builder::new().name("resolver".to_owned()).spawn(work) {
            self.finish(Resolved { place, addresses: Vec::new(), problem: Some(error.to_string()) });
        }
    }

    pub(crate) fn take(&self) -> Option<Resolved> {
        self.done.pop()
    }

    fn finish(&self, resolved: Resolved) {
        self.done.push(resolved);
        self.bell.ring();
    }
}

fn resolve(place: usize, hosts: &[String]) -> Resolved {
    let mut resolved = Resolved { place, addresses: Vec::new(), problem: None };
    for host in hosts {
        match host.to_socket_addrs() {
            Ok(addresses) => {
                for address in addresses {
                    if !resolved.addresses.contains(&address) {
                        resolved.addresses.push(address);
                    }
                }
            }
            Err(error) => resolved.problem = Some(format!("{host}: {error}")),
        }
    }
    resolved
}
