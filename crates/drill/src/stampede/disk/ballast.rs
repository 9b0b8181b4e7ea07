//! A file that takes every free byte of a file system.

use super::DiskError;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The first pieces that are written; when they do not fit any more, smaller ones are.
const CHUNK_BYTES: usize = 1024 * 1024;
/// The file system gives out nothing smaller.
const CHUNK_BYTES_MIN: usize = 512;

/// The file. Dropped, it is removed.
#[derive(Debug)]
pub(in super::super) struct Ballast {
    file: File,
    path: PathBuf,
}

impl Ballast {
    /// Makes an empty one at `path`.
    pub(in super::super) fn new(path: &Path) -> Result<Self, DiskError> {
        let file = File::create_new(path).map_err(DiskError::file("make", path))?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// Takes what is free now, to the last byte. Says how many bytes that were.
    pub(in super::super) fn fill(&mut self) -> Result<u64, DiskError> {
        let zeros = vec![0; CHUNK_BYTES];
        let (mut chunk, mut taken) = (CHUNK_BYTES, 0);
        while chunk >= CHUNK_BYTES_MIN {
            match self.file.write(&zeros[..chunk]) {
                Ok(written) => taken += written as u64,
                Err(error) if error.kind() == ErrorKind::StorageFull => chunk /= 2,
                Err(error) => return Err(DiskError::file("fill", &self.path)(error)),
            }
        }
        // Blocks may be reserved late: only what is on the disk is taken.
        match self.file.sync_data() {
            Err(error) if error.kind() != ErrorKind::StorageFull => {
                Err(DiskError::file("fill", &self.path)(error))
            }
            _ => Ok(taken),
        }
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        // Whoever made the file system throws it away after a drill, with what could not be removed.
        let _ = std::fs::remove_file(&self.path);
    }
}
