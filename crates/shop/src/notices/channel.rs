//! The ways to a buyer.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;
use world::disk::{Access, DiskFile};
use world::{Clock, Disk, Tasks};

use super::event::Event;
use super::mail::Mailer;
use super::settings::{ChannelName, Locale, Settings};
use crate::provider::client::UrlError;
use crate::provider::signature::Secret;
use crate::provider::signed::Signed;
use crate::provider::{Line, ProviderError};

/// How long one delivery may take.
pub(super) const DELIVERY: Duration = Duration::from_secs(10);

/// What is delivered.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// The letter's key: the same however often it is delivered.
    pub key: String,
    /// What it is about.
    pub event: Event,
    /// In which language.
    pub locale: Locale,
    /// The order.
    pub order_id: String,
    /// Whose order it is.
    pub buyer: Option<String>,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// Where mail goes; never sent elsewhere.
    #[serde(skip)]
    pub mail: Option<String>,
}

/// Why a delivery failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// It may work later.
    #[error("{0}")]
    Later(String),
    /// It will never work.
    #[error("{0}")]
    Never(String),
}

/// The channels that are configured.
pub struct Channel {
    webhook: Option<Webhook>,
    mail: Option<Arc<Mailer>>,
    file: Option<Arc<Lines>>,
    tasks: Tasks,
}

struct Webhook(Signed);

/// A file of lines, one writer at a time.
struct Lines {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    one: Mutex<()>,
}

impl Channel {
    pub(super) fn new(
        settings: &Settings,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
        line: &Line,
    ) -> Result<Self, UrlError> {
        let secret = settings.webhook_secret.as_ref();
        let secret = secret.and_then(|secret| Secret::new(secret.bytes()));
        let webhook = match (&settings.webhook_url, secret) {
            (Some(url), Some(secret)) => {
                let signed = Signed::new(url, secret, Arc::clone(clock), line, DELIVERY);
                Some(Webhook(signed?))
            }
            _ => None,
        };
        let file = settings.file.as_ref().map(|path| {
            Arc::new(Lines {
                disk: Arc::clone(disk),
                path: path.clone(),
                one: Mutex::new(()),
            })
        });
        Ok(Self {
            webhook,
            mail: Mailer::new(settings, DELIVERY).map(Arc::new),
            file,
            tasks: line.tasks.clone(),
        })
    }

    /// Whether there is such a channel.
    pub fn has(&self, channel: ChannelName) -> bool {
        match channel {
            ChannelName::Webhook => self.webhook.is_some(),
            ChannelName::Mail => self.mail.is_some(),
            ChannelName::File => self.file.is_some(),
        }
    }

    /// Delivers a message once.
    ///
    /// # Errors
    /// [`ChannelError`]; it may have been delivered all the same.
    pub async fn deliver(&self, over: ChannelName, message: Message) -> Result<(), ChannelError> {
        let missing = || ChannelError::Never(format!("{} is not configured", over.name()));
        match over {
            ChannelName::Webhook => {
                let webhook = self.webhook.as_ref().ok_or_else(missing)?;
                webhook.send(&message).await
            }
            ChannelName::Mail => {
                let mail = Arc::clone(self.mail.as_ref().ok_or_else(missing)?);
                self.beside(move || mail.send(&message)).await
            }
            ChannelName::File => {
                let file = Arc::clone(self.file.as_ref().ok_or_else(missing)?);
                self.beside(move || file.append(&message)).await
            }
        }
    }

    async fn beside(
        &self,
        work: impl FnOnce() -> Result<(), ChannelError> + Send + 'static,
    ) -> Result<(), ChannelError> {
        let done = self.tasks.blocking(work).await;
        done.unwrap_or_else(|ended| Err(ChannelError::Later(ended.to_string())))
    }
}

impl Webhook {
    async fn send(&self, message: &Message) -> Result<(), ChannelError> {
        match self.0.send(message, Some(&message.key)).await {
            Ok((status, _)) => judge(status),
            Err(ProviderError::Nonsense(why)) => Err(ChannelError::Never(why)),
            Err(error) => Err(ChannelError::Later(error.to_string())),
        }
    }
}

