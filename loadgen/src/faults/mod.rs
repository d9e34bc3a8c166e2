//! Damage that is done to a server, and undone: what `failover` measures, and other commands have beside their load.
//!
//! [`args`] is the user's choice, [`words`] finds the leader, [`fault`] and [`process`] do the damage, [`strike`] puts these in
//! an order for those who only need one fault from its beginning to its end.

mod args;
mod errand;
mod fault;
mod process;
mod servers;
mod strike;
mod words;

pub use args::FaultArgs;
pub use errand::Errand;
pub use fault::{Fault, Kind, Method};
pub use process::{is_gone, listening_on, signal};
pub use servers::{Server, number};
pub use strike::{Deed, Striking};
pub use words::{Role, await_leader, role};
