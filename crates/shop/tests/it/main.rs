//! The shop, tested as a whole.

mod cashier;
mod desk;
mod fuzz;
mod market;
mod projector;
mod reconcile;
mod risk;
mod settlement;
mod stage;
mod verify;
mod whole;
