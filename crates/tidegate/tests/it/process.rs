//! Runs the binary in a directory of its own, without the environment of whoever runs the tests.

use serde_json::Value as Json;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

/// A command line in `dir`, with no `TIDEGATE_…` variable but those that the test gives.
pub(crate) fn tidegate(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(words).current_dir(dir).env_clear();
    command
}

/// What a finished command left behind.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) fn run(dir: &Path, words: &[&str]) -> Ended {
    ended(&tidegate(dir, words).output().unwrap())
}

/// Reads what a finished command left behind.
pub(crate) fn ended(output: &Output) -> Ended {
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout.clone()).unwrap(),
        err: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

/// A server that listens; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it logged until it listened.
    pub(crate) before: Vec<Json>,
    pub(crate) public: String,
    pub(crate) admin: String,
}

impl Server {
    /// Starts one on free ports and waits until it listens.
    pub(crate) fn start(dir: &Path, words: &[&str]) -> Self {
        let mut all = vec![
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ];
        all.extend(words);
        let mut command = tidegate(dir, &all);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut before: Vec<Json> = Vec::new();
        while before
            .last()
            .is_none_or(|line| line["message"] != "listening")
        {
            let Some(line) = lines.next() else {
                panic!("the server ended: {:?}", child.wait_with_output());
            };
            before.push(serde_json::from_str(&line.unwrap()).unwrap());
        }
        let listening = &before[before.len() - 1];
        let address = |name: &str| listening[name].as_str().unwrap().to_owned();
        let (public, admin) = (address("public"), address("admin"));
        Self {
            child,
            lines,
            before,
            public,
            admin,
        }
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// The next log line with this message.
    pub(crate) fn told(&mut self, message: &str) -> Json {
        let mut lines = self
            .lines
            .by_ref()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        lines
            .find(|line: &Json| line["message"] == message)
            .unwrap()
    }

    /// What follows the next line on standard error that begins so.
    pub(crate) fn said(&mut self, start: &str) -> String {
        let mut err = BufReader::new(self.child.stderr.as_mut().unwrap()).lines();
        err.find_map(|line| Some(line.unwrap().strip_prefix(start)?.to_owned()))
            .unwrap()
    }

    /// Waits for the end: the exit code, if it was not a signal.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.lines.by_ref().for_each(drop);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks once over a connection of its own: status and body.
pub(crate) fn ask(address: &str, head: &str, headers: &[&str], body: &str) -> (u16, Json) {
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: String = headers
        .iter()
        .map(|header| format!("{header}\r\n"))
        .collect();
    let length = body.len();
    write!(
        stream,
        "{head} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (
        status,
        serde_json::from_str(body).unwrap_or(Json::String(body.to_owned())),
    )
}
