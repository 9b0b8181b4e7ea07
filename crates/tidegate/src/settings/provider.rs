//! Which payment provider is asked.

use super::Fault;
use crate::failure::Failure;
use crate::outside::Outside;
use api::Code;
use serde::{Deserialize, Serialize};
use shop::provider::stripe::SettingsFault;
use shop::provider::{HttpProvider, Provider, Sandbox, Stripe, Tls, Wechat};
use shop::provider::{sandbox, stripe, wechat};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The sandbox inside this process.
    Sandbox,
    /// A provider that speaks our own words, at `url`.
    Http,
    /// Stripe.
    Stripe,
    /// WeChat Pay.
    Wechat,
}

/// The payment provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Who is asked: `sandbox` (inside this process, moves no money), `http` (at `url`), `stripe` or `wechat`. Default
    /// not set: `http` when `url` is set, else `sandbox`.
    pub(crate) kind: Option<Kind>,
    /// Address of the provider of kind `http`, like `http://127.0.0.1:9000`; plain HTTP, TLS is a proxy's work. Default
    /// not set.
    pub(crate) url: Option<String>,
    /// How the sandbox behaves.
    pub(crate) sandbox: sandbox::Settings,
    /// How Stripe is reached and used.
    pub(crate) stripe: stripe::Settings,
    /// How WeChat Pay is reached and used.
    pub(crate) wechat: wechat::Settings,
}

impl Settings {
    /// Who is asked.
    fn kind(&self) -> Kind {
        self.kind.unwrap_or(match self.url {
            Some(_) => Kind::Http,
            None => Kind::Sandbox,
        })
    }

    /// Everything that is wrong. What the chosen provider does not use is not judged, but for the sandbox's limits and
    /// the address.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let url = self.url.as_deref().map(shop::provider::http::check_url);
        let url = url
            .and_then(Result::err)
            .map(|error| Fault::new("provider.url", error.to_string()));
        let sandbox = self.sandbox.check().err();
        let sandbox = sandbox.map(|error| Fault::out_of_limits("provider.sandbox", &error));
        let chosen = match self.kind() {
            Kind::Stripe => below("provider.stripe", self.stripe.faults()),
            Kind::Wechat => below("provider.wechat", self.wechat.faults()),
            Kind::Http if self.url.is_none() => {
                vec![Fault::new("provider.url", "is needed for the kind `http`")]
            }
            Kind::Http | Kind::Sandbox => Vec::new(),
        };
        let unused = self.url.is_some() && self.kind() != Kind::Http;
        let unused = unused.then(|| {
            let detail = "is only for the kind `http`; the others have addresses of their own";
            Fault::new("provider.url", detail)
        });
        url.into_iter()
            .chain(sandbox)
            .chain(chosen)
            .chain(unused)
            .collect()
    }

    /// The provider that is meant.
    ///
    /// # Errors
    /// It cannot be called as it is set up.
    pub(crate) fn build(
        &self,
        call_timeout_ms: u64,
        outside: &Outside,
    ) -> Result<Arc<dyn Provider>, Failure> {
        let (line, timeout) = (outside.line(), Duration::from_millis(call_timeout_ms));
        let clock = || Arc::clone(&outside.clock);
        Ok(match self.kind() {
            Kind::Sandbox => {
                let tasks = outside.tasks.clone();
                Arc::new(Sandbox::new(self.sandbox.clone(), clock(), tasks))
            }
            Kind::Http => {
                let url = self.url.as_deref().unwrap_or_default();
                Arc::new(HttpProvider::new(url, &line, timeout).map_err(bad)?)
            }
            Kind::Stripe => {
                let tls = Tls::of_the_web(&outside.clock).map_err(bad)?;
                let stripe = Stripe::new(self.stripe.clone(), &line, tls, clock(), timeout);
                Arc::new(stripe.map_err(bad)?)
            }
            Kind::Wechat => {
                let tls = Tls::of_the_web(&outside.clock).map_err(bad)?;
                let world = (clock(), Arc::clone(&outside.entropy));
                let wechat = Wechat::new(self.wechat.clone(), &line, tls, world, timeout);
                Arc::new(wechat.map_err(bad)?)
            }
        })
    }
}

fn bad(error: impl Display) -> Failure {
    Failure::new(
        Code::BadConfiguration,
        error,
        "change these options of [provider]",
    )
}

/// Faults of a provider's own group.
fn below(group: &str, faults: Vec<SettingsFault>) -> Vec<Fault> {
    let faults = faults.into_iter();
    faults
        .map(|fault| Fault::new(format!("{group}.{}", fault.option), fault.detail))
        .collect()
}
