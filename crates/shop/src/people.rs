//! Personal data: kept in the vault, erased first on record and then in the vault.
//!
//! An erasure is an entry of the house journal before the vault destroys anything, and every start erases once more all
//! that is on that list. So neither a crash between the two steps nor a copy of the vault that is older than the journal
//! brings a person back. What was kept again after an erasure is younger than it and stays.

mod settings;

use std::path::Path;
use std::sync::Arc;

use api::people::PersonData;
use commerce::Time;
use storage::vault::{MasterKey, PersonId, Record, Vault, VaultError};
use world::{Clock, Entropy, Tasks};

use crate::house::{By, House, HouseError, person_name};

pub(crate) use settings::check_secrets;
pub use settings::{MasterSecret, Secret, Settings};
pub use storage::vault::person_id;

/// Why personal data were not kept, shown or erased.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// No master key was given.
    #[error("this house has no vault: no master key was given")]
    NoVault,
    /// Nothing is kept about this person.
    #[error("nothing is kept about this person")]
    Nobody,
    /// The vault does not do it.
    #[error("the vault: {0}")]
    Vault(#[from] VaultError),
    /// What is kept cannot be read.
    #[error("a record of the vault is none of this version")]
    Unreadable,
    /// The house journal does not take the erasure.
    #[error(transparent)]
    House(#[from] HouseError),
    /// Whoever works at the vault ended early.
    #[error("the work at the vault ended early")]
    Ended,
}

/// Keeps personal data. Cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    vault: Option<Arc<Vault>>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
}

/// What is kept about a person, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// When it was kept.
    pub at: Time,
    /// The data.
    pub data: PersonData,
}

impl Keeper {
    /// Opens the vault if there is a master key, and erases what is on record as erased.
    ///
    /// # Errors
    /// [`PeopleError::Vault`]: a master key is wrong or missing, or the file cannot be used. Nothing is lost then.
    pub fn open(
        settings: &Settings,
        path: &Path,
        house: &House,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
        tasks: &Tasks,
    ) -> Result<Self, PeopleError> {
        let masters = settings.secrets.iter();
        let masters = masters.map(|master| MasterKey::new(&master.id, master.secret.bytes()));
        let masters: Vec<MasterKey> = masters.collect::<Result<_, _>>()?;
        let vault = if masters.is_empty() {
            None
        } else {
            let vault = Vault::open(path, masters, entropy.clone())?;
            let book = house.book();
            vault.erase(book.erased().map(|(person, at)| (person, at.0)))?;
            Some(Arc::new(vault))
        };
        Ok(Self {
            vault,
            clock: clock.clone(),
            tasks: tasks.clone(),
        })
    }

    /// Keeps data about a buyer, in the place of what was kept before.
    ///
    /// # Errors
    /// [`PeopleError::NoVault`], [`PeopleError::Vault`].
    pub async fn put(
        &self,
        house: &House,
        buyer: &str,
        mut data: PersonData,
    ) -> Result<Kept, PeopleError> {
        data.idempotency_key = None;
        let person = person_id(buyer);
        // Younger than any erasure, whatever the clock does.
        let erased = house.book().erased_at(&person).map_or(0, |at| at.0 + 1);
        let kept_ms = self.clock.wall_ms().max(erased);
        let bytes = serde_json::to_vec(&data).map_err(|_| PeopleError::Unreadable)?;
        let record = Record { kept_ms, bytes };
        self.at_vault(move |vault| vault.put(&person, &record))
            .await?;
        Ok(Kept {
            at: Time(kept_ms),
            data,
        })
    }

    /// What is kept about a buyer.
    ///
    /// # Errors
    /// [`PeopleError::Nobody`]; as [`Keeper::put`].
    pub async fn get(&self, buyer: &str) -> Result<Kept, PeopleError> {
        let person = person_id(buyer);
        let found = self.at_vault(move |vault| vault.get(&person)).await?;
        let record = found.ok_or(PeopleError::Nobody)?;
        let data = serde_json::from_slice(&record.bytes).map_err(|_| PeopleError::Unreadable)?;
        Ok(Kept {
            at: Time(record.kept_ms),
            data,
        })
    }

    /// Erases a person: on record first, then in the vault. Says as of when, and whether there was anything.
    ///
    /// # Errors
    /// [`PeopleError::NoVault`], [`PeopleError::House`], [`PeopleError::Vault`]. If only the vault failed, the next
    /// start erases what is on record.
    pub async fn erase(
        &self,
        house: &House,
        by: &By,
        person: PersonId,
    ) -> Result<(Time, bool), PeopleError> {
        if self.vault.is_none() {
            return Err(PeopleError::NoVault);
        }
        let at = house.erase_person(by, person).await?;
        // What was kept under a clock that was ahead is erased too.
        let until = at.0.max(self.clock.wall_ms());
        let kept = self.at_vault(move |vault| {
            let until = vault
                .get(&person)
                .ok()
                .flatten()
                .map_or(until, |record| record.kept_ms.max(until));
            vault.erase([(&person, until)])
        });
        Ok((at, kept.await? > 0))
    }

    /// Wraps everything with the current master key; says how many records were wrapped with an older one.
    ///
    /// # Errors
    /// As [`Keeper::put`], [`PeopleError::House`].
    pub async fn rotate(&self, house: &House) -> Result<usize, PeopleError> {
        let turned = self.at_vault(Vault::rotate).await?;
        let after = serde_json::json!({ "records": turned }).to_string();
        house
            .note(By::house("").act("vault.rotate", "vault", None, Some(&after)))
            .await?;
        Ok(turned)
    }

    /// How many people there are records of.
    ///
    /// # Errors
    /// As [`Keeper::put`].
    pub async fn count(&self) -> Result<u64, PeopleError> {
        self.at_vault(Vault::count).await
    }

    async fn at_vault<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, PeopleError> {
        let vault = self.vault.clone().ok_or(PeopleError::NoVault)?;
        let done = self.tasks.blocking(move || work(&vault));
        Ok(done.await.map_err(|_| PeopleError::Ended)??)
    }
}

/// A person in the audit.
#[must_use]
pub fn name_in_audit(buyer: &str) -> String {
    person_name(&person_id(buyer))
}
