//! The shop, tested as a whole.

mod desk;
mod stage;
