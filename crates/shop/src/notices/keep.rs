//! The letters that wait or were given up, and how far each journal was read. Kept in one file, replaced as a whole.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use world::Disk;
use world::disk::Access;

use super::event::Event;
use crate::wire;

/// The version of the file that this program writes.
const VERSION: u32 = 1;
/// Bytes of the file, at most.
const FILE_BYTES_MOST: u64 = 1024 * 1024 * 1024;

/// A letter: who is to be told what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// What it is about.
    pub event: Event,
    /// Of which sale.
    pub sale: u32,
    /// About which order.
    pub order: u32,
    /// Whose order it is, if it names anybody.
    #[serde(skip)]
    pub buyer: Option<String>,
    /// The sale's title.
    #[serde(skip)]
    pub sale_title: String,
    /// The sale's currency.
    #[serde(skip)]
    pub currency: String,
    /// The order's whole price.
    #[serde(skip)]
    pub total_minor: i64,
    /// What went back of it so far.
    #[serde(skip)]
    pub refunded_minor: i64,
    /// What is to be paid next: the whole price, the deposit, or the balance.
    #[serde(skip)]
    pub due_minor: i64,
    /// When the balance may be paid, from and until; empty where there is none.
    #[serde(skip)]
    pub due_window: (String, String),
    /// What went back and what is on its way back.
    #[serde(skip)]
    pub back_minor: i64,
    /// What of a paid amount does not come back.
    #[serde(skip)]
    pub kept_minor: i64,
    /// The order's units.
    #[serde(skip)]
    pub units: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, Unix milliseconds.
    pub due_ms: u64,
    /// Why it failed the last time.
    pub reason: Option<String>,
    /// Over which channel it was tried the last time.
    pub channel: Option<String>,
    /// It was given up at this time, Unix milliseconds.
    pub dead_ms: Option<u64>,
}

impl Letter {
    /// The order's id.
    #[must_use]
    pub fn order_id(&self) -> String {
        wire::order_id(self.sale, self.order).to_string()
    }

    /// An amount for people.
    #[must_use]
    pub fn money(&self, minor: i64) -> String {
        let digits =
            ledger::Currency::new(&self.currency).map_or(2, |currency| currency.exponent());
        let unit = 10_i64.pow(digits);
        let (whole, part) = (minor / unit, (minor % unit).abs());
        match digits {
            0 => format!("{whole} {}", self.currency),
            _ => format!(
                "{whole}.{part:0width$} {}",
                self.currency,
                width = digits as usize
            ),
        }
    }

    /// A letter that nobody has tried to deliver. What the book knows of its order is looked up then, and never kept.
    pub(super) fn new(event: Event, sale: u32, order: u32) -> Self {
        Self {
            event,
            sale,
            order,
            buyer: None,
            sale_title: String::new(),
            currency: String::new(),
            total_minor: 0,
            refunded_minor: 0,
            units: 0,
            due_minor: 0,
            due_window: Default::default(),
            back_minor: 0,
            kept_minor: 0,
            attempts: 0,
            due_ms: 0,
            reason: None,
            channel: None,
            dead_ms: None,
        }
    }

    /// Letters to try templates with: of an order with all sums, and of one that costs nothing.
    pub(super) fn examples(event: Event) -> [Self; 2] {
        let free = Self {
            total_minor: 0,
            ..Self::example(event)
        };
        let all = Self {
            refunded_minor: 50,
            due_minor: 1_250,
            due_window: ("2026-11-11T00:00:00Z".into(), "2026-11-12T00:00:00Z".into()),
            back_minor: 100,
            kept_minor: 300,
            ..Self::example(event)
        };
        [all, free]
    }

    /// A letter about a plain order.
    pub(super) fn example(event: Event) -> Self {
        Self {
            buyer: Some("buyer".into()),
            sale_title: "Cups".into(),
            currency: "EUR".into(),
            total_minor: 1_250,
            units: 1,
            ..Self::new(event, 1, 1)
        }
    }
}

