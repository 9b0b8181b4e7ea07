//! Somebody outside who is asked over HTTP: does each key once, and answers as a script says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;

/// How one request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is done, and said so.
    Done,
    /// It is done, and nobody hears of it.
    Lost,
    /// Nothing is done, and nothing is said.
    Silent,
    /// It will not be done.
    Refused,
    /// It cannot be done now.
    Down,
    /// The first request of this key is still under way.
    Busy,
    /// It does not know what is asked.
    Unclear,
}

type Script = Box<dyn Fn(&Json, usize) -> Answer + Send + Sync>;

/// The one outside.
pub(crate) struct Outsider {
    pub(crate) url: String,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    /// Every request, in order.
    requests: Vec<Json>,
    /// What was done, by key: how often it had an effect.
    done: BTreeMap<String, u32>,
}

impl Outsider {
    /// Answers as the script says for a request and how many came before it.
    pub(crate) fn new(script: impl Fn(&Json, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::<Mutex<Heard>>::default();
        let (shared, script): (_, Arc<Script>) = (heard.clone(), Arc::new(Box::new(script)));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (heard, script) = (shared.clone(), script.clone());
                std::thread::spawn(move || serve(stream, &heard, &script));
            }
        });
        Self {
            url: format!("http://{address}"),
            heard,
        }
    }

    pub(crate) fn requests(&self) -> Vec<Json> {
        self.heard.lock().expect("no panic").requests.clone()
    }

    /// What had an effect, by key, and how often.
    pub(crate) fn done(&self) -> BTreeMap<String, u32> {
        self.heard.lock().expect("no panic").done.clone()
    }
}

/// Requests of one connection, one after the other, until it ends.
fn serve(stream: TcpStream, heard: &Mutex<Heard>, script: &Arc<Script>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut stream = stream;
    while let Some(request) = read(&mut reader) {
        let (status, body) = match act(&request, heard, script) {
            Some(said) => said,
            // The connection stays open, and nothing comes.
            None => continue,
        };
        let length = body.len();
        let sent = write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        if sent.is_err() {
            return;
        }
    }
}

fn act(request: &Json, heard: &Mutex<Heard>, script: &Arc<Script>) -> Option<(u16, &'static str)> {
    let mut heard = heard.lock().expect("no panic");
    let answer = script(request, heard.requests.len());
    heard.requests.push(request.clone());
    let key = request["key"].as_str().unwrap_or_default().to_owned();
    let op = request["op"].as_str().unwrap_or("forward");
    let known = heard.done.contains_key(&key);
    if matches!(answer, Answer::Done | Answer::Lost) && !op.ends_with("_status") && !known {
        heard.done.insert(key, 1);
    }
    match answer {
        Answer::Silent | Answer::Lost => None,
        Answer::Down => Some((503, "")),
        Answer::Refused => Some((422, "")),
        Answer::Busy => Some((409, "")),
        Answer::Unclear => Some((400, "")),
        Answer::Done if op.ends_with("_status") && !known => Some((404, "")),
        Answer::Done => Some((200, r#"{"state":"done"}"#)),
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Json> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
