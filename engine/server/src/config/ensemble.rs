//! The ensemble that several `server.N` lines describe: its members, which of them this server is, and its times.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::address::{address, every_address};
use super::key::{Fallback, Key};
use super::membership::Member;
use super::myid;
use super::problem::{Problem, Problems};
use super::settings::{Setting, Settings};
use super::table as keys;
use super::tls::{self, PeerTls};
use crate::exit::Status;

/// The ids that a server of an ensemble can have. The id is a byte of session ids, where 0 and 255 have other meanings.
pub(super) const IDS: std::ops::RangeInclusive<i64> = 1..=254;

/// A server does not become read-only before it has looked for a leader for so long: elections take less.
const READ_ONLY_GRACE: Duration = Duration::from_secs(2);

/// An ensemble, seen from one of its servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensemble {
    /// This server; one of `members`.
    pub id: u8,
    /// Servers of ensembles with different names refuse each other.
    pub name: String,
    /// All servers, this one included, by rising id; at least one of them votes.
    pub members: Vec<Member>,
    /// How long clients of a server without a leader keep their connections.
    pub hold_clients: Duration,
    /// After so long without a leader it serves clients that only read; `None`: never.
    pub read_only_after: Option<Duration>,
    /// Something is sent to each peer at least so often.
    pub heartbeat: Duration,
    /// Silence of a peer that is always borne; at least two heartbeats.
    pub silence_min: Duration,
    /// Silence of a peer that is never borne; at least `silence_min`.
    pub silence_max: Duration,
    /// A new leader whose quorum has not caught up in this time gives up.
    pub catch_up: Duration,
    /// Bytes of recent transactions kept in memory for servers that must catch up.
    pub history_bytes: u64,
    /// If this server has stood alone until now, its data is to be that of the ensemble.
    pub bootstrap: bool,
    /// Damaged data is given up, to get it from the other voters, rather than that the server does not start.
    pub repair: bool,
    /// TLS with the other servers; `None`: everything is in the clear.
    pub tls: Option<PeerTls>,
    /// Peers are listened to on every address of the machine, and not only on those of this server's line.
    pub listen_on_all: bool,
}

impl Ensemble {
    /// This server's own line.
    pub fn me(&self) -> &Member {
        self.members.iter().find(|member| member.id == self.id).expect("the configuration was checked for it")
    }

    /// The members in the form in which ZooKeeper shows them, one a line.
    pub fn zookeeper_text(&self) -> String {
        // The version is the number of the members' last change, of which there is none.
        self.members.iter().map(|member| member.zookeeper_line() + "\n").collect::<String>() + "version=0"
    }

    /// The ids of the members that vote, or of those that do not, rising.
    pub fn ids(&self, voters: bool) -> impl Iterator<Item = u8> {
        self.members.iter().filter(move |member| member.votes == voters).map(|member| member.id)
    }

    /// Where to listen for peers: for each address of this server's line the socket addresses to try in turn, of which
    /// one is enough.
    ///
    /// # Errors
    /// A host name that cannot be resolved.
    pub fn resolve(&self) -> io::Result<Vec<Vec<SocketAddr>>> {
        let own = &self.me().peer;
        if self.listen_on_all {
            let ports: BTreeSet<u16> = own.iter().map(|(_, port)| *port).collect();
            return Ok(ports.into_iter().map(every_address).collect());
        }
        own.iter().map(|(host, port)| Ok((host.as_str(), *port).to_socket_addrs()?.collect())).collect()
    }

    /// What this server is in its ensemble, in words.
    pub fn role(&self) -> String {
        let own = self.me().peer.iter().map(|(host, port)| match self.listen_on_all {
            true => format!("*:{port}"),
            false => address(host, *port),
        });
        let own: BTreeSet<String> = own.collect();
        format!(
            "server {} of ensemble {} (voters {}, observers {}), peers on {}{}",
            self.id,
            self.name,
            numbers(self.ids(true)),
            numbers(self.ids(false)),
            own.into_iter().collect::<Vec<_>>().join(" and "),
            self.tls.as_ref().map_or("", PeerTls::role),
        )
    }
}

