//! The one task of the notices: reads journals, keeps letters, delivers them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use stdx::backoff::Backoff;
use storage::{DataDir, replace_file};
use telemetry::Telemetry;
use telemetry::fact::{NoticeDead, NoticeDelivered, NoticeRetried, ReconcileGap};
use tokio::sync::watch;
use world::journal::Journal;
use world::{Clock, Disk, Tasks};

use super::channel::{Channel, ChannelError, DELIVERY, Message};
use super::event::Event;
use super::follow::{Followed, filled};
use super::keep::{Kept, Letter};
use super::settings::{ChannelName, Settings};
use super::template::Templates;
use super::wish::{Way, Wish};
use crate::people::Keeper;
use crate::provider::Line;
use crate::provider::client::UrlError;
use crate::registry::Registry;
use crate::saga::Wakes;
use crate::wire;

/// How far a journal was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// As far as a look goes.
    All,
    /// Too many letters wait, or the journal does not give its next batch.
    Later,
}

/// Letters delivered at once.
const AT_ONCE: usize = 32;
/// The longest sleep when nothing happens.
const IDLE: Duration = Duration::from_secs(5);
/// The waits between two tries.
const AGAIN: Backoff = Backoff {
    base: Duration::from_secs(1),
    most: Duration::from_secs(600),
};

/// What others see of the notices; cheap to clone.
#[derive(Clone)]
pub struct NoticesHandle(Arc<Shared>);

struct Shared {
    on: bool,
    kept: Mutex<Kept>,
    followed: Followed,
    wakes: Wakes,
    telemetry: Telemetry,
    /// Known once the shop runs. Weak, since the registry has this handle.
    registry: OnceLock<Weak<Registry>>,
}

/// The notices, to be run.
pub struct Notices {
    settings: Settings,
    shared: Arc<Shared>,
    channel: Channel,
    templates: Templates,
    people: Keeper,
    disk: Arc<dyn Disk>,
    path: PathBuf,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    telemetry: Telemetry,
}

/// What the notices are made from.
pub(crate) struct Parts<'a> {
    pub(crate) settings: Settings,
    pub(crate) templates: Templates,
    pub(crate) data: &'a DataDir,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) line: &'a Line,
    pub(crate) telemetry: Telemetry,
    pub(crate) people: Keeper,
}

impl NoticesHandle {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept()
    }

    /// Whether anybody is told anything.
    pub(crate) fn is_on(&self) -> bool {
        self.0.on
    }

    /// The desk of a sale was opened.
    pub(crate) fn join(&self, sale: u32, journal: &dyn Journal) {
        if self.0.on {
            let after = self.kept().begin(sale, journal.position().sequence);
            if let Err(error) = self.0.followed.join(sale, journal, after) {
                self.0
                    .alarm(sale, &format!("the journal cannot be followed: {error}"));
            }
            self.0.wakes.wake(sale);
        }
    }

    /// Something of a sale is durable.
    pub(crate) fn wake(&self, sale: u32) {
        self.0.wakes.wake(sale);
    }

    pub(crate) fn belongs_to(&self, registry: &Arc<Registry>) {
        // It is said once, when the shop opens.
        let _ = self.0.registry.set(Arc::downgrade(registry));
    }

    /// Letters that were given up, with their keys.
    pub(crate) fn dead(&self) -> Vec<(String, Letter)> {
        let kept = self.kept();
        let dead = kept
            .letters
            .iter()
            .filter(|(_, letter)| letter.dead_ms.is_some());
        dead.map(|(key, letter)| (key.clone(), letter.clone()))
            .collect()
    }

    /// Tries those letters again that were given up and that `which` means; how many they are.
    pub(crate) fn retry(&self, which: impl Fn(&Letter) -> bool) -> u64 {
        let mut kept = self.kept();
        let mut again = 0;
        for letter in kept.letters.values_mut() {
            if letter.dead_ms.is_some() && which(letter) {
                letter.dead_ms = None;
                letter.attempts = 0;
                letter.due_ms = 0;
                self.0.wakes.wake(letter.sale);
                again += 1;
            }
        }
        again
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Buyers of a sale may not be told what they should be.
    fn alarm(&self, sale: u32, why: &str) {
        let detail = format!("notices of {}: {why}", wire::sale_id(sale));
        self.telemetry.tell(&ReconcileGap { detail: &detail });
    }
}

