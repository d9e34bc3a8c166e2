//! Whole directories in memory: what is read, what is refused, and that nothing else happens whatever the bytes are.

mod damage;
mod logs;
mod making;
mod odd_snapshots;
mod round_trip;
