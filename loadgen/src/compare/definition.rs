//! What is to be compared, as the user says it: the file, and flags beside it.

use super::args::CompareArgs;
use super::variant::{Settings, Variant, VariantFile, expand};
use super::workload::{Workload, WorkloadFile};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const SERVERS: u8 = 3;
const REPETITIONS: u32 = 3;

/// All of it, checked.
#[derive(Debug, Serialize)]
pub struct Definition {
    /// What the reader is told that it is.
    pub title: String,
    /// Servers of each ensemble.
    pub servers: u8,
    /// How often each variant is measured.
    pub repetitions: u32,
    /// With which variant the others are compared; `None`: each pair.
    pub baseline: Option<usize>,
    /// What is compared.
    pub variants: Vec<Variant>,
    /// Under which loads.
    pub workloads: Vec<Workload>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: Option<String>,
    servers: Option<u8>,
    repetitions: Option<u32>,
    baseline: Option<String>,
    #[serde(default)]
    settings: toml::Table,
    #[serde(default)]
    variant: Vec<VariantFile>,
    #[serde(default)]
    workload: Vec<WorkloadFile>,
}

impl Definition {
    /// From the file and the flags.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(args: &CompareArgs) -> Result<Definition> {
        let text = match &args.definition {
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?,
            None => String::new(),
        };
        let place = args.definition.as_ref().map_or_else(|| "the flags".into(), |path| path.display().to_string());
        Definition::parse(&text, args).with_context(|| place)
    }

    fn parse(text: &str, args: &CompareArgs) -> Result<Definition> {
        let file: File = toml::from_str(text)?;
        let common = Settings::flatten(&file.settings).context("[settings]")?;
        let flags =
            args.variant.iter().map(|text| VariantFile::of_flag(text).with_context(|| format!("--variant {text:?}")));
        let mut variants = Vec::new();
        for variant in file.variant.into_iter().map(Ok).chain(flags) {
            variants.extend(expand(variant?, &common)?);
        }
        shorten(&mut variants);
        let flags = args.run.iter().map(|options| WorkloadFile::run(options));
        let flags = flags.chain(args.failover.iter().map(|options| WorkloadFile::failover(options)));
        let workloads: Result<Vec<Workload>> = file.workload.into_iter().chain(flags).map(Workload::new).collect();
        let baseline = args.baseline.as_ref().or(file.baseline.as_ref());
        let baseline = baseline.map(|name| position(&variants, name)).transpose()?;
        if args.fail_if_worse && baseline.is_none() {
            bail!("--fail-if-worse needs a --baseline");
        }
        let definition = Definition {
            title: file.title.unwrap_or_else(|| "Comparison".into()),
            servers: args.servers.or(file.servers).unwrap_or(SERVERS),
            repetitions: args.repetitions.or(file.repetitions).unwrap_or(REPETITIONS),
            baseline,
            variants,
            workloads: workloads?,
        };
        definition.check()?;
        Ok(definition)
    }

    fn check(&self) -> Result<()> {
        if self.variants.is_empty() {
            bail!("there is nothing to compare: name variants in a file or by --variant");
        }
        if self.workloads.is_empty() {
            bail!("there is no load: name workloads in a file, or by --run or --failover");
        }
        if self.repetitions == 0 || !(1..=9).contains(&self.servers) {
            bail!("servers must be within 1 and 9, and repetitions 1 at least");
        }
        distinct("variants", self.variants.iter().map(|variant| variant.name.as_str()))?;
        distinct("workloads", self.workloads.iter().map(|workload| workload.name.as_str()))?;
        for variant in &self.variants {
            variant.check()?;
            let servers = variant.servers(self.servers);
            for workload in self.workloads.iter().filter(|workload| workload.breaks) {
                if servers < 3 {
                    bail!(
                        "{}: a failover needs three servers at least, and {} has {servers}",
                        workload.name,
                        variant.name
                    );
                }
            }
        }
        Ok(())
    }
}

/// Variants of one matrix and no others are called by what they differ in.
fn shorten(variants: &mut [Variant]) {
    let Some((first, _)) = variants.first().map(|variant| variant.axes.clone()) else { return };
    if variants.iter().all(|variant| variant.axes.0 == first && !variant.axes.1.0.is_empty()) {
        for variant in variants {
            variant.name = variant.axes.1.line();
        }
    }
}

fn position(variants: &[Variant], name: &str) -> Result<usize> {
    let names = || variants.iter().map(|variant| variant.name.as_str()).collect::<Vec<_>>().join("; ");
    let found = variants.iter().position(|variant| variant.name == name);
    found.with_context(|| format!("the baseline {name:?} is none of the variants: {}", names()))
}

/// Names are names of files too.
fn distinct<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(file_name(name)) {
            bail!("two {what} are called {name:?}, or nearly so: their files would have the same names");
        }
    }
    Ok(())
}

