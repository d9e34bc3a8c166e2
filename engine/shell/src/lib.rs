//! The shell of ZooKeeper's `zkCli.sh`: the same commands and words, for a person at a terminal, for scripts, and for machines.
//!
//! ```text
//! a line ── words ──► parse ──► Command ── execute ──► Output ── text or json ──► the screen
//! ```
//!
//! What is between a line and a [`command::Command`], and between an [`output::Output`] and its text, is pure. A failure carries
//! ZooKeeper's words, a remedy, and an exit status ([`failure`]).

pub mod acl;
pub mod command;
mod completion;
pub mod execute;
pub mod failure;
pub mod flags;
mod interactive;
pub mod json;
mod membership;
pub mod output;
pub mod parse;
pub mod quota;
mod quotas;
mod run;
mod screen;
mod shell;
mod suggest;
pub mod table;
pub mod text;
pub mod words;

pub use failure::{EXIT_STATUSES, status};
pub use run::{Source, Start, run};
