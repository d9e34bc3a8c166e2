//! TLS, for clients and between servers: from files to what connections are made with, who clients are, and what is in force while files change.

mod certificate;
mod client;
mod renewal;
mod store;
mod terms;

use std::fmt;
use std::time::SystemTime;

use crate::config::{Tls, Whom};
use crate::unusable::Unusable;
use ringkeeper_core::ids::WallMs;
use ringkeeper_net::TlsTerms;

pub(crate) use certificate::identities;
pub(crate) use client::ClientTls;
pub(crate) use renewal::Renewals;

/// What the files hold.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) terms: TlsTerms,
    pub(crate) served: Served,
    /// What works now and may not tomorrow.
    pub(crate) warnings: Vec<String>,
}

/// The certificate that the others see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    /// Who sees it.
    pub(crate) whom: Whom,
    /// Whose it is.
    pub(crate) subject: String,
    /// It is valid until then.
    pub(crate) ends: WallMs,
    /// What tells it from all others: a hash of it.
    pub(crate) fingerprint: u32,
    /// The authorities that stand for those that connect.
    pub(crate) authorities: Vec<String>,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = crate::date::minute(self.ends);
        write!(f, "certificate of {}, valid until {until} UTC; ", self.subject)?;
        match self.authorities.as_slice() {
            [] => write!(f, "{} need no certificates", self.whom.name()),
            all => write!(f, "{} by {}", self.whom.name(), all.join(" and ")),
        }
    }
}

/// Reads the files.
///
/// # Errors
/// [`Unusable`]
pub(crate) fn load(tls: &Tls, now: WallMs) -> Result<Loaded, Unusable> {
    terms::load(tls, now)
}

/// The time of the system, by which certificates are valid or not.
pub(crate) fn now() -> WallMs {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
