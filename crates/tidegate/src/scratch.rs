//! The data directory of a command that needs one only while it runs.

use crate::outside::Outside;
use crate::settings::Loaded;
use std::path::PathBuf;

/// A directory that goes when this is dropped; nothing, when the user gave one of their own.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: Option<PathBuf>,
}

impl Scratch {
    /// The directory of the settings when somebody set it; otherwise a new one, which is put into the settings.
    pub(crate) fn unless_given(loaded: &mut Loaded, outside: &Outside) -> Self {
        if loaded.origins.contains_key("data") {
            return Self { dir: None };
        }
        let dir = std::env::temp_dir().join(format!("tidegate-{}", outside.name()));
        loaded.settings.data.clone_from(&dir);
        Self { dir: Some(dir) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(dir) = &self.dir {
            // What stays is what the system clears from its temporary files later.
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}
