//! Facts of the house: starting, stopping, the clock.

use crate::Fact;
use crate::meters::Meters;
use std::net::SocketAddr;
use std::time::Duration;

/// The process starts: what it runs on.
#[derive(Debug)]
pub struct Started<'a> {
    /// The version of Tidegate.
    pub version: &'a str,
    /// Processor cores that it may use.
    pub cores: usize,
    /// Threads of the runtime.
    pub threads: usize,
    /// The data directory.
    pub data: &'a str,
    /// Where the configuration comes from.
    pub config: &'a str,
}

impl Fact for Started<'_> {
    fn count(&self, _meters: &Meters) {}

    fn log(&self) {
        tracing::info!(
            version = self.version,
            cores = self.cores,
            threads = self.threads,
            data = self.data,
            config = self.config,
            "starting"
        );
    }
}

/// The books were rebuilt from their journals.
#[derive(Debug)]
pub struct Recovered {
    /// Sales that are there.
    pub sales: u64,
    /// Journal batches that were read.
    pub batches: u64,
    /// Where the journals stand together: the sum of their sequences.
    pub position: u64,
    /// How long it took.
    pub duration: Duration,
}

impl Fact for Recovered {
    fn count(&self, _meters: &Meters) {}

    fn log(&self) {
        let recovered_ms = u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            sales = self.sales,
            batches = self.batches,
            position = self.position,
            recovered_ms,
            "recovered"
        );
    }
}

/// The doors are open.
#[derive(Debug)]
pub struct Listening {
    /// The public address.
    pub public: SocketAddr,
    /// The address for operators.
    pub admin: SocketAddr,
}

impl Fact for Listening {
    fn count(&self, _meters: &Meters) {}

    fn log(&self) {
        tracing::info!(public = %self.public, admin = %self.admin, "listening");
    }
}

/// An option has another value than before.
#[derive(Debug)]
pub struct SettingChanged<'a> {
    /// Its full name.
    pub option: &'a str,
    /// Its value, never a secret.
    pub value: &'a str,
    /// From when on it counts.
    pub counts: Counts,
}

/// From when on a changed option counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// At once.
    Now,
    /// From the next start on.
    AfterRestart,
}

impl Fact for SettingChanged<'_> {
    fn count(&self, _meters: &Meters) {}

    fn log(&self) {
        let (option, value) = (self.option, self.value);
        match self.counts {
            Counts::Now => tracing::warn!(option, value, "setting changed"),
            Counts::AfterRestart => {
                tracing::warn!(
                    option,
                    value,
                    "setting changed; it waits for the next start"
                );
            }
        }
    }
}

/// A new configuration is not valid; the old one stays.
#[derive(Debug)]
pub struct SettingsRefused<'a> {
    /// What is wrong with it.
    pub reason: &'a str,
}

impl Fact for SettingsRefused<'_> {
    fn count(&self, _meters: &Meters) {}

    fn log(&self) {
        tracing::error!(
            reason = self.reason,
            "the new configuration is not valid; the old one stays"
        );
    }
}

/// The process was asked to stop.
#[derive(Debug)]
pub struct Stopping<'a> {
    /// By what.
    pub reason: &'a str,
}

impl Fact for Stopping<'_> {
    fn count(&self, _meters: &Meters) {}

    fn log(&self) {
        tracing::info!(reason = self.reason, "stopping");
    }
}

/// The wall clock jumped against the time that really passed; expiry waits.
#[derive(Debug)]
pub struct ClockStepped {
    /// Wall clock minus book time, ms.
    pub offset_ms: i64,
}

impl Fact for ClockStepped {
    fn count(&self, meters: &Meters) {
        meters.selling.clock_steps.inc();
        meters.selling.clock_offset_ms.set(self.offset_ms);
    }

    fn log(&self) {
        tracing::error!(
            offset_ms = self.offset_ms,
            "the wall clock stepped; expiry waits"
        );
    }
}