impl Notices {
    /// Makes the notices and the handle to them.
    ///
    /// # Errors
    /// [`UrlError`] when a channel's URL is none that can be called.
    pub(crate) fn new(parts: Parts<'_>) -> Result<(Self, NoticesHandle), UrlError> {
        let path = parts.data.notices();
        let on = parts.settings.channel.is_some();
        let kept = match on {
            true => kept_of(&parts, &path),
            false => Kept::new(),
        };
        let wakes = Wakes::default();
        if on {
            wakes.listen();
        }
        let shared = Arc::new(Shared {
            on,
            kept: Mutex::new(kept),
            followed: Followed::default(),
            wakes,
            telemetry: parts.telemetry.clone(),
            registry: OnceLock::new(),
        });
        let channel = Channel::new(&parts.settings, &parts.disk, &parts.clock, parts.line)?;
        let notices = Self {
            settings: parts.settings,
            shared: Arc::clone(&shared),
            channel,
            templates: parts.templates,
            people: parts.people,
            disk: parts.disk,
            path,
            clock: parts.clock,
            tasks: parts.line.tasks.clone(),
            telemetry: parts.telemetry,
        };
        Ok((notices, NoticesHandle(shared)))
    }

    /// Writes down where it begins, before anything else happens in the sales that were opened.
    pub(crate) fn keep_marks(&self) {
        let bytes = self.shared.kept().bytes();
        if let Err(error) = replace_file(&*self.disk, &self.path, &[&bytes]) {
            self.unwritten(&error);
        }
    }

    fn unwritten(&self, error: &std::io::Error) {
        let detail = format!("the file of notices cannot be written: {error}");
        self.telemetry.tell(&ReconcileGap { detail: &detail });
    }

