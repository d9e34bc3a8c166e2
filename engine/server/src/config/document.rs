//! The page `docs/configuration.md`, made from the table.

use std::fmt::Write;

use super::key::{Effect, Fallback, Group, Key};
use super::table;
use crate::exit;

const HEAD: &str = "\
# Configuration

<!-- Made by `ringkeeper config --docs` from engine/server/src/config/table.rs; a test compares. -->

Ringkeeper reads ZooKeeper's `zoo.cfg` as it is, and has settings of its own beside ZooKeeper's. No file is needed:
`ringkeeper serve --data-dir DIR` starts a server.

A setting can be given in five places. The first one of this list that has it wins:

1. a command-line flag, `--tick-time 2000`, or `--set tickTime=2000` for any setting;
2. an environment variable, `RINGKEEPER_TICK_TIME=2000`; `RINGKEEPER_SERVER_3=host:2888:3888` is the line `server.3`;
3. the configuration file, `tickTime=2000`, or for server lines the file that it names as `dynamicConfigFile`;
4. a Java system property in the variables of ZooKeeper's start scripts, `JVMFLAGS=-Dzookeeper.snapCount=50000` before
   `SERVER_JVMFLAGS`: those of ZooKeeper (`zookeeper.*`, `jute.maxbuffer`) count, the rest of the variables is for Java;
5. the default.

`ringkeeper config [zoo.cfg]` prints the value in force of each setting and where it comes from.
`ringkeeper config --check [zoo.cfg]` only checks, and fails with the exit status with which a server would end: the settings,
and the directories and host names as this machine sees them. It changes nothing. With `--strict` warnings fail too.

The file is in Java's properties format: `key=value`, `key: value` or `key value`, comments after `#` or `!`, and lines
that end in a backslash go on in the next one. The text is UTF-8 (or else Latin-1, with a warning). ZooKeeper takes some
settings only as Java system properties `zookeeper.NAME`; in Ringkeeper's file each of them may stand with or without
`zookeeper.`.

On SIGHUP a server reads its configuration again: what is marked *Live* in the tables is in force at once, the rest after a
restart; the server logs each setting that changed, and which of the two holds for it. A configuration with errors changes
nothing. A new limit does not end what is there already.

A setting that neither ZooKeeper nor Ringkeeper knows is warned about, with the name that was probably meant (on the
command line it is an error). A value that is not valid is refused with file, line, what is wrong and what to write
instead; everything that is wrong is reported at once.
";

/// The whole page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for group in Group::ALL {
        let mut rows = table::HONOURED.iter().filter(|key| key.group == group).peekable();
        if rows.peek().is_some() {
            let _ = write!(page, "\n## {}\n\n", group.title());
            page.push_str("| Setting | Default | Values | Meaning |\n|---|---|---|---|\n");
            rows.for_each(|key| row(&mut page, key));
        }
    }
    page.push_str(
        "\n## Known, and without effect\n\nThese settings of ZooKeeper are accepted in the file, so that it need not be \
         changed. Those marked *refused* stop the server unless they are at their default, because to go on without them \
         would mislead or weaken security.\n\n| Setting | What happens | Why |\n|---|---|---|\n",
    );
    table::all().filter(|key| key.effect != Effect::Honoured).for_each(|key| effect_row(&mut page, key));
    page.push_str("\n## Exit statuses\n\n");
    page.push_str(&exit::table());
    page
}

fn row(page: &mut String, key: &Key) {
    let unit = if key.unit.is_empty() { String::new() } else { format!(", {}", key.unit) };
    let meaning = match key.effect {
        Effect::NoEffect(why) => format!("{} No effect: {why}.", key.meaning),
        Effect::Planned(why) => format!("{} No effect yet: {why}.", key.meaning),
        Effect::Honoured | Effect::Refused(_) if key.live => format!("{} *Live.*", key.meaning),
        Effect::Honoured | Effect::Refused(_) => key.meaning.to_owned(),
    };
    let _ = writeln!(
        page,
        "| `{}` | {} | {}{unit} | {} |",
        key.display_name(),
        default(key),
        cell(&key.validity()),
        cell(&meaning)
    );
}

fn effect_row(page: &mut String, key: &Key) {
    let (what, why) = match key.effect {
        Effect::NoEffect(why) => ("no effect", why),
        Effect::Planned(why) => ("not yet", why),
        Effect::Refused(why) => ("*refused*", why),
        Effect::Honoured => return,
    };
    let _ = writeln!(page, "| `{}` | {what} | {} |", key.display_name(), cell(why));
}

/// The default in words, for tables and `--help`.
fn default(key: &Key) -> String {
    match key.default {
        Fallback::Required => "required".to_owned(),
        Fallback::Unset => "none".to_owned(),
        Fallback::Value(value) => format!("`{value}`"),
        Fallback::Derived(how) => cell(how),
    }
}

/// A bar would end the cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::page;

    /// Set `REGENERATE_DOCS=1` to write the page instead of comparing it.
    #[test]
    fn the_page_in_the_repository_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        if std::env::var_os("REGENERATE_DOCS").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == page(),
            "docs/configuration.md is not current: run `ringkeeper config --docs > docs/configuration.md`"
        );
    }
}
