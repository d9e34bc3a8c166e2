//! A folder in the data directory for what is needed only while a request is answered.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// It goes with the value.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// An empty one; what a server that was killed has left of it is removed.
    ///
    /// # Errors
    /// Of the file system.
    pub(super) fn new(data_dir: &Path, name: &str) -> io::Result<Folder> {
        let path = data_dir.join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path)?;
        Ok(Folder(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a folder that is needed no more could not be removed");
        }
    }
}
