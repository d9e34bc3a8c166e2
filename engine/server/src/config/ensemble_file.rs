//! `dynamicConfigFile`: the members of the ensemble in a file of their own. ZooKeeper writes it at each reconfiguration;
//! here it is only read.

use super::problem::{Problem, Problems};
use super::settings::Setting;
use super::table as keys;

/// What such a file may hold beside server lines: the zxid of the reconfiguration that wrote it.
const VERSION: &str = "version";
/// Settings of the quorum, which are judged like those of the configuration file.
const QUORUM: [&str; 2] = ["group.", "weight."];

/// The settings that count of the file's entries. `is_in_static` tells whether the configuration file has a member of this
/// name too: two places for the same thing would sooner or later disagree.
pub(super) fn members(
    entries: Vec<Setting>,
    is_in_static: impl Fn(&str) -> bool,
    problems: &mut Problems,
) -> Vec<Setting> {
    let mut members = Vec::new();
    for entry in entries {
        let refuse = |wrong: &str, remedy: &str| Problem::at(entry.source.clone(), entry.name.clone(), wrong, remedy);
        if entry.name == VERSION {
            continue;
        }
        let is_member = entry.name.starts_with(keys::SERVER.name);
        if !is_member && !QUORUM.iter().any(|family| entry.name.starts_with(family)) {
            problems.refuse(refuse("does not belong into dynamicConfigFile", "move it to the configuration file"));
        } else if is_member && is_in_static(&entry.name) {
            problems.refuse(refuse("stands in the configuration file too", {
                "keep the server lines in one of the two files"
            }));
        } else {
            members.push(entry);
        }
    }
    members
}
