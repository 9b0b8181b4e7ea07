//! Log lines: one JSON object a line on stdout, or plain text for a person at a terminal.
//!
//! The fields that every line has are named here and nowhere else: `ts`, `level`, `target`, `message`, and inside a
//! request `request_id`, `trace_id`, `span_id`. Lines are written by a thread of their own behind a bounded queue, so a
//! reader that is stuck never holds up a sale; what does not fit is dropped and counted.

use crate::Telemetry;
use crate::context::RequestContext;
use api::Time;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{Registry, reload};
use world::Clock;

/// Lines that may wait to be written.
const QUEUE_LINES: usize = 8_192;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object.
    #[default]
    Json,
    /// Words for a person.
    Text,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Levels by target, like `info` or `info,tidegate_edge=debug`. Default `info`; changes with SIGHUP.
    pub level: String,
    /// How a line looks. Default `json`.
    pub format: Format,
}

impl Settings {
    /// Everything that is wrong, each as `name: what is allowed`.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let level = targets(&self.level).err();
        level
            .map(|error| format!("level: {error}"))
            .into_iter()
            .collect()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: Format::default(),
        }
    }
}

/// Why logging could not begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The levels cannot be read.
    #[error("log level `{level}` is not like `info` or `info,tidegate_edge=debug`")]
    Level {
        /// What was given.
        level: String,
    },
    /// The log that was running is gone.
    #[error("the log has ended")]
    Ended(#[source] reload::Error),
    /// Something else took the log before.
    #[error("the log has been started before")]
    Started(#[source] tracing::subscriber::SetGlobalDefaultError),
    /// The writing thread did not start.
    #[error("the thread that writes the log did not start")]
    Thread(#[source] std::io::Error),
}

/// Keeps the log going; when it is dropped, what waits is written out.
#[derive(Debug)]
pub struct LogGuard {
    levels: reload::Handle<Targets, Registry>,
    lines: Option<SyncSender<Line>>,
    writer: Option<JoinHandle<()>>,
}

impl LogGuard {
    /// Changes what is logged, from the next line on.
    ///
    /// # Errors
    /// The levels cannot be read; what was logged before goes on.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        self.levels.reload(targets(level)?).map_err(LogError::Ended)
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        if let Some(lines) = self.lines.take() {
            // The layer keeps its own sender for as long as the process lives, so the end is told by a message.
            let _ = lines.send(Line::End);
        }
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

#[derive(Debug)]
enum Line {
    Text(String),
    End,
}

/// Starts logging to stdout for the whole process.
///
/// # Errors
/// The levels are not understood, or logging had been started before.
pub fn start(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
) -> Result<LogGuard, LogError> {
    start_to(std::io::stdout(), settings, clock, telemetry)
}

fn start_to(
    out: impl Write + Send + 'static,
    settings: &Settings,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
) -> Result<LogGuard, LogError> {
    let (filter, levels) = reload::Layer::new(targets(&settings.level)?);
    let (lines, waiting) = sync_channel(QUEUE_LINES);
    let writer = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_lines(out, &waiting))
        .map_err(LogError::Thread)?;
    let layer = LineLayer {
        format: settings.format,
        clock,
        telemetry,
        lines: lines.clone(),
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter));
    tracing::subscriber::set_global_default(subscriber).map_err(LogError::Started)?;
    Ok(LogGuard {
        levels,
        lines: Some(lines),
        writer: Some(writer),
    })
}

/// Reads the levels. A word alone is a level here, never the name of a target: else a slip of the pen would mean silence.
fn targets(levels: &str) -> Result<Targets, LogError> {
    let words = levels
        .split(',')
        .map(str::trim)
        .filter(|word| !word.contains('='));
    if let Some(word) = words
        .into_iter()
        .find(|word| LevelFilter::from_str(word).is_err())
    {
        return Err(LogError::Level {
            level: word.to_owned(),
        });
    }
    Targets::from_str(levels).map_err(|_| LogError::Level {
        level: levels.to_owned(),
    })
}

/// Writes lines until the end; flushes whenever nothing more waits.
fn write_lines(mut out: impl Write, waiting: &Receiver<Line>) {
    while let Ok(Line::Text(line)) = waiting.recv() {
        let mut written = out.write_all(line.as_bytes());
        while let Ok(next) = waiting.try_recv() {
            let Line::Text(line) = next else {
                let _ = out.flush();
                return;
            };
            written = written.and_then(|()| out.write_all(line.as_bytes()));
        }
        // A closed stdout is no reason to stop selling: lines are then lost.
        let _ = written.and_then(|()| out.flush());
    }
}

struct LineLayer {
    format: Format,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    lines: SyncSender<Line>,
}

impl<S: Subscriber> Layer<S> for LineLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let now = Time::from_ms(self.clock.wall_ms());
        let line = match self.format {
            Format::Json => json_line(now, event),
            Format::Text => text_line(now, event),
        };
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Line::Text(line)) {
            self.telemetry.meters().log_lines_dropped.inc();
        }
    }
}

