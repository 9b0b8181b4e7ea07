//! The house book: what belongs to no sale.
//!
//! Merchant API keys (only their hashes), the registry of sales, and reports from outside that match no order. Its
//! journal follows the same contract and record format as a sale's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ledger::Violation;
use serde::{Deserialize, Serialize};

use crate::Time;

/// Sales in one house, at most: what 24 bits hold.
pub const SALES_MOST: u32 = (1 << 24) - 1;
/// API keys in one house, at most.
pub const API_KEYS_MOST: usize = 10_000;

/// A merchant's API key as it is kept: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its public number.
    pub id: u64,
    /// A name for people.
    pub name: Box<str>,
    /// The account it acts for.
    pub account: Arc<str>,
    /// What it may do, as a set of bits.
    pub scopes: u32,
    /// BLAKE3 hash of its secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created: Time,
    /// When it was revoked, if it was.
    pub revoked: Option<Time>,
}

/// Reports of one source that match no order and are at hand, at most: the newest. The journal has all.
pub const UNMATCHED_MOST: usize = 1_000;

/// A report from outside that matched no order when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmatchedReport {
    /// Its number, from 1.
    pub number: u64,
    /// When it was kept.
    pub at: Time,
    /// Who reported.
    pub source: Box<str>,
    /// What, as it came.
    pub report: Box<str>,
}

/// A sale in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The account that owns it.
    pub account: Arc<str>,
    /// When it was registered.
    pub created: Time,
    /// Whether it was retired, and not opened again since.
    pub retired: bool,
}

/// The house's own secret: from it come the seeds of draws. It never shows itself.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HouseSecret(pub [u8; 32]);

impl std::fmt::Debug for HouseSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HouseSecret")
    }
}

/// An entry of the house journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HouseEntry {
    /// An API key was made.
    KeyMade(ApiKey),
    /// An API key was revoked.
    KeyRevoked {
        /// Which.
        id: u64,
        /// Under whose authority.
        by: Box<str>,
    },
    /// A number was given to a new sale, for the idempotency key that asked.
    SaleRegistered {
        /// The number.
        sale: u32,
        /// Who owns it.
        account: Arc<str>,
        /// Hash of the account and idempotency key that asked.
        key: [u8; 16],
    },
    /// A report from outside that matches no order.
    Unmatched {
        /// Who reported.
        source: Box<str>,
        /// What, as it came, at most 4 KiB.
        report: Box<str>,
    },
    /// A setting or rule changed, for the audit.
    Setting {
        /// Which.
        name: Box<str>,
        /// Its new value, never a secret.
        value: Box<str>,
    },
    /// A sale was retired: it is not opened at start any more.
    SaleRetired {
        /// Which.
        sale: u32,
    },
    /// An administrative act, for the audit.
    Audited(Box<Act>),
    /// A person's data were erased. It counts against every copy of them that is older, whatever brings it back.
    PersonErased {
        /// Digest of the person's pseudonym.
        person: [u8; 32],
        /// Under whose authority.
        by: Box<str>,
    },
    /// The house drew its own secret, before its first draw.
    SecretDrawn {
        /// The secret.
        secret: HouseSecret,
    },
    /// A retired sale was opened again: it is opened at start until it is retired once more, since whatever came late
    /// may have begun something that is to be carried on.
    SaleReopened {
        /// Which.
        sale: u32,
    },
}

/// What somebody did to the house, kept for whoever asks later. Never a secret, and of a person only a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The account that it belongs to; empty for the house itself.
    pub account: Arc<str>,
    /// Who did it: the name of an API key, or `house` for a command on the machine itself.
    pub who: Box<str>,
    /// What was done, like `sale.pause`.
    pub what: Box<str>,
    /// To what, like `sale_00001`.
    pub subject: Box<str>,
    /// What changed, as it was before: JSON of at most 4 KiB.
    pub before: Option<Box<str>>,
    /// The same as it was afterwards.
    pub after: Option<Box<str>>,
    /// The trace of the request, zeros for none.
    pub trace: [u8; 16],
}

/// The house book.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HouseBook {
    keys: BTreeMap<u64, ApiKey>,
    sales: BTreeMap<u32, Registered>,
    asked: BTreeMap<[u8; 16], u32>,
    settings: BTreeMap<Box<str>, Box<str>>,
    secret: Option<HouseSecret>,
    unmatched: u64,
    unmatched_newest: VecDeque<Arc<UnmatchedReport>>,
    time: Time,
    acts: u64,
    /// Shared between copies of the book: it only grows, and rarely.
    erased: Arc<BTreeMap<[u8; 32], Time>>,
}

