//! Places where settings are given, and which of them counts.

use super::tests::{load, refused, valid};
use super::*;

fn of(file: &str, env: &[(&str, &str)]) -> (Config, Vec<String>) {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let file = Some((PathBuf::from("zoo.cfg"), file.as_bytes().to_vec()));
    let (config, problems) = Config::load(&Inputs { file, env, flags: Vec::new() }, 1).unwrap();
    (config, problems.warnings.iter().map(ToString::to_string).collect())
}

#[test]
fn flags_for_java_count_less_than_the_file() {
    let flags = "-Xmx2g -Dzookeeper.snapCount=7 -Djute.maxbuffer=8192 '-Dzookeeper.4lw.commands.whitelist=ruok, stat' \
                 -Djava.security.auth.login.config=/x -Dcom.sun.management.jmxremote";
    let (config, warnings) = of("dataDir=/d\nzookeeper.snapCount=9\n", &[("SERVER_JVMFLAGS", flags)]);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!((config.snapshots.every_transactions, config.clients.max_frame), (9, 8192));
    assert_eq!(
        config.settings.given(&table::MAX_BUFFER).unwrap().source.to_string(),
        "environment SERVER_JVMFLAGS, -Djute.maxbuffer"
    );
    assert_eq!(config.settings.text(&table::WORDS_WHITELIST), Some("ruok, stat"));
}

#[test]
fn the_later_of_two_flags_for_java_wins_as_in_zookeepers_scripts() {
    let env = [("JVMFLAGS", "-Dzookeeper.snapCount=5"), ("SERVER_JVMFLAGS", "-Dzookeeper.snapCount=6")];
    let (config, warnings) = of("dataDir=/d", &env);
    assert_eq!((config.snapshots.every_transactions, warnings.len()), (5, 1));
    assert!(warnings[0].contains("is given twice"), "{warnings:?}");
    let (_, warnings) = of("dataDir=/d", &[("JVMFLAGS", "-Dzookeeper.snapcount=5 \"unbalanced")]);
    assert!(warnings[0].ends_with("did you mean snapCount?"), "{warnings:?}");
}

#[test]
fn members_from_the_environment() {
    let env = [
        ("RINGKEEPER_SERVER_1", "a:1:2"),
        ("RINGKEEPER_SERVER_2", "b:1:2"),
        ("RINGKEEPER_SERVER_ID", "2"),
        ("RINGKEEPER_DATA_DIR", "/nowhere/of/ringkeeper"),
    ];
    let (config, warnings) = of("", &env);
    assert_eq!(config.ensemble.unwrap().me().peer_text(), "b:1");
    assert!(warnings.iter().all(|warning| warning.contains("2 voters")), "{warnings:?}");
}

#[test]
fn members_in_a_file_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("zoo.cfg.dynamic");
    let data = format!("dataDir=/nowhere/of/ringkeeper\nserver.id=3\ndynamicConfigFile={}", path.display());
    let with = |text: &str, more: &str| {
        std::fs::write(&path, text).unwrap();
        load(&format!("{data}\n{more}"), &[])
    };
    let lines = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2;2199\nversion=100000000\n";
    let (config, problems) = with(lines, "").unwrap();
    assert_eq!((config.ensemble.unwrap().members.len(), config.clients.address.port), (3, 2199));
    assert_eq!(problems, Problems::default());

    let errors = |text: &str, more: &str| -> Vec<String> {
        let problems = with(text, more).unwrap_err();
        problems.errors.iter().map(|problem| problem.to_string().replace(dir.path().to_str().unwrap(), "DIR")).collect()
    };
    assert_eq!(
        errors(&format!("{lines}tickTime=5"), ""),
        ["DIR/zoo.cfg.dynamic:5: tickTime does not belong into dynamicConfigFile; move it to the configuration file"]
    );
    assert_eq!(errors(lines, "server.1=x:1:2")[0], {
        "DIR/zoo.cfg.dynamic:1: server.1 stands in the configuration file too; keep the server lines in one of the two files"
    });
    assert!(
        errors("server.1=a", "").iter().any(|said| said.starts_with("DIR/zoo.cfg.dynamic:1: server.1=a has no port"))
    );
    std::fs::remove_file(&path).unwrap();
    let problems = load(&data, &[]).unwrap_err();
    assert!(problems.errors[0].to_string().contains("cannot be read: No such file"), "{problems}");
}

#[test]
fn two_servers_of_one_number() {
    assert!(refused("dataDir=/d\nserver.1=a:1:2\nserver.1=b:1:2").contains(&{
        "zoo.cfg:3: server.1=b:1:2 has the number of another line (zoo.cfg:2); give each server a number of its own"
            .to_owned()
    }));
    assert!(valid("dataDir=/d\nserver.1=a:1:2\nserver.1=a:1:2").1[0].contains("given twice"));
}

#[test]
fn files_that_are_no_text_and_files_of_another_encoding() {
    let read =
        |bytes: &[u8]| Config::load(&Inputs { file: Some(("zoo.cfg".into(), bytes.to_vec())), ..Inputs::default() }, 1);
    let errors = read(b"\xff\xfed\0a\0t\0a\0").unwrap_err().errors;
    assert_eq!(
        errors[0].to_string(),
        "zoo.cfg:1: there is a zero byte: this is not a text file, or it is in UTF-16; \
         give a text file in UTF-8, with one key=value a line"
    );
    let (config, problems) = read(b"tickTime=5\ndataDir=/d\xe4t\n").unwrap();
    assert_eq!(config.data.dir, PathBuf::from("/dät"));
    assert!(problems.warnings[0].to_string().starts_with("zoo.cfg:2: the file is not UTF-8"), "{problems}");
}
