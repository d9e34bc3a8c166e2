//! Configurations as administrators write them, and what is said about the wrong ones.

use super::*;

/// A file with the given text, and flags as `key=value`.
pub(super) fn load(text: &str, flags: &[(&str, &str)]) -> Result<(Config, Problems), Problems> {
    let flags = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned(), format!("--set {key}")));
    let file = Some((PathBuf::from("zoo.cfg"), text.as_bytes().to_vec()));
    Config::load(&Inputs { file, env: Vec::new(), flags: flags.collect() }, 2)
}

pub(super) fn valid(text: &str) -> (Config, Vec<String>) {
    let (config, problems) = load(text, &[]).unwrap_or_else(|problems| panic!("{text:?} is refused:\n{problems}"));
    (config, problems.warnings.iter().map(ToString::to_string).collect())
}

pub(super) fn refused(text: &str) -> Vec<String> {
    match load(text, &[]) {
        Ok(_) => panic!("{text:?} is accepted"),
        Err(problems) => problems.errors.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn zookeepers_sample_file() {
    let (config, warnings) = valid(
        "# The number of milliseconds of each tick\ntickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/tmp/zookeeper\n\
         clientPort=2181\n#maxClientCnxns=60\n#autopurge.snapRetainCount=3\n",
    );
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(config.data.dir, PathBuf::from("/tmp/zookeeper"));
    assert_eq!(config.data.log_dir, config.data.dir);
    assert_eq!(config.clients.address.port, 2181);
    assert_eq!(config.sessions.tick, Duration::from_millis(2000));
    assert_eq!(config.sessions.min_timeout, Duration::from_millis(4000));
    assert_eq!(config.sessions.max_timeout, Duration::from_millis(40_000));
    assert_eq!(config.limits.connections_per_address, Some(60));
    assert_eq!(config.limits.connections, None);
    assert_eq!(config.clients.max_frame, 0xfffff);
    assert_eq!(config.log.durability, Durability::Always);
    assert_eq!(config.executors.profile, Profile::Shared);
    assert_eq!(config.log.driver, LogDriver::Auto);
}

#[test]
fn a_data_directory_is_enough() {
    let inputs = Inputs { flags: vec![("dataDir".into(), "/d".into(), "--data-dir".into())], ..Inputs::default() };
    let (config, problems) = Config::load(&inputs, 8).unwrap();
    assert_eq!(problems, Problems::default());
    assert_eq!((config.clients.address.port, config.clients.address.host.as_deref()), (2181, None));
    assert_eq!(config.executors, Executors { profile: Profile::Shared, client_cores: 0 });
    assert_eq!(config.log.driver, LogDriver::Auto);
    let problems = Config::load(&Inputs::default(), 8).unwrap_err();
    assert_eq!(problems.errors.len(), 1);
    assert_eq!(
        problems.errors[0].to_string(),
        "dataDir is not set; give --data-dir DIR, or dataDir=DIR in the configuration file"
    );
}

#[test]
fn flag_over_environment_over_file_over_default() {
    let layers = |flag: bool, env: bool, file: bool| {
        let inputs = Inputs {
            file: Some((
                "zoo.cfg".into(),
                if file { b"dataDir=/d\ntickTime=1".to_vec() } else { b"dataDir=/d".to_vec() },
            )),
            env: if env { vec![("RINGKEEPER_TICK_TIME".into(), "2".into())] } else { vec![] },
            flags: if flag { vec![("tickTime".into(), "3".into(), "--tick-time".into())] } else { vec![] },
        };
        let (config, problems) = Config::load(&inputs, 1).unwrap();
        assert_eq!(problems, Problems::default());
        let shown = config.settings.effective().into_iter().find(|setting| setting.name == "tickTime").unwrap();
        (shown.value, shown.source.to_string())
    };
    let check = |flag, env, file, value: &str, source: &str| {
        assert_eq!(layers(flag, env, file), (value.to_owned(), source.to_owned()));
    };
    check(true, true, true, "3", "flag --tick-time");
    check(false, true, true, "2", "environment RINGKEEPER_TICK_TIME");
    check(false, false, true, "1", "zoo.cfg:2");
    check(false, false, false, "3000", "default");
}

#[test]
fn wrong_values_are_refused_with_place_reason_and_remedy() {
    let errors =
        refused("dataDir=/d\n\ntickTime=2s\nclientPort=99999\nenforceQuota=1\nlog.durability=never\ndataLogDir=\n");
    assert_eq!(
        errors,
        [
            "zoo.cfg:3: tickTime=2s is not a whole number; give a whole number from 1 to 600000 (ms), for example tickTime=3000",
            "zoo.cfg:4: clientPort=99999 is more than 65535; give a whole number from 0 to 65535, for example clientPort=2181",
            "zoo.cfg:5: enforceQuota=1 is neither true nor false; give true or false, for example enforceQuota=false",
            "zoo.cfg:6: log.durability=never is neither always nor interval:<ms> nor os; \
         give always | interval:<ms> | os, for example log.durability=always",
            "zoo.cfg:7: dataLogDir= is empty; give a path, for example dataLogDir=/var/lib/ringkeeper",
        ]
    );
    assert_eq!(
        refused("dataDir=\\u00"),
        [
            "zoo.cfg:1: `\\u` must be followed by four hexadecimal digits; write a backslash as \\\\",
            "dataDir is not set; give --data-dir DIR, or dataDir=DIR in the configuration file",
        ]
    );
}

#[test]
fn unknown_names_are_warned_about_with_the_one_that_was_meant() {
    let (_, warnings) = valid("dataDir=/d\nticktime=5\nzookeeper.snapcount=7\njava.security.auth.login.config=/x\n");
    assert_eq!(
        warnings,
        [
            "zoo.cfg:2: ticktime is not a known setting; did you mean tickTime?",
            "zoo.cfg:3: zookeeper.snapcount is not a known setting; did you mean snapCount?",
            "zoo.cfg:4: java.security.auth.login.config is not a known setting; remove it",
        ]
    );
    let problems = load("dataDir=/d", &[("tickTme", "5")]).unwrap_err();
    assert_eq!(
        problems.errors[0].to_string(),
        "flag --set tickTme: tickTme is not a known setting; did you mean tickTime?"
    );
    let env = vec![("RINGKEEPER_TICKTIME".to_owned(), "1".to_owned()), ("HOME".to_owned(), "/".to_owned())];
    let file = Some(("f".into(), b"dataDir=/d".to_vec()));
    let (_, problems) = Config::load(&Inputs { file, env, flags: vec![] }, 1).unwrap();
    assert_eq!(problems.warnings.len(), 1);
    assert!(problems.warnings[0].to_string().ends_with("did you mean RINGKEEPER_TICK_TIME?"), "{problems}");
}

#[test]
fn the_prefix_of_java_properties_may_stand_or_not() {
    let (config, warnings) = valid("dataDir=/d\nzookeeper.snapCount=7\nzookeeper.jute.maxbuffer=0x3fffff\n");
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!((config.snapshots.every_transactions, config.clients.max_frame), (7, 0x3f_ffff));
}

#[test]
fn the_last_of_two_lines_wins_and_is_warned_about() {
    let (config, warnings) = valid("dataDir=/d\ntickTime=5\nzookeeper.tickTime=6\n");
    assert_eq!(config.sessions.tick, Duration::from_millis(6));
    assert_eq!(warnings, ["zoo.cfg:3: tickTime=6 is given twice; zoo.cfg:2 is overruled; keep one of them"]);
}

#[test]
fn the_profile_decides_how_many_executors_serve_clients() {
    let check = |text: &str, cores, profile, client_cores, from: &str| {
        let file = Some(("f".into(), format!("dataDir=/d\n{text}").into_bytes()));
        let (config, _) = Config::load(&Inputs { file, ..Inputs::default() }, cores).unwrap();
        assert_eq!(config.executors, Executors { profile, client_cores }, "{text}");
        let source = config.settings.given(&table::CLIENT_CORES).unwrap().source.to_string();
        assert_eq!(source, from);
    };
    check("", 16, Profile::Shared, 0, "profile=shared, 16 cores");
    check("profile=dedicated", 1, Profile::Dedicated, 1, "profile=dedicated, 1 cores");
    check("profile=dedicated", 6, Profile::Dedicated, 3, "profile=dedicated, 6 cores");
    check("profile=dedicated", 64, Profile::Dedicated, 8, "profile=dedicated, 64 cores");
    check("profile=dedicated\nclient.cores=0", 6, Profile::Dedicated, 0, "f:3");
}

#[test]
fn settings_that_contradict_each_other() {
    let check = |text: &str, said: &str| assert_eq!(refused(&format!("dataDir=/d\n{text}")), [said]);
    check("maxSessionTimeout=1000", {
        "zoo.cfg:2: minSessionTimeout=6000 is larger than maxSessionTimeout=1000; raise the one or lower the other"
    });
    check("log.segment.bytes=1048576\nlog.batch.max.bytes=2097152", {
        "zoo.cfg:3: log.batch.max.bytes=2097152 is more than log.segment.bytes=1048576; raise the one or lower the other"
    });
    check("largeRequestMaxBytes=1000\nlargeRequestThreshold=1000", {
        "zoo.cfg:3: largeRequestThreshold=1000 lets no large request through: largeRequestMaxBytes=1000 is not more; \
         raise the one or lower the other"
    });
    // The longest request that is taken is as long as jute.maxbuffer.
    for (threshold, acts) in [(8191, true), (8192, false), (8193, false)] {
        let (_, warnings) = valid(&format!("dataDir=/d\njute.maxbuffer=8192\nlargeRequestThreshold={threshold}"));
        let told = warnings.iter().any(|warning| warning.contains("never acts"));
        assert_eq!(told, !acts, "{threshold}: {warnings:?}");
    }
}

#[test]
fn limits_are_numbers_or_none() {
    let (config, warnings) = valid(
        "dataDir=/d\nglobalOutstandingLimit=500\nrequest_throttle_max_requests=300\nconnection_throttle_tokens=9\n\
         connection_throttle_fill_time=7\nlargeRequestThreshold=100\nsessions.max=4\nmemory.refuse.percent=80\n\
         nio.sessionlessCnxnTimeout=1234\nconnection_throttle_fill_count=3\n",
    );
    assert_eq!(warnings, Vec::<String>::new());
    let clients = &config.limits.clients;
    assert_eq!((clients.pending, clients.connection_pending, clients.pending_bytes), (300, 1000, 64 << 20));
    assert_eq!((clients.large_request, clients.large_bytes), (100, 104_857_600));
    assert_eq!((clients.sessions, clients.watches), (4, usize::MAX));
    assert_eq!((clients.connects.tokens, clients.connects.fill_time), (9, Duration::from_millis(7)));
    assert_eq!((clients.connects.fill_count, clients.sessionless_timeout), (3, Duration::from_millis(1234)));
    assert_eq!(config.limits.memory, Memory { bytes: None, percent: 80 });
    let (config, _) = valid(
        "dataDir=/d\noutstanding.bytes=70000000\nlargeRequestMaxBytes=5000\nlargeRequestThreshold=100\n\
         connection.outstanding.requests=7\nwatches.max=8\nconnection.watches.max=5\nmemory.limit.bytes=1000000\n",
    );
    let clients = &config.limits.clients;
    assert_eq!((clients.pending_bytes, clients.large_bytes), (70_000_000, 5000));
    assert_eq!((clients.connection_pending, clients.watches, clients.connection_watches), (7, 8, 5));
    assert_eq!(config.limits.memory.bytes, Some(1_000_000));
    let none = valid("dataDir=/d").0.limits;
    assert_eq!((none.clients.pending, none.clients.large_request, none.clients.sessions), {
        (usize::MAX, usize::MAX, usize::MAX)
    });
    assert_eq!(none.clients.connects.tokens, 0);
}

#[test]
fn session_limits_follow_the_tick_unless_given_and_must_not_cross() {
    let (config, _) = valid("dataDir=/d\ntickTime=100\nminSessionTimeout=-1\nmaxSessionTimeout=9000\n");
    assert_eq!(config.sessions.min_timeout, Duration::from_millis(200));
    assert_eq!(config.sessions.max_timeout, Duration::from_millis(9000));
    assert_eq!(
        refused("dataDir=/d\nminSessionTimeout=9000\nmaxSessionTimeout=8000"),
        ["zoo.cfg:2: minSessionTimeout=9000 is larger than maxSessionTimeout=8000; raise the one or lower the other"]
    );
}

#[test]
fn force_sync_is_durability_by_another_name() {
    let (config, warnings) = valid("dataDir=/d\nforceSync=no");
    assert_eq!(config.log.durability, Durability::Os);
    assert!(warnings[0].contains("lose acknowledged writes"), "{warnings:?}");
    let (config, warnings) = valid("dataDir=/d\nforceSync=no\nlog.durability=interval:10");
    assert_eq!(config.log.durability, Durability::Interval(Duration::from_millis(10)));
    assert!(warnings[0].contains("overruled"), "{warnings:?}");
    let (config, warnings) = valid("dataDir=/d\nforceSync=yes");
    assert_eq!((config.log.durability, warnings.len()), (Durability::Always, 0));
}

#[test]
fn what_would_weaken_security_is_refused_and_the_rest_only_warned_about() {
    for text in ["quorum.auth.enableSasl=true", "sessionRequireClientSASLAuth=true", "authProvider.1=x", {
        "zookeeper.DigestAuthenticationProvider.digestAlg=SHA-256"
    }] {
        assert!(refused(&format!("dataDir=/d\n{text}"))[0].contains("cannot be honoured"), "{text}");
    }
    for text in [
        "sslQuorum=false",
        "peerType=participant",
        "standaloneEnabled=true",
        "electionAlg=3",
        "admin.enableServer=false",
    ] {
        assert_eq!(valid(&format!("dataDir=/d\n{text}")).1, Vec::<String>::new(), "{text}");
    }
    for text in ["admin.httpVersion=2", "nio.numWorkerThreads=4", "autopurge.purgeInterval=24", "preAllocSize=65536"] {
        let (_, warnings) = valid(&format!("dataDir=/d\n{text}"));
        assert!(warnings[0].contains("has no effect"), "{warnings:?}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let digest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
    let (config, warnings) = valid(&format!("dataDir=/d\nDigestAuthenticationProvider.superDigest={digest}"));
    assert_eq!(config.access.super_digest.as_deref(), Some(digest));
    assert_eq!(warnings.len(), 0);
    assert!(config.settings.effective().iter().all(|setting| !setting.value.contains("D/In")));
    let errors = refused("dataDir=/d\nDigestAuthenticationProvider.superDigest=super:hunter2");
    assert!(!errors[0].contains("hunter2") && errors[0].contains("plain password"), "{errors:?}");
}

#[test]
fn enforced_authentication_needs_schemes() {
    assert!(refused("dataDir=/d\nenforce.auth.enabled=true")[0].contains("enforce.auth.schemes"));
    let (config, _) = valid("dataDir=/d\nenforce.auth.enabled=true\nenforce.auth.schemes=digest, ip");
    assert_eq!(config.access.required_schemes, Some(vec!["digest".to_owned(), "ip".to_owned()]));
    let (config, _) = valid("dataDir=/d\nenforce.auth.schemes=digest");
    assert_eq!(config.access.required_schemes, None);
    let (config, warnings) = valid("dataDir=/d\nskipACL=yes");
    assert!(config.access.skip_acl && warnings[0].contains("lets every client do everything"), "{warnings:?}");
}

#[test]
fn segments_are_whole_blocks() {
    let bytes = |text: &str| valid(&format!("dataDir=/d\nlog.segment.bytes={text}")).0.log.segment_bytes;
    assert_eq!([bytes("67108864"), bytes("67108865")], [67_108_864, 67_112_960]);
}

#[test]
fn zero_means_no_limit_where_zookeeper_says_so() {
    let (config, warnings) = valid(
        "dataDir=/d\nmaxClientCnxns=0\nsnapSizeLimitInKb=0\nsnapshot.rate.bytes=0\n\
         znode.container.maxNeverUsedIntervalMs=0\nautopurge.snapRetainCount=1\nclientPortListenBacklog=-1",
    );
    assert_eq!(config.limits.connections_per_address, None);
    assert_eq!(config.clients.backlog, None);
    assert_eq!(
        config.snapshots,
        Snapshots { every_transactions: 100_000, every_log_bytes: None, retain: 3, max_rate: None, zstd_level: 1 }
    );
    assert_eq!(config.tree.container_max_never_used, None);
    assert!(warnings[0].contains("is too few; 3 are kept"), "{warnings:?}");
}

#[test]
fn addresses_to_listen_on() {
    let addresses = |text: &str| {
        let clients = valid(&format!("dataDir=/d\n{text}")).0.clients.address;
        (clients.to_string(), clients.resolve().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let check = |text, shown: &str, expected: &[&str]| {
        let (display, resolved) = addresses(text);
        assert_eq!(
            (display.as_str(), resolved.iter().map(String::as_str).collect::<Vec<_>>().as_slice()),
            (shown, expected)
        );
    };
    check("clientPort=7", "*:7", &["[::]:7", "0.0.0.0:7"]);
    check("clientPortAddress=127.0.0.1", "127.0.0.1:2181", &["127.0.0.1:2181"]);
    check("clientPortAddress=[::1]", "[::1]:2181", &["[::1]:2181"]);
    check("clientPortAddress=::1", "[::1]:2181", &["[::1]:2181"]);
}

/// Every setting, at an example of a value, is accepted from the file unless it is one of those that are refused.
#[test]
fn every_setting_of_the_table_is_accepted() {
    let files = [table::DYNAMIC_CONFIG_FILE.name];
    let refused = |key: &&key::Key| matches!(key.effect, key::Effect::Refused(_));
    for key in table::all().filter(|key| !refused(key) && !key.family && !files.contains(&key.name)) {
        let example = if key.example().is_empty() { "7" } else { key.example() };
        let schemes = match key.name {
            "enforce.auth.enabled" => "enforce.auth.schemes=ip\n",
            "secureClientPort" => "ssl.clientAuth=none\nssl.keyStore.location=/k\n",
            _ => "",
        };
        valid(&format!("dataDir=/d\n{schemes}{}={example}\n", key.name));
    }
}

#[test]
fn every_key_of_zookeeper_is_known() {
    let keys = include_str!("fixtures/zookeeper-keys.txt").lines().filter(|line| !line.starts_with('#'));
    let unknown: Vec<&str> = keys.filter(|key| table::find(key).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Hostile files end in problems, not in a panic.
#[test]
fn any_bytes_can_be_read() {
    let seeds: [&[u8]; 7] =
        [b"\0\xff\\", b"\\", b"\xff\xfe=\\u", b"server.=\nserver.1=", b"=\n:\n \\\n", b"dataDir", b"a=\\ud800"];
    for seed in seeds {
        let _ = Config::load(&Inputs { file: Some(("f".into(), seed.to_vec())), ..Inputs::default() }, 1);
    }
}
