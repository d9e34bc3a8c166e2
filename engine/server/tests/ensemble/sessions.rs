//! Sessions belong to the ensemble: they outlive servers and move between them.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support::client::Client;
use crate::support::ensemble::Ensemble;
use crate::{check_journeys, wanderer};

#[test]
fn sessions_and_ephemeral_nodes_outlive_their_server_and_move() {
    let mut ensemble = Ensemble::start(3);
    let leader = ensemble.leader();
    let mut first = Client::connect(ensemble.addr(leader));
    first.create("/mine", b"", 1).unwrap();
    let (session, passwd) = (first.session, first.passwd.clone());
    ensemble.kill(leader);
    let other = (leader + 1) % 3;
    ensemble.wait_until_serving(other);
    let mut second = Client::reattach(ensemble.addr(other), session, &passwd).expect("the session is kept");
    assert_eq!(second.exists("/mine", false).unwrap().ephemeral_owner, session);
    // It moves once more, while the connection before is open: that one is cut off.
    let third_server = (leader + 2) % 3;
    let mut third = Client::reattach(ensemble.addr(third_server), session, &passwd).expect("the session is kept");
    third.set("/mine", b"moved", -1).unwrap();
    assert!(second.set("/mine", b"too late", -1).is_err(), "the former connection speaks for nobody");
    third.close();
    let mut fourth = Client::connect(ensemble.addr(other));
    fourth.sync("/").unwrap();
    assert!(fourth.exists("/mine", false).is_err(), "ephemeral nodes go with their session");
}

#[test]
fn what_is_on_its_way_when_a_session_moves_is_executed_before_or_never() {
    let ensemble = Ensemble::start(3);
    let wanderers = wanderer::start(&ensemble.addrs(), 6, 1, 20);
    wanderers.progress(10_000);
    assert!(check_journeys(&ensemble, &wanderers.stop()) >= 400, "each moves every twenty answers");
}
