//! Every command with its flags, and what is refused.

use super::*;
use crate::words;
use ringkeeper_client::Acl;

fn given(line: &str) -> Result<Given, ParseError> {
    parse(&words::split(line).unwrap())
}

fn command(line: &str) -> Command {
    given(line).unwrap_or_else(|error| panic!("{line}: {error}")).command
}

fn refusal(line: &str) -> String {
    match given(line) {
        Ok(given) => panic!("{line}: {given:?}"),
        Err(error) => error.to_string(),
    }
}

fn path() -> String {
    "/a".to_owned()
}

fn create(data: Option<&str>, acl: Option<Vec<Acl>>, mode: CreateMode) -> Command {
    Command::Create { path: path(), data: data.map(|data| data.as_bytes().to_vec()), acl, mode }
}

#[test]
fn commands_that_read() {
    let get = |watch, stat, form| Command::Get { path: path(), watch, stat, form };
    let ls = |watch, stat, recursive| Command::Ls { path: path(), watch, stat, recursive };
    let cases = [
        ("get /a", get(false, false, Form::Plain)),
        ("get -s -w /a", get(true, true, Form::Plain)),
        ("get -sw /a", get(true, true, Form::Plain)),
        ("get /a -b", get(false, false, Form::Base64)),
        ("get -x /a", get(false, false, Form::Hex)),
        ("get -b -x /a", get(false, false, Form::Hex)),
        ("ls /a", ls(false, false, false)),
        ("ls -s -w /a", ls(true, true, false)),
        ("ls -R /a", ls(false, false, true)),
        ("stat /a", Command::Stat { path: path(), watch: false }),
        ("stat -w /a", Command::Stat { path: path(), watch: true }),
        ("getAcl -s /a", Command::GetAcl { path: path(), stat: true }),
        ("getAllChildrenNumber /a", Command::GetAllChildrenNumber { path: path() }),
        ("getEphemerals", Command::GetEphemerals { path: "/".to_owned() }),
        ("getEphemerals /a", Command::GetEphemerals { path: path() }),
        ("listquota /a", Command::ListQuota { path: path() }),
        ("config -c -w -s", Command::Config { client: true, watch: true, stat: true }),
        ("config", Command::Config { client: false, watch: false, stat: false }),
        ("sync /a", Command::Sync { path: path() }),
        ("whoami", Command::WhoAmI),
    ];
    for (line, expected) in cases {
        assert_eq!(command(line), expected, "{line}");
    }
}

#[test]
fn commands_that_write() {
    let set = |data: &str, version, stat| Command::Set { path: path(), data: data.as_bytes().to_vec(), version, stat };
    let ttl = Duration::from_millis(500);
    let acl = || vec![Acl { perms: 1, scheme: "world".to_owned(), id: "anyone".to_owned() }];
    let set_acl = |version, stat, recursive| Command::SetAcl { path: path(), acl: acl(), version, stat, recursive };
    let cases = [
        ("create /a", create(None, None, CreateMode::Persistent)),
        ("create /a ''", create(Some(""), None, CreateMode::Persistent)),
        ("create /a 'x y' world:anyone:r", create(Some("x y"), Some(acl()), CreateMode::Persistent)),
        ("create -s /a x", create(Some("x"), None, CreateMode::PersistentSequential)),
        ("create -e /a", create(None, None, CreateMode::Ephemeral)),
        ("create -s -e /a", create(None, None, CreateMode::EphemeralSequential)),
        ("create -c /a", create(None, None, CreateMode::Container)),
        ("create -t 500 /a", create(None, None, CreateMode::Ttl(ttl))),
        ("create -s -t 500 /a", create(None, None, CreateMode::SequentialTtl(ttl))),
        ("create /a -- -e", create(Some("-e"), None, CreateMode::Persistent)),
        ("create /a -1", create(Some("-1"), None, CreateMode::Persistent)),
        ("set /a x", set("x", -1, false)),
        ("set -s -v 3 /a x", set("x", 3, true)),
        ("set /a x -v -1", set("x", -1, false)),
        ("set -b /a eCB5", set("x y", -1, false)),
        ("setAcl /a world:anyone:r", set_acl(-1, false, false)),
        ("setAcl -s -v 2 -R /a world:anyone:r", set_acl(2, true, true)),
        ("delete /a", Command::Delete { path: path(), version: -1 }),
        ("delete -v 3 /a", Command::Delete { path: path(), version: 3 }),
        ("delete /a 3", Command::Delete { path: path(), version: 3 }),
        ("deleteall /a", Command::DeleteAll { path: path(), batch: 1000 }),
        ("deleteall /a -b 5", Command::DeleteAll { path: path(), batch: 5 }),
        ("deleteall /a -b 0", Command::DeleteAll { path: path(), batch: 1 }),
        ("setquota -n 5 /a", Command::SetQuota { path: path(), limit: Limit::Count, value: 5 }),
        ("setquota -b 0 /a", Command::SetQuota { path: path(), limit: Limit::Bytes, value: 0 }),
        ("setquota -N 5 /a", Command::SetQuota { path: path(), limit: Limit::CountHard, value: 5 }),
        ("setquota -B 5 /a", Command::SetQuota { path: path(), limit: Limit::BytesHard, value: 5 }),
        ("delquota /a", Command::DelQuota { path: path(), limit: None }),
        ("delquota -B /a", Command::DelQuota { path: path(), limit: Some(Limit::BytesHard) }),
    ];
    for (line, expected) in cases {
        assert_eq!(command(line), expected, "{line}");
    }
}

