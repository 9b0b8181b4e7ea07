//! What a measurement was made on: without it a figure means nothing.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::command::output;

/// Processor, cores, memory, kernel and compiler, as JSON.
pub(crate) fn describe() -> Result<Value> {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    Ok(json!({
        "processor": field(&processors, "model name").unwrap_or(std::env::consts::ARCH),
        "cores": std::thread::available_parallelism()?.get(),
        "memory_mib": field(&memory, "MemTotal").and_then(kib).map(|kib| kib / 1024),
        "kernel": kernel(&output(Command::new("uname").arg("-sr"))?),
        "compiler": output(Command::new("rustc").arg("--version"))?.trim(),
    }))
}

/// The commit that is checked out, marked when files differ from it.
pub(crate) fn commit(root: &Path) -> Result<String> {
    let git = |arguments: &[&str]| {
        output(Command::new("git").current_dir(root).args(arguments))
            .context("is this a git clone?")
    };
    let hash = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let mark = if changed.trim().is_empty() {
        ""
    } else {
        "+changes"
    };
    Ok(format!("{}{mark}", hash.trim()))
}

/// Today, in UTC, as `YYYY-MM-DD`.
pub(crate) fn date() -> Result<String> {
    Ok(output(Command::new("date").args(["-u", "+%F"]))?
        .trim()
        .to_owned())
}

/// Name and version, without what a distribution appends.
fn kernel(text: &str) -> &str {
    text.trim().split('-').next().unwrap_or_default()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

fn kib(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_its_name_and_version() {
        assert_eq!(kernel("Linux 6.12.3-amd64\n"), "Linux 6.12.3");
    }

    #[test]
    fn fields_of_proc_are_read() {
        let text = "MemTotal:       24627640 kB\nMemFree: 1 kB\n";
        assert_eq!(field(text, "MemTotal").and_then(kib), Some(24_627_640));
        assert_eq!(field(text, "Swap"), None);
    }
}
