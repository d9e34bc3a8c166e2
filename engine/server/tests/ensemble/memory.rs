//! Memory of one server that is short.

use crate::support::client::{Client, Fault};
use crate::support::ensemble::{Ensemble, Plan};
use std::cell::{Cell, RefCell};

/// ThrottledOp
const THROTTLED: i32 = -127;

#[test]
fn what_grows_is_refused_by_a_leader_that_is_short_of_memory() {
    for cores in ["0", "2"] {
        let ensemble = Ensemble::of(&Plan { settings: &[("client.cores", cores)], ..Plan::default() });
        let leader = ensemble.leader();
        let follower = (leader + 1) % 3;
        let (client, probes) = (RefCell::new(Client::connect(ensemble.addr(follower))), Cell::new(0));
        client.borrow_mut().create("/a", b"123", 0).unwrap();
        ensemble.reconfigure(leader, &[("memory.limit.bytes", "1000")]);
        ensemble.wait_until("creates refused", |_| {
            probes.set(probes.get() + 1);
            let made = client.borrow_mut().create(&format!("/probe-{}", probes.get()), b"", 0);
            made == Err(Fault::Code(THROTTLED))
        });
        let mut client = client.into_inner();
        client.set("/a", b"12", -1).expect("what does not grow goes on");
        let told = ensemble.told(follower, "mntr");
        let metric = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        assert_eq!((metric("zk_memory_short"), metric("zk_memory_rejected_writes")), ("\t0", "\t1"), "{told}");
    }
}
