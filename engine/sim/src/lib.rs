//! The simulator: whole ensembles of real servers (requests, sessions, tree, agreement, log and recovery, the clients'
//! side included) on simulated networks, disks and clocks, under faults that a seed decides on.
//!
//! ```text
//!   plan   what a seed stands for: sizes, faults with their times, as plain data
//!   world  servers, network, disks, clocks, and the events that happen to them, one after the other
//!   client asks for things, and holds every answer against the history
//!   check  what must hold, whatever happens
//! ```
//!
//! What it replaces is the sockets, the executor and the device; what it does not see (framing, back-pressure of
//! sockets, glommio) is seen by the tests of real processes.

pub mod check;
pub mod client;
pub mod plan;
pub mod planted;
pub mod runner;
pub mod scenario;
pub mod seen;
pub mod time;
pub mod trace;
pub mod world;