impl HouseBook {
    /// Applies an entry, just decided or read from the journal.
    ///
    /// # Errors
    /// [`Violation`] when the entry does not fit.
    pub fn apply(&mut self, now: Time, entry: &HouseEntry) -> Result<(), Violation> {
        self.time = self.time.max(now);
        match entry {
            HouseEntry::KeyMade(key) => self.make_key(key)?,
            HouseEntry::KeyRevoked { id, .. } => {
                let key = self.keys.get_mut(id);
                let key = key.ok_or_else(|| Violation::new("INV-8", format!("no API key {id}")))?;
                key.revoked.get_or_insert(now);
            }
            HouseEntry::SaleRegistered { sale, account, key } => {
                self.register(now, *sale, account, *key)?;
            }
            HouseEntry::SaleRetired { sale } => self.registered(*sale)?.retired = true,
            HouseEntry::SaleReopened { sale } => self.registered(*sale)?.retired = false,
            HouseEntry::Unmatched { source, report } => self.keep_unmatched(now, source, report),
            HouseEntry::Setting { name, value } => {
                self.settings.insert(name.clone(), value.clone());
            }
            HouseEntry::Audited(_) => self.acts += 1,
            HouseEntry::PersonErased { person, .. } => {
                let erased = Arc::make_mut(&mut self.erased);
                let at = erased.entry(*person).or_default();
                *at = (*at).max(now);
            }
            // Promises hang on the first one: it is never drawn anew.
            HouseEntry::SecretDrawn { secret } => {
                self.secret.get_or_insert(*secret);
            }
        }
        Ok(())
    }

    fn registered(&mut self, sale: u32) -> Result<&mut Registered, Violation> {
        let known = self.sales.get_mut(&sale);
        known.ok_or_else(|| Violation::new("INV-8", format!("no sale {sale}")))
    }

    fn keep_unmatched(&mut self, at: Time, source: &str, report: &str) {
        self.unmatched += 1;
        // A crowd from one source pushes out its own, and never what another one reported.
        let same = |kept: &Arc<UnmatchedReport>| *kept.source == *source;
        if self
            .unmatched_newest
            .iter()
            .filter(|kept| same(kept))
            .count()
            >= UNMATCHED_MOST
            && let Some(oldest) = self.unmatched_newest.iter().position(same)
        {
            self.unmatched_newest.remove(oldest);
        }
        let kept = UnmatchedReport {
            number: self.unmatched,
            at,
            source: source.into(),
            report: report.into(),
        };
        self.unmatched_newest.push_back(Arc::new(kept));
    }

    fn make_key(&mut self, key: &ApiKey) -> Result<(), Violation> {
        if self.keys.contains_key(&key.id) || self.keys.len() >= API_KEYS_MOST {
            let twice = format!("API key {} was made before, or one too many", key.id);
            return Err(Violation::new("INV-8", twice));
        }
        self.keys.insert(key.id, key.clone());
        Ok(())
    }

    fn register(
        &mut self,
        now: Time,
        sale: u32,
        account: &Arc<str>,
        key: [u8; 16],
    ) -> Result<(), Violation> {
        if sale != self.next_sale() || sale > SALES_MOST {
            let gap = format!("sale {sale} is not the next");
            return Err(Violation::new("INV-8", gap));
        }
        if let Some(other) = self.asked.insert(key, sale) {
            let twice = format!("sale {sale} was registered before, as {other}");
            return Err(Violation::new("INV-4", twice));
        }
        let registered = Registered {
            account: account.clone(),
            created: now,
            retired: false,
        };
        self.sales.insert(sale, registered);
        Ok(())
    }

    /// The number of the next sale, from 1.
    pub fn next_sale(&self) -> u32 {
        self.sales.last_key_value().map_or(1, |(last, _)| last + 1)
    }

    /// The sale that an idempotency key asked for before.
    pub fn asked(&self, key: &[u8; 16]) -> Option<u32> {
        self.asked.get(key).copied()
    }

    /// All API keys, revoked ones too.
    pub fn keys(&self) -> impl Iterator<Item = &ApiKey> {
        self.keys.values()
    }

    /// One API key.
    pub fn key(&self, id: u64) -> Option<&ApiKey> {
        self.keys.get(&id)
    }

    /// All sales with their numbers.
    pub fn sales(&self) -> impl Iterator<Item = (u32, &Registered)> {
        self.sales.iter().map(|(number, sale)| (*number, sale))
    }

    /// One sale.
    pub fn sale(&self, number: u32) -> Option<&Registered> {
        self.sales.get(&number)
    }

