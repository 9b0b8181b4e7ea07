//! A mail server on this machine: it takes every mail or refuses every address, and gives what was said to it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// What it does with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Takes mail to it.
    Takes,
    /// Says that nobody lives there, and repeats it, as servers do.
    Refuses,
}

/// The server.
pub(crate) struct Mailbox {
    pub(crate) port: u16,
    mails: Receiver<String>,
}

impl Mailbox {
    pub(crate) fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (give, mails) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serve(&stream, manner, &give);
            }
        });
        Self { port, mails }
    }

    /// The next mail, with all that was said before it on its connection.
    pub(crate) fn next(&self) -> String {
        let waited = self.mails.recv_timeout(Duration::from_secs(60));
        waited.expect("a mail came")
    }
}

/// One connection, until the other side ends it.
fn serve(stream: &TcpStream, manner: Manner, give: &Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut out = stream;
    let mut say = |line: &str| write!(out, "{line}\r\n").is_ok();
    let (mut heard, mut inside, mut line) = (String::new(), false, String::new());
    say("220 here");
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        heard.push_str(&line);
        let word = line.trim_end().to_owned();
        line.clear();
        if inside {
            if word == "." {
                inside = false;
                say("250 taken");
                // The test may be over.
                let _ = give.send(std::mem::take(&mut heard));
            }
            continue;
        }
        match word.split(' ').next().unwrap_or_default() {
            "EHLO" => say("250-here\r\n250 AUTH PLAIN"),
            "AUTH" => say("235 known"),
            "RCPT" if manner == Manner::Refuses => {
                let who = word.trim_start_matches("RCPT TO:");
                say(&format!("550 5.1.1 {who}: Recipient address rejected"))
            }
            "DATA" => {
                inside = true;
                say("354 go on")
            }
            "QUIT" => return,
            _ => say("250 fine"),
        };
    }
}
