//! What the test of a client talks to: one server, or an ensemble of three over which its clients are spread.

use super::ensemble::{Ensemble, Plan};
use super::relay::Relay;
use super::server::{Server, Settings, Target};
use std::net::SocketAddr;
use std::sync::Mutex;

/// How many servers there are to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    One,
    Three,
}

/// Running servers.
pub enum Servers {
    One(Server),
    Three { ensemble: Ensemble, relays: Mutex<Vec<Relay>> },
}

impl Servers {
    /// Starts fresh servers; `settings` override the common ones.
    pub fn start(size: Size, target: Target, settings: Settings<'_>) -> Servers {
        match size {
            Size::One => Servers::One(Server::start_with(target, settings)),
            Size::Three => {
                let ensemble = Ensemble::of(&Plan { target, settings, ..Plan::default() });
                Servers::Three { ensemble, relays: Mutex::default() }
            }
        }
    }

    pub fn size(&self) -> Size {
        match self {
            Servers::One(_) => Size::One,
            Servers::Three { .. } => Size::Three,
        }
    }

    pub fn target(&self) -> Target {
        match self {
            Servers::One(server) => server.target(),
            Servers::Three { ensemble, .. } => ensemble.target(),
        }
    }

    /// Where one more client connects. Of three servers, each client begins at another one than the client before.
    pub fn place(&self) -> SocketAddr {
        match self {
            Servers::One(server) => server.addr(),
            Servers::Three { ensemble, relays } => {
                let mut relays = relays.lock().unwrap();
                let relay = Relay::start(ensemble.addrs(), relays.len());
                let addr = relay.addr();
                relays.push(relay);
                addr
            }
        }
    }

    /// Cuts all clients' connections, and lets each come back at another server. Whether there is another one.
    pub fn move_clients(&self) -> bool {
        match self {
            Servers::One(_) => false,
            Servers::Three { relays, .. } => {
                relays.lock().unwrap().iter().for_each(Relay::move_on);
                true
            }
        }
    }

    /// Stops the server of the first client; whether that was all there was.
    pub fn stop_the_first_clients(&mut self) -> bool {
        match self {
            Servers::One(server) => {
                server.stop();
                true
            }
            Servers::Three { ensemble, relays } => {
                let at = relays.get_mut().unwrap()[0].at();
                ensemble.stop(at);
                false
            }
        }
    }

    /// Starts the one server again.
    pub fn restart(&mut self) {
        if let Servers::One(server) = self {
            server.restart();
        }
    }
}
