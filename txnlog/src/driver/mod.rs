//! Who carries out the writer's requests on a real disk. All drivers stand behind [`LogDevice`]; answers come back
//! through one queue with a doorbell, from whatever thread.

mod auto;
mod doorbell;
mod files;
mod judge;
mod prepare;
mod sim;
mod thread;
mod uring;

pub use auto::AutoDevice;
pub use doorbell::{Completion, Completions};
pub use files::Files;
pub use prepare::Preparer;
pub use sim::{SimDevice, Waiting};
pub use thread::ThreadDevice;
pub use uring::UringDevice;

use crate::writer::{Done, LogOp};

/// A driver. It answers every request exactly once through the [`Completions`] it was made with.
pub trait LogDevice {
    /// Takes a request. Never blocks.
    fn submit(&mut self, op: LogOp);

    /// Sees an answer before the writer does. `None` keeps it back: the driver has more to do, and will repeat it.
    fn settle(&mut self, done: Done) -> Option<Done> {
        Some(done)
    }

    /// Someone waits for the segment that is being prepared.
    fn hurry(&mut self) {}
}
