//! The shop, tested as a whole.

mod cashier;
mod desk;
mod fuzz;
mod market;
mod people;
mod projector;
mod stage;
mod verify;
mod whole;
