//! The shop, tested as a whole.

mod cashier;
mod desk;
mod fuzz;
mod market;
mod outsider;
mod projector;
mod sending;
mod stage;
mod verify;
mod whole;
