//! Commerce, running: the desk of each sale, the cashier, the projector, the registry.
//!
//! Why it exists: the book decides and knows nothing of disks, clocks or networks; this room brings it to life and keeps
//! the order of things: decide, make durable, then answer (law 3).
//!
//! ```text
//!   Handle (api traits) ──▶ Registry ──▶ Desk of the sale ──▶ Journal
//!                                          │    ▲
//!                        effects, durable  ▼    │ reports
//!                                        Cashier ──▶ payment provider
//!                        batches, durable ▶ Projector ──▶ read models
//!   Reconciler: book × provider × read models, every few minutes
//!                                         ▶ sagas ──▶ carriers, customs
//!                                         ▶ notices ──▶ webhook, mail, file
//! ```
//!
//! Start with [`desk`]. Invariants: INV-7 (shown means durable): every answer waits for the batch that holds it.
//! Not here: HTTP, the command line, any rule of commerce.

pub mod cashier;
pub mod clock;
pub mod coupons;
pub mod delivery;
pub mod desk;
pub mod draws;
pub mod house;
pub mod notices;
pub mod open;
mod outside;
pub mod people;
pub mod projector;
pub mod provider;
pub mod reconcile;
pub mod registry;
pub mod restore;
pub mod risk;
pub mod saga;
pub mod service;
mod settings;
pub mod settlement;
mod shop;
pub mod verify;
mod wire;

pub use service::Handle;
pub use settings::{SalesSettings, Settings};
pub use shop::{Parts, Recovered, Shop, ShopError};
