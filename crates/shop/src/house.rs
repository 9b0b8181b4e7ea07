//! The house: what belongs to no sale, in a journal of its own. API keys, the registry of sales, unmatched reports.
//!
//! It changes rarely and is read on every request, so writers go one at a time through a lock and readers see a shared
//! copy that is replaced once a change is durable.

mod acts;
mod secret;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use commerce::Time;
use commerce::deal::{Commit, Seed};
use commerce::house::{API_KEYS_MOST, ApiKey, HouseBook, HouseEntry, HouseSecret, SALES_MOST};
use commerce::record::{self, Records};
use storage::journal::{FileJournal, JournalSettings, recover};
use world::journal::{Batch, Journal, JournalError, NewBatch, Position};

use crate::desk::Seeds;
use crate::draws::{self, promised};
use crate::open::{Findings, OpenError, Place, flatten};

pub(crate) use acts::person_name;
pub use acts::{Acts, By};
pub use secret::{NewSecret, digest, parse, seed};

/// Why a change of the house was not made.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// The journal cannot be written; whether the change took effect is unknown.
    #[error("the house journal cannot be written: {0}")]
    Journal(#[from] JournalError),
    /// The change does not encode.
    #[error(transparent)]
    Record(#[from] record::RecordError),
    /// The change does not fit.
    #[error(transparent)]
    Violation(#[from] ledger::Violation),
    /// What is on record cannot be taken into the book.
    #[error("the house journal's last entries: {0}")]
    Behind(#[source] OpenError),
    /// The house holds as much as it may.
    #[error("the house holds as many {0} as it may")]
    Full(&'static str),
    /// There is no such API key.
    #[error("no such API key")]
    NoKey,
    /// Who wrote this together with others did not get to its end.
    #[error("the house journal's write for several callers was cut off: {0}")]
    CutOff(Arc<str>),
}

impl HouseError {
    /// What the disk said, if it was the disk.
    fn of_the_disk(&self) -> Option<Arc<str>> {
        match self {
            Self::Journal(error) => Some(error.to_string().into()),
            Self::Behind(error) => Some(error.to_string().into()),
            Self::CutOff(error) => Some(error.clone()),
            Self::Record(_) | Self::Violation(_) | Self::Full(_) | Self::NoKey => None,
        }
    }
}

/// Who writes the house journal.
struct Writer {
    journal: Box<dyn Journal>,
    /// The batch up to which the book has it. A caller who hangs up while its batch is on the way to the disk leaves
    /// the book behind the journal.
    applied: u64,
}

/// The house.
pub struct House {
    writer: tokio::sync::Mutex<Writer>,
    book: RwLock<Arc<HouseBook>>,
    place: Place,
    /// Acts that wait for whoever has the writer; they are written together.
    waiting: Mutex<Vec<acts::Waiting>>,
    /// What the last change failed with, if it failed.
    trouble: Mutex<Option<Arc<str>>>,
    /// Secrets of draws that the configuration gives.
    draws: Vec<HouseSecret>,
}

impl House {
    /// Opens the house's journal and reads it whole; it is short.
    ///
    /// # Errors
    /// [`OpenError`]; nothing on disk has changed then.
    pub fn open(place: Place) -> Result<(Self, Findings), OpenError> {
        let mut book = HouseBook::default();
        let mut findings = Findings::default();
        let visit = &mut |batch: &Batch| {
            findings.batches += 1;
            findings.entries += u64::from(batch.entries);
            apply(&mut book, batch)
        };
        let recovery = recover(&place.doors.disk, &place.dir, None, visit).map_err(flatten)?;
        findings.torn.clone_from(&recovery.torn);
        let settings = JournalSettings {
            segment_bytes_first: 64 * 1024,
            segment_bytes_max: 4 * 1024 * 1024,
        };
        let journal = FileJournal::open(recovery, place.doors.clone(), &place.tasks, settings)?;
        let house = Self {
            writer: tokio::sync::Mutex::new(Writer {
                applied: journal.position().sequence,
                journal: Box::new(journal),
            }),
            book: RwLock::new(Arc::new(book)),
            place,
            waiting: Mutex::default(),
            trouble: Mutex::default(),
            draws: Vec::new(),
        };
        Ok((house, findings))
    }

    /// Draws are promised by the first of these secrets from now on, rather than by one of the house's own.
    #[must_use]
    pub fn with_draws(mut self, settings: &draws::Settings) -> Self {
        self.draws = settings.keys();
        self
    }

    /// The house as it stands, durable always.
    pub fn book(&self) -> Arc<HouseBook> {
        self.book
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes an API key and gives its text, which is kept nowhere. Asked again under the same idempotency key it gives
    /// the key that was made, without its text.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn make_key(
        &self,
        name: &str,
        account: &str,
        scopes: u32,
        asked: Option<&str>,
    ) -> Result<(ApiKey, Option<NewSecret>), HouseError> {
        self.make_key_by(&By::house(account), name, account, scopes, asked)
            .await
    }

    /// The same in somebody's name.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn make_key_by(
        &self,
        by: &By,
        name: &str,
        account: &str,
        scopes: u32,
        asked: Option<&str>,
    ) -> Result<(ApiKey, Option<NewSecret>), HouseError> {
        let entropy = &*self.place.doors.entropy;
        let secret = match asked {
            Some(asked) => NewSecret::draw_for(entropy, account, asked),
            None => NewSecret::draw(entropy),
        };
        let before = self.book().key(secret.id()).cloned();
        if let Some(made) = before {
            return Ok((made, None));
        }
        let made = self.commit(|book, now| {
            if book.keys().count() >= API_KEYS_MOST {
                return Err(HouseError::Full("API keys"));
            }
            let (name, account, hash) = (name.into(), account.into(), secret.hash());
            let key = ApiKey {
                id: secret.id(),
                name,
                account,
                scopes,
                hash,
                created: now,
                revoked: None,
            };
            let act = acts::key_made(by, &key);
            Ok(vec![HouseEntry::KeyMade(key), act])
        });
        made.await?;
        let key = self
            .book()
            .key(secret.id())
            .cloned()
            .ok_or(HouseError::NoKey)?;
        // Of two requests under one key, the one whose secret was kept shows it.
        let secret = Some(secret).filter(|secret| secret.hash() == key.hash);
        Ok((key, secret))
    }

    /// Revokes an API key, at once and for good.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn revoke_key(&self, id: u64, by: &By) -> Result<ApiKey, HouseError> {
        let revoked = self.commit(|book, _| {
            book.key(id).ok_or(HouseError::NoKey)?;
            let account = (&*by.account).into();
            let revoked = HouseEntry::KeyRevoked { id, by: account };
            Ok(vec![revoked, acts::key_revoked(by, id)])
        });
        revoked.await?;
        self.book().key(id).cloned().ok_or(HouseError::NoKey)
    }

    /// The number of the sale that this idempotency key asks for: a new one, or the one it asked for before.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn register(&self, account: &str, key: &str) -> Result<u32, HouseError> {
        let asked = digest(account, key);
        if let Some(sale) = self.book().asked(&asked) {
            return Ok(sale);
        }
        let registered = self.commit(|book, _| {
            // Two requests with the same key may both have come this far.
            if book.asked(&asked).is_none() && book.next_sale() > SALES_MOST {
                return Err(HouseError::Full("sales"));
            }
            Ok(vec![HouseEntry::SaleRegistered {
                sale: book.next_sale(),
                account: account.into(),
                key: asked,
            }])
        });
        registered.await?;
        self.book().asked(&asked).ok_or(HouseError::Full("sales"))
    }

    /// Notes that a sale was retired: it is not opened at start any more.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn retire(&self, sale: u32) -> Result<(), HouseError> {
        self.commit(|_, _| Ok(vec![HouseEntry::SaleRetired { sale }]))
            .await
    }

    /// Notes that a retired sale is opened again: it is opened at start, too, until it is retired once more.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn reopen(&self, sale: u32) -> Result<(), HouseError> {
        self.commit(|_, _| Ok(vec![HouseEntry::SaleReopened { sale }]))
            .await
    }

    /// The secret that promises draws: the first one of the configuration, or the house's own, drawn when it is first
    /// needed.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn secret(&self) -> Result<HouseSecret, HouseError> {
        if let Some(secret) = self.draws.first() {
            return Ok(*secret);
        }
        if let Some(secret) = self.book().secret() {
            return Ok(secret);
        }
        let mut bytes = [0; 32];
        self.place.doors.entropy.fill(&mut bytes);
        let secret = HouseSecret(bytes);
        self.commit(|_, _| Ok(vec![HouseEntry::SecretDrawn { secret }]))
            .await?;
        // Of two that were drawn at once the first one stands.
        Ok(self.book().secret().unwrap_or(secret))
    }

    /// Keeps a report from outside that matches no order.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn unmatched(&self, source: &str, report: &str) -> Result<(), HouseError> {
        let report: String = report.chars().take(1_024).collect();
        self.commit(|_, _| {
            Ok(vec![HouseEntry::Unmatched {
                source: source.into(),
                report: report.as_str().into(),
            }])
        })
        .await
    }

    /// Keeps a changed setting, for the audit. Never a secret.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn note_setting(&self, name: &str, value: &str) -> Result<(), HouseError> {
        if self.book().setting(name) == Some(value) {
            return Ok(());
        }
        self.commit(|book, _| {
            let act = acts::setting(name, book.setting(name), value);
            let setting = HouseEntry::Setting {
                name: name.into(),
                value: value.into(),
            };
            Ok(vec![setting, act])
        })
        .await
    }

    /// Puts on record that a person's data are erased, before they are; says as of when.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn erase_person(&self, by: &By, person: [u8; 32]) -> Result<Time, HouseError> {
        self.commit(|_, _| {
            let who = by.who.clone();
            let erased = HouseEntry::PersonErased { person, by: who };
            Ok(vec![
                erased,
                acts::person(by, "person.erase", &person, None),
            ])
        })
        .await?;
        let at = self.book().erased_at(&person);
        at.ok_or_else(|| HouseError::CutOff("the erasure is not in the book".into()))
    }

    /// Decides, makes durable, then shows.
    async fn commit(
        &self,
        decide: impl FnOnce(&HouseBook, Time) -> Result<Vec<HouseEntry>, HouseError>,
    ) -> Result<(), HouseError> {
        let mut writer = self.writer.lock().await;
        self.commit_with(&mut writer, decide).await
    }

    async fn commit_with(
        &self,
        writer: &mut Writer,
        decide: impl FnOnce(&HouseBook, Time) -> Result<Vec<HouseEntry>, HouseError>,
    ) -> Result<(), HouseError> {
        let written = self.write(writer, decide).await;
        let trouble = written.as_ref().err().and_then(HouseError::of_the_disk);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        written
    }

    /// Why the house cannot be changed now, if its disk refuses.
    pub fn trouble(&self) -> Option<Arc<str>> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn write(
        &self,
        writer: &mut Writer,
        decide: impl FnOnce(&HouseBook, Time) -> Result<Vec<HouseEntry>, HouseError>,
    ) -> Result<(), HouseError> {
        // An earlier failure is mended here, in a new segment; while the disk refuses this fails again.
        let position = writer.journal.resume().await?;
        self.catch_up(writer)?;
        let mut book = HouseBook::clone(&self.book());
        let now = book.time().max(Time(self.place.doors.clock.wall_ms()));
        let entries = decide(&book, now)?;
        // The first entry is what was asked for; what stands behind it tells of it.
        if entries.first().is_none_or(|first| repeats(&book, first)) {
            return Ok(());
        }
        let forgotten = entries.iter().any(is_forgotten);
        let batch = put_down(&mut book, now, &entries)?;
        if !forgotten {
            let appended = writer.journal.append(position.sequence, batch).await?;
            writer.applied = appended.position.sequence;
        }
        self.show(book);
        Ok(())
    }

    /// Takes into the book what is on record and not in it: what somebody asked for and did not wait for.
    fn catch_up(&self, writer: &mut Writer) -> Result<(), HouseError> {
        if writer.applied == writer.journal.position().sequence {
            return Ok(());
        }
        let mut book = HouseBook::clone(&self.book());
        let mut reader = writer.journal.read(writer.applied)?;
        while let Some(batch) = reader.next()? {
            apply(&mut book, &batch).map_err(HouseError::Behind)?;
            writer.applied = batch.sequence;
        }
        self.show(book);
        Ok(())
    }

    fn show(&self, book: HouseBook) {
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
    }

    /// The house journal's durable position.
    pub async fn position(&self) -> Position {
        self.writer.lock().await.journal.position()
    }
}