/// What is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    version: u32,
    /// The last sale that there was when notices were switched on: it and those before it are told of from where their
    /// journals ended then, and later ones from their beginning.
    #[serde(default)]
    pub(super) sales_before: u32,
    /// How far the journal of each sale was read: the number of a batch.
    pub(super) seen: BTreeMap<u32, u64>,
    /// Letters by their keys.
    pub(super) letters: BTreeMap<String, Letter>,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self {
            version: VERSION,
            ..Self::default()
        }
    }

    /// Begun at this moment: nobody is told of what the journals of these sales hold already.
    pub(super) fn from_now(sales_before: u32) -> Self {
        Self {
            sales_before,
            ..Self::new()
        }
    }

    /// What the file holds; `None` where there is none.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, String> {
        if !disk.exists(path).unwrap_or(false) {
            return Ok(None);
        }
        match read(disk, path)? {
            kept if kept.version == VERSION => Ok(Some(kept)),
            kept => Err(format!("it has version {}", kept.version)),
        }
    }

    /// From which batch on the journal of a sale that ends with this one is read. Letters about what a journal that was
    /// put back from a backup does not hold any more are dropped: their orders' numbers are given out again.
    pub(super) fn begin(&mut self, sale: u32, end: u64) -> u64 {
        let first = if sale <= self.sales_before { end } else { 0 };
        let mark = self.seen.entry(sale).or_insert(first);
        if *mark > end {
            *mark = end;
            self.letters
                .retain(|key, letter| letter.sale != sale || batch_of(key) <= Some(end));
        }
        *mark
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        let waiting = self
            .letters
            .values()
            .filter(|letter| letter.dead_ms.is_none());
        waiting.count()
    }

    /// Forgets the oldest of those that were given up, once there are more than so many; the log has its key.
    pub(super) fn forget_oldest_dead(&mut self, most: usize) {
        if self.dead() <= most as u64 {
            return;
        }
        let dead = self.letters.iter();
        let dead = dead.filter_map(|(key, letter)| Some((letter.dead_ms?, key.clone())));
        if let Some((_, key)) = dead.min() {
            self.letters.remove(&key);
        }
    }

    pub(super) fn dead(&self) -> u64 {
        let dead = self
            .letters
            .values()
            .filter(|letter| letter.dead_ms.is_some());
        dead.count() as u64
    }
}

/// The key of a letter.
pub(super) fn key_of(sale: u32, batch: u64, at: u32, order: u32, event: Event) -> String {
    format!("ntc_{sale}_{batch}_{at}_{order}_{}", event.name())
}

/// The batch that a letter's key names.
fn batch_of(key: &str) -> Option<u64> {
    key.split('_').nth(2)?.parse().ok()
}

fn read(disk: &dyn Disk, path: &Path) -> Result<Kept, String> {
    let said = |error: std::io::Error| error.to_string();
    let file = disk.open(path, Access::Read).map_err(said)?;
    let length = file.len().map_err(said)?;
    if length > FILE_BYTES_MOST {
        return Err("it is larger than 1 GiB".into());
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(|error| error.to_string())?];
    let read = file.read_at(0, &mut bytes).map_err(said)?;
    serde_json::from_slice(&bytes[..read]).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_sales_begin_at_their_end_new_ones_at_their_beginning_and_nobody_beyond_the_end() {
        let mut kept = Kept::from_now(2);
        assert_eq!(kept.begin(2, 40), 40);
        assert_eq!(kept.begin(2, 50), 40, "what came since is told");
        assert_eq!(kept.begin(3, 9), 0);
        kept.seen.insert(3, 9);
        for batch in [7, 9] {
            let key = key_of(3, batch, 0, 1, Event::Paid);
            kept.letters.insert(key, Letter::new(Event::Paid, 3, 1));
        }
        assert_eq!(kept.begin(3, 8), 8, "the journal was put back");
        let left: Vec<&str> = kept.letters.keys().map(String::as_str).collect();
        assert_eq!(left, ["ntc_3_7_0_1_paid"]);
    }

    #[test]
    fn money_is_written_with_its_currency_s_own_digits() {
        let letter = |currency: &str| Letter {
            currency: currency.into(),
            ..Letter::example(Event::Paid)
        };
        assert_eq!(letter("EUR").money(1_205), "12.05 EUR");
        assert_eq!(letter("JPY").money(1_205), "1205 JPY");
        assert_eq!(letter("CNY").money(5), "0.05 CNY");
    }
}
