//! The command line: what is asked for is searched, what fails is shrunk, told, and given back as a line to type.

mod options;
mod say;
mod small;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use tidegate_sim::search::{LIVES_FOR_ALL_MARKS, Search, Summary};
use world::{Clock, SystemClock};

use options::Options;
use say::Board;

/// Between two looks at whether it is time to stop.
const TICK: Duration = Duration::from_millis(500);

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    let options = Options::parse();
    let search = match options.search() {
        Ok(search) => search,
        Err(error) => {
            say::aside(&format!("{error}"));
            return ExitCode::from(2);
        }
    };
    let clock = SystemClock::new();
    let summary = look(&options, &search, &clock);
    let took = clock.monotonic();
    let fails = !summary.failed.is_empty() || must_reach_all(&search, &summary);
    if options.json {
        let document = summary.json(took, |seed| search_command(&search, seed));
        say::out(&document.to_string());
    } else {
        say::summary(&summary, took);
        if must_reach_all(&search, &summary) {
            say::missed(&summary);
        }
        say::failed(&summary, |seed| search_command(&search, seed));
    }
    if let Some((seed, findings)) = summary.failed.first_key_value() {
        small::tell(&search, *seed, findings, &clock);
    }
    ExitCode::from(u8::from(fails))
}

/// Searches, until it is over, the time is up, or somebody has pressed Ctrl-C.
fn look(options: &Options, search: &Search, clock: &SystemClock) -> Summary {
    let stop = Arc::new(AtomicBool::new(false));
    stop_at_ctrl_c(&stop);
    let until = options.until();
    let mut board = Board::begin(search.lives);
    search.run(&stop, TICK, |summary| {
        let now = clock.monotonic();
        if until.is_some_and(|until| now >= until) {
            stop.store(true, Ordering::Relaxed);
        }
        board.show(summary, now);
    })
}

/// The first Ctrl-C lets the lives under way end; the second ends the process, as without us.
fn stop_at_ctrl_c(stop: &Arc<AtomicBool>) {
    let stop = stop.clone();
    let waiting = std::thread::Builder::new().name("ctrl-c".to_owned());
    let spawned = waiting.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build();
        let Ok(runtime) = runtime else {
            return;
        };
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.store(true, Ordering::Relaxed);
                say::aside("stopping after the lives under way; once more ends at once");
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
    });
    // Without that thread, Ctrl-C ends the process without a summary.
    drop(spawned);
}

/// Whether some mark was not reached where all must be: enough lives, nothing taken out.
fn must_reach_all(search: &Search, summary: &Summary) -> bool {
    let whole = search.trim.is_nothing() && summary.lives >= LIVES_FOR_ALL_MARKS;
    whole && summary.missed().next().is_some()
}

/// The line that replays a seed of this search.
fn search_command(search: &Search, seed: u64) -> String {
    options::command(seed, &search.trim, search.steps_max)
}
