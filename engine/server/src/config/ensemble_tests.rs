//! `server.N` lines and what depends on them.

use super::tests::{load, refused, valid};
use super::*;
use crate::four_letter::Word;

/// Three voters and an observer.
const LINES: &str = "server.1=zk1:2888:3888\nserver.2=zk2:2888:3888;2199\nserver.10=zk10:2888:3888\nserver.4=zk4:2888:3888:observer;[::]:2181\n";

fn ensemble(text: &str, id: &str) -> (Config, Vec<String>) {
    let text = format!("dataDir=/nowhere/of/ringkeeper\n{text}");
    let (config, problems) = load(&text, &[("server.id", id)]).unwrap_or_else(|problems| panic!("{problems}"));
    (config, problems.warnings.iter().map(ToString::to_string).collect())
}

/// What is wrong with these lines, for the server with this number.
fn wrong(text: &str, id: &str) -> Vec<String> {
    match load(&format!("dataDir=/nowhere/of/ringkeeper\n{text}"), &[("server.id", id)]) {
        Ok(_) => panic!("{text:?} is accepted"),
        Err(problems) => problems.errors.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn members_and_times() {
    let (config, warnings) = ensemble(&format!("{LINES}initLimit=5\ntickTime=2000\n"), "2");
    assert_eq!(warnings, Vec::<String>::new());
    let ensemble = config.ensemble.clone().unwrap();
    assert_eq!((ensemble.id, ensemble.name.as_str(), ensemble.listen_on_all), (2, "ringkeeper", false));
    assert_eq!(ensemble.members.iter().map(|member| member.id).collect::<Vec<_>>(), [1, 2, 4, 10]);
    assert_eq!(ensemble.ids(false).collect::<Vec<_>>(), [4]);
    assert_eq!(ensemble.me().peer, [("zk2".to_owned(), 2888)]);
    assert_eq!(ensemble.me().peer_text(), "zk2:2888");
    let millis = Duration::from_millis;
    assert_eq!((ensemble.heartbeat, ensemble.hold_clients), (millis(40), millis(5000)));
    assert_eq!(ensemble.read_only_after, None);
    assert_eq!((ensemble.silence_min, ensemble.silence_max), (millis(250), millis(1500)));
    assert_eq!((ensemble.catch_up, ensemble.history_bytes), (millis(10_000), 64 << 20));
    assert!(
        !ensemble.bootstrap
            && ensemble.repair
            && !self::ensemble(&format!("{LINES}ensemble.repair=refuse\n"), "2").0.ensemble.unwrap().repair
    );
    assert_eq!(config.clients.address.port, 2199, "the client port of its own line");
    let said = config.announcement();
    let expected =
        "server 2 of ensemble ringkeeper (voters 1 2 10, observers 4), peers on zk2:2888, clients on *:2199; ";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn a_server_becomes_read_only_after_a_tick_but_not_before_two_seconds() {
    let (config, warnings) = ensemble(&format!("{LINES}readonlymode.enabled=true\ntickTime=100\n"), "2");
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(config.ensemble.unwrap().read_only_after, Some(Duration::from_secs(2)));
    assert!(config.words.admits(Word::Isro) && !config.words.admits(Word::Stat), "clients ask for it");
    let (config, _) = ensemble(&format!("{LINES}readonlymode.enabled=true\ntickTime=2500\n"), "2");
    assert_eq!(config.ensemble.unwrap().read_only_after, Some(Duration::from_millis(2500)));
}

#[test]
fn one_line_or_none_is_a_server_that_stands_alone() {
    let (config, warnings) = valid("dataDir=/d\nserver.1=localhost:2888:3888;127.0.0.1:2199\ninitLimit=5\n");
    assert_eq!((config.clients.address.port, config.clients.address.host.as_deref()), (2199, Some("127.0.0.1")));
    assert_eq!(config.ensemble, None);
    assert!(config.announcement().starts_with("single server, clients on 127.0.0.1:2199; "));
    assert_eq!(warnings, ["zoo.cfg:3: initLimit=5 has no effect: a server that stands alone has no ensemble"]);
    assert_eq!(valid("dataDir=/d\nclientPort=7\nserver.1=localhost:2888:3888").0.clients.address.port, 7);
    assert!(refused("dataDir=/d\nserver.1=a:1:2:observer")[0].contains("observer without an ensemble"));
    assert!(refused("dataDir=/d\nclientPort=1\nserver.1=a:1:2;2")[0].contains("contradicts clientPort"));
    assert!(refused("dataDir=/d\nserver.1=a")[0].contains("has no port"));
    assert_eq!(
        refused("dataDir=/d\nserver.1=a:1:2\nserver.id=2"),
        ["zoo.cfg:3: server.id=2 is not the number of the only server line, server.1; correct the one that is wrong"]
    );
    assert_eq!(
        refused("dataDir=/d\npeerType=observer"),
        ["zoo.cfg:2: peerType=observer makes an observer without an ensemble; \
          give the server lines of all members, or remove peerType"]
    );
}

#[test]
fn the_number_is_in_myid_or_in_a_flag_and_they_agree() {
    let dir = tempfile::tempdir().unwrap();
    let (data, myid) = (dir.path().display(), dir.path().join("myid"));
    let text = format!("dataDir={data}\n{LINES}");
    let id = |flags: &[(&str, &str)]| match load(&text, flags) {
        Ok((config, _)) => Ok(config.ensemble.unwrap().id),
        Err(problems) => Err(problems.errors.iter().map(ToString::to_string).collect::<Vec<_>>()),
    };
    let myid_path = myid.display();
    let missing = format!(
        "the number of this server is unknown: {myid_path} is not there; \
         give --id N, or write the number N of this server's line server.N into that file"
    );
    assert_eq!(id(&[]), Err(vec![missing]));
    assert_eq!(id(&[("server.id", "1")]), Ok(1));
    std::fs::write(&myid, " 4\n").unwrap();
    assert_eq!(id(&[]), Ok(4));
    assert_eq!(id(&[("server.id", "4")]), Ok(4));
    let contradiction = format!(
        "flag --set server.id: server.id=2 contradicts {myid_path}, which says 4; \
         correct the one that is wrong; the data in that directory belong to one server"
    );
    assert_eq!(id(&[("server.id", "2")]), Err(vec![contradiction]));
    let shown = load(&text, &[]).unwrap().0.settings.effective();
    let shown = shown.iter().find(|setting| setting.name == "server.id").unwrap();
    assert_eq!((shown.value.as_str(), shown.source.to_string()), ("4", myid_path.to_string()));
}

#[test]
fn a_myid_that_says_nothing_of_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let myid = dir.path().join("myid");
    let (text, myid_path) = (format!("dataDir={}\n{LINES}", dir.path().display()), myid.display());
    let id = || match load(&text, &[]) {
        Ok((config, _)) => Ok(config.ensemble.unwrap().id),
        Err(problems) => Err(problems.errors.iter().map(ToString::to_string).collect::<Vec<_>>()),
    };
    for bad in ["", "four", "0", "255", "1 2", "-1"] {
        std::fs::write(&myid, bad).unwrap();
        let said = id().unwrap_err();
        assert_eq!(
            said,
            [format!(
                "{myid_path}:1: {bad:?} is not a whole number from 1 to 254; \
                 write nothing but the number N of this server's line server.N"
            )]
        );
    }
    std::fs::write(&myid, [0xff, b'1']).unwrap();
    assert!(id().unwrap_err()[0].contains("is not a whole number"));
    std::fs::write(&myid, "7").unwrap();
    assert!(id().unwrap_err()[0].starts_with(&format!("{myid_path}: server.id=7 is not among the servers of")));
    std::fs::remove_file(&myid).unwrap();
    std::fs::create_dir(&myid).unwrap();
    assert!(id().unwrap_err()[0].contains("cannot be read"));
}

#[test]
fn a_stranger_is_refused() {
    assert_eq!(
        wrong(LINES, "3"),
        ["flag --set server.id: server.id=3 is not among the servers of the ensemble, 1 2 4 10; \
          give the number of this server's line, or add a line server.3 on every server"]
    );
    assert!(wrong(LINES, "255")[0].contains("is more than 254"));
}

#[test]
fn members_that_cannot_be_told_apart_are_refused() {
    assert_eq!(
        wrong("server.1=a:1:2\nserver.01=b:1:2\nserver.3=c:1:2", "1"),
        ["zoo.cfg:2: server.1=a:1:2 has the number of server.01 (zoo.cfg:3); give each server a number of its own"]
    );
    assert_eq!(
        wrong("server.0=a:1:2\nserver.1=b:1:2\nserver.3=c:1:2", "1"),
        ["zoo.cfg:2: server.0=a:1:2 has a number that a server of an ensemble cannot have; \
          number the servers from 1 to 254, the same way in every configuration file and myid"]
    );
    assert_eq!(
        wrong("server.1=a:1:2\nserver.2=A:1:2\nserver.3=c:1:2", "1"),
        ["zoo.cfg:3: server.2=A:1:2 uses a:1, which server.1 (zoo.cfg:2) uses too; \
          give each server of a host ports of its own"]
    );
    let said = |second: &str| wrong(&format!("server.1=localhost:1:2;2181\n{second}\nserver.3=c:1:2"), "1").join("\n");
    assert!(said("server.2=127.0.0.1:1:2").contains("uses 127.0.0.1:1, which server.1"));
    assert!(said("server.2=127.0.0.1:9:2;0.0.0.0:2181").contains("uses 127.0.0.1:2181, which server.1"));
    assert!(said("server.2=127.0.0.1:2181:2").contains("uses 127.0.0.1:2181, which server.1"));
    assert!(said("server.2=b:7:8;b:7").contains("uses b:7 twice"));
    assert!(said("server.2=b:0:8").contains("has port 0"));
    ensemble(
        "server.1=a:1:2;0\nserver.2=a:2:3;0\nserver.3=a|a2:3:4;0\n".replace("a|a2:3:4", "a:3:4|a2:3:4").as_str(),
        "3",
    );
}

#[test]
fn lines_that_cannot_be_read_are_refused_each() {
    let said = wrong("server.1=a:1:2\nserver.2=b\nserver.x=c:1:2\nserver.3=c:1:2:boss", "1");
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(
        said[0],
        "zoo.cfg:3: server.2=b has no port behind its host (an IPv6 address needs brackets); \
         for example server.1=localhost:2888:3888;2181"
    );
}

#[test]
fn numbers_of_voters_are_judged() {
    let lines = |voters: u16, observers: u16| -> String {
        let role = |n: u16| if n <= voters { "" } else { ":observer" };
        (1..=voters + observers).map(|n| format!("server.{n}=h{n}:1:2{}\n", role(n))).collect()
    };
    let warnings = |voters, observers| ensemble(&lines(voters, observers), "1").1;
    assert_eq!(warnings(3, 1), Vec::<String>::new());
    assert_eq!(warnings(1, 1), Vec::<String>::new());
    assert_eq!(
        warnings(2, 1),
        ["zoo.cfg:4: the ensemble has 2 voters, so it stops when either of them is down; \
          with 3 voters it bears the loss of one"]
    );
    assert_eq!(
        warnings(4, 0),
        ["zoo.cfg:5: the ensemble has 4 voters, and bears the loss of no more servers than 3 voters do; \
          make one of them an observer, or add a voter"]
    );
    assert_eq!(
        wrong(&lines(0, 3), "1"),
        ["zoo.cfg:4: the ensemble has observers and no voter; make at least one server a participant"]
    );
}

#[test]
fn a_role_is_given_once_or_twice_the_same() {
    ensemble(&format!("{LINES}peerType=observer\n"), "4");
    ensemble(&format!("{LINES}peerType=participant\n"), "1");
    ensemble(LINES, "4");
    assert_eq!(
        wrong(&format!("{LINES}peerType=observer\n"), "1"),
        ["zoo.cfg:6: peerType=observer contradicts server.1 (zoo.cfg:2), which makes this server a participant; \
          say the role at the end of that line, on every server, and remove peerType"]
    );
    assert!(wrong(&format!("{LINES}peerType=participant\n"), "4")[0].contains("makes this server an observer"));
    let one_of_two = format!("{LINES}server.5=zk5:2888:3888:observer|zk5b:2888:3888:participant\n");
    let votes = ensemble(&one_of_two, "1").0.ensemble.unwrap().ids(true).collect::<Vec<_>>();
    assert_eq!(votes, [1, 2, 10], "an observer by one of its addresses is one");
}

#[test]
fn addresses_of_one_machine_may_have_the_same_port() {
    let same = format!("{LINES}clientPort=2888\n");
    assert!(wrong(&same, "1")[0].contains("is the port for other servers"));
    ensemble(&format!("{same}clientPortAddress=10.0.0.1\n"), "1");
    let everywhere = format!("{same}clientPortAddress=10.0.0.1\nquorumListenOnAllIPs=true\n");
    assert!(wrong(&everywhere, "1")[0].contains("is the port for other servers"));
}

#[test]
fn the_client_address_of_its_own_line_holds() {
    let clients = |id| ensemble(LINES, id).0.clients.address.to_string();
    assert_eq!([clients("1"), clients("2"), clients("4")], ["*:2181", "*:2199", "[::]:2181"]);
    assert_eq!(
        wrong(&format!("{LINES}clientPort=7\n"), "2"),
        ["zoo.cfg:3: server.2=zk2:2888:3888;2199 contradicts clientPort; give the client port in one place"]
    );
    assert!(wrong(&format!("{LINES}clientPortAddress=a\n"), "4")[0].contains("contradicts clientPortAddress"));
}

#[test]
fn times_fit_together() {
    let said = |text: &str| wrong(&format!("{LINES}{text}\n"), "1");
    assert_eq!(
        said("ensemble.heartbeat.ms=126"),
        ["zoo.cfg:6: ensemble.heartbeat.ms=126 leaves less than two heartbeats of silence that is borne \
          (ensemble.heartbeat.ms=126, ensemble.silence.min.ms=250); raise the one or lower the other"]
    );
    assert_eq!(
        said("ensemble.silence.max.ms=249"),
        ["zoo.cfg:6: ensemble.silence.max.ms=249 makes the shortest silence longer than the longest \
          (ensemble.silence.min.ms=250, ensemble.silence.max.ms=249); raise the one or lower the other"]
    );
    let fitting = "ensemble.heartbeat.ms=50\nensemble.silence.min.ms=100\nensemble.silence.max.ms=100\n";
    ensemble(&format!("{LINES}{fitting}"), "1");
}

#[test]
fn names_are_plain() {
    for bad in ["a b", "ä", "a/b"] {
        assert!(
            wrong(&format!("{LINES}ensemble.name={bad}\n"), "1")[0].contains("something else than letters"),
            "{bad}"
        );
    }
    assert!(wrong(&format!("{LINES}ensemble.name={}\n", "a".repeat(65)), "1")[0].contains("is longer than 64"));
    let (config, _) = ensemble(&format!("{LINES}ensemble.name=prod-1.eu_west\n"), "1");
    assert!(config.announcement().starts_with("server 1 of ensemble prod-1.eu_west (voters"));
}

#[test]
fn what_would_change_the_quorum_is_refused() {
    for text in ["group.1=1:2", "weight.1=2", "oraclePath=/x", "quorum.auth.enableSasl=true"] {
        let said = wrong(&format!("{LINES}{text}\n"), "1");
        assert!(said[0].starts_with("zoo.cfg:6: ") && said[0].contains("cannot be honoured"), "{said:?}");
    }
    for text in ["syncLimit=7", "cnxTimeout=9", "leaderServes=no", "reconfigEnabled=true", "electionAlg=2"] {
        let warnings = ensemble(&format!("{LINES}{text}\n"), "1").1;
        assert!(warnings.len() == 1 && warnings[0].contains("has no effect"), "{warnings:?}");
    }
}

#[test]
fn addresses_to_listen_on_for_peers() {
    let lines = "server.1=127.0.0.1:28:38|[::1]:29:39\nserver.2=b:1:2\nserver.3=c:1:2\n";
    let listen = |text: &str| {
        let ensemble = ensemble(&format!("{lines}{text}"), "1").0.ensemble.unwrap();
        let resolved = ensemble.resolve().unwrap();
        let shown: Vec<Vec<String>> = resolved.iter().map(|a| a.iter().map(ToString::to_string).collect()).collect();
        (shown, ensemble.role().rsplit_once("peers on ").unwrap().1.to_owned())
    };
    let (resolved, said) = listen("");
    assert_eq!(resolved, [["127.0.0.1:28"], ["[::1]:29"]]);
    assert_eq!(said, "127.0.0.1:28 and [::1]:29");
    let (resolved, said) = listen("quorumListenOnAllIPs=true\n");
    assert_eq!(resolved, [["[::]:28", "0.0.0.0:28"], ["[::]:29", "0.0.0.0:29"]]);
    assert_eq!(said, "*:28 and *:29");
}
