//! The public contract of Tidegate: what goes over the wire, and the traits behind which it is served.
//!
//! Why it exists: the front door and the running shop never name one another; they meet here. Everything that a client
//! can see (identifiers, bodies, error codes) is made in this crate and nowhere else.
//!
//! ```text
//!   client ──JSON──▶ edge ──service::{Sales, Orders, Keys}──▶ shop
//!                      ▲                                        │
//!                      └────── Answer<T> | Problem ─────────────┘
//! ```
//!
//! Start with [`service`] for what can be asked, then [`order`] and [`sale`] for what is said, and [`problem`] for how it
//! is refused.
//!
//! Invariant: a value that came through [`check::Check`] without faults is within every limit that this crate states.
//!
//! Not here: how anything is decided or stored, HTTP itself, and the shapes of bytes on disk.

pub mod action;
pub mod audit;
pub mod buyer;
pub mod check;
pub mod code;
pub mod currency;
pub mod deal;
pub mod device;
pub mod discounts;
pub mod export;
pub mod id;
pub mod key;
pub mod limits;
pub mod line;
pub mod live;
pub mod offer;
pub mod order;
pub mod people;
pub mod plan;
pub mod position;
pub mod price;
pub mod problem;
pub mod provider;
pub mod refund;
pub mod role;
pub mod sale;
pub mod scope;
pub mod sending;
pub mod service;
pub mod stock;
pub mod team;
pub mod time;

pub use buyer::BuyerFacts;
pub use code::Code;
pub use currency::Currency;
pub use id::{KeyId, OrderId, PaymentId, RefundId, RequestId, SaleId, TeamId, TicketId};
pub use position::Position;
pub use price::PriceText;
pub use problem::Problem;
pub use role::Role;
pub use scope::{Scope, Scopes};
pub use time::Time;
