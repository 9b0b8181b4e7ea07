//! What it costs to be there: the start without a journal, the memory of an idle server, the size of the binary.
//!
//! The start is measured from outside, from the moment the process is asked for to the log line that says where it
//! listens; each run has a fresh data directory, whose making is part of it. Idle memory is what the kernel says once
//! the server has listened for a second.
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement asks the clock itself"
)]
#![expect(
    clippy::print_stdout,
    reason = "the figures go to standard output, where the dispatcher reads them"
)]

use std::io::{BufRead, BufReader, Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const RUNS: usize = 30;
/// The first runs load the binary from disk.
const WARM_UP: usize = 3;
const START_LIMIT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(1);

fn main() -> Result<()> {
    let binary = binary()?;
    let bytes = binary.metadata()?.len();
    let mut starts = Vec::new();
    let mut memory = Vec::new();
    for run in 0..WARM_UP + RUNS {
        let (start_ms, rss) = measure(&binary, run + 1 == WARM_UP + RUNS)?;
        if run >= WARM_UP {
            starts.push(start_ms);
        }
        memory.extend(rss);
    }
    starts.sort_by(f64::total_cmp);
    let (median, worst) = (starts[RUNS / 2], starts[RUNS - 1]);
    let idle = memory.first().copied().unwrap_or(0);
    eprintln!(
        "start without a journal: median {median:.1} ms, worst {worst:.1} ms of {RUNS} (bar: 50)"
    );
    eprintln!("idle memory: {:.1} MB (bar: 30)", megabytes(idle));
    eprintln!("release binary: {:.1} MB (bar: 15)", megabytes(bytes));
    println!(
        r#"{{"runs": {RUNS}, "start_ms_median": {median:.2}, "start_ms_max": {worst:.2}, "idle_rss_bytes": {idle}, "binary_bytes": {bytes}}}"#
    );
    Ok(())
}

/// The release binary lies one folder above this measurement. Cargo has just put the one of the bench profile there,
/// which carries symbols; asking for the release one again puts that back.
fn binary() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--package",
            "tidegate",
        ])
        .status()?;
    let this = std::env::current_exe()?;
    let folder = this.parent().and_then(Path::parent);
    let binary = folder.map(|folder| folder.join("tidegate"));
    binary
        .filter(|binary| built.success() && binary.is_file())
        .ok_or_else(|| Error::other("the release binary could not be built"))
}

/// One start on a fresh directory: milliseconds until it listens and, when asked for, its idle memory.
fn measure(binary: &Path, look_at_memory: bool) -> Result<(f64, Option<u64>)> {
    let dir = tempfile::tempdir()?;
    let begin = Instant::now();
    let child = Command::new(binary)
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--set",
            "edge.admin_listen=127.0.0.1:0",
        ])
        .arg("--data")
        .arg(dir.path().join("data"))
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut server = Server(child);
    let lines = server.lines()?;
    let start_ms = wait_until_listening(&lines, begin)?;
    let rss = if look_at_memory {
        // Nothing is logged while nothing happens, so this waits for as long as it may.
        while lines.recv_timeout(IDLE) != Err(RecvTimeoutError::Timeout) {}
        Some(resident_bytes(server.0.id())?)
    } else {
        None
    };
    Ok((start_ms, rss))
}

fn wait_until_listening(lines: &Receiver<String>, begin: Instant) -> Result<f64> {
    loop {
        let line = lines
            .recv_timeout(START_LIMIT)
            .map_err(|_| Error::other("the server did not say where it listens"))?;
        if line.contains(r#""message":"listening""#) {
            return Ok(begin.elapsed().as_secs_f64() * 1000.0);
        }
    }
}

/// Ended when it is dropped, however the measurement went.
struct Server(Child);

impl Server {
    fn lines(&mut self) -> Result<Receiver<String>> {
        let out = self.0.stdout.take();
        let out = out.ok_or_else(|| Error::other("the server's output is no pipe"))?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(lines)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn resident_bytes(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| Error::other("the kernel does not say how much memory it takes"))
}

#[expect(clippy::cast_precision_loss, reason = "for people, with one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
