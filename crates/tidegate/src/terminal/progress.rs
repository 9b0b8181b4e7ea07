//! Progress of long work: a live line on a terminal, nothing when nobody looks.

use drill::watch::Watcher;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// How often the live line is drawn anew while nothing is told.
const TICK: Duration = Duration::from_millis(200);

/// A live line on standard error, cleared when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Begins; hidden when standard error is no terminal.
    pub(crate) fn begin() -> Self {
        let bar = ProgressBar::new(0);
        let style =
            ProgressStyle::with_template("{spinner} {msg:<36} {bar:30} {pos}/{len} {elapsed}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self { bar }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Watcher for Progress {
    fn stage(&self, what: &str) {
        self.bar.set_position(0);
        self.bar.set_length(0);
        self.bar.set_message(what.to_owned());
    }

    fn progress(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    fn note(&self, line: &str) {
        self.bar.suspend(|| super::to_stderr(&format!("{line}\n")));
    }
}
