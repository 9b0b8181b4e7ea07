//! What a task costs: spawn 100,000 of them, wait for all, ten times over. A cost that is small and
//! steady is what allows one task for each connection and each sale without a pool in between.
//!
//! Both schedulers are measured: the one of a single thread shows the cost itself, the one of many
//! threads is what the server runs on, where stealing and other people's load show up as spread. Memory
//! is what the process grows by while all tasks wait.
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement asks the clock itself"
)]
#![expect(
    clippy::print_stdout,
    reason = "the figures go to standard output, where the dispatcher reads them"
)]

use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

const TASKS: u32 = 100_000;
const RUNS: usize = 10;
/// The first runs pay for the allocator's and the scheduler's first growth.
const WARM_UP: usize = 3;

fn main() -> std::io::Result<()> {
    let one = Builder::new_current_thread().build()?;
    let many = Builder::new_multi_thread().build()?;
    let bytes = bytes_per_task(&one);
    let one = Measured::of(&one);
    let many = Measured::of(&many);
    one.tell("one thread  ");
    many.tell("many threads");
    eprintln!("memory: {bytes} bytes a task");
    println!(
        r#"{{"tasks": {TASKS}, "bytes_per_task": {bytes}, "one_thread": {}, "many_threads": {}}}"#,
        one.json(),
        many.json()
    );
    Ok(())
}

/// Nanoseconds for each task, one figure a run.
struct Measured {
    runs: Vec<f64>,
}

impl Measured {
    fn of(runtime: &Runtime) -> Self {
        let runs = (0..WARM_UP + RUNS).map(|_| round(runtime)).skip(WARM_UP);
        Self {
            runs: runs.collect(),
        }
    }

    fn mean(&self) -> f64 {
        self.runs.iter().sum::<f64>() / RUNS as f64
    }

    /// The standard deviation in percent of the mean.
    fn spread_percent(&self) -> f64 {
        let mean = self.mean();
        let squares = self.runs.iter().map(|run| (run - mean).powi(2));
        (squares.sum::<f64>() / RUNS as f64).sqrt() / mean * 100.0
    }

    fn tell(&self, name: &str) {
        let (mean, spread) = (self.mean(), self.spread_percent());
        let total = mean * f64::from(TASKS) / 1e6;
        eprintln!(
            "{name}: {TASKS} tasks in {total:.1} ms, {mean:.0} ns a task, spread {spread:.1} %"
        );
    }

    fn json(&self) -> String {
        let runs: Vec<String> = self.runs.iter().map(|run| format!("{run:.1}")).collect();
        format!(
            r#"{{"ns_per_task_mean": {:.1}, "spread_percent": {:.2}, "ns_per_task": [{}]}}"#,
            self.mean(),
            self.spread_percent(),
            runs.join(", ")
        )
    }
}

/// Spawns all tasks from inside the runtime, as the server does, and waits for each.
fn round(runtime: &Runtime) -> f64 {
    let start = Instant::now();
    runtime.block_on(async {
        let tasks = (0..TASKS).map(|number| tokio::spawn(async move { u64::from(number) }));
        let tasks: Vec<_> = tasks.collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap_or_default();
        }
        assert_eq!(
            sum,
            u64::from(TASKS) * u64::from(TASKS - 1) / 2,
            "a task was lost"
        );
    });
    start.elapsed().as_secs_f64() * 1e9 / f64::from(TASKS)
}

/// How much the process grows for each task while all of them wait for one signal.
fn bytes_per_task(runtime: &Runtime) -> u64 {
    runtime.block_on(async {
        let (signal, _) = watch::channel(());
        let before = resident();
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let mut waiting = signal.subscribe();
                tokio::spawn(async move { waiting.changed().await.is_ok() })
            })
            .collect();
        tokio::task::yield_now().await;
        let grown = resident().saturating_sub(before);
        signal.send_replace(());
        for task in tasks {
            assert!(task.await.unwrap_or_default(), "a task missed the signal");
        }
        grown / u64::from(TASKS)
    })
}

/// Bytes of memory that the process has in use, 0 where the kernel does not tell.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}
