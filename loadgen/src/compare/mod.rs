//! `loadgen compare`: settings or systems, measured in turn under the same loads.
//!
//! [`definition`] ([`variant`], [`workload`]) is what the user wants; [`launch`] and [`ensemble`] start servers and end them;
//! [`step`] runs loadgen itself against them. Pure, and tested alone: [`figures`] and [`finding`] (from results to
//! what follows), [`progress`], [`page`].

mod args;
mod cells;
mod definition;
mod ensemble;
mod figures;
mod finding;
mod launch;
mod output;
mod page;
mod progress;
mod step;
mod variant;
mod workload;

pub use args::CompareArgs;

use crate::engine::{Failure, Stop};
use crate::environment::Environment;
use crate::probe;
use crate::report::report;
use crate::results::{Document, Status};
use crate::run::Exit;
use anyhow::{Context, Result};
use cells::{Cell, Cells, Conclusions};
use definition::{Definition, file_name};
use ensemble::{Ensemble, fresh_dir};
use finding::Verdict;
use launch::Plan;
use output::Output;
use progress::Progress;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::time::SystemTime;
use step::Outcome;
use workload::Setting;

/// Writes by each way, to learn the floor of the machine.
const FLOOR_WRITES: u32 = 500;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Findings {
    /// How it ended.
    pub status: Status,
    /// What went wrong, beside what cells tell.
    pub failures: Vec<String>,
    /// What the servers say that they are, by variant.
    pub versions: BTreeMap<String, String>,
    /// The figures.
    pub cells: Vec<Cell>,
    /// What follows from them.
    #[serde(flatten)]
    pub conclusions: Conclusions,
    /// What the machine allows.
    pub floor: Option<probe::Findings>,
}

impl Findings {
    /// Whether a variant is worse than the baseline. (In each pair that is compared with one, the baseline comes second.)
    fn some_worse(&self) -> bool {
        self.conclusions.comparisons.iter().any(|comparison| comparison.verdict == Verdict::Worse)
    }
}

/// Runs the command.
///
/// # Errors
/// What kept it from beginning; files that cannot be written.
pub fn compare(args: &CompareArgs, stop: &Stop) -> Result<Exit> {
    let started = SystemTime::now();
    let definition = Definition::read(args)?;
    if args.plan {
        print!("{}", progress::plan(&definition));
        return Ok(Exit::Fine);
    }
    let output = Output::create(&args.output)?;
    fs::create_dir_all(&args.dir).with_context(|| format!("cannot make {}", args.dir.display()))?;
    let mut campaign = Campaign {
        args,
        definition: &definition,
        output: &output,
        stop,
        cells: Cells::new(&definition),
        versions: BTreeMap::new(),
        progress: Progress::new(&definition),
    };
    let floor = probe::measure(&args.dir, FLOOR_WRITES, stop);
    let ended = campaign.repetitions();
    let found = campaign.conclude(ended, floor)?;
    publish(args, &definition, &output, started, found)
}

fn publish(
    args: &CompareArgs,
    definition: &Definition,
    output: &Output,
    started: SystemTime,
    found: Findings,
) -> Result<Exit> {
    let page = page::page(definition, &found, &Environment::probe());
    output.write_page(&page)?;
    println!("{page}");
    for failure in &found.failures {
        eprintln!("loadgen: {failure}");
    }
    let exit = Exit::of(found.status, args.fail_if_worse && found.some_worse());
    Document::new("compare", started, definition, found).write(&output.document())?;
    // The figures are there: without pictures they are worth no less.
    if let Err(error) = report(&output.pictures(&definition.title)) {
        eprintln!("loadgen: no pictures: {error:#}");
    }
    if !args.quiet {
        eprintln!("loadgen: everything is in {}", args.output.display());
    }
    Ok(exit)
}

/// A comparison under way.
struct Campaign<'a> {
    args: &'a CompareArgs,
    definition: &'a Definition,
    output: &'a Output,
    stop: &'a Stop,
    cells: Cells,
    versions: BTreeMap<String, String>,
    progress: Progress,
}

