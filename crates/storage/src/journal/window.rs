//! A piece of a file in memory, moved along by a reader.

use std::io;

use world::DiskFile;

/// Bytes read at once.
const WINDOW_BYTES: usize = 256 * 1024;

/// Buffered reading of one file.
#[derive(Debug)]
pub(super) struct Window {
    file: Box<dyn DiskFile>,
    buffer: Vec<u8>,
    start: u64,
    filled: usize,
    limit: u64,
}

impl Window {
    pub(super) fn new(file: Box<dyn DiskFile>) -> Self {
        Self {
            file,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            limit: u64::MAX,
        }
    }

    pub(super) fn file(&self) -> &dyn DiskFile {
        &*self.file
    }

    /// Sets the first byte that must not be read, as if the file ended there.
    pub(super) fn set_limit(&mut self, limit: u64) {
        if limit < self.limit {
            self.forget();
        }
        self.limit = limit;
    }

    /// Forgets what was read, so that bytes written since are seen.
    pub(super) fn forget(&mut self) {
        self.filled = 0;
        self.buffer.truncate(WINDOW_BYTES);
        self.buffer.shrink_to(WINDOW_BYTES);
    }

    /// First byte that is not in memory.
    pub(super) fn end(&self) -> u64 {
        self.start + self.filled as u64
    }

    /// `len` bytes at `offset`; fewer where the file or the limit ends.
    pub(super) fn bytes(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let inside = offset >= self.start && offset.saturating_add(len as u64) <= self.end();
        if !inside {
            self.fill(offset, len.max(WINDOW_BYTES))?;
        }
        let from = usize::try_from(offset - self.start).map_err(io::Error::other)?;
        let from = from.min(self.filled);
        let to = from.saturating_add(len).min(self.filled);
        Ok(&self.buffer[from..to])
    }

    fn fill(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let room = self.limit.saturating_sub(offset);
        let len = usize::try_from(room).map_or(len, |room| len.min(room));
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        self.start = offset;
        self.filled = 0;
        self.filled = self.file.read_at(offset, &mut self.buffer[..len])?;
        Ok(())
    }
}
