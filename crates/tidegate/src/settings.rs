//! The configuration as a whole: the rooms' own settings, put together and judged together.

mod environment;
mod fault;
#[cfg(test)]
mod fuzz;
mod layers;
mod limits;
pub(crate) mod provider;
mod secret;
mod show;

pub(crate) use environment::{API_KEY, api_key, environment};
pub(crate) use fault::Fault;
pub(crate) use layers::{Layers, Loaded, load};
pub(crate) use show::{as_json, as_toml, values};

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that can be configured. Each room owns its part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// The data directory; made when it is missing. One process at a time. Default `tidegate-data`.
    pub(crate) data: PathBuf,
    /// What is logged, and how.
    pub(crate) log: telemetry::log::Settings,
    /// The front door.
    pub(crate) edge: edge::Settings,
    /// The shop.
    pub(crate) shop: shop::Settings,
    /// Misuse of orders and payments.
    pub(crate) risk: shop::risk::Settings,
    /// The payment provider.
    pub(crate) provider: provider::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: PathBuf::from("tidegate-data"),
            log: telemetry::log::Settings::default(),
            edge: edge::Settings::default(),
            shop: shop::Settings::default(),
            risk: shop::risk::Settings::default(),
            provider: provider::Settings::default(),
        }
    }
}

impl Settings {
    /// Everything that is wrong with values that each by itself can be read.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.data.as_os_str().is_empty() {
            faults.push(Fault::new("data", "must not be empty"));
        }
        let groups = [
            ("log", self.log.faults()),
            ("edge", self.edge.faults()),
            ("shop.vault", self.shop.vault.faults()),
            ("shop.draws", self.shop.draws.faults()),
        ];
        for (group, said) in groups {
            faults.extend(said.iter().map(|fault| {
                let (option, detail) = fault.split_once(": ").unwrap_or(("", fault));
                Fault::new(format!("{group}.{option}"), detail)
            }));
        }
        let cashier = self.shop.cashier.check().err();
        faults.extend(cashier.map(|error| Fault::out_of_limits("shop.cashier", &error)));
        let risk = self.risk.faults();
        faults.extend(
            risk.iter()
                .map(|fault| Fault::new(format!("risk.{}", fault.option), fault.to_string())),
        );
        let reconcile = self.shop.reconcile.check().err();
        faults.extend(reconcile.map(|error| Fault::out_of_limits("shop.reconcile", &error)));
        faults.extend(self.provider.faults());
        faults.extend(limits::faults(&self.shop));
        faults.extend(limits::outside(&self.shop));
        faults
    }
}
