//! One server without its sockets, threads and clocks: the pure machines of `ringkeeper-core` tied to the log of
//! `ringkeeper-txnlog`, with everything that a driver owes them, in order.
//!
//! The server's executors drive it on glommio; the simulator drives whole ensembles of it on simulated networks, disks and
//! clocks. What is true of one is true of the other, since nothing here knows which it is.

mod backend;
mod catch_up;
mod clock;
mod measures;
mod news;
mod node;
mod peer_links;
mod recovery;
mod repair;
mod snapshots;
mod stages;
mod transfer;

pub use backend::{Backend, Halted};
pub use clock::Clock;
pub use measures::{BackendMeasures, Learner};
pub use news::{RoleMeasures, SyncCounts};
pub use node::Node;
pub use peer_links::PeerLinks;
pub use recovery::{Recovered, recover};
pub use repair::{OnDamage, recover_or_give_up};
pub use stages::{StageMeasures, Stages};
