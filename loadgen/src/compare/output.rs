//! The directory that a comparison writes.

use crate::report::ReportArgs;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = "compare.json";
const PAGE: &str = "compare.md";
const RUNS: &str = "runs";
const LOGS: &str = "logs";

/// The directory.
#[derive(Debug)]
pub struct Output(PathBuf);

impl Output {
    /// Makes it.
    ///
    /// # Errors
    /// If it holds results already; those of the file system.
    pub fn create(dir: &Path) -> Result<Output> {
        if dir.join(DOCUMENT).exists() {
            bail!("{} has results already: name another directory", dir.display());
        }
        for below in [RUNS, LOGS] {
            fs::create_dir_all(dir.join(below)).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        Ok(Output(dir.to_path_buf()))
    }

    /// Where the document goes.
    pub fn document(&self) -> PathBuf {
        self.0.join(DOCUMENT)
    }

    /// What `report` needs to draw the document.
    pub fn pictures(&self, title: &str) -> ReportArgs {
        ReportArgs {
            files: vec![self.document()],
            label: Vec::new(),
            html: Some(self.0.join("report.html")),
            svg_dir: Some(self.0.join("pictures")),
            title: title.into(),
        }
    }

    /// Writes the page.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_page(&self, page: &str) -> Result<()> {
        let path = self.0.join(PAGE);
        fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Where a run's files go; their extensions are not part of it.
    pub fn run(&self, name: &str) -> PathBuf {
        // A dot would be taken for the begin of an extension.
        self.0.join(RUNS).join(name.replace('.', "_"))
    }

    /// Where servers' logs go, in front of the servers' numbers.
    pub fn log(&self, name: &str) -> PathBuf {
        self.0.join(LOGS).join(name)
    }
}
