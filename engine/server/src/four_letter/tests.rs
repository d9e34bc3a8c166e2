//! Each word's answer, built from the facts of the recorded session, beside what ZooKeeper answered then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ringkeeper_core::frontend::{HotPath, HotPaths};
use ringkeeper_core::ids::{SessionId, WallMs, Zxid};

use super::*;
use crate::config::{Config, Inputs};
use crate::version;

/// What ZooKeeper answered, with our version in place of its own. Its carriage of unordered sets is left as it was.
fn recorded(word: Word) -> String {
    let text = match word {
        Word::Conf => include_str!("fixtures/conf.txt"),
        Word::Cons => include_str!("fixtures/cons.txt"),
        Word::Crst => include_str!("fixtures/crst.txt"),
        Word::Dirs => include_str!("fixtures/dirs.txt"),
        Word::Dump => include_str!("fixtures/dump.txt"),
        Word::Envi => include_str!("fixtures/envi.txt"),
        Word::Gtmk => include_str!("fixtures/gtmk.txt"),
        Word::Hash | Word::Hotp => "",
        Word::Isro => include_str!("fixtures/isro.txt"),
        Word::Mntr => include_str!("fixtures/mntr.txt"),
        Word::Ruok => include_str!("fixtures/ruok.txt"),
        Word::Srst => include_str!("fixtures/srst.txt"),
        Word::Srvr => include_str!("fixtures/srvr.txt"),
        Word::Stat => include_str!("fixtures/stat.txt"),
        Word::Stmk => include_str!("fixtures/stmk.txt"),
        Word::Wchc => include_str!("fixtures/wchc.txt"),
        Word::Wchp => include_str!("fixtures/wchp.txt"),
        Word::Wchs => include_str!("fixtures/wchs.txt"),
    };
    text.replace("3.8.0-${mvngit.commit.id}, built on 2024-12-29 17:54 UTC", version::zookeeper())
}

fn ours(word: Word, server: &Snapshot) -> String {
    answer(word, 306, Whitelist::parse("*"), &Environment::default(), Some(server))
}

const FIRST: SessionId = SessionId(0x0100_0017_1aa2_0000);
const SECOND: SessionId = SessionId(0x0100_0017_1aa2_0001);

fn connection(port: u16, interest: u8, packets: (u64, u64), session: Option<ConnectionSession>) -> Connection {
    let peer = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    Connection { peer, secure: false, interest, queued: 0, received: packets.0, sent: packets.1, session }
}

fn session(id: SessionId, times: (i64, u64), timeout_ms: u32, cxid: i32, latency: Latency) -> ConnectionSession {
    ConnectionSession {
        id,
        last_operation: "EXIS",
        established: WallMs(times.0),
        timeout_ms,
        last_cxid: Some(cxid),
        last_zxid: Zxid(6),
        last_response_ms: times.1,
        last_latency_us: 0,
        latency,
    }
}

/// The facts behind the recorded answers, as the server knew them when `cons` and `dump` were asked.
fn facts() -> Snapshot {
    let file = b"dataDir=/tmp/zkcap/data\nclientPort=23817\ntickTime=2000\n".to_vec();
    let inputs = Inputs { file: Some(("zoo.cfg".into(), file)), ..Inputs::default() };
    let (config, _) = Config::load(&inputs, 2).unwrap();
    let first = session(
        FIRST,
        (1_795_257_675_452, 1_546_775),
        30_000,
        6,
        Latency { min_us: 0, avg_us: 2_100.0, max_us: 6_000 },
    );
    let second =
        session(SECOND, (1_795_257_675_466, 1_546_777), 10_000, 3, Latency { min_us: 0, avg_us: 400.0, max_us: 1_999 });
    let at = |port: u16, session| (std::net::SocketAddr::from(([127, 0, 0, 1], port)), session);
    let data = "/tmp/zkcap/data/version-2".into();
    Snapshot {
        zxid: Zxid(6),
        latency: Latency { min_us: 0, avg_us: 1_818.2, max_us: 6_900 },
        received: 15,
        sent: 14,
        alive_connections: 4,
        node_count: 8,
        connections: vec![
            connection(56482, 1, (4, 4), Some(second)),
            connection(56544, 0, (1, 0), None),
            connection(56478, 1, (7, 7), Some(first)),
            connection(56490, 1, (0, 0), None),
        ],
        watches: Watches {
            by_session: vec![(SECOND, vec!["/app".into()]), (FIRST, vec!["/missing".into(), "/app".into()])],
        },
        sessions: Deadlines(vec![(WallMs(1_795_257_686_000), vec![SECOND]), (WallMs(1_795_257_706_000), vec![FIRST])]),
        ephemerals: vec![(SECOND, vec!["/b-e".into()]), (FIRST, vec!["/app/e1".into(), "/app/e2".into()])],
        connection_deadlines: Deadlines(vec![
            (
                WallMs(1_795_257_688_000),
                vec![at(56482, SECOND), at(56614, SessionId::NONE), at(56490, SessionId::NONE)],
            ),
            (WallMs(1_795_257_708_000), vec![at(56478, FIRST)]),
        ]),
        directories: Directories {
            data,
            data_bytes: 67_109_337,
            log: "/tmp/zkcap/data/version-2".into(),
            log_bytes: 67_109_337,
        },
        client_port: Some(23_817),
        settings: Arc::new(config.settings),
        ..Snapshot::default()
    }
}

