//! Accounts, holds, and the conservation check: the only code that may say "sold".
//!
//! Why it exists: every oversell and every double refund in other systems began as a number that one place checked and
//! another place changed. Here a number has one owner and changes only by the moves of double entry, each of which
//! refuses what would break the books.
//!
//! ```text
//!   stock ──▶ available ──hold──▶ held ──post──▶ sold
//!     ▲           │  ▲              │              │
//!     │       write off └───release─┘              │
//!     │           ▼  ▲                             │
//!     └─────  written off └────────give back───────┘
//! ```
//!
//! Start with [`UnitAccount`] (units of one SKU) and [`Funds`] (money of one order); [`money`] holds prices and
//! rounding.
//!
//! Invariants: INV-1 (no oversell), INV-2 (no over-refund), INV-9 (units are conserved), INV-10 (money is conserved).
//! Not here: orders, buyers, time, IO of any kind.

pub mod funds;
pub mod money;
pub mod units;

pub use funds::{Funds, OverBudget};
pub use money::{Currency, Minor, UnitPrice};
pub use units::{Hold, Shortage, UnitAccount, Units};

/// A broken invariant: the books would no longer add up. Whoever meets one stops the sale, since it is either a bug or
/// a journal that was changed by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} would break: {detail}")]
pub struct Violation {
    /// The invariant's number, such as `INV-9`.
    pub invariant: &'static str,
    /// What did not add up, with the numbers.
    pub detail: String,
}

impl Violation {
    /// Names the invariant and says what did not add up.
    pub fn new(invariant: &'static str, detail: impl Into<String>) -> Self {
        Self {
            invariant,
            detail: detail.into(),
        }
    }
}
