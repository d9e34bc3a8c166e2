//! Who asks the executors, and what is known without asking.

use super::rate::Rate;
use crate::config::{Admin, Data};
use crate::four_letter::{Needs, Snapshot};
use crate::spread::{Errand, Exchange};
use crate::turn::Words;
use ringkeeper_net::Handover;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use thiserror::Error;

/// Executors that do not answer for so long are taken to stand still.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the start has come.
#[derive(Debug, Default)]
pub(crate) struct Progress(OnceLock<Arc<Handover>>);

impl Progress {
    /// What is stored was taken up: the executors turn, and answer. Here connections are given to one of them.
    pub(crate) fn started(&self, door: Arc<Handover>) {
        assert!(self.0.set(door).is_ok(), "a server starts once");
    }

    pub(crate) fn is_started(&self) -> bool {
        self.0.get().is_some()
    }

    /// Where connections are given to an executor that serves clients.
    pub(crate) fn door(&self) -> Option<&Arc<Handover>> {
        self.0.get()
    }
}

/// Why there are no facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum NoFacts {
    /// What is stored is being taken up.
    #[error("the server is starting: it takes up what is stored")]
    Starting,
    /// An executor stands still.
    #[error("an executor has not answered for {} s", PATIENCE.as_secs())]
    Silent,
}

/// Who may do more than look.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) super_digest: Option<String>,
    /// The subject of the certificate of whoever may do everything.
    pub(crate) super_subject: Option<String>,
}

/// See the module.
pub(crate) struct Desk {
    pub(crate) exchange: Exchange,
    pub(crate) progress: Arc<Progress>,
    pub(crate) words: Arc<Words>,
    pub(crate) settings: Admin,
    pub(crate) access: Access,
    pub(crate) snapshots: Rate,
    pub(crate) restores: Rate,
    /// One restore at a time.
    pub(crate) restoring: Mutex<()>,
    /// The log is read for one at a time.
    pub(crate) sending: Mutex<()>,
}

impl Desk {
    pub(crate) fn new(
        exchange: Exchange,
        progress: Arc<Progress>,
        words: Arc<Words>,
        settings: Admin,
        access: Access,
    ) -> Desk {
        let (snapshots, restores) = (Rate::new(settings.interval), Rate::new(settings.interval));
        Desk {
            exchange,
            progress,
            words,
            settings,
            access,
            snapshots,
            restores,
            restoring: Mutex::new(()),
            sending: Mutex::new(()),
        }
    }

    /// Collects facts from all executors, after they have done the errand.
    pub(crate) fn ask(&self, needs: Needs, errand: Option<Errand>) -> Result<Snapshot, NoFacts> {
        if !self.progress.is_started() {
            return Err(NoFacts::Starting);
        }
        let facts = self.exchange.inquire(needs, errand).wait(PATIENCE).ok_or(NoFacts::Silent)?;
        Ok(self.words.completed(facts, needs))
    }

    pub(crate) fn data(&self) -> &Data {
        &self.words.data
    }

    /// How long a connection may say nothing.
    pub(crate) fn idle(&self) -> Duration {
        self.settings.idle
    }
}
