//! The command line of `report`.

use clap::Args;
use std::path::PathBuf;
use std::str::FromStr;

const EXAMPLES: &str = "\
Examples:
  One page of one measurement:
      loadgen run -s 127.0.0.1:2181 --json run.json && loadgen report run.json --html run.html

  Two systems under the same loads, three repetitions each; labels come from the names of the
  files (ringkeeper-writes-1.json, zookeeper-writes-1.json):
      loadgen report results/*.json --html comparison.html --title 'Ringkeeper beside ZooKeeper'

  The same where the names do not tell:
      loadgen report --label before=a.json,b.json --label after=c.json,d.json --html change.html

  Pictures alone; each follows the reader's light or dark mode:
      loadgen report failover-*.json --svg-dir pictures

What is read: the JSON files that loadgen writes, of every command. Measurements of the same command
with the same workload (connections, depth, operations, value size, rate, kind of fault) are shown
side by side, one row and one colour for each label. Several files of one label are its repetitions:
their median is shown, and their range.

A difference is called noise if the ranges of repetitions overlap. With eight rounds or more on both
sides, ranges may overlap if ranks differ by three standard deviations. With one measurement on a
side the difference is told, and that nobody knows how much of it is chance.";

/// Draws results: an HTML page and SVG pictures from the JSON files of other commands
///
/// The page is one file that needs nothing else, and no script; a browser in dark mode shows it dark.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES, after_help = "See `loadgen report --help` for examples.")]
pub struct ReportArgs {
    /// Files that other commands wrote with --json.
    #[arg(value_name = "FILE", required_unless_present = "label")]
    pub files: Vec<PathBuf>,
    /// Shows these files, too, under this name; may be given several times.
    #[arg(short, long, value_name = "NAME=FILE,...")]
    pub label: Vec<Labelled>,
    /// Write the page to this file; `-` is standard output. [default: report.html, unless there is --svg-dir]
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the pictures to this directory, too, one file each.
    #[arg(long, value_name = "DIR")]
    pub svg_dir: Option<PathBuf>,
    /// Title of the page.
    #[arg(long, default_value = "Measurements", value_name = "TEXT")]
    pub title: String,
}

/// Files under a name that the user gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Labelled {
    /// The name.
    pub name: String,
    /// The files.
    pub files: Vec<PathBuf>,
}

impl FromStr for Labelled {
    type Err = String;

    fn from_str(text: &str) -> Result<Labelled, String> {
        let (name, files) = text.split_once('=').ok_or("write NAME=FILE, or NAME=FILE,FILE,...")?;
        let files: Vec<PathBuf> = files.split(',').filter(|file| !file.is_empty()).map(PathBuf::from).collect();
        match (name.trim(), files.is_empty()) {
            ("", _) => Err("the name before '=' is empty".into()),
            (_, true) => Err(format!("no file after '{name}='")),
            (name, false) => Ok(Labelled { name: name.to_owned(), files }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Labelled;

    #[test]
    fn labels_name_files() {
        let labelled: Labelled = "new build=a.json,b.json".parse().unwrap();
        assert_eq!((labelled.name.as_str(), labelled.files.len()), ("new build", 2));
        for wrong in ["a.json", "=a.json", "x=", "x=,"] {
            assert!(wrong.parse::<Labelled>().is_err(), "{wrong}");
        }
    }
}
