//! The shop, tested as a whole.

mod cashier;
mod desk;
mod stage;
