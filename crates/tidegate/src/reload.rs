//! A configuration that changes while the server runs: read again on SIGHUP, judged as a whole, put into effect where
//! that is possible, and kept in the house journal for whoever asks later what counted when.

use crate::outside::Outside;
use crate::server::Server;
use crate::settings::{Layers, Loaded, load, values};
use shop::Handle;
use shop::house::HouseError;
use std::collections::BTreeMap;
use telemetry::fact::{Counts, SettingChanged, SettingsRefused};
use telemetry::log::LogGuard;

/// Options that count at once; all others wait for the next start.
const LIVE: [&str; 7] = [
    "edge.limits",
    "log.level",
    "risk.address_max",
    "risk.buyer_max",
    "risk.device_max",
    "risk.rules",
    "risk.window_ms",
];

/// The configuration in effect, and where a new one would come from.
pub(crate) struct Reload {
    layers: Layers,
    loaded: Loaded,
    log: LogGuard,
}

impl Reload {
    /// What the server started with, and the log whose level may change.
    pub(crate) fn new(layers: Layers, loaded: Loaded, log: LogGuard) -> Self {
        Self {
            layers,
            loaded,
            log,
        }
    }

    /// Keeps in the house journal what somebody set; what stands there already is not written again.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub(crate) async fn note(&self, handle: &Handle) -> anyhow::Result<()> {
        let values = values(&self.loaded)?;
        let given = self.loaded.origins.keys();
        for (option, value) in given.filter_map(|option| values.get_key_value(option)) {
            note(handle, option, value).await?;
        }
        note_rules(handle).await?;
        Ok(())
    }

    /// Reads everything again. What is not valid changes nothing.
    pub(crate) async fn now(&mut self, server: &Server, outside: &Outside) {
        if let Err(reason) = self.swap(server, outside).await {
            let reason = &reason.to_string();
            outside.telemetry.tell(&SettingsRefused { reason });
        }
    }

    async fn swap(&mut self, server: &Server, outside: &Outside) -> anyhow::Result<()> {
        let handle = &server.handle();
        let loaded =
            load(&self.layers).map_err(|failure| anyhow::anyhow!(failure.on_one_line()))?;
        let (old, new) = (values(&self.loaded)?, values(&loaded)?);
        // The rules are read again even if their file has the same name: its contents may be new.
        let policy = crate::rules::policy(&loaded.settings.risk)
            .map_err(|failure| anyhow::anyhow!(failure.on_one_line()))?;
        self.log.set_level(&loaded.settings.log.level)?;
        handle.risk().swap(policy);
        server.limits.swap(&loaded.settings.edge.limits);
        self.loaded = loaded;
        for (option, value) in changed(&old, &new) {
            let counts = if LIVE.contains(&option) {
                Counts::Now
            } else {
                Counts::AfterRestart
            };
            outside.telemetry.tell(&SettingChanged {
                option,
                value,
                counts,
            });
            note(handle, option, value).await?;
        }
        note_rules(handle).await?;
        Ok(())
    }
}

/// What the file of rules holds goes on record beside its name: the same name may stand for other rules.
async fn note_rules(handle: &Handle) -> Result<(), HouseError> {
    const OPTION: &str = "risk.rules.content";
    let content = handle.risk().content();
    let known = handle.registry().house().book().setting(OPTION).is_some();
    if content.is_none() && !known {
        return Ok(());
    }
    note(handle, OPTION, &content.unwrap_or_default()).await
}

async fn note(handle: &Handle, option: &str, value: &str) -> Result<(), HouseError> {
    handle.registry().house().note_setting(option, value).await
}

fn changed<'a>(
    old: &BTreeMap<String, String>,
    new: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let other = new
        .iter()
        .filter(|(option, value)| old.get(*option) != Some(value));
    other.map(|(option, value)| (option.as_str(), value.as_str()))
}
