//! The epoch record, while it is being replaced. What is asked for meanwhile is saved next, as one record: the newest
//! holds all that the ones before it promised.

use super::{Log, LogEvent};
use crate::background::Job;
use crate::driver::Completion;
use crate::epochs::{self, Epochs, NotSaved};
use crate::error::LogFailed;
use ringkeeper_core::ids::Instant;
use std::sync::Arc;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// The record that is being written.
    current: Option<Epochs>,
    /// The one to be written after it.
    next: Option<Epochs>,
    /// The disk was full: when the current one is tried again.
    retry_at: Option<Instant>,
}

impl Saving {
    /// What was asked for last, if it is not durable yet.
    pub(super) fn newest(&self) -> Option<Epochs> {
        self.next.or(self.current)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.current.is_none()
    }

    /// A full disk is not tried again; whoever asked was promised nothing.
    pub(super) fn give_up_retrying(&mut self) {
        if self.retry_at.is_some() {
            *self = Saving::default();
        }
    }

    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }
}

impl Log {
    /// Replaces the epoch record; [`LogEvent::EpochsSaved`] follows when it is durable. Of several that are asked for
    /// in a row, some may be passed over in favour of later ones. A full disk is tried again until it has room.
    ///
    /// # Panics
    /// If an epoch falls, the current one is above the accepted one, a member has no ensemble, or a member's ensemble
    /// becomes another.
    pub fn save_epochs(&mut self, epochs: Epochs) {
        epochs.assert_follows(&self.saving.newest().unwrap_or(self.epochs));
        if self.saving.is_idle() {
            self.start_saving(epochs);
        } else {
            self.saving.next = Some(epochs);
        }
    }

    fn start_saving(&mut self, epochs: Epochs) {
        self.saving.current = Some(epochs);
        let (disk, defects) = (Arc::clone(&self.dirs.data), self.log_config.defects);
        let job = Job::once("epochs", Arc::clone(&self.completions), move || {
            let result = epochs::save_described(&*disk, epochs, defects);
            Completion::Epochs(epochs, result)
        });
        if let Err(e) = self.background.start(job) {
            let failed = NotSaved::Failed(format!("starting a thread: {e}"));
            self.completions.push(Completion::Epochs(epochs, Err(failed)));
        }
    }

    pub(super) fn epochs_ended(
        &mut self,
        now: Instant,
        epochs: Epochs,
        result: Result<(), NotSaved>,
        events: &mut Vec<LogEvent>,
    ) {
        match result {
            Ok(()) => {
                self.epochs = epochs;
                self.saving.current = None;
                events.push(LogEvent::EpochsSaved(epochs));
                if let Some(next) = self.saving.next.take() {
                    self.start_saving(next);
                }
            }
            Err(NotSaved::NoRoom(why)) => {
                tracing::error!(
                    why,
                    "no room for the epoch record: this server cannot follow a new leader before there is"
                );
                self.saving.retry_at = Some(now.plus(self.log_config.retry_after));
            }
            Err(NotSaved::Failed(error)) => {
                self.fail(LogFailed { what: "the epoch record".into(), error, durable: self.writer.durable() }, events);
            }
        }
    }

    /// A full disk is tried again.
    pub(super) fn retry_epochs(&mut self, now: Instant) {
        if self.saving.retry_at.take_if(|at| *at <= now).is_some()
            && let Some(newest) = self.saving.newest()
        {
            self.saving.next = None;
            self.start_saving(newest);
        }
    }
}
