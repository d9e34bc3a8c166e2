//! What is done with stored state while no server has it: taking it up, and making a directory that a server starts from.
//!
//! | file | what it does |
//! |---|---|
//! | `directories` | which directories, and what may be in them |
//! | `stored` | the state that a server has stored |
//! | `founding` | a directory of a server that has this state and no past |
//! | `zookeeper` | directories of ZooKeeper's |
//! | `source` | a state, whichever of these has it |
//! | `backup` | copies that grow, and a state of the past made of them |
//! | `describe` | nodes and transactions for people and for programs |

pub(crate) mod backup;
pub(crate) mod describe;
pub(crate) mod directories;
pub(crate) mod founding;
pub(crate) mod source;
pub(crate) mod stored;
pub(crate) mod zookeeper;

pub(crate) use directories::Directories;
