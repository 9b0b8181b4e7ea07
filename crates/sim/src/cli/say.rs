//! What is printed: a running line while it goes on, and the summary at the end.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tidegate_sim::marks;
use tidegate_sim::search::Summary;

/// Between two lines where nobody can see one line change.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A line on standard output.
pub(crate) fn out(line: &str) {
    // A reader that is gone wants no more lines.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line on standard error.
pub(crate) fn aside(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Shows how it goes: one line that changes on a terminal, else a line now and then.
pub(crate) struct Board {
    bar: Option<ProgressBar>,
    next_line: Duration,
}

impl Board {
    /// Nothing has happened yet.
    pub(crate) fn begin(lives: Option<u64>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = lives.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let template = match lives {
                Some(_) => "{bar:30} {pos}/{len} {wide_msg}",
                None => "{spinner} {elapsed} {wide_msg}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        Self {
            bar,
            next_line: LINE_EVERY,
        }
    }

    /// So far.
    pub(crate) fn show(&mut self, summary: &Summary, now: Duration) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(summary.lives);
                bar.set_message(figures(summary, now));
            }
            None if now >= self.next_line => {
                self.next_line = now + LINE_EVERY;
                aside(&figures(summary, now));
            }
            None => {}
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn figures(summary: &Summary, took: Duration) -> String {
    let per_s = |count: u64| count as f64 / took.as_secs_f64().max(0.001);
    format!(
        "{} lives ({:.1}/s), {} crashes, {} orders, {} calls, {} failed",
        summary.lives,
        per_s(summary.lives),
        summary.crashes,
        summary.orders,
        summary.calls,
        summary.failed.len()
    )
}

/// The sums.
pub(crate) fn summary(summary: &Summary, took: Duration) {
    out(&format!(
        "{} in {:.1} s; {:.1} hours of the world, {} steps; {} of {} marks reached",
        figures(summary, took),
        took.as_secs_f64(),
        summary.lasted.as_secs_f64() / 3_600.0,
        summary.steps,
        summary.marks.len(),
        marks::all().count(),
    ));
}

/// Marks that were not reached and should have been.
pub(crate) fn missed(summary: &Summary) {
    for mark in summary.missed() {
        out(&format!(
            "no life reached the mark {}: {} ({}:{})",
            mark.name, mark.words, mark.file, mark.line
        ));
    }
}

/// Seeds that failed, each with its line.
pub(crate) fn failed(summary: &Summary, command: impl Fn(u64) -> String) {
    for (seed, findings) in &summary.failed {
        out(&format!("seed {seed} failed; again: {}", command(*seed)));
        for finding in findings {
            out(&format!("  {finding}"));
        }
    }
}
