//! What was measured: one cell for each variant and workload.

use super::definition::Definition;
use super::figures::{Figure, Sample, of_command};
use super::finding::{Comparison, Pair, best, sentence};
use super::workload::Workload;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A variant under a workload.
#[derive(Debug, Serialize)]
pub struct Cell {
    /// The variant.
    pub label: String,
    /// The workload.
    pub workload: String,
    /// The command that measured.
    pub command: &'static str,
    /// Results of the command, one for each repetition that went through.
    pub repetitions: Vec<Value>,
    /// What became of the others.
    pub failures: Vec<String>,
    /// The figures: their medians.
    pub median: BTreeMap<&'static str, f64>,
    /// The figures: how many there are, the least, the greatest.
    pub spread: BTreeMap<&'static str, Sample>,
}

impl Cell {
    /// One without results yet.
    pub fn new(label: &str, workload: &str, command: &'static str) -> Cell {
        Cell {
            label: label.into(),
            workload: workload.into(),
            command,
            repetitions: Vec::new(),
            failures: Vec::new(),
            median: BTreeMap::new(),
            spread: BTreeMap::new(),
        }
    }

    /// Takes a result in.
    pub fn add(&mut self, result: Value) {
        self.repetitions.push(result);
        for figure in of_command(self.command) {
            if let Some(sample) = Sample::of(self.repetitions.iter().filter_map(|result| figure.of(result))) {
                self.median.insert(figure.key, sample.median);
                self.spread.insert(figure.key, sample);
            }
        }
    }

    /// A figure of it.
    pub fn sample(&self, figure: &Figure) -> Option<Sample> {
        self.spread.get(figure.key).copied()
    }

    /// What a reader of the figures must know.
    pub fn remarks(&self) -> Vec<String> {
        let sum = |pointer: &str| -> u64 {
            self.repetitions.iter().filter_map(|result| result.pointer(pointer)?.as_u64()).sum()
        };
        let errors: u64 = self
            .repetitions
            .iter()
            .filter_map(|result| result.pointer("/all/errors")?.as_object())
            .flat_map(|errors| errors.values().filter_map(Value::as_u64))
            .sum();
        let told = [
            (sum("/unsent"), "operations of the schedule never sent: it did not keep up"),
            (errors, "error replies"),
            (sum("/verification/lost"), "ACKNOWLEDGED WRITES LOST"),
        ];
        let mut remarks: Vec<String> = told
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{} {what}", crate::units::count(*n as f64)))
            .collect();
        remarks.extend(self.failures.iter().map(|failure| format!("failed: {failure}")));
        remarks
    }
}

/// What follows from the cells.
#[derive(Debug, Default, Serialize)]
pub struct Conclusions {
    /// A sentence on the best for each workload, where more than two are compared.
    pub best: Vec<String>,
    /// Each figure of each pair.
    pub comparisons: Vec<Comparison>,
    /// The same in words: a sentence for each pair under each workload.
    pub findings: Vec<String>,
}

/// All that was measured.
#[derive(Debug)]
pub struct Cells(Vec<Cell>);

impl Cells {
    /// One for each variant and workload, without results.
    pub fn new(definition: &Definition) -> Cells {
        let of_variant = |name: &str| {
            let cell = |load: &Workload| Cell::new(name, &load.name, load.command);
            definition.workloads.iter().map(cell).collect::<Vec<_>>()
        };
        Cells(definition.variants.iter().flat_map(|variant| of_variant(&variant.name)).collect())
    }

    /// The cell of a variant and a workload.
    pub fn at(&mut self, definition: &Definition, variant: usize, workload: usize) -> Option<&mut Cell> {
        self.0.get_mut(variant * definition.workloads.len() + workload)
    }

    /// The cells of a workload, in the order of the variants.
    pub fn of_workload<'a>(&'a self, workload: &'a str) -> impl Iterator<Item = &'a Cell> {
        self.0.iter().filter(move |cell| cell.workload == workload)
    }

    /// All.
    pub fn into_inner(self) -> Vec<Cell> {
        self.0
    }

