//! The front door, tried from outside over real sockets.
#![allow(clippy::unwrap_used, missing_docs)]

mod auth;
mod bodies;
mod client;
mod connections;
mod devices;
mod fuzz;
mod gateways;
mod limits;
mod pages;
mod people;
mod shop;
mod teams;
mod trace;
mod world_of_tests;
