//! How a shop works.

use serde::{Deserialize, Serialize};

use crate::{cashier, delivery, desk, draws, notices, people, projector, reconcile, saga};

/// Settings of the shop.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The desk of each sale.
    pub desk: desk::Settings,
    /// Calls to payment providers.
    pub cashier: cashier::Settings,
    /// Comparing book, provider and read models.
    pub reconcile: reconcile::Settings,
    /// Read models.
    pub projector: projector::Settings,
    /// Journals and watchers.
    pub sales: SalesSettings,
    /// How paid orders go out.
    pub fulfilment: saga::Settings,
    /// Carriers.
    pub delivery: delivery::Settings,
    /// What buyers are told.
    pub notices: notices::Settings,
    /// Personal data.
    pub vault: people::Settings,
    /// Lottery teams.
    pub draws: draws::Settings,
}

/// What holds for each sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SalesSettings {
    /// Size of a sale's first journal segment in bytes. Limit: 64 KiB to 1 GiB.
    pub segment_bytes_first: u64,
    /// Size of a sale's largest journal segment in bytes. Limit: the first's size to 1 GiB.
    pub segment_bytes_max: u64,
    /// Live streams open at once, over all sales. Limit: 1 to 100,000.
    pub watchers_max: usize,
}

impl Default for SalesSettings {
    fn default() -> Self {
        Self {
            segment_bytes_first: 256 * 1024,
            segment_bytes_max: 64 * 1024 * 1024,
            watchers_max: 1_000,
        }
    }
}