impl Seeds for House {
    fn seed(&self, sale: u32, commit: &Commit) -> Option<Seed> {
        let secrets = self.draws.iter().copied().chain(self.book().secret());
        promised(secrets, sale, commit)
    }
}

/// Takes the entries into the book, and gives the batch that says so.
fn put_down(
    book: &mut HouseBook,
    now: Time,
    entries: &[HouseEntry],
) -> Result<NewBatch, HouseError> {
    let mut payload = Vec::new();
    for entry in entries {
        record::put(entry, &mut payload)?;
        book.apply(now, entry)?;
    }
    Ok(NewBatch {
        time_ms: now.0,
        entries: u32::try_from(entries.len()).unwrap_or(u32::MAX),
        payload,
    })
}

/// What must never be shown without being journalled: the deliberate bugs of this place.
fn is_forgotten(entry: &HouseEntry) -> bool {
    match entry {
        HouseEntry::KeyRevoked { .. } => stdx::mutants::is("key-revocation-not-journalled"),
        HouseEntry::SaleRegistered { .. } => stdx::mutants::is("sale-number-not-journalled"),
        _ => false,
    }
}

/// Whether the book says already what the entry would say.
fn repeats(book: &HouseBook, entry: &HouseEntry) -> bool {
    match entry {
        HouseEntry::SaleRegistered { key, .. } => book.asked(key).is_some(),
        HouseEntry::SaleRetired { sale } => book.sale(*sale).is_none_or(|sale| sale.retired),
        HouseEntry::SaleReopened { sale } => book.sale(*sale).is_none_or(|sale| !sale.retired),
        HouseEntry::KeyMade(key) => book.key(key.id).is_some(),
        HouseEntry::SecretDrawn { .. } => book.secret().is_some(),
        HouseEntry::KeyRevoked { id, .. } => book.key(*id).is_some_and(|key| key.revoked.is_some()),
        _ => false,
    }
}

/// Applies a durable batch of the house journal.
///
/// # Errors
/// [`OpenError::Record`], [`OpenError::Violation`].
pub fn apply(book: &mut HouseBook, batch: &Batch) -> Result<(), OpenError> {
    let sequence = batch.sequence;
    let mut records = Records::new(&batch.payload);
    while let Some(entry) = records
        .read()
        .map_err(|source| OpenError::Record { sequence, source })?
    {
        let applied = book.apply(Time(batch.time_ms), &entry);
        applied.map_err(|source| OpenError::Violation { sequence, source })?;
    }
    Ok(())
}
