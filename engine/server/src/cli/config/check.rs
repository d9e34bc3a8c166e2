//! What `config --check` finds out about this machine: directories, the files of TLS, and names. Nothing is changed, nothing is listened on.

use std::net::ToSocketAddrs;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::config::{Config, table as keys};
use crate::directory;
use crate::exit::Status;
use crate::tls;

/// All names together are waited for so long.
const NAMES_WITHIN: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Why the server would not start here.
    pub(super) error: Option<(Status, String)>,
    /// What may be all right elsewhere, or later.
    pub(super) warnings: Vec<String>,
}

/// Looks at this machine.
pub(super) fn here(config: &Config) -> Findings {
    let directories = directory::examine(config).and_then(|()| directory::examine_access(config));
    let all = [config.tls.as_ref(), config.peer_tls(), config.admin.tls.as_ref()].into_iter().flatten();
    let tls = all.map(|tls| tls::load(tls, tls::now())).collect::<Result<Vec<_>, _>>();
    let names = names(config);
    let mut findings = Findings {
        error: directories.err().map(|unusable| (unusable.status, unusable.to_string())),
        ..Findings::default()
    };
    match tls {
        Ok(loaded) => findings.warnings.extend(loaded.into_iter().flat_map(|one| one.warnings)),
        Err(unusable) if findings.error.is_none() => {
            findings.error = Some((Status::Configuration, unusable.to_string()));
        }
        Err(_) => {}
    }
    for (name, answer) in resolve(&names) {
        let Err(why) = answer else { continue };
        let said = format!(
            "{}: the name {} cannot be resolved: {why}; correct it, or give an address",
            name.setting, name.host
        );
        if !name.own {
            findings.warnings.push(said);
        } else if findings.error.is_none() {
            findings.error = Some((Status::Name, said));
        }
    }
    findings
}

/// A host name of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    host: String,
    /// Where it stands.
    setting: String,
    /// The server listens there: without it, it does not start.
    own: bool,
}

fn names(config: &Config) -> Vec<Name> {
    let mut names = Vec::new();
    if let Some(host) = &config.clients.address.host {
        names.push(Name { host: host.clone(), setting: config.settings.named(&keys::CLIENT_PORT_ADDRESS), own: true });
    }
    if let Some(host) = config.clients.secure.as_ref().and_then(|secure| secure.host.clone()) {
        names.push(Name { host, setting: config.settings.named(&keys::SECURE_CLIENT_PORT_ADDRESS), own: true });
    }
    if let Some(ensemble) = &config.ensemble {
        for member in &ensemble.members {
            let line = format!("{}{}", keys::SERVER.name, member.id);
            let given = config.settings.members(&keys::SERVER).find(|given| given.name == line);
            let setting = given.map_or(line, ToString::to_string);
            let own = member.id == ensemble.id && !ensemble.listen_on_all;
            names.extend(member.peer.iter().map(|(host, _)| Name {
                host: host.clone(),
                setting: setting.clone(),
                own,
            }));
        }
    }
    names
}

/// Resolves all of them at the same time: a name server that does not answer must not be waited for once a name.
fn resolve(names: &[Name]) -> Vec<(&Name, Result<(), String>)> {
    let (tell, told) = channel();
    for (at, name) in names.iter().enumerate() {
        let (tell, host) = (tell.clone(), name.host.clone());
        std::thread::spawn(move || {
            let answer = (host.as_str(), 0).to_socket_addrs().map(drop).map_err(|error| error.to_string());
            // If nobody waits any more, nobody needs it.
            let _ = tell.send((at, answer));
        });
    }
    drop(tell);
    let mut answers = vec![Err("no name server answered in time".to_owned()); names.len()];
    let until = Instant::now() + NAMES_WITHIN;
    // It ends early when all have answered.
    while let Ok((at, answer)) = told.recv_timeout(until.saturating_duration_since(Instant::now())) {
        answers[at] = answer;
    }
    names.iter().zip(answers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;

    #[test]
    fn own_names_are_errors_and_those_of_others_warnings() {
        let load = |own: &str, other: &str| {
            let dir = std::env::temp_dir();
            let text = format!("dataDir={}\nserver.1={own}:1:2\nserver.2={other}:1:2\nserver.id=1\n", dir.display());
            let file = Some(("zoo.cfg".into(), text.into_bytes()));
            here(&Config::load(&Inputs { file, ..Inputs::default() }, 1).unwrap().0)
        };
        assert_eq!(load("127.0.0.1", "127.0.0.2"), Findings::default());
        let other = load("127.0.0.1", "nowhere.invalid");
        assert_eq!(other.error, None);
        assert!(other.warnings[0].starts_with("zoo.cfg:3: server.2=nowhere.invalid:1:2: the name"), "{other:?}");
        let own = load("nowhere.invalid", "127.0.0.1");
        assert_eq!(own.error.unwrap().0, Status::Name);
        let anywhere = load("nowhere.invalid", "127.0.0.1:1:2\nquorumListenOnAllIPs=true\nserver.3=127.0.0.3");
        assert_eq!((anywhere.error, anywhere.warnings.len()), (None, 1), "only the others need that name");
    }
}
