//! Which payment provider is asked.

use super::Fault;
use crate::failure::Failure;
use crate::outside::Outside;
use api::Code;
use serde::{Deserialize, Serialize};
use shop::provider::{HttpProvider, Provider, Sandbox, sandbox};
use std::sync::Arc;
use std::time::Duration;

/// The payment provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Address of the provider, like `http://127.0.0.1:9000`; plain HTTP, TLS is a proxy's work. Default not set: the
    /// sandbox inside this process, which moves no money.
    pub(crate) url: Option<String>,
    /// How the sandbox behaves.
    pub(crate) sandbox: sandbox::Settings,
}

impl Settings {
    /// Everything that is wrong.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let url = self.url.as_deref().map(shop::provider::http::check_url);
        let url = url
            .and_then(Result::err)
            .map(|error| Fault::new("provider.url", error.to_string()));
        let sandbox = self.sandbox.check().err();
        let sandbox = sandbox.map(|error| Fault::out_of_limits("provider.sandbox", &error));
        url.into_iter().chain(sandbox).collect()
    }

    /// The provider that is meant.
    ///
    /// # Errors
    /// The address is none that can be called.
    pub(crate) fn build(
        &self,
        call_timeout_ms: u64,
        outside: &Outside,
    ) -> Result<Arc<dyn Provider>, Failure> {
        let Some(url) = &self.url else {
            return Ok(Arc::new(Sandbox::new(
                self.sandbox.clone(),
                Arc::clone(&outside.clock),
                outside.tasks.clone(),
            )));
        };
        let timeout = Duration::from_millis(call_timeout_ms);
        let provider = HttpProvider::new(url, &outside.line(), timeout);
        let bad = |error| Failure::new(Code::BadConfiguration, error, "change provider.url");
        Ok(Arc::new(provider.map_err(bad)?))
    }
}