#[test]
fn commands_on_watches_the_session_and_the_ensemble() {
    let remove = |removal, local| Command::RemoveWatches { path: path(), removal, local };
    let step = |joining: Option<&str>, leaving: Option<&str>| Membership::Step {
        joining: joining.map(str::to_owned),
        leaving: leaving.map(str::to_owned),
    };
    let reconfig = |change, version, stat| Command::Reconfig { change, version, stat };
    let cases = [
        ("addWatch /a", Command::AddWatch { path: path(), recursive: true }),
        ("addWatch -m persistent /a", Command::AddWatch { path: path(), recursive: false }),
        ("removewatches /a", remove(Removal::Any, false)),
        ("removewatches /a -c -l", remove(Removal::Children, true)),
        ("removewatches -d /a", remove(Removal::Data, false)),
        ("removewatches -p /a", remove(Removal::Persistent, false)),
        ("removewatches -r /a", remove(Removal::PersistentRecursive, false)),
        ("removewatches -a /a", remove(Removal::Any, false)),
        ("printwatches", Command::PrintWatches { on: None }),
        ("printwatches on", Command::PrintWatches { on: Some(true) }),
        ("printwatches off", Command::PrintWatches { on: Some(false) }),
        ("addauth digest u:p", Command::AddAuth { scheme: "digest".to_owned(), auth: "u:p".to_owned() }),
        ("addauth x509", Command::AddAuth { scheme: "x509".to_owned(), auth: String::new() }),
        ("close", Command::Close),
        ("connect", Command::Connect { servers: None }),
        ("connect h:1", Command::Connect { servers: Some("h:1".to_owned()) }),
        ("history", Command::History),
        ("redo 3", Command::Redo { number: 3 }),
        ("quit", Command::Quit),
        ("exit", Command::Quit),
        ("version", Command::Version),
        ("help ls", Command::Help { command: Some("ls".to_owned()) }),
        ("reconfig -add server.5=H:1:2;3", reconfig(step(Some("server.5=h:1:2;3"), None), -1, false)),
        ("reconfig -s -v 1f -remove 1,2 -add x=1 -add y=2", reconfig(step(Some("x=1,y=2"), Some("1,2")), 0x1f, true)),
        ("reconfig -members a=1", reconfig(Membership::Members("a=1".to_owned()), -1, false)),
        ("reconfig -file /f", reconfig(Membership::File("/f".to_owned()), -1, false)),
    ];
    for (line, expected) in cases {
        assert_eq!(command(line), expected, "{line}");
    }
}

#[test]
fn what_is_wrong_is_said_in_zookeepers_words_where_it_has_some() {
    let cases = [
        ("create -c -e /a", "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential."),
        ("create -t x /a", "-t argument must be a long value"),
        ("create -e -t 1 /a", "TTLs cannot be used with Ephemeral znodes"),
        ("create -c -t 1 /a", "TTLs cannot be used with Container znodes"),
        ("create -t 0 /a", "ttl must be positive and cannot be larger than: 1099511627775"),
        ("create /a x bogus", "bogus does not have the form scheme:id:perm"),
        ("setAcl /a world:anyone:rz", "Unknown perm type: z"),
        ("deleteall /a -b x", "-b argument must be an int value"),
        ("setquota -n 0 /a", "the num quota must be greater than zero"),
        ("setquota -n x /a", "NumberFormatException happens when parsing the option value"),
        ("reconfig -file /f -members a", "Can't use -file and -members together (conflicting non-incremental modes)"),
        ("reconfig -v xyz -remove 1", "-v must be followed by a long (configuration version)"),
        ("ls -z /a", "Unrecognized option: -z"),
        ("set /a x -v", "Missing argument for option: v"),
        ("frobnicate", "Command not found: frobnicate"),
    ];
    for (line, expected) in cases {
        assert_eq!(refusal(line), expected, "{line}");
    }
}

#[test]
fn what_is_missing_is_named_and_the_usage_shown() {
    for spec in COMMANDS.iter().filter(|spec| spec.synopsis.contains(" path") || spec.synopsis.starts_with("path")) {
        let error = given(spec.name).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{} needs ", spec.name)), "{error}");
        assert!(error.hint().starts_with(&format!("usage: {} ", spec.name)), "{}", error.hint());
    }
    assert_eq!(refusal("set /a"), "set needs data ('' for none)");
    assert_eq!(refusal("addWatch /a /b"), "there is one word too many: /b");
    assert_eq!(refusal("redo"), "redo needs the number of a command");
    assert_eq!(refusal("redo x"), "'x' is not the number of a command");
    assert_eq!(refusal("set /a x -v y"), "'y' is not a version");
    assert!(refusal("set -b /a @@").starts_with("the data is not base64"));
}

#[test]
fn slips_get_a_hint() {
    let hint = |line: &str| given(line).unwrap_err().hint();
    assert!(hint("getacl /a").starts_with("did you mean `getAcl`?"));
    assert!(hint("ls -r /a").starts_with("did you mean -R? usage: ls"));
    assert!(hint("delete -R /a").starts_with("usage: delete"));
    assert_eq!(hint("frobnicate"), "`help` lists the commands");
}

#[test]
fn the_old_ways_are_understood_with_advice() {
    for line in ["ls /a true", "get /a 1", "stat /a watch"] {
        let given = given(line).unwrap();
        assert!(given.notice.is_some_and(|notice| notice.contains("has been deprecated")), "{line}");
        assert!(format!("{:?}", given.command).contains("watch: true"), "{line}");
    }
    assert_eq!(given("delete /a").unwrap().notice, None);
}