pub(super) fn numbers(ids: impl Iterator<Item = u8>) -> String {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(" ") }
}

/// A line as given and what it says.
type Line = (Setting, Member);

/// Reads the `server.N` lines and all that depends on them; `None` for a server that stands alone. The client address in
/// this server's line is taken over into the settings.
pub(super) fn build(settings: &mut Settings, data: Option<&Path>, problems: &mut Problems) -> Option<Ensemble> {
    let given: Vec<Setting> = settings.members(&keys::SERVER).cloned().collect();
    let mut lines = Vec::new();
    for line in &given {
        match Member::parse(&line.name, &line.value) {
            Ok(member) => lines.push((line.clone(), member)),
            Err(wrong) => refuse(problems, line, &wrong, "for example server.1=localhost:2888:3888;2181"),
        }
    }
    lines.sort_by_key(|(_, member)| member.id);
    if given.len() < 2 {
        alone(settings, lines.first(), problems);
        return None;
    }
    check_ids(&lines, problems);
    check_addresses(&lines, problems);
    check_votes(&lines, problems);
    let id = myid::identify(settings, data, problems);
    let own = id.and_then(|id| own_line(settings, id, &lines, problems));
    if let Some((line, member)) = own {
        check_peer_type(settings, line, member, problems);
        take_client_address(settings, line, member, problems);
    }
    check_times(settings, problems);
    let tls = tls::for_servers(settings, problems);
    let id = own?.1.id;
    Some(with_settings(settings, id, tls, lines.into_iter().map(|(_, member)| member).collect()))
}

fn with_settings(settings: &Settings, id: u8, tls: Option<PeerTls>, members: Vec<Member>) -> Ensemble {
    let millis = |key| Duration::from_millis(settings.size(key));
    Ensemble {
        id,
        name: settings.text(&keys::ENSEMBLE_NAME).unwrap_or_default().to_owned(),
        members,
        hold_clients: millis(&keys::HOLD_CLIENTS),
        read_only_after: settings.is_on(&keys::READ_ONLY).then(|| millis(&keys::TICK_TIME).max(READ_ONLY_GRACE)),
        heartbeat: millis(&keys::HEARTBEAT),
        silence_min: millis(&keys::SILENCE_MIN),
        silence_max: millis(&keys::SILENCE_MAX),
        catch_up: Duration::from_millis(
            settings.size(&keys::INIT_LIMIT).saturating_mul(settings.size(&keys::TICK_TIME)),
        ),
        history_bytes: settings.size(&keys::HISTORY_BYTES),
        bootstrap: settings.is_on(&keys::BOOTSTRAP),
        repair: settings.text(&keys::REPAIR).is_some_and(|text| text.eq_ignore_ascii_case("auto")),
        tls,
        listen_on_all: settings.is_on(&keys::QUORUM_LISTEN_ON_ALL),
    }
}

fn refuse(problems: &mut Problems, line: &Setting, wrong: &str, remedy: &str) {
    problems.refuse(Problem::new(line, &keys::SERVER, wrong, remedy));
}

