//! The shop, tested as a whole.

mod cashier;
mod desk;
mod fuzz;
mod market;
mod outsider;
mod people;
mod projector;
mod provider;
mod reconcile;
mod risk;
mod sending;
mod settlement;
mod stage;
mod verify;
mod whole;