fn judge(status: StatusCode) -> Result<(), ChannelError> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::BAD_REQUEST
        | StatusCode::NOT_FOUND
        | StatusCode::GONE
        | StatusCode::UNPROCESSABLE_ENTITY => {
            Err(ChannelError::Never(format!("refused, status {status}")))
        }
        status => Err(ChannelError::Later(format!("status {status}"))),
    }
}

/// Whether the last line has no end: a full disk or a power cut may have stopped its writer.
fn is_torn(file: &dyn DiskFile, end: u64) -> io::Result<bool> {
    let Some(last) = end.checked_sub(1) else {
        return Ok(false);
    };
    let mut byte = [0];
    let read = file.read_at(last, &mut byte)?;
    Ok(read == 1 && byte != *b"\n")
}

impl Lines {
    fn append(&self, message: &Message) -> Result<(), ChannelError> {
        let mut line =
            serde_json::to_vec(message).map_err(|error| ChannelError::Never(error.to_string()))?;
        line.push(b'\n');
        let _one = self.one.lock().unwrap_or_else(PoisonError::into_inner);
        let append = || {
            let file = self.disk.open(&self.path, Access::OpenOrCreate)?;
            let mut end = file.len()?;
            if is_torn(&*file, end)? {
                file.write_at(end, b"\n")?;
                end += 1;
            }
            file.write_at(end, &line)?;
            // The letter is forgotten once this has returned, so the line has to outlive the machine.
            file.sync_data()?;
            // Its name too, where this was its first line.
            match end {
                0 => self
                    .disk
                    .sync_dir(self.path.parent().unwrap_or(Path::new(""))),
                _ => Ok(()),
            }
        };
        append().map_err(|error| ChannelError::Later(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::faults::{Crash, MemoryDisk};

    fn message(key: &str) -> Message {
        Message {
            key: key.into(),
            event: Event::Paid,
            locale: Locale::En,
            order_id: "ord".into(),
            buyer: None,
            subject: "paid".into(),
            text: String::new(),
            mail: None,
        }
    }

    fn lines(disk: &Arc<dyn Disk>) -> Lines {
        Lines {
            disk: Arc::clone(disk),
            path: PathBuf::from("told.jsonl"),
            one: Mutex::new(()),
        }
    }

    fn text(disk: &dyn Disk) -> String {
        let file = disk
            .open(Path::new("told.jsonl"), Access::Read)
            .expect("a file");
        let mut bytes = vec![0; usize::try_from(file.len().expect("a length")).expect("short")];
        file.read_at(0, &mut bytes).expect("its bytes");
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_line_that_was_delivered_outlives_the_machine() {
        let disk = MemoryDisk::new();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        lines(&shared)
            .append(&message("one"))
            .expect("it is written");
        let after = disk.crashed(Crash::Forgets);
        assert!(text(&after).contains("one"), "{}", text(&after));
    }

    #[test]
    fn a_line_that_was_cut_off_is_ended_before_the_next_one() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let file = disk.open(Path::new("told.jsonl"), Access::OpenOrCreate);
        file.and_then(|file| file.write_at(0, b"{\"key\":\"ha"))
            .expect("a start");
        lines(&disk).append(&message("one")).expect("it is written");
        lines(&disk).append(&message("two")).expect("it is written");
        let text = text(&*disk);
        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
        let whole: Vec<bool> = text.lines().map(read).collect();
        assert_eq!(whole, [false, true, true], "{text}");
    }

    #[test]
    fn only_what_a_receiver_says_about_the_message_itself_is_final() {
        assert_eq!(judge(StatusCode::NO_CONTENT), Ok(()));
        for later in [
            StatusCode::BAD_GATEWAY,
            StatusCode::UNAUTHORIZED,
            StatusCode::CONFLICT,
        ] {
            assert!(
                matches!(judge(later), Err(ChannelError::Later(_))),
                "{later}"
            );
        }
        assert!(matches!(
            judge(StatusCode::GONE),
            Err(ChannelError::Never(_))
        ));
    }
}
