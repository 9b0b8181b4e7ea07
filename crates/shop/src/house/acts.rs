//! Administrative acts: put on record, together where several come at once, and read again.

use std::sync::{Arc, PoisonError};

use api::KeyId;
use commerce::house::{Act, ApiKey, HouseEntry};
use commerce::record::Records;
use tokio::sync::oneshot;
use world::journal::{Batch, BatchReader};

use super::{House, HouseError};
use crate::open::OpenError;

/// Acts written at once, at most.
const TOGETHER_MAX: usize = 256;
/// Bytes of what changed, on each side, at most.
const CHANGE_BYTES_MAX: usize = 4_096;
/// Batches that one reading looks at, at most.
const LOOKED_AT_MAX: usize = 20_000;
/// Who it is when nobody came over the network.
const HOUSE: &str = "house";

/// In whose name something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The account that the act belongs to; empty for the house itself.
    pub account: Arc<str>,
    /// Who: an API key, or `house` for a command on the machine itself.
    pub who: Box<str>,
    /// The trace of the request, if there is one.
    pub trace: Option<u128>,
}

impl By {
    /// A command on the machine itself, for an account or for none.
    #[must_use]
    pub fn house(account: &str) -> Self {
        Self {
            account: account.into(),
            who: HOUSE.into(),
            trace: None,
        }
    }

    /// An act in this name. What does not fit is cut, and then is no JSON any more.
    #[must_use]
    pub fn act(&self, what: &str, subject: &str, before: Option<&str>, after: Option<&str>) -> Act {
        Act {
            account: self.account.clone(),
            who: self.who.clone(),
            what: what.into(),
            subject: subject.into(),
            before: before.map(cut),
            after: after.map(cut),
            trace: self.trace.unwrap_or_default().to_be_bytes(),
        }
    }
}

fn cut(text: &str) -> Box<str> {
    let mut end = text.len().min(CHANGE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

fn entry(act: Act) -> HouseEntry {
    HouseEntry::Audited(Box::new(act))
}

pub(super) fn key_made(by: &By, key: &ApiKey) -> HouseEntry {
    let after = serde_json::json!({
        "name": key.name,
        "account": key.account,
        "scopes": crate::service::scope_names(key.scopes),
    });
    let subject = KeyId(key.id).to_string();
    entry(by.act("key.create", &subject, None, Some(&after.to_string())))
}

pub(super) fn key_revoked(by: &By, id: u64) -> HouseEntry {
    entry(by.act("key.revoke", &KeyId(id).to_string(), None, None))
}

pub(super) fn setting(name: &str, before: Option<&str>, after: &str) -> HouseEntry {
    entry(By::house("").act("setting.change", name, before, Some(after)))
}

pub(super) fn person(by: &By, what: &str, person: &[u8; 32], after: Option<&str>) -> HouseEntry {
    entry(by.act(what, &person_name(person), None, after))
}

/// A person in an act: the begin of its digest.
pub(crate) fn person_name(person: &[u8; 32]) -> String {
    let digits: String = person[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("person_{digits}")
}

/// An act that waits for the writer, and who waits for it.
pub(super) struct Waiting {
    act: Act,
    done: oneshot::Sender<Result<(), Arc<str>>>,
}

/// Acts that one reading found.
#[derive(Debug, Default)]
pub struct Acts {
    /// Each with its batch and its time.
    pub found: Vec<(u64, u64, Act)>,
    /// The last batch that was looked at, if there may be more behind it.
    pub next: Option<u64>,
}

impl House {
    /// Puts an act on record. Acts that come while another is on its way to the disk are written together.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn note(&self, act: Act) -> Result<(), HouseError> {
        let (done, mut told) = oneshot::channel();
        self.lock_waiting().push(Waiting { act, done });
        let mut writer = self.writer.lock().await;
        match told.try_recv() {
            Ok(outcome) => return outcome.map_err(HouseError::CutOff),
            // Whoever took it hung up while it was on its way to the disk.
            Err(oneshot::error::TryRecvError::Closed) => {
                return Err(HouseError::CutOff("whoever wrote it hung up".into()));
            }
            Err(oneshot::error::TryRecvError::Empty) => {}
        }
        loop {
            let taken = self.take_waiting();
            let (acts, tell): (Vec<HouseEntry>, Vec<_>) = taken
                .into_iter()
                .map(|waiting| (entry(waiting.act), waiting.done))
                .unzip();
            let written = self.commit_with(&mut writer, |_, _| Ok(acts)).await;
            let outcome = match &written {
                Ok(()) => Ok(()),
                Err(error) => Err(Arc::from(error.to_string())),
            };
            for done in tell {
                // Nobody may be waiting any more.
                let _ = done.send(outcome.clone());
            }
            match told.try_recv() {
                Ok(outcome) => {
                    written?;
                    return outcome.map_err(HouseError::CutOff);
                }
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => {
                    return Err(HouseError::CutOff("nobody wrote it".into()));
                }
            }
        }
    }

    fn lock_waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_waiting(&self) -> Vec<Waiting> {
        let mut waiting = self.lock_waiting();
        let count = waiting.len().min(TOGETHER_MAX);
        waiting.drain(..count).collect()
    }

    /// Reads acts behind batch number `after`, oldest first, that `wanted` takes; at most `limit`, and from a bounded
    /// part of the journal.
    ///
    /// # Errors
    /// [`HouseError::Journal`] when `after` is none of the journal's, or its disk refuses.
    pub async fn read_acts(
        &self,
        after: u64,
        limit: usize,
        wanted: impl FnMut(u64, u64, &Act) -> bool + Send + 'static,
    ) -> Result<Acts, HouseError> {
        let reader = self.writer.lock().await.journal.read(after)?;
        let read = self
            .place
            .tasks
            .blocking(move || read(reader, limit, wanted));
        let ended = |_| HouseError::CutOff("the reading ended early".into());
        read.await.map_err(ended)?
    }
}

fn read(
    mut reader: Box<dyn BatchReader>,
    limit: usize,
    mut wanted: impl FnMut(u64, u64, &Act) -> bool,
) -> Result<Acts, HouseError> {
    let mut acts = Acts::default();
    for _ in 0..LOOKED_AT_MAX {
        let Some(batch) = reader.next()? else {
            acts.next = None;
            return Ok(acts);
        };
        // A batch is shown whole or not at all, since a page ends between two batches.
        take(&batch, &mut acts, &mut wanted)?;
        acts.next = Some(batch.sequence);
        if acts.found.len() >= limit {
            break;
        }
    }
    Ok(acts)
}

fn take(
    batch: &Batch,
    acts: &mut Acts,
    wanted: &mut impl FnMut(u64, u64, &Act) -> bool,
) -> Result<(), HouseError> {
    let sequence = batch.sequence;
    let mut records = Records::new(&batch.payload);
    let behind = |source| HouseError::Behind(OpenError::Record { sequence, source });
    while let Some(entry) = records.read::<HouseEntry>().map_err(behind)? {
        if let HouseEntry::Audited(act) = entry
            && wanted(sequence, batch.time_ms, &act)
        {
            acts.found.push((sequence, batch.time_ms, *act));
        }
    }
    Ok(())
}
