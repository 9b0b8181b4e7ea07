//! Risk: whether an order or a payment looks like misuse, before the book is asked.
//!
//! ```text
//!   order, payment ──▶ Guard ──counts──▶ RiskEvaluator ──▶ Allow                 the book decides
//!                        │                                ├─▶ Review(reason)     the book decides; a person looks later
//!                        │                                └─▶ Block(reason)      refused, unless the key is known
//!                        └── the policy can be swapped while the shop runs
//! ```
//!
//! Start with [`RiskEvaluator`]: it is given all that is known and answers; it asks no network, no disk and no clock.
//! There are rules as text ([`TextRules`]), rates ([`RateRules`]), and several in a row ([`Chain`]).
//!
//! What risk says is advice on top of the book and never replaces it: stock, limits and eligibility stay decisions of
//! the book. A repeat of a known idempotency key is answered as it was, whatever risk says by now. Nothing is kept: a
//! refusal by risk is no entry, and after a restart the counts begin anew.

mod guard;
mod past;
mod rates;
mod settings;
mod text;

use std::sync::Arc;

use api::SaleId;
use commerce::rules::Ground;

pub use guard::{Guard, Policy, PolicyError, content_of};
pub(crate) use guard::{Question, Seen};
pub use past::{NOT_JOURNALLED, NOT_OF_PLAIN_ORDERS, PastError, PastOrder, past_orders};
pub use rates::RateRules;
pub use settings::{Settings, SettingsError};
pub use telemetry::labels::RiskAt;
pub use text::TextRules;

/// All that an evaluator is told.
#[derive(Debug, Clone, Copy)]
pub struct RiskFacts<'a> {
    /// What it is about.
    pub at: RiskAt,
    /// The sale.
    pub sale: SaleId,
    /// Who, how much, from where, when, and how often before.
    pub ground: Ground<'a>,
}

/// Why an evaluator spoke up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The rule's name, for operators.
    pub rule: Arc<str>,
    /// The reason, for the caller.
    pub text: Arc<str>,
    /// The rule did not say so: it could not be run.
    pub broken: bool,
}

/// What an evaluator says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Risk {
    /// Nothing stands against it.
    Allow,
    /// It is refused.
    Block(Reason),
    /// It goes on and is told to operators, so that a person can look at it before the goods leave.
    Review(Reason),
}

/// Whoever judges risk.
pub trait RiskEvaluator: Send + Sync {
    /// Judges an order or a payment: quickly, without waiting, and alike for the same facts.
    fn evaluate(&self, facts: &RiskFacts<'_>) -> Risk;
}

/// Several evaluators in a row: the first that blocks decides, else the first that wants a review.
pub struct Chain(pub Vec<Arc<dyn RiskEvaluator>>);

impl RiskEvaluator for Chain {
    fn evaluate(&self, facts: &RiskFacts<'_>) -> Risk {
        let mut said = Risk::Allow;
        for evaluator in &self.0 {
            match evaluator.evaluate(facts) {
                block @ Risk::Block(_) => return block,
                review @ Risk::Review(_) if said == Risk::Allow => said = review,
                Risk::Review(_) | Risk::Allow => {}
            }
        }
        said
    }
}

#[cfg(test)]
mod tests;