/// A name as a part of a file's name.
pub fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '.' || c == '=' { c } else { '-' };
    name.chars().map(plain).collect::<String>().trim_matches(['-', '.']).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn read(text: &str, flags: &[&str]) -> Result<Definition> {
        let line = ["loadgen", "compare", "-o", "out"].iter().chain(flags);
        let Command::Compare(args) = Cli::try_parse_from(line).unwrap().command else { panic!() };
        Definition::parse(text, &args)
    }

    /// A program that is there, so that the check of variants passes.
    const BINARY: &str = "binary = '/bin/sh'";

    #[test]
    fn a_matrix_makes_a_variant_of_each_combination_and_settings_are_joined() {
        let text = format!(
            "servers = 1\nrepetitions = 2\n[settings]\ntickTime = 500\nsnapCount = 9\n[[variant]]\nname = 'r'\n{BINARY}\n\
             [variant.settings]\nsnapCount = 7\n[variant.matrix]\nlog.driver = ['thread', 'auto']\nlog.batch.max.bytes = [1, 2]\n\
             [[workload]]\nname = 'w'\nrun = '-c 2'\n"
        );
        let found = read(&text, &["--repetitions", "5"]).unwrap();
        let names: Vec<&str> = found.variants.iter().map(|variant| variant.name.as_str()).collect();
        let name = |bytes, driver| format!("log.batch.max.bytes={bytes} log.driver={driver}");
        assert_eq!(names, [name(1, "thread"), name(1, "auto"), name(2, "thread"), name(2, "auto")]);
        let settings = &found.variants[3].settings.0;
        let all: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(all, ["log.batch.max.bytes=2", "log.driver=auto", "snapCount=7", "tickTime=500"]);
        assert_eq!((found.servers, found.repetitions), (1, 5), "flags win");
    }

    #[test]
    fn flags_are_enough() {
        let found = read(
            "",
            &[
                "--variant",
                "a=ringkeeper:/bin/sh log.driver=thread",
                "--variant",
                "ringkeeper:/bin/sh",
                "--run",
                "-c 3 -d 2",
                "--failover",
                "-n 2",
            ],
        )
        .unwrap();
        assert_eq!(found.variants[0].name, "a");
        assert_eq!(found.variants[0].settings.0["log.driver"], "thread");
        assert_eq!(found.variants[1].name, "ringkeeper");
        let names: Vec<&str> = found.workloads.iter().map(|workload| workload.name.as_str()).collect();
        assert_eq!(names, ["run -c 3 -d 2", "failover -n 2"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_reason() {
        let variant = format!("[[variant]]\nname = 'r'\n{BINARY}\n");
        let workload = "[[workload]]\nname = 'w'\nrun = '-c 2'\n";
        for (text, says) in [
            ("", "nothing to compare"),
            (variant.as_str(), "no load"),
            ("servers = 'three'", "line 1"),
            ("sorvers = 3", "sorvers"),
            (&format!("{workload}[[variant]]\nname = 'r'\nbinary = '/no/such'\n"), "/no/such"),
            (&format!("{workload}[[variant]]\nname = 'r'\nkind = 'keeper'\n"), "keeper"),
            (&format!("{workload}[[variant]]\nname = 'r'\nkind = 'command'\n"), "start"),
            (&format!("{workload}{variant}jvm = ['-Xmx1g']\n"), "jvm"),
            (&format!("{workload}{variant}{variant}"), "same names"),
            (&format!("baseline = 'x'\n{workload}{variant}"), "baseline"),
            (&format!("{variant}[[workload]]\nname = 'w'\nrun = '-c two'\n"), "two"),
            (&format!("{variant}[[workload]]\nname = 'w'\nrun = '--threads 5 -c 4'\n"), "5 threads"),
            (&format!("{variant}[[workload]]\nname = 'w'\nrun = '--json x'\n"), "--json"),
            (&format!("{variant}[[workload]]\nname = 'w'\nrun = '-s host'\n"), "servers"),
            (&format!("{variant}[[workload]]\nname = 'w'\nrun = \"-c '2\"\n"), "quote"),
            (&format!("{variant}[[workload]]\nname = 'w'\n"), "either"),
            (&format!("servers = 1\n{variant}[[workload]]\nname = 'w'\nfailover = '-n 2'\n"), "three servers"),
            (&format!("{workload}{variant}settings = {{ tickTime = [1] }}\n"), "tickTime"),
            (&format!("{workload}{variant}matrix = {{ tickTime = 1 }}\n"), "tickTime"),
            (&format!("{workload}{variant}settings = {{ clientPort = 2181 }}\n"), "clientPort"),
            (&format!("{workload}{variant}matrix = {{ server.1 = ['a', 'b'] }}\n"), "server.1"),
        ] {
            let error = format!("{:#}", read(text, &[]).unwrap_err());
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn names_of_files_are_plain() {
        assert_eq!(file_name("Writes 64 x 64"), "writes-64-x-64");
        assert_eq!(file_name("../a log.driver=thread"), "a-log.driver=thread");
    }
}
