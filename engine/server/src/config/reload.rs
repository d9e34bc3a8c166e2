//! A configuration that is read again: which settings changed, which of them a running server takes over.

use super::key::{Group, Key};
use super::settings::{Setting, Settings};
use super::table;

/// A setting of which the value in force would be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The setting.
    pub name: String,
    /// The value in force; secrets are not shown.
    pub before: String,
    /// The value that is configured now; secrets are not shown.
    pub after: String,
    /// A running server takes it over; otherwise it takes a restart.
    pub live: bool,
}

/// What differs between the settings of a running server and those that were read again.
/// Those of the groups that wait for a restart are not taken over, whatever they are.
pub fn changes(running: &Settings, read: &Settings, waiting: &[Group]) -> Vec<Change> {
    let exact = table::HONOURED.iter().filter(|key| !key.family && running.text(key) != read.text(key));
    let exact = exact.map(|key| {
        let (before, after) = (running.shown(key), read.shown(key));
        Change { name: key.name.to_owned(), before, after, live: is_live(key, waiting) }
    });
    let (before, after) = (members(running), members(read));
    let mut names: Vec<&String> = before.iter().chain(&after).map(|setting| &setting.name).collect();
    names.sort();
    names.dedup();
    let value = |all: &[Setting], name: &String| {
        all.iter().find(|member| member.name == *name).map_or("(none)".to_owned(), |member| member.value.clone())
    };
    let members = names.into_iter().map(|name| Change {
        name: name.clone(),
        before: value(&before, name),
        after: value(&after, name),
        live: false,
    });
    exact.chain(members.filter(|change| change.before != change.after)).collect()
}

fn is_live(key: &Key, waiting: &[Group]) -> bool {
    key.live && !waiting.contains(&key.group)
}

fn members(settings: &Settings) -> Vec<Setting> {
    settings.members(&table::SERVER).cloned().collect()
}

impl Settings {
    /// The settings of a running server that has taken over what it can of `read`.
    #[must_use]
    pub fn with_live_ones_of(&self, read: &Settings, waiting: &[Group]) -> Settings {
        let mut settings = self.clone();
        table::HONOURED.iter().filter(|key| is_live(key, waiting)).for_each(|key| settings.copy(key, read));
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::valid;
    use super::*;

    fn settings(text: &str) -> Settings {
        valid(&format!("dataDir=/d\n{text}")).0.settings
    }

    #[test]
    fn changes_are_told_with_what_they_need() {
        let running = settings("maxClientCnxns=10\ntickTime=2000\nserver.1=a:1:2");
        let read = settings("maxCnxns=500\ntickTime=3000\nserver.1=b:1:2");
        let told: Vec<String> = changes(&running, &read, &[])
            .into_iter()
            .map(|c| format!("{} {} -> {}, live {}", c.name, c.before, c.after, c.live))
            .collect();
        assert_eq!(
            told,
            [
                "maxClientCnxns 10 -> 60, live true",
                "maxCnxns 0 -> 500, live true",
                "tickTime 2000 -> 3000, live false",
                "minSessionTimeout 4000 -> 6000, live false",
                "maxSessionTimeout 40000 -> 60000, live false",
                "server.1 a:1:2 -> b:1:2, live false",
            ]
        );
        let after = running.with_live_ones_of(&read, &[]);
        assert_eq!((after.text(&table::MAX_CNXNS), after.text(&table::TICK_TIME)), (Some("500"), Some("2000")));
        assert!(changes(&after, &read, &[]).iter().all(|change| !change.live), "they are taken over once");
        assert_eq!(changes(&running, &running, &[]), []);
    }

    #[test]
    fn what_waits_for_a_restart_is_not_taken_over() {
        let running = settings("ssl.keyStore.location=/a\nmaxCnxns=1");
        let read = settings("ssl.keyStore.location=/b\nmaxCnxns=2");
        let told = changes(&running, &read, &[Group::Tls]);
        assert_eq!(told.iter().map(|change| change.live).collect::<Vec<_>>(), [false, true], "{told:?}");
        let after = running.with_live_ones_of(&read, &[Group::Tls]);
        assert_eq!(after.text(&table::SSL_KEY_STORE), Some("/a"));
        assert_eq!(after.text(&table::MAX_CNXNS), Some("2"));
    }

    #[test]
    fn secrets_are_told_to_have_changed_and_no_more() {
        let with = |digest| settings(&format!("DigestAuthenticationProvider.superDigest=super:{digest}"));
        let (one, two) = (with("D/InIHSb7yEEbrWz8b9l71RjZJU="), with("AAAAAAAAAAAAAAAAAAAAAAAAAAA="));
        let told = changes(&one, &two, &[]);
        assert_eq!((told.len(), told[0].after.as_str()), (1, "(set, not shown)"));
    }
}
