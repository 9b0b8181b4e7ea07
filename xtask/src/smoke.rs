//! The main job, run once as a user would: a small drill with one SIGKILL in it, and the demo served,
//! asked whether it lives, and stopped. Nothing here waits without a limit.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::succeed;

const DRILL_LIMIT: Duration = Duration::from_secs(300);
const DEMO_LIMIT: Duration = Duration::from_secs(60);

/// `tidegate drill`, small, with one kill: it has to end with the verdict `ok`.
pub(crate) fn drill(root: &Path) -> Result<()> {
    let words = [
        "drill", "--buyers", "2000", "--stock", "100", "--kill", "1", "--json",
    ];
    let child = start(Command::new(binary(root)).args(words))?;
    let mut run = Run::new(child, DRILL_LIMIT)?;
    let mut text = String::new();
    while let Some(line) = run.line()? {
        text.push_str(&line);
        text.push('\n');
    }
    let verdict = verdict(&text)?;
    println!("    verdict: {verdict}");
    let code = run.child.wait()?.code();
    if verdict != "ok" || code != Some(0) {
        bail!("the drill ended with verdict {verdict} and exit code {code:?}:\n{text}");
    }
    Ok(())
}

/// `tidegate serve --demo`: `/livez` answers, and SIGTERM ends it with exit code 0.
pub(crate) fn demo(root: &Path) -> Result<()> {
    let data = root.join("target").join("smoke");
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    let child = start(
        Command::new(binary(root))
            .args([
                "serve",
                "--demo",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(&data),
    )?;
    let mut run = Run::new(child, DEMO_LIMIT)?;
    let admin = admin_address(&mut run)?;
    let head = ask(&admin, "/livez")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("/livez on {admin} answered: {head}");
    }
    println!("    /livez on {admin}: 200");
    terminate(&run.child)?;
    while run.line()?.is_some() {}
    let status = run.child.wait()?;
    if status.code() != Some(0) {
        bail!("after SIGTERM the server ended with {status}, not with exit code 0");
    }
    println!("    SIGTERM: exit code 0");
    std::fs::remove_dir_all(&data).context("the demo's data directory could not be removed")
}

/// The verdict in the JSON that a drill prints.
fn verdict(text: &str) -> Result<String> {
    let report: Value =
        serde_json::from_str(text.trim()).with_context(|| format!("not a JSON report:\n{text}"))?;
    let verdict = report.get("verdict").and_then(Value::as_str);
    Ok(verdict.context("the report has no verdict")?.to_owned())
}

/// Reads the log until the server says where it listens.
fn admin_address(run: &mut Run) -> Result<String> {
    while let Some(line) = run.line()? {
        if let Some(admin) = listening(&line) {
            return Ok(admin);
        }
    }
    bail!("the server ended before it said where it listens")
}

/// The admin address, when this line of the log is the one that tells it.
fn listening(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    if event.get("message")?.as_str()? != "listening" {
        return None;
    }
    Some(event.get("admin")?.as_str()?.to_owned())
}

fn ask(address: &str, path: &str) -> Result<String> {
    let mut stream =
        TcpStream::connect(address).with_context(|| format!("nothing listens on {address}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// By the shell, which has `kill` built in: a small system has no program of that name.
fn terminate(child: &Child) -> Result<()> {
    succeed(Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]))
}

/// The binary that the gate has built.
pub(crate) fn binary(root: &Path) -> PathBuf {
    root.join("target").join("release").join("tidegate")
}

fn start(command: &mut Command) -> Result<Child> {
    let program = command.get_program().to_owned();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} did not start", Path::new(&program).display()))
}

/// A child whose output is read line by line until a deadline; dropped, it is killed.
struct Run {
    child: Child,
    lines: Receiver<String>,
    deadline: Instant,
}

impl Run {
    fn new(mut child: Child, limit: Duration) -> Result<Self> {
        let stdout = child
            .stdout
            .take()
            .context("the child's output is not a pipe")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            lines,
            deadline: Instant::now() + limit,
        })
    }

    /// The next line, `None` at the end of the output, an error when the time is over.
    fn line(&mut self) -> Result<Option<String>> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Ok(Some(line)),
            Err(Disconnected) => Ok(None),
            Err(Timeout) => bail!(
                "process {} was still running at its time limit",
                self.child.id()
            ),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Both fail when the child has ended by itself, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_read_from_the_report() {
        assert_eq!(
            verdict("{\n \"sold\": 3,\n \"verdict\": \"ok\"\n}\n").unwrap(),
            "ok"
        );
        assert!(verdict("{}").is_err());
        assert!(verdict("panicked at").is_err());
    }

    #[test]
    fn only_the_listening_line_tells_the_address() {
        let line = r#"{"message":"listening","public":"127.0.0.1:1","admin":"127.0.0.1:2"}"#;
        assert_eq!(listening(line), Some("127.0.0.1:2".to_owned()));
        assert_eq!(listening(r#"{"message":"recovered","admin":"x"}"#), None);
        assert_eq!(listening("plain words"), None);
    }

    #[test]
    fn a_child_that_does_not_end_is_an_error_and_is_killed() {
        let child = start(Command::new("sh").args(["-c", "exec tail -f /dev/null"]));
        let mut run = Run::new(child.unwrap(), Duration::ZERO).unwrap();
        assert!(run.line().is_err());
    }

    #[test]
    fn a_child_is_asked_to_end() {
        let mut child = start(Command::new("tail").args(["-f", "/dev/null"])).unwrap();
        terminate(&child).unwrap();
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn the_output_ends_when_the_child_ends() {
        let child = start(Command::new("printf").arg("one\\ntwo\\n")).unwrap();
        let mut run = Run::new(child, DEMO_LIMIT).unwrap();
        assert_eq!(run.line().unwrap().as_deref(), Some("one"));
        assert_eq!(run.line().unwrap().as_deref(), Some("two"));
        assert_eq!(run.line().unwrap(), None);
    }
}