/// A server with one line or none, as in ZooKeeper: no ensemble, whatever else is said about one.
fn alone(settings: &mut Settings, line: Option<&Line>, problems: &mut Problems) {
    if let Some((line, member)) = line {
        if !member.votes {
            refuse(problems, line, "is an observer without an ensemble", "make it a participant, or remove the line");
        }
        if let Some(id) = settings.given(&keys::SERVER_ID).filter(|id| id.value != member.id.to_string()) {
            let wrong = format!("is not the number of the only server line, server.{}", member.id);
            let problem = Problem::new(id, &keys::SERVER_ID, &wrong, "correct the one that is wrong");
            problems.refuse(problem.ending(Status::Identity));
        }
        take_client_address(settings, line, member, problems);
    }
    if let Some(given) =
        settings.given(&keys::PEER_TYPE).filter(|given| !given.value.eq_ignore_ascii_case("participant"))
    {
        let remedy = "give the server lines of all members, or remove peerType";
        problems.refuse(Problem::new(given, &keys::PEER_TYPE, "makes an observer without an ensemble", remedy));
    }
    let of_ensembles: [&Key; 11] = [
        &keys::SSL_QUORUM,
        &keys::PORT_UNIFICATION,
        &keys::INIT_LIMIT,
        &keys::QUORUM_LISTEN_ON_ALL,
        &keys::ENSEMBLE_NAME,
        &keys::HEARTBEAT,
        &keys::SILENCE_MIN,
        &keys::SILENCE_MAX,
        &keys::HOLD_CLIENTS,
        &keys::READ_ONLY,
        &keys::HISTORY_BYTES,
    ];
    for key in of_ensembles {
        let at_default =
            |given: &Setting| matches!(key.default, Fallback::Value(value) if value.eq_ignore_ascii_case(&given.value));
        if let Some(given) = settings.given(key).filter(|given| !at_default(given)) {
            problems.warn(Problem::new(given, key, "has no effect: a server that stands alone has no ensemble", ""));
        }
    }
}

fn check_ids(lines: &[Line], problems: &mut Problems) {
    for (line, member) in lines {
        if !IDS.contains(&i64::from(member.id)) {
            let remedy = "number the servers from 1 to 254, the same way in every configuration file and myid";
            refuse(problems, line, "has a number that a server of an ensemble cannot have", remedy);
        }
    }
    for ((first, a), (second, b)) in lines.iter().zip(lines.iter().skip(1)) {
        if a.id == b.id {
            let wrong = format!("has the number of {} ({})", first.name, first.source);
            refuse(problems, second, &wrong, "give each server a number of its own");
        }
    }
}

/// Two members may share a host, but nobody can listen where another one does.
fn check_addresses(lines: &[Line], problems: &mut Problems) {
    let mut taken: BTreeMap<(String, u16), &Setting> = BTreeMap::new();
    for (line, member) in lines {
        if member.peer.iter().any(|(_, port)| *port == 0) {
            refuse(problems, line, "has port 0, where no other server can find it", "give the port that it listens on");
        }
        for (host, port) in endpoints(member) {
            let shown = address(&host, port);
            let Some(other) = taken.insert((host, port), line) else { continue };
            let wrong = match other.name == line.name {
                true => format!("uses {shown} twice"),
                false => format!("uses {shown}, which {} ({}) uses too", other.name, other.source),
            };
            refuse(problems, line, &wrong, "give each server of a host ports of its own");
            break;
        }
    }
}

/// Every host and port that a member listens on, as far as its line tells.
fn endpoints(member: &Member) -> Vec<(String, u16)> {
    let normal = |host: &str| match host.to_ascii_lowercase().as_str() {
        "localhost" | "::1" => "127.0.0.1".to_owned(),
        host => host.to_owned(),
    };
    let peers = member.peer.iter().map(|(host, port)| (normal(host), *port));
    let clients: BTreeSet<(String, u16)> = match &member.client {
        None => BTreeSet::new(),
        Some(client) => match client.host.as_deref() {
            None | Some("0.0.0.0" | "::") => member.peer.iter().map(|(host, _)| (normal(host), client.port)).collect(),
            Some(host) => [(normal(host), client.port)].into(),
        },
    };
    peers.chain(clients).filter(|(_, port)| *port != 0).collect()
}

