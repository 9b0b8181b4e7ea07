//! How large a stampede is.

use super::fault::Storm;
use super::scenario::Scenario;
use std::ops::RangeInclusive;

/// The stampede that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What is rehearsed.
    pub scenario: Scenario,
    /// Buyers, 1 to 1,000,000.
    pub buyers: u32,
    /// Units to sell, 1 to 10,000,000.
    pub stock: u32,
    /// Connections that the buyers share, 1 to 10,000.
    pub connections: u32,
    /// How often the server is killed under load, 0 to 100.
    pub kills: u32,
    /// What else befalls it and how often, 0 to 100 in all; no kills.
    pub storm: Storm,
    /// What the buyers do and when the server dies follows from this number.
    pub seed: u64,
}

impl Default for Settings {
    /// 20,000 buyers for 1,000 units over 256 connections, nobody killed.
    fn default() -> Self {
        Self {
            scenario: Scenario::Flash,
            buyers: 20_000,
            stock: 1_000,
            connections: 256,
            kills: 0,
            storm: Storm::default(),
            seed: 1,
        }
    }
}

/// A setting out of bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be from {least} to {most}, not {given}")]
pub struct SettingsError {
    name: &'static str,
    least: u32,
    most: u32,
    given: u32,
}

impl Settings {
    /// Checks the bounds.
    ///
    /// # Errors
    /// The first setting that is out of bounds.
    pub fn checked(self) -> Result<Self, SettingsError> {
        let within = |name, given: u32, bounds: RangeInclusive<u32>| {
            let error = SettingsError {
                name,
                least: *bounds.start(),
                most: *bounds.end(),
                given,
            };
            bounds.contains(&given).then_some(()).ok_or(error)
        };
        within("buyers", self.buyers, 1..=1_000_000)?;
        within("stock", self.stock, 1..=10_000_000)?;
        within("connections", self.connections, 1..=10_000)?;
        within("kills", self.kills, 0..=100)?;
        within("faults of the storm", self.storm.total(), 0..=100)?;
        Ok(self)
    }
}
