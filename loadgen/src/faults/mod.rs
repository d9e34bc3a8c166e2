//! Damage that is done to a server, and undone: what `failover` measures, and other commands have beside their load.
//!
//! [`args`] is the user's choice, [`words`] finds the leader, [`fault`] and [`process`] do the damage, [`returning`] undoes it, [`strike`] puts these in
//! an order for those who only need one fault from its beginning to its end.

mod args;
mod errand;
mod fault;
mod process;
mod returning;
mod servers;
mod strike;
mod words;

pub use args::FaultArgs;
pub use errand::Errand;
pub use fault::{Fault, Kind, Method};
pub use process::{is_gone, listening_on, signal};
pub use servers::{Server, number};
pub use strike::{Deed, Striking};
pub use words::{Role, ask, await_leader, role};

/// Tells the user of servers that were started by us: they go on when we have ended, and whoever started them before does
/// not know of them.
pub fn tell_who_goes_on(servers: &[Server]) {
    let ours = |pid: &u32| process::parent(*pid) == Some(std::process::id());
    for server in servers {
        if let Some(pid) = process::listening_on(server.address).ok().filter(ours) {
            eprintln!("loadgen: {server} was started again by loadgen and goes on, as process {pid}");
        }
    }
}
