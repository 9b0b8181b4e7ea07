//! The front door: it listens, knows who comes, holds everything against its limits, and asks the shop.
//!
//! Why it exists: what comes from outside is hostile or broken until shown otherwise. Behind this room every body has
//! been read, bounded and checked, every caller is known, and every answer has an id that leads to its log lines.
//!
//! ```text
//!   accept ─▶ connection (times, limits) ─▶ router ─▶ endpoint ─▶ route's handler ─▶ api::service ─▶ shop
//!                                                      │ who: auth, token
//!                                                      │ what: asked (body, key)
//!                                                      └ told: said, problem documents
//! ```
//!
//! Before and after `who` stand the [`limits`]: whoever comes too often hears so before anything is done.
//!
//! Start with [`server`] for how it is built and run, then `endpoint` for the one way that all requests take, then
//! `routes` for what is served.
//!
//! Invariant: whatever a client sends, it gets an answer with a request id, or its connection is closed in time; nothing
//! that it sends makes the process fall.
//!
//! Not here: TLS (a later room brings it), any decision about a sale.

mod asked;
mod auth;
mod connection;
mod device;
mod door;
mod endpoint;
mod error;
mod guard;
pub mod identity;
mod ids;
pub mod limits;
mod network;
mod openapi;
mod pages;
mod phase;
mod routes;
mod said;
mod secret;
pub mod server;
mod settings;
mod socket;
mod token;
mod trace;

pub use device::Settings as DeviceSettings;
pub use door::{Demo, Rooms};
pub use error::EdgeError;
pub use limits::{Limit, Limits};
pub use network::Network;
pub use openapi::document as openapi;
pub use secret::Secret;
pub use server::{Edge, Handle};
pub use settings::{Settings, TokenSecret};
pub use token::{Claims, mint};
