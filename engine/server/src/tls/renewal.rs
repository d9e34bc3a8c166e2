//! What is in force, and its replacement when files or settings change. What cannot be used is never put into force.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use ringkeeper_core::ids::WallMs;
use ringkeeper_net::TlsEndpoint;

use super::{Loaded, Served, load, now};
use crate::config::key::Group;
use crate::config::{Config, Password, Tls};
use crate::unusable::Unusable;

/// Between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// All TLS of a server; belongs to the operator's thread.
pub(crate) struct Renewals {
    clients: Option<Renewal>,
    peers: Option<Renewal>,
    admin: Option<Renewal>,
}

impl Renewals {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`Unusable`]
    pub(crate) fn begin(config: &Config) -> Result<Renewals, Unusable> {
        let begin = |tls: Option<&Tls>| tls.cloned().map(Renewal::begin).transpose();
        let (clients, peers) = (begin(config.tls.as_ref())?, begin(config.peer_tls())?);
        Ok(Renewals { clients, peers, admin: begin(config.admin.tls.as_ref())? })
    }

    /// What connections of clients are made with.
    pub(crate) fn for_clients(&self) -> Option<TlsEndpoint> {
        self.clients.as_ref().map(|renewal| renewal.endpoint.clone())
    }

    /// What links to other servers are made with.
    pub(crate) fn for_peers(&self) -> Option<TlsEndpoint> {
        self.peers.as_ref().map(|renewal| renewal.endpoint.clone())
    }

    /// What connections to the admin server are made with.
    pub(crate) fn for_admin(&self) -> Option<TlsEndpoint> {
        self.admin.as_ref().map(|renewal| renewal.endpoint.clone())
    }

    /// When the first of the certificates in force ends, if there is one.
    pub(crate) fn ends(&self) -> Option<WallMs> {
        [&self.clients, &self.peers, &self.admin].into_iter().flatten().map(|renewal| renewal.served.ends).min()
    }

    /// The settings that do not count as long as the server runs: those of TLS that it has and was not to have, or was to have
    /// and has not. A running server opens and closes no ports.
    pub(crate) fn waiting_for_restart(&self, config: &Config) -> Vec<Group> {
        let clients = (self.clients.is_some() != config.tls.is_some()).then_some(Group::Tls);
        let peers = self.peers.is_some() != config.peer_tls().is_some();
        // Of the same files.
        let admin = self.admin.is_some() != config.admin.tls.is_some();
        clients.into_iter().chain((peers || admin).then_some(Group::PeerTls)).collect()
    }

    /// Reads all files again, as this configuration says.
    ///
    /// # Errors
    /// [`Unusable`]: nothing has changed.
    pub(crate) fn renew(&mut self, config: &Config) -> Result<(), Unusable> {
        let pairs = [
            (&mut self.clients, config.tls.as_ref()),
            (&mut self.peers, config.peer_tls()),
            (&mut self.admin, config.admin.tls.as_ref()),
        ];
        let pairs = pairs.into_iter().filter_map(|(renewal, tls)| renewal.as_mut().zip(tls));
        // All are read before one is put into force.
        let read: Vec<_> = pairs.map(|(renewal, tls)| Ok((renewal, tls, Read::of(tls)?))).collect::<Result<_, _>>()?;
        read.into_iter().for_each(|(renewal, tls, read)| renewal.renew(tls, read));
        Ok(())
    }

    /// To be called often: follows files that change.
    pub(crate) fn look(&mut self, at: Instant) {
        let all = [&mut self.clients, &mut self.peers, &mut self.admin].into_iter().flatten();
        all.for_each(|renewal| renewal.look(at));
    }
}

/// What the files hold, and what tells when they have changed.
struct Read {
    loaded: Loaded,
    stamps: Vec<Stamp>,
}

impl Read {
    fn of(tls: &Tls) -> Result<Read, Unusable> {
        // Taken before: what changes meanwhile is seen as a change.
        let stamps = stamps(tls);
        Ok(Read { loaded: load(tls, now())?, stamps })
    }
}

/// TLS with one kind of others.
struct Renewal {
    config: Tls,
    endpoint: TlsEndpoint,
    served: Served,
    looked: Option<Instant>,
    /// The files as they were when they were last read, and as they were at the last look.
    read: Vec<Stamp>,
    seen: Vec<Stamp>,
}

/// What tells that a file has changed: its length and the time of its last change, if it is there.
type Stamp = Option<(u64, SystemTime)>;

impl Renewal {
    fn begin(config: Tls) -> Result<Renewal, Unusable> {
        let Read { loaded: Loaded { terms, served, warnings }, stamps } = Read::of(&config)?;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        tracing::info!("TLS: {served}");
        let endpoint = TlsEndpoint::new(terms);
        Ok(Renewal { endpoint, config, served, looked: None, seen: stamps.clone(), read: stamps })
    }

    /// Puts what was read into force, as these settings say. Connections that exist go on.
    fn renew(&mut self, config: &Tls, Read { loaded, stamps }: Read) {
        let Loaded { terms, served, warnings } = loaded;
        (self.read, self.seen) = (stamps.clone(), stamps);
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        self.endpoint.replace(terms);
        match served == self.served {
            true => tracing::info!("TLS: read again, and the same as before: {served}"),
            false => tracing::info!("TLS: new connections get the {served}; before: {}", self.served),
        }
        self.served = served;
        self.config = config.clone();
    }

    /// To be called often: reads the files again if that is wanted, and some have changed and rest since the last look.
    /// (Who renews a certificate may write several files, one after the other.)
    fn look(&mut self, at: Instant) {
        if !self.config.follow_files || self.looked.is_some_and(|looked| at - looked < LOOK_EVERY) {
            return;
        }
        self.looked = Some(at);
        let stamps = stamps(&self.config);
        let rest = stamps == self.seen;
        self.seen.clone_from(&stamps);
        if rest && stamps != self.read {
            tracing::info!("files of TLS have changed: reading them again");
            let config = self.config.clone();
            match Read::of(&config) {
                Ok(read) => self.renew(&config, read),
                Err(unusable) => {
                    // They are looked at again when they change once more.
                    self.read.clone_from(&stamps);
                    tracing::error!("{unusable}");
                    tracing::error!(
                        "TLS goes on with the {}; mend the files, or have them read by SIGHUP",
                        self.served
                    );
                }
            }
        }
    }
}

fn stamps(config: &Tls) -> Vec<Stamp> {
    let stores = [Some(&config.key_store), config.trust_store.as_ref()].into_iter().flatten();
    let files = stores.flat_map(|store| {
        let password: Option<&PathBuf> = match &store.password {
            Password::In(path) => Some(path),
            _ => None,
        };
        [Some(&store.path), password].into_iter().flatten()
    });
    files.map(|path| fs::metadata(path).and_then(|file| Ok((file.len(), file.modified()?))).ok()).collect()
}
