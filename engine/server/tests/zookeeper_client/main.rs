//! The `zookeeper-client` crate: every operation and every kind of watch that it has, against one server and against three.
//!
//! Of three servers each client of a test is at another one, and where a test says [`moved`], all its clients change to
//! other servers and go on. Clients of different servers see each other's writes in order, but not at once: whoever reads
//! what another one has written calls `sync` first, as with ZooKeeper.
//!
//! Runs against Debian's ZooKeeper too, with `RINGKEEPER_TARGET=zookeeper`.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod multi;
mod nodes;
mod sessions;
mod watches;

use std::time::Duration;
use support::server::Target;
use support::servers::{Servers, Size};
use support::skipped;
use zookeeper_client::{
    Acls, Client, Connector, CreateMode, CreateOptions, EventType, PersistentWatcher, SessionState, WatchedEvent,
};

const OPEN: CreateOptions<'static> = CreateMode::Persistent.with_acls(Acls::anyone_all());
const EPHEMERAL: CreateOptions<'static> = CreateMode::Ephemeral.with_acls(Acls::anyone_all());

/// What a test waits for and has not come in this time never comes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Servers for one test; `None` if they cannot be had here.
fn servers(test: &str, size: Size) -> Option<Servers> {
    let target = Target::from_env();
    if let Some(reason) = target.missing() {
        skipped(test, &reason);
        return None;
    }
    let digest = ("DigestAuthenticationProvider.superDigest", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=");
    Some(Servers::start(size, target, &[digest, ("tickTime", "2000")]))
}

fn connector(servers: &Servers) -> Connector {
    let connector = Client::connector().with_session_timeout(Duration::from_secs(30));
    if servers.target() == Target::ZooKeeper { connector.with_server_version(3, 8, 0) } else { connector }
}

async fn connect(servers: &Servers) -> Client {
    connector(servers).connect(&servers.place().to_string()).await.expect("the server accepts")
}

/// Moves the clients of a test to other servers, if there are any, and waits until they are there. `clients` are all that
/// have not been dropped; none of them has a request on its way, of which it could not know what became.
async fn moved(servers: &Servers, clients: &[&Client]) {
    let mut watchers: Vec<_> = clients.iter().map(|client| client.state_watcher()).collect();
    if servers.move_clients() {
        for watcher in &mut watchers {
            while watcher.changed().await != SessionState::SyncConnected {}
        }
        for client in clients {
            // Stands behind the request that sets the client's watches again.
            client.check_stat("/").await.unwrap();
        }
    }
}

/// The next event that is about a node: a persistent watch also hears of its client's connection.
async fn node_event(watcher: &mut PersistentWatcher) -> WatchedEvent {
    loop {
        let event = watcher.changed().await;
        if event.event_type != EventType::Session {
            return event;
        }
    }
}

/// A test with fresh servers and a first client.
macro_rules! with_servers {
    (async fn $name:ident($servers:ident, $client:ident) $body:block) => {
        mod $name {
            use super::*;

            async fn run(size: Size) {
                let Some($servers) = servers(stringify!($name), size) else { return };
                let $client = connect(&$servers).await;
                $body
            }

            async fn run_with_patience(size: Size) {
                tokio::time::timeout(PATIENCE, run(size)).await.expect("the test has an end");
            }

            #[tokio::test]
            async fn one_server() {
                run_with_patience(Size::One).await;
            }

            #[tokio::test]
            async fn three_servers() {
                run_with_patience(Size::Three).await;
            }
        }
    };
}
use with_servers;
