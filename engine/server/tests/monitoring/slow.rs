//! Slow requests and hot paths, on one executor and on several.

use crate::http::get;
use crate::support::client::Client;
use crate::support::ensemble::{Ensemble, Plan};
use crate::support::wire::{Enc, op};

#[test]
fn a_slow_write_is_told_with_its_stages() {
    for cores in ["0", "2"] {
        let settings = [("slow.request.threshold.ms", "200"), ("client.cores", cores)];
        let ensemble = Ensemble::of(&Plan { admin: true, settings: &settings, ..Plan::default() });
        let leader = ensemble.leader();
        let followers: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
        let mut client = Client::connect(ensemble.addr(leader));
        client.create("/slow", b"", 0).unwrap();
        // Without a follower that turns nothing is committed.
        followers.iter().for_each(|at| ensemble.pause(*at));
        client.send(op::SET_DATA, &Enc::new().str("/slow").buf(Some(&b"x"[..])).i32(-1).0);
        // That time passes is what makes it slow.
        std::thread::sleep(std::time::Duration::from_millis(250));
        followers.iter().for_each(|at| ensemble.resume(*at));
        client.reply().unwrap();
        let addr = ensemble.admin_addr(leader);
        let told = get(addr, "/commands/slow_requests").json();
        let slow = &told["requests"][0];
        assert_eq!((&slow["path"], &slow["operation"]), (&"/slow".into(), &"setData".into()), "{told:#}");
        assert!(slow["duration_ms"].as_f64().unwrap() >= 200.0, "{told:#}");
        let stages = &slow["stages_ms"];
        let stage = |name: &str| stages[name].as_f64().unwrap_or_else(|| panic!("{name}: {told:#}"));
        assert!(stage("quorum") >= 150.0 && stage("log") < stage("quorum"), "{told:#}");
        assert!(ensemble.output(leader).contains("slow request"), "it is logged, too");
    }
}

#[test]
fn hot_paths_are_told() {
    let ensemble = Ensemble::of(&Plan { admin: true, ..Plan::default() });
    let mut client = Client::connect(ensemble.addr(0));
    client.create("/hot", b"", 0).unwrap();
    (0..400).for_each(|_| {
        client.get("/hot", false).unwrap();
    });
    let told = get(ensemble.admin_addr(0), "/commands/hot_paths").json();
    assert_eq!(told["paths"][0]["path"], "/hot", "{told:#}");
    assert!(told["paths"][0]["samples"].as_u64().unwrap() >= 10, "{told:#}");
}