    /// Runs until the shop stops; what waits then is delivered after the next start.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        // Sales whose journals could not be read on; they are looked at again when time has passed.
        let mut later = BTreeSet::new();
        loop {
            let wait = self.wait();
            let tick = self.tasks.sleep(wait);
            let wakes = self.shared.wakes.clone();
            let stopped = async {
                // A sender that is gone means the same as its message.
                let _ = stopping.wait_for(|stop| *stop).await;
            };
            tokio::select! {
                biased;
                () = stopped => {
                    self.keep().await;
                    return;
                }
                sales = wakes.take() => {
                    for sale in sales {
                        if self.read(sale).await == Read::Later {
                            later.insert(sale);
                        }
                    }
                }
                () = tick => {
                    let sales = std::mem::take(&mut later);
                    sales.into_iter().for_each(|sale| self.shared.wakes.wake(sale));
                }
            }
            self.deliver_due().await;
        }
    }

    /// How long until a letter is due.
    fn wait(&self) -> Duration {
        let now = self.clock.wall_ms();
        let kept = self.shared.kept();
        let waiting = kept
            .letters
            .values()
            .filter(|letter| letter.dead_ms.is_none());
        let due = waiting
            .map(|letter| letter.due_ms.saturating_sub(now))
            .min();
        due.map_or(IDLE, |due| Duration::from_millis(due).min(IDLE))
    }

    /// Takes in what is new in the journal of a sale, as far as there is room.
    async fn read(&self, sale: u32) -> Read {
        let waiting = self.shared.kept().waiting();
        let room = self.settings.letters_max.saturating_sub(waiting);
        if room == 0 {
            return Read::Later;
        }
        let followed = self.shared.followed.clone();
        let looked = self.tasks.blocking(move || followed.look(sale, room));
        let Ok(found) = looked.await else {
            return Read::All;
        };
        if let Some(why) = &found.wrong {
            self.shared.alarm(sale, why);
        }
        let stuck = found.stuck;
        let Some(seen) = found.seen else {
            return if stuck { Read::Later } else { Read::All };
        };
        let wanted = |(_, event, _): &(String, Event, u32)| self.settings.events.contains(event);
        let told = found.told.into_iter().filter(wanted);
        let letters = told.map(|(key, event, order)| (key, Letter::new(event, sale, order)));
        {
            let mut kept = self.shared.kept();
            kept.letters.extend(letters);
            kept.seen.insert(sale, seen);
        }
        if found.more {
            self.shared.wakes.wake(sale);
        }
        if stuck { Read::Later } else { Read::All }
    }

    /// The letter with what the book knows of its order; `None` when the book cannot be asked now.
    async fn filled(&self, bare: &Letter) -> Option<Letter> {
        let registry = self.shared.registry.get().and_then(Weak::upgrade)?;
        let desk = registry.desk(bare.sale).await.ok()?;
        let bare = bare.clone();
        let seen = desk.ask(move |book| filled(book, bare.clone())).await;
        seen.ok()?.value
    }

    /// Delivers what is due, a few at once, and keeps what became of it.
    async fn deliver_due(&self) {
        let now = self.clock.wall_ms();
        let due: Vec<(String, Letter)> = {
            let kept = self.shared.kept();
            let due = kept
                .letters
                .iter()
                .filter(|(_, letter)| letter.dead_ms.is_none() && letter.due_ms <= now);
            let due = due.take(AT_ONCE);
            due.map(|(key, letter)| (key.clone(), letter.clone()))
                .collect()
        };
        if due.is_empty() {
            return;
        }
        // They are on disk before the first of them is delivered: a crash repeats a key and forgets none.
        self.keep().await;
        let ends = due.iter().map(|(key, letter)| self.within(key, letter));
        let ends = join_all(ends).await;
        for ((key, letter), end) in due.into_iter().zip(ends) {
            self.end(key, letter, end);
        }
        self.keep().await;
    }

    async fn deliver(
        &self,
        key: &str,
        letter: &Letter,
    ) -> Option<(ChannelName, Result<(), ChannelError>)> {
        let Some(letter) = &self.filled(letter).await else {
            let over = self.settings.channel?;
            let why = ChannelError::Later("the order cannot be looked at".into());
            return Some((over, Err(why)));
        };
        let wish = match letter.buyer.as_deref() {
            None => Wish::default(),
            Some(buyer) => match Wish::of(&self.people, buyer).await {
                Ok(wish) => wish,
                // Who may have asked to be left alone is not told before that is known.
                Err(_) => {
                    let why = ChannelError::Later("the vault cannot be asked".into());
                    return Some((self.settings.channel?, Err(why)));
                }
            },
        };
        let over = match wish.way {
            Way::Silent => return None,
            Way::Over(over) if self.channel.has(over) => over,
            Way::Over(_) | Way::Shops => self.settings.channel?,
        };
        let locale = wish.locale.unwrap_or(self.settings.locale);
        let (subject, text) = match self.templates.render(letter, locale) {
            Ok(rendered) => rendered,
            Err(error) => return Some((over, Err(ChannelError::Never(error.to_string())))),
        };
        let message = Message {
            key: key.to_owned(),
            event: letter.event,
            locale,
            order_id: letter.order_id(),
            buyer: letter.buyer.clone(),
            subject,
            text,
            mail: wish.mail,
        };
        Some((over, self.channel.deliver(over, message).await))
    }

    /// The same, with its time: a desk or a channel that hangs holds up nobody else's letters.
    async fn within(
        &self,
        key: &str,
        letter: &Letter,
    ) -> Option<(ChannelName, Result<(), ChannelError>)> {
        let delivered = self
            .tasks
            .timeout(DELIVERY, self.deliver(key, letter))
            .await;
        delivered.unwrap_or_else(|| {
            let late = ChannelError::Later("no answer in time".into());
            Some((self.settings.channel?, Err(late)))
        })
    }

    fn end(
        &self,
        key: String,
        mut letter: Letter,
        end: Option<(ChannelName, Result<(), ChannelError>)>,
    ) {
        let mut kept = self.shared.kept();
        let Some((over, Err(error))) = end else {
            kept.letters.remove(&key);
            if let Some((over, Ok(()))) = end {
                let channel = over.name();
                self.telemetry.tell(&NoticeDelivered { key: &key, channel });
            }
            return;
        };
        let reason = error.to_string();
        letter.attempts += 1;
        letter.channel = Some(over.name().to_owned());
        letter.reason = Some(reason.clone());
        let now = self.clock.wall_ms();
        let final_one = matches!(error, ChannelError::Never(_));
        if final_one || letter.attempts >= self.settings.attempts_max {
            letter.dead_ms = Some(now);
            kept.letters.insert(key.clone(), letter);
            kept.forget_oldest_dead(self.settings.letters_max);
            let dead = kept.dead();
            self.telemetry.tell(&NoticeDead {
                key: &key,
                reason: &reason,
                dead,
            });
            return;
        }
        let wait = AGAIN.wait(letter.attempts, u64::MAX / 2);
        letter.due_ms = now + u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.telemetry.tell(&NoticeRetried {
            key: &key,
            channel: over.name(),
            attempts: letter.attempts,
            reason: &reason,
        });
        kept.letters.insert(key, letter);
    }

    /// Writes the file. One that cannot be written repeats letters after a crash, and costs nothing else.
    async fn keep(&self) {
        let bytes = self.shared.kept().bytes();
        let (disk, path) = (Arc::clone(&self.disk), self.path.clone());
        let write = move || replace_file(&*disk, &path, &[&bytes]);
        let written = self.tasks.blocking(write).await;
        if let Ok(Err(error)) = written {
            self.unwritten(&error);
        }
    }
}

/// What the file holds. Where there is none, notices begin now: nobody is told of the past. One that cannot be read is
/// begun anew in the same way, and what waited in it is lost.
fn kept_of(parts: &Parts<'_>, path: &Path) -> Kept {
    let now = || {
        let numbers = parts.data.sale_numbers(&*parts.disk).unwrap_or_default();
        let last = numbers.last().copied().unwrap_or(0);
        Kept::from_now(u32::try_from(last).unwrap_or(u32::MAX))
    };
    match Kept::read(&*parts.disk, path) {
        Ok(found) => found.unwrap_or_else(now),
        Err(why) => {
            let detail =
                format!("the file of notices is begun anew, what waited in it is lost: {why}");
            parts.telemetry.tell(&ReconcileGap { detail: &detail });
            now()
        }
    }
}
