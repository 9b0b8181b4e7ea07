//! Limits of requests: who comes too often hears 429 before anything is done for them.
//!
//! ```text
//!   request ─▶ by address, header, all ─▶ who asks ─▶ by buyer, API key ─▶ handler ─▶ answer ─▶ its status, where that counts
//!                   └────────── too many: 429, no desk and no provider is touched ──┘
//! ```
//!
//! The limits are data ([`Limit`]) and are swapped while requests run. One that is the same as before keeps what it has
//! counted, one that was changed begins anew.
//!
//! Invariant: a limit that counts requests lets no caller do more than its burst and its rate allow, whatever the others
//! do, as long as no more callers than `keys_max` are in debt at a time.

mod rule;
mod settings;

pub use settings::{Key, Limit, LimitError, Statuses};

pub(crate) use settings::faults;

use api::Problem;
use api::service::Caller;
use http::HeaderMap;
use rule::{Rule, Seed};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use telemetry::Telemetry;
use world::Entropy;

/// A method and a template.
pub(crate) type Named = (&'static str, &'static str);

/// The limits in effect. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    routes: Vec<Named>,
    seed: Seed,
    telemetry: Telemetry,
    table: RwLock<Table>,
}

/// What counts now.
#[derive(Default)]
struct Table {
    rules: Vec<Arc<Rule>>,
    /// The limits of each route, where it has any.
    by_route: Vec<Option<Arc<[Arc<Rule>]>>>,
}

/// A limit as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LimitState {
    /// What it is.
    #[serde(flatten)]
    pub limit: Limit,
    /// Callers in debt, or lately so.
    pub keys: usize,
    /// Requests refused since the start.
    pub refused: u64,
}

impl Limits {
    pub(crate) fn new(
        limits: &[Limit],
        routes: Vec<Named>,
        telemetry: Telemetry,
        entropy: &dyn Entropy,
    ) -> Self {
        let limited = Self(Arc::new(Inner {
            routes,
            seed: Seed::new(entropy),
            telemetry,
            table: RwLock::default(),
        }));
        limited.swap(limits);
        limited
    }

    /// Puts other limits in the place of those in effect, at once. They must have no faults.
    pub fn swap(&self, limits: &[Limit]) {
        let mut table = self.0.table.write().unwrap_or_else(PoisonError::into_inner);
        let same = |limit: &Limit| table.rules.iter().find(|rule| rule.limit == *limit);
        let rules: Vec<Arc<Rule>> = limits
            .iter()
            .map(|limit| {
                same(limit)
                    .cloned()
                    .unwrap_or_else(|| Arc::new(Rule::new(limit, &self.0.telemetry)))
            })
            .collect();
        let of_route = |(method, template): &Named| {
            let here = rules
                .iter()
                .filter(|rule| rule.limit.is_for(method, template));
            let here: Arc<[Arc<Rule>]> = here.cloned().collect();
            (!here.is_empty()).then_some(here)
        };
        let by_route = self.0.routes.iter().map(of_route).collect();
        *table = Table { rules, by_route };
    }

    /// How they stand.
    #[must_use]
    pub fn states(&self) -> Vec<LimitState> {
        let table = self.0.table.read().unwrap_or_else(PoisonError::into_inner);
        table.rules.iter().map(|rule| rule.state()).collect()
    }

    /// The place of a route among those that can be limited.
    pub(crate) fn place(&self, method: &str, template: &str) -> Option<usize> {
        let same = |route: &Named| *route == (method, template);
        self.0.routes.iter().position(same)
    }

    /// A request comes to a route.
    pub(crate) fn visit(&self, place: Option<usize>, client: IpAddr, now: Duration) -> Visit {
        let table = self.0.table.read().unwrap_or_else(PoisonError::into_inner);
        let here = place.and_then(|place| table.by_route.get(place).cloned().flatten());
        Visit {
            here,
            client,
            now,
            told: None,
            counted: Vec::new(),
        }
    }

    /// Whether a request may go on, as far as can be said before it is known who asks.
    pub(crate) fn enter(&self, visit: &mut Visit, headers: &HeaderMap) -> Result<(), Problem> {
        let client = visit.client;
        self.ask(visit, |key| match key {
            Key::Address => Some(self.0.seed.address(client)),
            Key::Header(name) => Some(self.0.seed.header(headers.get(name))),
            Key::All => Some(0),
            Key::Buyer | Key::ApiKey => None,
        })
    }

    /// Whether it may go on, now that it is known who asks.
    pub(crate) fn know(&self, visit: &mut Visit, caller: Option<&Caller>) -> Result<(), Problem> {
        self.ask(visit, |key| match (key, caller?) {
            (Key::Buyer, Caller::Buyer { id, .. }) => Some(self.0.seed.text(id)),
            (Key::ApiKey, Caller::Merchant { key, .. }) => Some(u128::from(key.0)),
            _ => None,
        })
    }

    fn ask(&self, visit: &mut Visit, digest: impl Fn(&Key) -> Option<u128>) -> Result<(), Problem> {
        let Some(here) = visit.here.clone() else {
            return Ok(());
        };
        for (place, rule) in here.iter().enumerate() {
            let Some(key) = digest(&rule.limit.key) else {
                continue;
            };
            match rule.admit(key, visit.now) {
                Ok(Some(standing)) => visit.admitted(rule, standing),
                Ok(None) => visit.counted.push((place, key)),
                Err(wait) => {
                    visit.told = Some(rule.none_left(wait));
                    // This refusal is no answer of the route.
                    visit.counted.clear();
                    return Err(rule.refusal(wait, visit.client, &self.0.telemetry));
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

/// A request on its way past the limits.
pub(crate) struct Visit {
    here: Option<Arc<[Arc<Rule>]>>,
    client: IpAddr,
    now: Duration,
    /// What the caller is told: of all limits the one that is nearest.
    told: Option<rule::Told>,
    /// Which limits want to know the status, for whom.
    counted: Vec<(usize, u128)>,
}

impl Visit {
    fn admitted(&mut self, rule: &Rule, standing: resilience::Standing) {
        let nearer = |told: &rule::Told| told.remaining <= standing.remaining;
        if !self.told.as_ref().is_some_and(nearer) {
            self.told = Some(rule.told(standing));
        }
    }

    /// The request was answered.
    pub(crate) fn leave(&self, status: u16, now: Duration, headers: &mut HeaderMap) {
        for (place, key) in &self.counted {
            if let Some(rule) = self.here.as_ref().and_then(|here| here.get(*place)) {
                rule.answered(*key, status, now);
            }
        }
        if let Some(told) = &self.told {
            told.write(headers);
        }
    }
}
