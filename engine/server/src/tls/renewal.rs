//! What is in force, and its replacement when files or settings change. What cannot be used is never put into force.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use ringkeeper_core::ids::WallMs;
use ringkeeper_net::TlsAcceptor;

use super::{Loaded, Served, Unusable, load, now};
use crate::config::{Password, Tls};

/// Between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Keeps TLS up to date; belongs to the operator's thread.
pub(crate) struct Renewal {
    config: Tls,
    acceptor: TlsAcceptor,
    served: Served,
    looked: Option<Instant>,
    /// The files as they were when they were last read, and as they were at the last look.
    read: Vec<Stamp>,
    seen: Vec<Stamp>,
}

/// What tells that a file has changed: its length and the time of its last change, if it is there.
type Stamp = Option<(u64, SystemTime)>;

impl Renewal {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`Unusable`]
    pub(crate) fn begin(config: Tls) -> Result<Renewal, Unusable> {
        let read = stamps(&config);
        let Loaded { terms, served, warnings } = load(&config, now())?;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        tracing::info!("TLS: {served}");
        Ok(Renewal { acceptor: TlsAcceptor::new(terms), config, served, looked: None, seen: read.clone(), read })
    }

    /// What connections are made with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// When the certificate in force ends.
    pub(crate) fn ends(&self) -> WallMs {
        self.served.ends
    }

    /// Reads the files again, as these settings say. Connections that exist go on.
    ///
    /// # Errors
    /// [`Unusable`]: nothing has changed.
    pub(crate) fn renew(&mut self, config: &Tls) -> Result<(), Unusable> {
        // Taken before: what changes meanwhile is seen as a change.
        self.read = stamps(config);
        self.seen.clone_from(&self.read);
        let Loaded { terms, served, warnings } = load(config, now())?;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        self.acceptor.replace(terms);
        match served == self.served {
            true => tracing::info!("TLS: read again, and the same as before: {served}"),
            false => tracing::info!("TLS: new connections get the {served}; before: {}", self.served),
        }
        self.served = served;
        self.config = config.clone();
        Ok(())
    }

    /// To be called often: reads the files again if that is wanted, and some have changed and rest since the last look.
    /// (Who renews a certificate may write several files, one after the other.)
    pub(crate) fn look(&mut self, at: Instant) {
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
            if let Err(unusable) = self.renew(&config) {
                tracing::error!("{unusable}");
                tracing::error!("TLS goes on with the {}; mend the files, or have them read by SIGHUP", self.served);
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
