//! The book of a sale: what was decided, and the rules that decide. Pure and deterministic.
//!
//! Why it exists: idempotency, eligibility, purchase limit, stock, price and order are decided together, in one
//! transition of one state machine (law 2). A check in one place and a take in another is the source of every oversell
//! in other systems; here there is no second place.
//!
//! ```text
//!   Command ──decide(&self)──▶ Entry ──apply(&mut self)──▶ Book        Refusal: nothing changes, nothing is journalled
//!                                │
//!                                └──▶ journal record ([`record`]); recovery applies entries and never re-decides
//! ```
//!
//! Start with [`Book::execute`]; then [`book`]'s files, one for each family of transitions: sale, place, pay, refund,
//! fulfil, expiry. [`house`] is the small book of what belongs to no sale.
//!
//! Invariants: INV-1 to INV-5, INV-9, INV-10. Not here: IO, clocks, randomness (callers hand in the time and the
//! secret), wire formats other than the journal's record.

pub mod book;
pub mod command;
pub mod deal;
pub mod entry;
pub mod facts;
pub mod house;
pub mod offer;
pub mod plan;
pub mod price;
pub mod record;
pub mod refusal;
pub mod rules;
pub mod saga;
pub mod sip;
pub mod time;

pub use book::{Book, Done, OrderRef, OrderStatus, Outcome, SkuRef};
pub use command::{Action, Actor, Ask, Command, Place, RefundAsk, Report};
pub use deal::{DealAsk, TeamAsk};
pub use entry::{Effect, EffectKind, Entry};
pub use facts::Facts;
pub use offer::Offer;
pub use plan::{Limits, Patch, Plan, Rule, SaleState, SkuPlan, Test, Turn, Window};
pub use refusal::Refusal;
pub use time::Time;