/// Words whose answer has one order only must equal the recorded one to the letter.
#[test]
fn answers_equal_the_recorded_ones() {
    for word in [Word::Cons, Word::Crst, Word::Dirs, Word::Dump, Word::Gtmk, Word::Isro, Word::Ruok, Word::Srst] {
        assert_eq!(ours(word, &facts()), recorded(word), "{}", word.name());
    }
    for word in [Word::Stmk, Word::Wchc, Word::Wchs] {
        assert_eq!(ours(word, &facts()), recorded(word), "{}", word.name());
    }
    let fresh = Snapshot { received: 1, sent: 1, latency: Latency::default(), ..facts() };
    assert_eq!(ours(Word::Srvr, &fresh), recorded(Word::Srvr));
}

/// stat was asked over another connection than cons.
#[test]
fn stat_is_srvr_with_clients() {
    let mut server = facts();
    let connections = &mut server.connections;
    connections.retain(|connection| connection.peer.port() != 56544);
    connections.push(connection(56520, 0, (1, 0), None));
    assert_eq!(ours(Word::Stat, &server), recorded(Word::Stat));
}

/// ZooKeeper's order of paths is that of a hash table; ours is the alphabet's.
#[test]
fn wchp_has_the_recorded_lines() {
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(sorted(&ours(Word::Wchp, &facts())), sorted(&recorded(Word::Wchp)));
    assert!(ours(Word::Wchp, &facts()).starts_with("/app\n\t0x"));
    assert!(ours(Word::Wchp, &facts()).ends_with("\n\n"));
}

#[test]
fn conf_starts_with_the_recorded_lines() {
    let (ours, theirs) = (ours(Word::Conf, &facts()), recorded(Word::Conf).replace("/srv/zk", "/tmp/zkcap"));
    let own = ours.strip_prefix(&theirs).unwrap_or_else(|| panic!("{ours}\ndoes not start with\n{theirs}"));
    assert!(own.contains("log.durability=always\n") && own.contains("profile=shared\n"), "{own}");
}

/// Every line that ZooKeeper has, in its order. Values differ: there is no Java here.
#[test]
fn envi_has_the_recorded_names_in_their_order() {
    let names =
        |text: &str| text.lines().map(|line| line.split('=').next().unwrap_or_default().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&ours(Word::Envi, &facts())), names(&recorded(Word::Envi)));
}

#[test]
fn mntr_has_the_recorded_gauges() {
    let recorded = recorded(Word::Mntr);
    let known: BTreeSet<&str> = recorded.lines().filter_map(|line| line.split('\t').next()).collect();
    let ours = ours(Word::Mntr, &facts());
    let mut lines = ours.lines();
    assert_eq!(lines.next().map(str::to_owned), recorded.lines().next().map(str::to_owned), "the version line");
    assert_eq!(lines.next(), Some("zk_server_state\tstandalone"));
    let values: Vec<(&str, &str)> = lines.map(|line| line.split_once('\t').unwrap()).collect();
    let order = |names: Vec<&str>| names.into_iter().take(24).map(str::to_owned).collect::<Vec<_>>();
    let theirs = recorded.lines().skip(2).filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(order(values.iter().map(|(name, _)| *name).collect()), order(theirs), "gauges first, in their order");
    // Those of 3.9, which is younger than what was recorded.
    let later = |name: &str| ["restore_", "snapshot_error", "snapshot_rate"].iter().any(|part| name.contains(part));
    for (name, value) in values {
        assert!(known.contains(name) || later(name), "ZooKeeper has no {name}");
        assert!(value.parse::<f64>().is_ok(), "{name} = {value}");
    }
    assert!(ours.contains("zk_avg_latency\t1.8182\n") && ours.contains("zk_znode_count\t9\n"), "{ours}");
}

