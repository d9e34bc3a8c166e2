//! Sessions that survive their servers, as client libraries keep them: a connection that is lost is replaced by one to
//! another server, with the same session.
//!
//! A [`Roamer`] is such a session; what it asks and what it does with the answers is its [`Traveller`]'s matter. A [`Stage`]
//! tells a thread which of its many roamers has something to do.

mod roamer;
mod stage;

pub use roamer::{Dialling, Roamer, Traveller};
pub use stage::Stage;
