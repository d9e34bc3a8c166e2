//! A server that stood alone becomes an ensemble.

use crate::catch_up::check_everywhere;
use crate::fleet::Fleet;
use crate::support::client::Client;
use crate::support::ports::free_port;
use crate::support::server::ringkeeper_binary;
use crate::writer;

/// The lines of three servers.
fn lines() -> String {
    (1..=3).map(|id| format!("server.{id}=127.0.0.1:{}:{}\n", free_port(), free_port())).collect()
}

/// Lets a server stand alone for a while.
fn stand_alone(fleet: &mut Fleet, at: usize) {
    fleet.configure(at, "");
    fleet.launch(at);
    fleet.wait_until_serving(at);
    let mut client = Client::connect(fleet.addr(at));
    client.create("/from-before", b"kept", 0).unwrap();
    client.close();
    fleet.stop(at);
}

#[test]
fn the_data_of_a_server_that_stood_alone_becomes_that_of_its_ensemble() {
    let (mut fleet, lines) = (Fleet::prepare(3), lines());
    stand_alone(&mut fleet, 0);
    (0..3).for_each(|at| fleet.configure(at, &lines));
    (0..3).for_each(|at| fleet.launch(at));
    fleet.wait_until("it says what to do", |fleet| fleet.has_said(0, &["stood alone until now", "--bootstrap true"]));
    assert!((0..3).all(|at| fleet.mode(at).is_none()), "nobody has said whose data counts");
    // A majority is enough: the third is not there.
    fleet.kill(0);
    fleet.kill(2);
    fleet.configure(0, &format!("{lines}ensemble.bootstrap=true"));
    fleet.launch(0);
    (0..2).for_each(|at| fleet.wait_until_serving(at));
    fleet.launch(2);
    fleet.wait_until_serving(2);
    let writers = writer::start(&[fleet.addr(0), fleet.addr(1), fleet.addr(2)], 3, 1);
    writers.progress(300);
    let written = writers.stop();
    check_everywhere(&fleet, &written);
    for at in 0..3 {
        let mut client = Client::connect(fleet.addr(at));
        assert_eq!(client.exists("/from-before", false).unwrap().data_length, 4, "server {at}");
        client.close();
    }
    // It has become a member like the others: what was said once does not count again.
    fleet.stop(0);
    fleet.launch(0);
    fleet.wait_until_serving(0);
    assert!(fleet.has_said(0, &["ensemble.bootstrap has no effect"]));
}

#[test]
fn data_of_another_ensemble_is_not_overwritten() {
    let (mut fleet, lines) = (Fleet::prepare(3), lines());
    stand_alone(&mut fleet, 0);
    stand_alone(&mut fleet, 1);
    fleet.configure(0, &format!("{lines}ensemble.bootstrap=true"));
    (1..3).for_each(|at| fleet.configure(at, &lines));
    (0..2).for_each(|at| fleet.launch(at));
    fleet.wait_until("it is refused", |fleet| {
        fleet.has_said(0, &["still no leader", "there is data of another ensemble on 2"])
    });
    // One that has nothing makes a majority with either, and follows none.
    fleet.launch(2);
    fleet.wait_until("it is refused again", |fleet| fleet.has_said(2, &["still no leader", "another ensemble on 2"]));
    assert!((0..3).all(|at| fleet.mode(at).is_none()), "somebody's data was taken");
}

#[test]
fn a_directory_that_was_imported_founds_an_ensemble() {
    let (mut fleet, lines) = (Fleet::prepare(4), lines());
    stand_alone(&mut fleet, 3);
    let (alone, zookeepers) = (fleet.data(3), fleet.data(2).join("zookeepers"));
    offline(&["export", alone.to_str().unwrap(), zookeepers.to_str().unwrap()]);
    offline(&["import", zookeepers.to_str().unwrap(), fleet.data(0).to_str().unwrap()]);
    std::fs::remove_dir_all(zookeepers).unwrap();
    fleet.configure(0, &format!("{lines}ensemble.bootstrap=true"));
    (1..3).for_each(|at| fleet.configure(at, &lines));
    (0..3).for_each(|at| fleet.launch(at));
    for at in 0..3 {
        fleet.wait_until_serving(at);
        let mut client = Client::connect(fleet.addr(at));
        assert_eq!(client.exists("/from-before", false).unwrap().data_length, 4, "server {at}");
        client.close();
    }
}

#[test]
fn what_was_restored_is_a_stranger_to_the_ensemble_that_it_came_from() {
    let mut fleet = Fleet::start("");
    let mut client = Client::connect(fleet.addr(0));
    client.create("/a", b"", 0).unwrap();
    client.create("/b", b"", 0).unwrap();
    client.sync("/").unwrap();
    fleet.stop(2);
    let (data, backup) = (fleet.data(2), tempfile::tempdir().unwrap());
    let backup = backup.path().join("backup");
    offline(&["backup", data.to_str().unwrap(), backup.to_str().unwrap()]);
    std::fs::remove_dir_all(&data).unwrap();
    offline(&["restore", backup.to_str().unwrap(), data.to_str().unwrap()]);
    fleet.launch(2);
    fleet.wait_until("it is refused", |fleet| {
        fleet.has_said(2, &["another ensemble"]) || fleet.has_said(2, &["still no leader"])
    });
    assert_eq!(fleet.mode(2), None, "a stranger serves");
    client.create("/c", b"", 0).unwrap();
}

fn offline(arguments: &[&str]) {
    let output = std::process::Command::new(ringkeeper_binary()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
