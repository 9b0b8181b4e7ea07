//! The shop, tested as a whole.

mod cashier;
mod desk;
mod fuzz;
mod market;
mod offers;
mod projector;
mod stage;
mod teams;
mod verify;
mod whole;