fn json_line(now: Time, event: &Event<'_>) -> String {
    let mut line = String::with_capacity(256);
    let meta = event.metadata();
    let _ = write!(
        line,
        r#"{{"ts":"{now}","level":"{}","target":"{}""#,
        level(*meta.level()),
        meta.target()
    );
    if let Some(context) = RequestContext::current() {
        let _ = write!(
            line,
            r#","request_id":"{}","trace_id":"{:032x}","span_id":"{:016x}""#,
            context.request_id, context.trace_id, context.span_id
        );
    }
    event.record(&mut JsonFields(&mut line));
    line.push_str("}\n");
    line
}

fn text_line(now: Time, event: &Event<'_>) -> String {
    let mut line = String::with_capacity(160);
    let _ = write!(line, "{now} {:<5} ", level(*event.metadata().level()));
    event.record(&mut TextFields(&mut line));
    if let Some(context) = RequestContext::current() {
        let _ = write!(line, " request_id={}", context.request_id);
    }
    line.push('\n');
    line
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

/// Writes the fields of an event as members of a JSON object.
struct JsonFields<'a>(&'a mut String);

impl JsonFields<'_> {
    fn member(&mut self, field: &Field, value: impl Serialize) {
        if let Ok(json) = serde_json::to_string(&value) {
            let _ = write!(self.0, r#","{}":{json}"#, field.name());
        }
    }
}

impl Visit for JsonFields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.member(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, value);
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, value);
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.member(field, format!("{value:?}"));
    }
}

/// Writes the message first and the other fields as `name=value`.
struct TextFields<'a>(&'a mut String);

impl Visit for TextFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        // Control characters could forge lines or colours on a terminal.
        let clean: String = value
            .chars()
            .map(|char| if char.is_control() { ' ' } else { char })
            .collect();
        let _ = write!(self.0, " {}={clean}", field.name());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use world::ManualClock;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_json_object_with_time_level_and_request() {
        let page = Page::default();
        let clock = Arc::new(ManualClock::new(1_794_355_200_123));
        let telemetry = Telemetry::new();
        let guard = start_to(page.clone(), &Settings::default(), clock, telemetry).unwrap();
        let request_id = api::RequestId::new("req-1").unwrap();
        let context = RequestContext {
            request_id,
            trace_id: 0xab,
            span_id: 0xc,
            parent_id: 0,
            sampled: false,
        };
        context.enter(|| tracing::info!(path = "/x\n\"y\"", count = 3_u64, "served \"it\""));
        tracing::debug!("below the level");
        guard.set_level("warn").unwrap();
        tracing::info!("below the new level");
        assert!(matches!(
            guard.set_level("loud"),
            Err(LogError::Level { .. })
        ));
        drop(guard);
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let mut lines = text.lines();
        let line: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        let expected = serde_json::json!({
            "ts": "2026-11-11T00:00:00.123Z", "level": "INFO", "target": "tidegate_telemetry::log::tests",
            "request_id": "req-1", "trace_id": "000000000000000000000000000000ab", "span_id": "000000000000000c",
            "message": "served \"it\"", "path": "/x\n\"y\"", "count": 3,
        });
        assert_eq!(line, expected);
        assert_eq!(lines.next(), None);
        let bad = Settings {
            level: "loud".to_owned(),
            ..Settings::default()
        };
        let clock = Arc::new(ManualClock::new(0));
        assert!(matches!(
            start_to(page, &bad, clock, Telemetry::new()),
            Err(LogError::Level { .. })
        ));
    }
}
