//! A live view of an ensemble in the terminal.
//!
//! ```text
//! four-letter words ── sample ──► Sample ──┐
//!                    of each server        ├── model ──► Row, Summary ── columns ──► screen, plain text, JSON
//! their clock ─────────────────────────────┘
//! ```
//!
//! A [`sample::Sample`] is what one server says at one time; rates and lags come of comparing samples ([`model`]). Both are pure, and
//! so is what is drawn. Nothing is shown that no server tells: what a server leaves out is `-`.

pub mod columns;
mod discover;
pub mod hot;
pub mod model;
mod poll;
mod print;
mod run;
pub mod sample;
mod screen;

pub use run::{Form, Start, run};