    /// A setting's journalled value.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(AsRef::as_ref)
    }

    /// Administrative acts on record.
    pub fn acts(&self) -> u64 {
        self.acts
    }

    /// When a person's data were erased for the last time, if they were.
    pub fn erased_at(&self, person: &[u8; 32]) -> Option<Time> {
        self.erased.get(person).copied()
    }

    /// Everybody whose data were erased, and when.
    pub fn erased(&self) -> impl Iterator<Item = (&[u8; 32], Time)> {
        self.erased.iter().map(|(person, at)| (person, *at))
    }

    /// The house's own secret, once there was a draw to promise.
    pub fn secret(&self) -> Option<HouseSecret> {
        self.secret
    }

    /// Reports that matched no order.
    pub fn unmatched(&self) -> u64 {
        self.unmatched
    }

    /// The newest of them, oldest first, at most [`UNMATCHED_MOST`] of each source.
    pub fn unmatched_newest(&self) -> impl Iterator<Item = &Arc<UnmatchedReport>> {
        self.unmatched_newest.iter()
    }

    /// The last moment the book was told.
    pub fn time(&self) -> Time {
        self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sales_are_numbered_without_a_gap_and_asked_for_once() {
        let mut house = HouseBook::default();
        let entry = |sale| HouseEntry::SaleRegistered {
            sale,
            account: "shop".into(),
            key: [7; 16],
        };
        assert!(house.apply(Time(1), &entry(2)).is_err());
        house.apply(Time(1), &entry(1)).expect("the next");
        assert_eq!((house.next_sale(), house.asked(&[7; 16])), (2, Some(1)));
        assert!(house.apply(Time(1), &entry(2)).is_err(), "the same key");
    }

    #[test]
    fn a_sale_that_was_opened_again_is_retired_once_more_by_its_own_entry() {
        let mut house = HouseBook::default();
        let reopened = HouseEntry::SaleReopened { sale: 1 };
        assert!(house.apply(Time(1), &reopened).is_err(), "there is none");
        let registered = HouseEntry::SaleRegistered {
            sale: 1,
            account: "shop".into(),
            key: [7; 16],
        };
        let retired = HouseEntry::SaleRetired { sale: 1 };
        for (entry, is_retired) in [
            (&registered, false),
            (&retired, true),
            (&reopened, false),
            (&retired, true),
        ] {
            house.apply(Time(1), entry).expect("fits");
            assert_eq!(house.sale(1).map(|sale| sale.retired), Some(is_retired));
        }
    }

    #[test]
    fn an_erased_person_stays_erased_since_the_last_time() {
        let mut house = HouseBook::default();
        let erase = HouseEntry::PersonErased {
            person: [3; 32],
            by: "house".into(),
        };
        house.apply(Time(5), &erase).expect("fits");
        let before = house.clone();
        house.apply(Time(9), &erase).expect("fits");
        assert_eq!(
            before.erased_at(&[3; 32]),
            Some(Time(5)),
            "a copy is a copy"
        );
        assert_eq!(house.erased_at(&[3; 32]), Some(Time(9)));
        assert_eq!(
            (house.erased().count(), house.erased_at(&[4; 32])),
            (1, None)
        );
    }

    #[test]
    fn a_crowd_of_reports_from_one_source_pushes_out_none_of_another() {
        let mut house = HouseBook::default();
        let mut keep = |source: &str, report: String| {
            let entry = HouseEntry::Unmatched {
                source: source.into(),
                report: report.into(),
            };
            house.apply(Time(1), &entry).expect("fits");
        };
        keep("provider", "the bank's".to_owned());
        (0..=UNMATCHED_MOST).for_each(|nth| keep("carrier", nth.to_string()));
        let reports: Vec<&str> = house.unmatched_newest().map(|kept| &*kept.report).collect();
        assert_eq!(reports.len(), UNMATCHED_MOST + 1);
        assert_eq!(reports[..3], ["the bank's", "1", "2"]);
        assert_eq!(house.unmatched(), UNMATCHED_MOST as u64 + 2);
    }

    #[test]
    fn acts_and_erasures_keep_their_bytes() {
        let act = Act {
            account: "a".into(),
            who: "w".into(),
            what: "sale.open".into(),
            subject: "s".into(),
            before: None,
            after: Some("{}".into()),
            trace: [7; 16],
        };
        let bytes = |entry: &HouseEntry| {
            let mut bytes = Vec::new();
            crate::record::put(entry, &mut bytes).expect("fits");
            bytes
        };
        let act = bytes(&HouseEntry::Audited(Box::new(act)));
        let known = b"\x06\x01a\x01w\x09sale.open\x01s\x00\x01\x02{}\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07";
        assert!(act.ends_with(known), "{act:?}");
        let erased = bytes(&HouseEntry::PersonErased {
            person: [9; 32],
            by: "b".into(),
        });
        let known = [&[7][..], &[9; 32], &[1, b'b']].concat();
        assert!(erased.ends_with(&known), "{erased:?}");
        let reopened = bytes(&HouseEntry::SaleReopened { sale: 5 });
        assert!(reopened.ends_with(&[9, 5]), "{reopened:?}");
    }

    #[test]
    fn a_revoked_key_stays_revoked_since_its_first_revocation() {
        let mut house = HouseBook::default();
        let key = ApiKey {
            id: 9,
            name: "till".into(),
            account: "shop".into(),
            scopes: 1,
            hash: [0; 32],
            created: Time(1),
            revoked: None,
        };
        house
            .apply(Time(1), &HouseEntry::KeyMade(key))
            .expect("fits");
        let revoke = HouseEntry::KeyRevoked {
            id: 9,
            by: "shop".into(),
        };
        house.apply(Time(5), &revoke).expect("fits");
        house.apply(Time(8), &revoke).expect("fits");
        assert_eq!(house.key(9).and_then(|key| key.revoked), Some(Time(5)));
    }
}
