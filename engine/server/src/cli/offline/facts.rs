//! What a command has to tell in the end: the same facts as text and as JSON.

use std::io::{self, Write as _};

use ringkeeper_core::tree::{Kind, Tree};
use ringkeeper_zookeeper_files as files;
use serde_json::{Map, Value};

/// Named facts in their order.
#[derive(Default)]
pub(super) struct Facts {
    facts: Map<String, Value>,
}

impl Facts {
    /// One more. Its name is a JSON key, and with blanks for underscores what people read.
    pub(super) fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// Prints them to standard output.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        if json {
            writeln!(out, "{}", Value::Object(self.facts.clone()))?;
            return Ok(());
        }
        let width = self.facts.keys().map(String::len).max().unwrap_or(0);
        for (name, value) in &self.facts {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Array(list) if list.is_empty() => continue,
                Value::Array(list) => {
                    let lines: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                    lines.join(&format!("\n{:width$}  ", ""))
                }
                Value::Null => continue,
                other => other.to_string(),
            };
            writeln!(out, "{:width$}  {text}", name.replace('_', " "))?;
        }
        Ok(())
    }

    /// What there is in a tree.
    pub(super) fn add_tree(&mut self, tree: &Tree) {
        self.add("zxid", tree.last_zxid().to_string());
        self.add("nodes", tree.node_count());
        self.add("bytes_of_paths_and_data", tree.approximate_data_size());
        let counts = Counts::of(tree);
        self.add("ephemeral_nodes", tree.ephemeral_count());
        self.add("containers", counts.containers);
        self.add("ttl_nodes", counts.ttls);
        self.add("sessions", tree.session_count());
        self.add("digest", format!("{:016x}", tree.digest()));
        self.add("zookeeper_digest", format!("{:x}", files::of_tree(tree).value));
    }
}

/// Nodes of the rarer kinds.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) containers: u64,
    pub(super) ttls: u64,
}

impl Counts {
    pub(super) fn of(tree: &Tree) -> Counts {
        let mut counts = Counts::default();
        files::walk(tree, |_, node| {
            match node.kind() {
                Kind::Container => counts.containers += 1,
                Kind::Ttl(_) => counts.ttls += 1,
                Kind::Persistent | Kind::Ephemeral(_) => {}
            }
            Ok::<(), std::convert::Infallible>(())
        })
        .unwrap_or_else(|never| match never {});
        counts
    }
}
