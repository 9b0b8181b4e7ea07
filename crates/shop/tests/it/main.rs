//! The shop, tested as a whole.

mod cashier;
mod desk;
mod fuzz;
mod mailbox;
mod market;
mod notices;
mod offers;
mod outsider;
mod people;
mod projector;
mod provider;
mod reconcile;
mod risk;
mod sending;
mod settlement;
mod stage;
mod teams;
mod verify;
mod whole;
