//! What is served over HTTP: the admin server and Prometheus' metrics.

use std::time::Duration;

use super::address::{self, Address};
use super::key::Key;
use super::problem::{Problem, Problems};
use super::settings::Settings;
use super::table as keys;
use super::tls::{self, Tls};

/// ZooKeeper's class that serves Prometheus.
const PROMETHEUS: &str = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";
/// Its classes that serve nobody: the default one, and none.
const OTHERS: [&str; 2] = [
    "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider",
    "org.apache.zookeeper.metrics.impl.NullMetricsProvider",
];

/// What is served over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where the admin server listens; `None`: there is none.
    pub listen: Option<Address>,
    /// What TLS is made of there, if it is spoken.
    pub tls: Option<Tls>,
    /// With TLS, connections without it are taken, too.
    pub or_plain: bool,
    /// Where only `/metrics` is served; `None`: nowhere.
    pub metrics: Option<Address>,
    /// The path below which commands are.
    pub command_url: String,
    /// A connection that says nothing for so long is closed.
    pub idle: Duration,
    /// Snapshots may be asked for.
    pub snapshots: bool,
    /// The state may be replaced by that of a snapshot.
    pub restores: bool,
    /// At least so long is between two of either.
    pub interval: Duration,
}

/// Reads the settings.
pub(super) fn build(settings: &mut Settings, problems: &mut Problems) -> Admin {
    let address = |settings: &Settings, host: &Key, port: &Key| Address {
        host: settings.text(host).map(address::bare_host),
        port: u16::try_from(settings.int(port)).expect("the table bounds ports"),
    };
    if settings.given(&keys::ADMIN_ENABLE).is_none() && settings.given(&keys::ADMIN_PORT).is_some() {
        settings.derive(&keys::ADMIN_ENABLE, "true".to_owned(), "admin.serverPort");
    }
    let listens = settings.is_on(&keys::ADMIN_ENABLE);
    let millis = |key: &Key| Duration::from_millis(settings.size(key));
    let admin = Admin {
        listen: listens.then(|| address(settings, &keys::ADMIN_ADDRESS, &keys::ADMIN_PORT)),
        tls: if listens { tls::for_admin(settings, problems) } else { None },
        or_plain: !settings.is_on(&keys::ADMIN_FORCE_HTTPS),
        metrics: serves_prometheus(settings, problems)
            .then(|| address(settings, &keys::METRICS_HOST, &keys::METRICS_PORT)),
        command_url: settings.text(&keys::ADMIN_COMMAND_URL).unwrap_or_default().trim_end_matches('/').to_owned(),
        idle: millis(&keys::ADMIN_IDLE),
        snapshots: settings.is_on(&keys::ADMIN_SNAPSHOT),
        restores: settings.is_on(&keys::ADMIN_RESTORE),
        interval: millis(&keys::ADMIN_RATE),
    };
    refuse_same_port(&admin, settings, problems);
    admin
}

fn serves_prometheus(settings: &Settings, problems: &mut Problems) -> bool {
    let Some(given) = settings.given(&keys::METRICS_PROVIDER) else { return false };
    let known = given.value == PROMETHEUS || OTHERS.contains(&&*given.value);
    if !known {
        let wrong = "names a class that is not known here, and has no effect";
        problems.warn(Problem::new(
            given,
            &keys::METRICS_PROVIDER,
            wrong,
            &format!("for Prometheus it is {PROMETHEUS}"),
        ));
    }
    given.value == PROMETHEUS
}

fn refuse_same_port(admin: &Admin, settings: &Settings, problems: &mut Problems) {
    let (Some(one), Some(other)) = (&admin.listen, &admin.metrics) else { return };
    if one.port == other.port
        && one.port != 0
        && let Some(given) = settings.given(&keys::METRICS_PORT).or(settings.given(&keys::METRICS_PROVIDER))
    {
        let remedy = "the admin server serves /metrics too: leave metricsProvider.className out, or give another port";
        problems.refuse(Problem::new(given, &keys::METRICS_PORT, "is the port of the admin server", remedy));
    }
}

/// A path from the root, without anything that would have to be encoded.
pub(super) fn command_url(text: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
    let inner = text.strip_prefix('/').map(|rest| rest.trim_end_matches('/'));
    match inner {
        Some(rest) if !rest.is_empty() && text.chars().all(plain) => Ok(()),
        _ => Err("is no path such as /commands".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Inputs};

    fn load(text: &str) -> Result<(Admin, Vec<String>), Vec<String>> {
        let file = Some(("zoo.cfg".into(), format!("dataDir=/d\n{text}").into_bytes()));
        let told = |problems: &[Problem]| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        match Config::load(&Inputs { file, ..Inputs::default() }, 2) {
            Ok((config, problems)) => Ok((config.admin, told(&problems.warnings))),
            Err(problems) => Err(told(&problems.errors)),
        }
    }

    fn at(host: &str, port: u16) -> Option<Address> {
        Some(Address { host: Some(host.to_owned()), port })
    }

    #[test]
    fn nothing_is_served_unless_asked_for() {
        let (admin, warnings) = load("").unwrap();
        assert_eq!((admin.listen, admin.metrics, warnings), (None, None, vec![]));
        let (admin, _) = load("admin.enableServer=false\nadmin.serverPort=9999").unwrap();
        assert_eq!(admin.listen, None);
    }

    #[test]
    fn zookeepers_settings_are_honoured() {
        let (admin, warnings) = load("admin.enableServer=true").unwrap();
        assert_eq!((admin.listen, &*admin.command_url, admin.idle.as_secs()), (at("0.0.0.0", 8080), "/commands", 30));
        assert_eq!(warnings, Vec::<String>::new());
        let (admin, _) = load("admin.serverPort=9000\nadmin.serverAddress=[::1]\nadmin.commandURL=/zk/").unwrap();
        assert_eq!((admin.listen, &*admin.command_url), (at("::1", 9000), "/zk"));
        let (admin, warnings) = load(&format!("metricsProvider.className={PROMETHEUS}")).unwrap();
        assert_eq!((admin.metrics, warnings), (at("0.0.0.0", 7000), vec![]));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let errors = load("admin.commandURL=commands").unwrap_err();
        assert!(errors[0].contains("is no path such as /commands"), "{errors:?}");
        let errors = load(&format!("admin.serverPort=7000\nmetricsProvider.className={PROMETHEUS}")).unwrap_err();
        assert!(errors[0].contains("is the port of the admin server"), "{errors:?}");
        let chosen = format!("admin.serverPort=0\nmetricsProvider.className={PROMETHEUS}\nmetricsProvider.httpPort=0");
        assert!(load(&chosen).is_ok(), "the system chooses two");
        let (admin, warnings) = load("metricsProvider.className=com.example.Provider").unwrap();
        assert!(admin.metrics.is_none() && warnings[0].contains(PROMETHEUS), "{warnings:?}");
    }
}