impl Campaign<'_> {
    /// All variants in turn, again and again.
    fn repetitions(&mut self) -> Result<()> {
        for repetition in 1..=self.definition.repetitions {
            for variant in 0..self.definition.variants.len() {
                self.measure(repetition, variant)?;
            }
        }
        Ok(())
    }

    /// One variant, under all loads.
    fn measure(&mut self, repetition: u32, at: usize) -> Result<()> {
        let variant = &self.definition.variants[at];
        self.progress.begin();
        let name = format!("{}-{repetition}", file_name(&variant.name));
        ensemble::check_vacant(variant)?;
        let dir = fresh_dir(&self.args.dir, &name)?;
        let plan = Plan::new(variant, variant.servers(self.definition.servers), &dir, &self.output.log(&name))?;
        let ensemble = Ensemble::start(variant, &plan, self.stop)?;
        if let Some(version) = ensemble.addresses().first().and_then(|address| ensemble::version(address)) {
            self.versions.insert(variant.name.clone(), version);
        }
        self.progress.done((at, None));
        for load in 0..self.definition.workloads.len() {
            let outcome = match ensemble.check() {
                Ok(()) => self.load(repetition, at, load, &ensemble)?,
                Err(error) => Outcome::Failed(format!("{error:#}")),
            };
            self.take(at, load, outcome)?;
        }
        Ok(())
    }

    fn load(&mut self, repetition: u32, at: usize, load: usize, ensemble: &Ensemble) -> Result<Outcome> {
        let (variant, workload) = (&self.definition.variants[at], &self.definition.workloads[load]);
        if self.stop.is_set() {
            return Ok(Outcome::Interrupted);
        }
        self.say(&format!("{} repetition {repetition}: {}: {}", self.progress.mark(), variant.name, workload.name));
        self.progress.begin();
        let path = self.output.run(&format!("{}-{}-{repetition}", file_name(&variant.name), file_name(&workload.name)));
        let (json, hdr_log) = (path.with_extension("json"), path.with_extension("hlog"));
        let text = "the output directory needs a name that is text";
        let setting = Setting {
            addresses: ensemble.addresses(),
            pids: &ensemble.pids(),
            json: json.to_str().context(text)?,
            hdr_log: hdr_log.to_str().context(text)?,
            seed: repetition,
        };
        let outcome = step::run(workload, &setting, &path, self.stop)?;
        self.progress.done((at, Some(load)));
        Ok(outcome)
    }

    /// Keeps what came out.
    fn take(&mut self, variant: usize, load: usize, outcome: Outcome) -> Result<()> {
        let Some(cell) = self.cells.at(self.definition, variant, load) else { return Ok(()) };
        match outcome {
            Outcome::Measured(result) => {
                let told: Vec<String> = figures::of_command(cell.command)
                    .iter()
                    .filter_map(|figure| Some(format!("{} {}", figure.label, figure.show(figure.of(&result)?))))
                    .collect();
                cell.add(result);
                self.say(&format!("    {}", told.join(", ")));
            }
            Outcome::Failed(why) => {
                cell.failures.push(why.clone());
                self.say(&format!("    failed: {why}"));
            }
            Outcome::Interrupted => return Err(Failure::Interrupted.into()),
        }
        Ok(())
    }

    fn say(&self, line: &str) {
        if !self.args.quiet {
            eprintln!("{line}");
        }
    }

    /// Draws the conclusions from what there is.
    fn conclude(self, ended: Result<()>, floor: Result<probe::Findings>) -> Result<Findings> {
        let interrupted = self.stop.is_set();
        let conclusions = self.cells.conclude(self.definition);
        let cells = self.cells.into_inner();
        let measured = cells.iter().any(|cell| !cell.repetitions.is_empty());
        let mut failures = Vec::new();
        match ended {
            Err(error) if !measured => return Err(error),
            // The interrupt is why, whatever it led to.
            Err(_) if interrupted => {}
            Err(error) => failures.push(format!("{error:#}")),
            Ok(()) => {}
        }
        let floor = floor.map_err(|error| failures.push(format!("the floor of the machine: {error:#}"))).ok();
        let failed = !failures.is_empty() || cells.iter().any(|cell| !cell.failures.is_empty());
        let status = match () {
            () if interrupted => Status::Interrupted,
            () if failed => Status::Failed,
            () => Status::Complete,
        };
        Ok(Findings { status, failures, versions: self.versions, cells, conclusions, floor })
    }
}