fn check_votes(lines: &[Line], problems: &mut Problems) {
    let voters = lines.iter().filter(|(_, member)| member.votes).count();
    let Some((last, _)) = lines.last() else { return };
    let about =
        |wrong: String, remedy: &str| Problem::at(last.source.clone(), "the ensemble".to_owned(), &wrong, remedy);
    match voters {
        0 => problems.refuse(about("has observers and no voter".to_owned(), "make at least one server a participant")),
        2 => {
            let wrong = "has 2 voters, so it stops when either of them is down".to_owned();
            problems.warn(about(wrong, "with 3 voters it bears the loss of one"));
        }
        n if n % 2 == 0 => {
            let wrong = format!("has {n} voters, and bears the loss of no more servers than {} voters do", n - 1);
            problems.warn(about(wrong, "make one of them an observer, or add a voter"));
        }
        _ => {}
    }
}

fn own_line<'a>(settings: &Settings, id: u8, lines: &'a [Line], problems: &mut Problems) -> Option<&'a Line> {
    let own = lines.iter().find(|(_, member)| member.id == id);
    if own.is_none()
        && let Some(given) = settings.given(&keys::SERVER_ID)
    {
        let members = numbers(lines.iter().map(|(_, member)| member.id));
        let wrong = format!("is not among the servers of the ensemble, {members}");
        let remedy = format!("give the number of this server's line, or add a line server.{id} on every server");
        problems.refuse(Problem::new(given, &keys::SERVER_ID, &wrong, &remedy).ending(Status::Identity));
    }
    own
}

/// The members' roles must be the same for all of them, so they stand in the lines that all of them have.
fn check_peer_type(settings: &Settings, line: &Setting, member: &Member, problems: &mut Problems) {
    let (role, it) = if member.votes { ("participant", "a participant") } else { ("observer", "an observer") };
    if let Some(given) = settings.given(&keys::PEER_TYPE).filter(|given| !given.value.eq_ignore_ascii_case(role)) {
        let wrong = format!("contradicts {} ({}), which makes this server {it}", line.name, line.source);
        let remedy = "say the role at the end of that line, on every server, and remove peerType";
        problems.refuse(Problem::new(given, &keys::PEER_TYPE, &wrong, remedy));
    }
}

/// A server's own line may carry the client address; it must not contradict the other settings.
fn take_client_address(settings: &mut Settings, line: &Setting, member: &Member, problems: &mut Problems) {
    let Some(address) = &member.client else { return };
    let from = line.source.to_string();
    match settings.given(&keys::CLIENT_PORT) {
        Some(given) if given.value != address.port.to_string() => {
            return refuse(problems, line, "contradicts clientPort", "give the client port in one place");
        }
        Some(_) => {}
        None => settings.derive(&keys::CLIENT_PORT, address.port.to_string(), &from),
    }
    match (settings.given(&keys::CLIENT_PORT_ADDRESS), &address.host) {
        (Some(given), Some(host)) if given.value != *host => {
            refuse(problems, line, "contradicts clientPortAddress", "give the client address in one place");
        }
        (None, Some(host)) => settings.derive(&keys::CLIENT_PORT_ADDRESS, host.clone(), &from),
        _ => {}
    }
}

/// heartbeat × 2 ≤ silence.min ≤ silence.max: a peer is not given up for one late message.
fn check_times(settings: &Settings, problems: &mut Problems) {
    let mut check = |smaller: &'static Key, factor: u64, larger: &'static Key, wrong: &str| {
        if settings.size(smaller).saturating_mul(factor) <= settings.size(larger) {
            return;
        }
        // The defaults fit, so one of the two was given.
        if let Some(given) = [larger, smaller].into_iter().find_map(|key| settings.given(key)) {
            let (a, b) = (settings.size(smaller), settings.size(larger));
            let wrong = format!("{wrong} ({}={a}, {}={b})", smaller.name, larger.name);
            problems.refuse(Problem::new(given, larger, &wrong, "raise the one or lower the other"));
        }
    };
    check(&keys::HEARTBEAT, 2, &keys::SILENCE_MIN, "leaves less than two heartbeats of silence that is borne");
    check(&keys::SILENCE_MIN, 1, &keys::SILENCE_MAX, "makes the shortest silence longer than the longest");
}
