//! What needs a whole tree.

mod model;
mod quotas;
mod reference;
mod restores;
mod rules;
mod snapshots;
mod writer;