#[test]
fn words_outside_the_whitelist_and_servers_that_do_not_serve() {
    let admitted = Whitelist::parse("isro,ruok");
    let ask = |word, server: Option<&Snapshot>| answer(word, 0, admitted, &Environment::default(), server);
    assert_eq!(ask(Word::Mntr, None), "mntr is not executed because it is not in the whitelist.\n");
    assert_eq!(ask(Word::Srvr, None), "This ZooKeeper instance is not currently serving requests\n");
    assert_eq!(ask(Word::Isro, None), "null");
    assert_eq!(ask(Word::Ruok, None), "imok");
    assert_eq!(ask(Word::Isro, Some(&Snapshot { mode: Mode::ReadOnly, ..facts() })), "ro");
}

#[test]
fn read_only_servers_say_so_and_digests_are_listed() {
    let server = Snapshot { mode: Mode::ReadOnly, digests: vec![(Zxid(0x1f), 42), (Zxid(0x20), u64::MAX)], ..facts() };
    let srvr = ours(Word::Srvr, &server);
    assert_eq!(srvr.lines().nth(1), Some("READ-ONLY mode; serving only read-only clients"));
    assert!(srvr.contains("Mode: read-only\n"));
    assert_eq!(ours(Word::Hash, &server), "1f: 42\n20: 18446744073709551615\n");
}

#[test]
fn hot_paths_are_lines_whatever_clients_ask_for() {
    assert_eq!(ours(Word::Hotp, &Snapshot::default()), "reads_per_second\twrites_per_second\tpath\n");
    let of_path = |path: &str, reads, writes| HotPath { path: path.into(), reads, writes, missed: 0 };
    let hot = HotPaths::new(
        vec![of_path("/a b", 1, 1), of_path("/odd\n\tpath", 0, 3), of_path("/once", 1, 0)],
        Duration::from_secs(4),
    );
    let server = Snapshot { hot, ..Snapshot::default() };
    assert!(ours(Word::Hotp, &server).ends_with("path\n0\t24\t/odd\\n\\tpath\n8\t8\t/a b\n"));
}

/// No fact may change which lines there are in the answers that need none.
#[test]
fn an_empty_server_answers_every_word() {
    for word in Word::ALL {
        let text = ours(word, &Snapshot::default());
        assert!(word == Word::Hash || !text.is_empty(), "{}", word.name());
    }
}

/// The leader of three, of which one is an observer.
fn leader() -> Snapshot {
    let lines = "server.1=a:2888:3888\nserver.2=b:2888:3889;2182\nserver.3=c:2888:3888:observer\n";
    let file = format!("dataDir=/nowhere\nserver.id=1\n{lines}").into_bytes();
    let (config, _) = Config::load(&Inputs { file: Some(("zoo.cfg".into(), file)), ..Inputs::default() }, 2).unwrap();
    Snapshot {
        mode: Mode::Leader,
        server_id: 1,
        ensemble: config.ensemble.map(Arc::new),
        settings: Arc::new(config.settings),
        ..Snapshot::default()
    }
}

#[test]
fn members_of_an_ensemble_tell_who_else_is_in_it() {
    let conf = ours(Word::Conf, &leader());
    let expected = "serverId=1\ninitLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort=3888\nquorumPort=2888\npeerType=0\n\
        membership: \nserver.1=a:2888:3888:participant\nserver.2=b:2888:3889:participant;0.0.0.0:2182\n\
        server.3=c:2888:3888:observer\nversion=0\n";
    assert!(conf.contains(expected), "{conf}");
    let mntr = ours(Word::Mntr, &leader());
    for line in ["zk_peer_state\tleading - broadcast\n", "zk_quorum_size\t2\n", "zk_synced_followers\t0\n"] {
        assert!(mntr.contains(line), "{mntr}");
    }
    assert!(ours(Word::Srvr, &leader()).ends_with("Node count: 1\nProposal sizes last/min/max: -1/-1/-1\n"));
}

#[test]
fn a_follower_knows_timeouts_and_not_when_sessions_end() {
    let server = Snapshot { mode: Mode::Follower, session_timeouts: vec![(FIRST, 30_000)], ..leader() };
    let dump = ours(Word::Dump, &server);
    let expected = "SessionTracker dump:\nGlobal Sessions(1):\n0x10000171aa20000\t30000ms\nephemeral nodes dump:\n";
    assert!(dump.starts_with(expected), "{dump}");
}
