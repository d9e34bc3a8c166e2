//! The table of admin commands, and how one is answered: names, fields and errors are ZooKeeper's (`Commands.java`).

use super::authorisation::Caller;
use super::desk::Desk;
use super::http::{Method, Request, Response, Status};
use super::upload::Upload;
use super::{json, restore, snapshot, transactions};
use crate::four_letter::{Needs, Reset, Snapshot};
use crate::spread::Errand;
use crate::turn::Words;
use serde_json::{Map, Value};

/// What a command is answered from.
pub(super) struct Asked<'a> {
    pub(super) server: &'a Snapshot,
    pub(super) words: &'a Words,
    pub(super) request: &'a Request,
}

/// Fields of an answer, or the text of its field `error`.
pub(super) type Fields = Result<Map<String, Value>, String>;

/// One command.
struct Command {
    /// The first is the one that the answer shows.
    names: &'static [&'static str],
    /// It is answered by a server that does not serve, too.
    always: bool,
    needs: Needs,
    errand: Option<Errand>,
    fields: fn(&Asked<'_>) -> Fields,
}

const NOTHING: Needs =
    Needs { connections: false, watches: false, sessions: false, directories: false, metrics: false, root_acl: false };
const CONNECTIONS: Needs = Needs { connections: true, ..NOTHING };
const WATCHES: Needs = Needs { watches: true, ..NOTHING };
const METRICS: Needs = Needs { metrics: true, ..NOTHING };
const DIRECTORIES: Needs = Needs { directories: true, ..NOTHING };

const fn command(names: &'static [&'static str], needs: Needs, fields: fn(&Asked<'_>) -> Fields) -> Command {
    Command { names, always: false, needs, errand: None, fields }
}

impl Command {
    const fn always(mut self) -> Command {
        self.always = true;
        self
    }

    const fn after(mut self, errand: Errand) -> Command {
        self.errand = Some(errand);
        self
    }
}

const SNAPSHOT: &[&str] = &["snapshot", "snap"];
const RESTORE: &[&str] = &["restore", "rest"];

const TRANSACTIONS: &str = "transactions";

/// All but snapshot, restore and transactions, which answer otherwise.
static COMMANDS: &[Command] = &[
    command(&["connection_stat_reset", "crst"], NOTHING, json::nothing).after(Errand::Reset(Reset::Connections)),
    command(&["configuration", "conf", "config"], DIRECTORIES, json::configuration),
    command(&["connections", "cons"], CONNECTIONS, json::connections),
    command(&["hash"], NOTHING, json::hash),
    command(&["dirs"], DIRECTORIES, json::dirs),
    command(&["dump"], Needs { sessions: true, ..NOTHING }, json::dump),
    command(&["environment", "env", "envi"], NOTHING, json::environment).always(),
    command(&["get_trace_mask", "gtmk"], NOTHING, json::trace_mask).always(),
    command(&["hot_paths"], METRICS, json::hot_paths),
    command(&["initial_configuration", "icfg"], NOTHING, json::initial_configuration),
    command(&["is_read_only", "isro"], NOTHING, json::is_read_only),
    command(&["last_snapshot", "lsnp"], NOTHING, json::last_snapshot),
    command(&["leader", "lead"], NOTHING, json::leader),
    command(&["monitor", "mntr"], METRICS, json::monitor).always(),
    command(&["observer_connection_stat_reset", "orst"], NOTHING, json::nothing),
    command(&["observers", "obsr"], NOTHING, json::observers),
    command(&["ruok"], NOTHING, json::nothing),
    command(&["server_stats", "srvr"], Needs { directories: true, metrics: true, ..NOTHING }, json::server_stats),
    command(&["set_trace_mask", "stmk"], NOTHING, json::set_trace_mask).always(),
    command(&["slow_requests"], METRICS, json::slow_requests),
    command(&["stats", "stat"], Needs { directories: true, metrics: true, connections: true, ..NOTHING }, json::stats),
    command(&["stat_reset", "srst"], NOTHING, json::nothing).after(Errand::Reset(Reset::Server)),
    command(&["system_properties", "sysp"], NOTHING, json::system_properties).always(),
    command(&["voting_view"], NOTHING, json::voting_view),
    command(&["watches", "wchc"], WATCHES, json::watches),
    command(&["watches_by_path", "wchp"], WATCHES, json::watches_by_path),
    command(&["watch_summary", "wchs"], WATCHES, json::watch_summary),
    command(&["zabstate"], NOTHING, json::zab_state).always(),
];

/// All names that answers show, by the alphabet.
pub(super) fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        COMMANDS.iter().map(|command| command.names[0]).chain([SNAPSHOT[0], RESTORE[0], TRANSACTIONS]).collect();
    names.sort_unstable();
    names
}

/// The page of all commands.
pub(super) fn list(url: &str) -> Response {
    let links = names().into_iter().map(|name| format!("<a href=\"{url}/{name}\">{name}</a>\n<br/>\n"));
    Response::new(Status::Ok, "text/html; charset=utf-8", links.collect::<String>().into_bytes())
}

/// Answers the command of this name.
pub(super) fn answer(name: &str, request: &Request, upload: &mut Upload<'_>, caller: &Caller, desk: &Desk) -> Response {
    if SNAPSHOT.contains(&name) {
        return snapshot::answer(SNAPSHOT[0], request, caller, desk);
    }
    if RESTORE.contains(&name) {
        return restore::answer(RESTORE[0], request, upload, caller, desk);
    }
    if name == TRANSACTIONS && request.method != Method::Post {
        return transactions::answer(TRANSACTIONS, request, caller, desk);
    }
    if request.method == Method::Post {
        return Response::text(Status::MethodNotAllowed, "ask for this with GET\n");
    }
    let Some(command) = COMMANDS.iter().find(|command| command.names.contains(&name)) else {
        return json(name, Status::Ok, Some(format!("Unknown command: {name}")), Map::new());
    };
    let shown = command.names[0];
    let server = match desk.ask(command.needs, command.errand) {
        Ok(server) => server,
        Err(why) => return json(shown, Status::ServiceUnavailable, Some(why.to_string()), Map::new()),
    };
    if !server.answers && !command.always {
        let error = "This ZooKeeper instance is not currently serving requests".to_owned();
        return json(name, Status::Ok, Some(error), Map::new());
    }
    match (command.fields)(&Asked { server: &server, words: &desk.words, request }) {
        Ok(fields) => json(shown, Status::Ok, None, fields),
        Err(error) => json(shown, Status::Ok, Some(error), Map::new()),
    }
}

/// An answer: its fields, which command it answers, and what went wrong.
pub(super) fn json(name: &str, status: Status, error: Option<String>, mut fields: Map<String, Value>) -> Response {
    fields.insert("command".to_owned(), name.into());
    fields.insert("error".to_owned(), error.map_or(Value::Null, Value::from));
    let mut text = serde_json::to_vec_pretty(&fields).unwrap_or_default();
    text.push(b'\n');
    Response::new(status, "application/json; charset=utf-8", text)
}
