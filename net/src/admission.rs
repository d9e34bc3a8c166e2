//! Who may connect: limits per address and in all (`maxClientCnxns`, `maxCnxns`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Limits on open connections; 0 means no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConnectionLimits {
    /// From one IP address.
    pub per_address: u32,
    /// In all.
    pub total: u32,
}

/// Why a connection was turned away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Its address has its share already.
    PerAddress,
    /// The server is full.
    Total,
}

/// Counts the open connections of a server against its limits, over all its executors.
#[derive(Clone, Debug, Default)]
pub struct Door(Arc<Mutex<Admission>>);

impl Door {
    /// Nobody is connected yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Door {
        Door(Arc::new(Mutex::new(Admission::new(limits))))
    }

    /// Puts other limits into force. Connections that are there may exceed them.
    pub fn set_limits(&self, limits: ConnectionLimits) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).limits = limits;
    }

    /// Counts a connection from `address`, if it is within the limits.
    pub(crate) fn enter(&self, address: IpAddr) -> Result<(), Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).enter(address)
    }

    /// A connection from `address` that had entered is closed.
    pub(crate) fn leave(&self, address: IpAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).leave(address);
    }
}

#[derive(Debug, Default)]
struct Admission {
    limits: ConnectionLimits,
    by_address: HashMap<IpAddr, u32>,
    total: u32,
}

impl Admission {
    fn new(limits: ConnectionLimits) -> Admission {
        Admission { limits, by_address: HashMap::new(), total: 0 }
    }

    fn enter(&mut self, address: IpAddr) -> Result<(), Refusal> {
        let ConnectionLimits { per_address, total } = self.limits;
        if total != 0 && self.total >= total {
            return Err(Refusal::Total);
        }
        let address = address.to_canonical();
        if per_address != 0 && self.by_address.get(&address).is_some_and(|n| *n >= per_address) {
            return Err(Refusal::PerAddress);
        }
        *self.by_address.entry(address).or_insert(0) += 1;
        self.total += 1;
        Ok(())
    }

    fn leave(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        let count = self.by_address.get_mut(&address).expect("leave follows enter");
        *count -= 1;
        if *count == 0 {
            self.by_address.remove(&address);
        }
        self.total -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn limits_hold_and_room_returns() {
        let mut admission = Admission::new(ConnectionLimits { per_address: 2, total: 3 });
        assert_eq!([admission.enter(A), admission.enter(A)], [Ok(()), Ok(())]);
        assert_eq!(admission.enter(A), Err(Refusal::PerAddress));
        assert_eq!(admission.enter(B), Ok(()));
        assert_eq!(admission.enter(B), Err(Refusal::Total));
        admission.leave(A);
        assert_eq!(admission.enter(B), Ok(()));
        admission.leave(A);
        assert!(!admission.by_address.contains_key(&A), "addresses without connections are forgotten");
    }

    #[test]
    fn limits_that_change_hold_for_whoever_comes_next() {
        let door = Door::new(ConnectionLimits { per_address: 1, total: 0 });
        assert_eq!([door.enter(A), door.enter(A)], [Ok(()), Err(Refusal::PerAddress)]);
        door.set_limits(ConnectionLimits { per_address: 2, total: 0 });
        assert_eq!(door.enter(A), Ok(()));
        door.set_limits(ConnectionLimits { per_address: 0, total: 1 });
        assert_eq!(door.enter(B), Err(Refusal::Total));
        door.leave(A);
        door.leave(A);
        assert_eq!(door.enter(B), Ok(()));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut admission = Admission::new(ConnectionLimits::default());
        (0..10_000).for_each(|_| assert_eq!(admission.enter(A), Ok(())));
        assert_eq!(admission.total, 10_000);
    }

    #[test]
    fn a_mapped_address_is_the_same_host() {
        let mut admission = Admission::new(ConnectionLimits { per_address: 1, total: 0 });
        assert_eq!(admission.enter(A), Ok(()));
        let mapped = IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xFFFF, 0x0A00, 1));
        assert_eq!(admission.enter(mapped), Err(Refusal::PerAddress));
    }
}
