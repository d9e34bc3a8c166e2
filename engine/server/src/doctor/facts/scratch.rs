//! A directory for trying things out, gone with its value.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The directory.
#[derive(Debug)]
pub(in crate::doctor) struct Scratch(PathBuf);

impl Scratch {
    /// A new one below `dir`.
    pub(in crate::doctor) fn new(dir: &Path) -> io::Result<Scratch> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(".ringkeeper-doctor-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = dir.join(name);
        std::fs::create_dir(&path)?;
        Ok(Scratch(path))
    }

    pub(in crate::doctor) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("warning: {} could not be removed: {error}", self.0.display());
        }
    }
}