    /// What follows.
    pub fn conclude(&self, definition: &Definition) -> Conclusions {
        let Conclusions { mut best, mut comparisons, mut findings } = Conclusions::default();
        let pairs = pairs(definition);
        for workload in &definition.workloads {
            let cells: Vec<&Cell> = self.of_workload(&workload.name).collect();
            if cells.len() > 2 {
                best.extend(best_of(workload, &cells));
            }
            for &(first, second) in &pairs {
                let Some((one, other)) = cells.get(first).zip(cells.get(second)) else { continue };
                let both = |figure: &Figure| {
                    Some(Pair { figure: *figure, samples: [one.sample(figure)?, other.sample(figure)?] })
                };
                let figures: Vec<Pair> = of_command(workload.command).iter().filter_map(both).collect();
                let names = [one.label.as_str(), other.label.as_str()];
                if !figures.is_empty() {
                    comparisons.extend(figures.iter().map(|pair| pair.compare(&workload.name, names)));
                    findings.push(sentence(&workload.name, names, &figures));
                }
            }
        }
        Conclusions { best, comparisons, findings }
    }
}

fn best_of(workload: &Workload, cells: &[&Cell]) -> Option<String> {
    let samples = |figure: &Figure| -> Vec<(&str, Sample)> {
        cells.iter().filter_map(|cell| Some((cell.label.as_str(), cell.sample(figure)?))).collect()
    };
    let figures: Vec<_> = of_command(workload.command).iter().map(|figure| (figure, samples(figure))).collect();
    best(&workload.name, &figures)
}

/// Which variants are compared: each with the baseline; without one each with each, except that those of a matrix are compared
/// only where they differ in a single setting. What differs in two says of neither what it does.
fn pairs(definition: &Definition) -> Vec<(usize, usize)> {
    let count = definition.variants.len();
    if let Some(baseline) = definition.baseline {
        return (0..count).filter(|&one| one != baseline).map(|one| (one, baseline)).collect();
    }
    let comparable = |&(one, other): &(usize, usize)| {
        let ((_, a), (_, b)) = (&definition.variants[one].axes, &definition.variants[other].axes);
        let same_matrix = !a.0.is_empty() && definition.variants[one].axes.0 == definition.variants[other].axes.0;
        !same_matrix || a.0.iter().filter(|(key, value)| b.0.get(*key) != Some(value)).count() == 1
    };
    (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other))).filter(comparable).collect()
}

#[cfg(test)]
mod tests {
    use super::super::variant::{Settings, System, Variant};
    use super::*;
    use serde_json::json;

    /// Variants of one matrix with two settings, and one beside it.
    fn definition(baseline: Option<usize>) -> Definition {
        let variant = |origin: &str, axes: &[(&str, &str)]| {
            let axes = Settings(axes.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect());
            let system = System::Ringkeeper { binary: "/bin/sh".into() };
            let name = format!("{origin} {}", axes.line());
            Variant { name, system, settings: axes.clone(), axes: (origin.into(), axes) }
        };
        let matrix = |d, b| variant("m", &[("driver", d), ("batch", b)]);
        let variants = vec![matrix("x", "1"), matrix("x", "2"), matrix("y", "1"), matrix("y", "2"), variant("z", &[])];
        Definition { title: String::new(), servers: 1, repetitions: 2, baseline, variants, workloads: Vec::new() }
    }

    #[test]
    fn variants_of_a_matrix_are_compared_where_they_differ_in_one_setting() {
        assert_eq!(pairs(&definition(None)), [(0, 1), (0, 2), (0, 4), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)]);
        assert_eq!(pairs(&definition(Some(4))), [(0, 4), (1, 4), (2, 4), (3, 4)]);
    }

    #[test]
    fn a_cell_tells_what_a_reader_must_know() {
        let mut cell = Cell::new("a", "w", "run");
        cell.add(json!({"rate": 5.0, "unsent": 1_200, "all": {"errors": {"NoNode": 2, "BadVersion": 1}}}));
        cell.add(json!({"rate": 7.0, "unsent": 0, "all": {"errors": {}}}));
        cell.failures.push("lost the connection".into());
        assert_eq!((cell.median["rate"], cell.spread["rate"].min, cell.spread["rate"].count), (6.0, 5.0, 2));
        let remarks = cell.remarks();
        assert!(remarks[0].starts_with("1,200 operations of the schedule never sent"), "{remarks:?}");
        assert_eq!(remarks[1..], ["3 error replies", "failed: lost the connection"]);
        let mut cell = Cell::new("a", "w", "failover");
        cell.add(json!({"verification": {"lost": 1}}));
        assert_eq!(cell.remarks(), ["1 ACKNOWLEDGED WRITES LOST"]);
        assert_eq!(cell.median["lost_writes"], 1.0);
    }
}
