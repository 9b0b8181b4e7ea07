//! How large a desk's life is, and how hard: data, drawn from a seed.

use crate::chance::Chance;
use crate::disk::{FaultKind, FaultPlan, Mix};

/// What the disk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing but the crashes.
    Fair,
    /// What an honest disk does on a bad day.
    Rough,
    /// It lies about syncs, turns bits over and writes to wrong places.
    Lying,
}

/// What is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trade {
    /// Plain orders.
    Plain,
    /// Teams, pre-sales and a waiting line, as the seed draws them.
    Offers,
}

/// How large a desk's life is, and how hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeskSize {
    /// Clients that each wait for an answer before they ask again.
    pub clients: u32,
    /// How often each of them asks.
    pub asks: u32,
    /// Commands in one request, at most; at least 1.
    pub batch_max: u64,
    /// Of a thousand wishes so many are new orders, the rest about earlier ones.
    pub orders_per_mille: u64,
    /// What is sold.
    pub trade: Trade,
    /// Units of each of the three SKUs.
    pub stock: u32,
    /// Units that one buyer may have.
    pub units_per_buyer: u32,
    /// How long units are held, in milliseconds; at least 1,000.
    pub hold_ms: u64,
    /// The longest pause of a client, in milliseconds.
    pub pause_ms: u64,
    /// Crashes while clients ask, at most.
    pub crashes: u32,
    /// What the disk does.
    pub weather: Weather,
    /// Entries after which an idle desk writes a snapshot.
    pub snapshot_entries: u64,
    /// Sizes of the journal's first and of its largest files, in bytes.
    pub segment_bytes: (u64, u64),
}

impl DeskSize {
    /// The size that belongs to a seed: a short life with several crashes, of a kind of its own.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut chance = Chance::of(seed, "desk size");
        let first = *chance.pick(&[8 * 1024, 16 * 1024, 64 * 1024]);
        Self {
            clients: *chance.pick(&[1, 3, 8, 20]),
            asks: 8 + u32::try_from(chance.below(20)).unwrap_or(0),
            batch_max: *chance.pick(&[1, 4, 30]),
            orders_per_mille: *chance.pick(&[200, 400, 700]),
            trade: Trade::Plain,
            stock: *chance.pick(&[10, 100, 2_000]),
            units_per_buyer: 60,
            hold_ms: *chance.pick(&[1_000, 5_000, 60_000]),
            pause_ms: *chance.pick(&[0, 20, 500, 3_000]),
            crashes: u32::try_from(chance.below(7)).unwrap_or(0),
            weather: *chance.pick(&[
                Weather::Fair,
                Weather::Rough,
                Weather::Rough,
                Weather::Lying,
            ]),
            snapshot_entries: *chance.pick(&[20, 100, 50_000]),
            segment_bytes: (first, first * 4),
        }
    }

    /// The size of a life with teams, a pre-sale or a line: slow enough that their times run out, scarce enough that a
    /// line forms.
    #[must_use]
    pub fn draw_offers(seed: u64) -> Self {
        let mut chance = Chance::of(seed, "offer size");
        Self {
            clients: *chance.pick(&[3, 6, 10]),
            asks: 15 + u32::try_from(chance.below(20)).unwrap_or(0),
            batch_max: *chance.pick(&[1, 2, 6]),
            orders_per_mille: *chance.pick(&[300, 500]),
            trade: Trade::Offers,
            stock: *chance.pick(&[3, 12, 40, 400]),
            // So few that who waits in line has them by the time that it is his turn.
            units_per_buyer: *Chance::of(seed, "units of a buyer").pick(&[7, 7, 3]),
            hold_ms: *chance.pick(&[1_000, 5_000, 20_000]),
            pause_ms: *chance.pick(&[100, 500, 2_000]),
            crashes: u32::try_from(chance.below(5)).unwrap_or(0),
            weather: *chance.pick(&[Weather::Fair, Weather::Rough]),
            ..Self::draw(seed)
        }
    }

    /// One long life in fair weather: what the speed of the simulation is measured on.
    #[must_use]
    pub fn long(orders: u32) -> Self {
        Self {
            clients: 16,
            asks: orders.div_ceil(16 * 250),
            batch_max: 500,
            orders_per_mille: 1_000,
            trade: Trade::Plain,
            stock: u32::MAX / 4,
            units_per_buyer: 60,
            hold_ms: 900_000,
            pause_ms: 2,
            crashes: 0,
            weather: Weather::Fair,
            snapshot_entries: u64::MAX,
            segment_bytes: (256 * 1024, 64 * 1024 * 1024),
        }
    }

    pub(super) fn plan(&self, seed: u64) -> FaultPlan {
        let mix = Mix {
            ops: u64::from(self.clients * self.asks).max(60),
            per_thousand: 30,
            ..Mix::default()
        };
        match self.weather {
            Weather::Fair => FaultPlan::default(),
            Weather::Rough => FaultPlan::draw(seed, &mix),
            Weather::Lying => FaultPlan::draw(
                seed,
                &Mix {
                    kinds: [
                        FaultKind::LyingSync,
                        FaultKind::BitFlip,
                        FaultKind::Misdirected,
                    ]
                    .into(),
                    ..mix
                },
            ),
        }
    }
}
