//! The guard: counts who asks, gathers what is known, asks the policy, and tells what it said.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use api::{Code, Problem, SaleId};
use commerce::rules::{Counters, Ground, OrderGround, PastGround, RuleSet, SaleGround};
use commerce::{Action, Book, Command, Facts, Place, SaleState, Time};
use ledger::Minor;
use telemetry::Telemetry;
use telemetry::fact::RiskJudged;
use telemetry::labels::{Risk as Said, RiskAt};
use world::Clock;

use super::rates::{Counts, network};
use super::{Chain, RateRules, Reason, Risk, RiskEvaluator, RiskFacts, Settings, TextRules};

/// Facts that the book does not count for one buyer yet, so rules of risk may not build on them.
const UNCOUNTED: [&str; 1] = ["buyer.orders"];

/// Why rules cannot be a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A rule builds on what is not known where risk is judged.
    #[error("rule {rule}: {fact} is not known when risk is judged")]
    Uncounted {
        /// The rule.
        rule: Box<str>,
        /// The fact.
        fact: &'static str,
    },
}

/// Who judges, and what has to be gathered for it.
#[derive(Clone)]
pub struct Policy {
    evaluator: Arc<dyn RiskEvaluator>,
    window_ms: u64,
    on: bool,
    asks_book: bool,
    /// A digest of the file that its rules were read from.
    content: Option<Box<str>>,
}

impl Default for Policy {
    /// Nothing is judged.
    fn default() -> Self {
        Self {
            evaluator: Arc::new(Chain(Vec::new())),
            window_ms: 1,
            on: false,
            asks_book: false,
            content: None,
        }
    }
}

impl Policy {
    /// Rates by the settings, then rules.
    ///
    /// # Errors
    /// A rule asks for what is not known when risk is judged.
    pub fn new(settings: &Settings, rules: RuleSet) -> Result<Self, PolicyError> {
        for fact in UNCOUNTED {
            if let Some(rule) = rules.asking_for(fact) {
                let rule = rule.name.clone();
                return Err(PolicyError::Uncounted { rule, fact });
            }
        }
        let (rates, asks_book) = (RateRules::of(settings), !rules.is_empty());
        let rules = TextRules::new(rules);
        Ok(Self {
            evaluator: Arc::new(Chain(vec![Arc::new(rates), Arc::new(rules)])),
            window_ms: settings.window_ms,
            on: asks_book || rates.is_on(),
            asks_book,
            content: None,
        })
    }

    /// An evaluator of one's own, with counts over this window.
    pub fn of(evaluator: Arc<dyn RiskEvaluator>, window_ms: u64) -> Self {
        Self {
            evaluator,
            window_ms,
            on: true,
            asks_book: true,
            content: None,
        }
    }

    /// The same policy, with the digest of the file that its rules were read from.
    #[must_use]
    pub fn read_from(self, content: Option<Box<str>>) -> Self {
        Self { content, ..self }
    }
}

/// A digest of a file of rules, which tells one content from another.
#[must_use]
pub fn content_of(text: &str) -> Box<str> {
    format!("blake3:{}", blake3::hash(text.as_bytes()).to_hex()).into()
}

/// An order or a payment to judge.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) command: Command,
    pub(crate) buyer: Option<Arc<str>>,
    pub(crate) facts: Facts,
}

impl Question {
    fn at(&self) -> RiskAt {
        match self.command.action {
            Action::Pay { .. } => RiskAt::Payment,
            _ => RiskAt::Order,
        }
    }
}

/// What the book says about a question.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    buyer: Option<Arc<str>>,
    past: PastGround,
    order: OrderGround,
    title: Box<str>,
    state: SaleState,
    sold: u64,
    available: u64,
}

impl Seen {
    /// Nothing but who asks: for policies that ask no more.
    fn little(question: &Question) -> Self {
        Self {
            buyer: question.buyer.clone(),
            past: PastGround::default(),
            order: OrderGround::default(),
            title: Box::default(),
            state: SaleState::Open,
            sold: 0,
            available: 0,
        }
    }

    /// What the book knows.
    pub(crate) fn of(book: &Book, question: &Question) -> Self {
        let sale = book.ground();
        let (buyer, order) = match &question.command.action {
            Action::Place(place) => (question.buyer.clone(), ordered(book, place)),
            Action::Pay { order } => {
                let found = book.order(*order);
                let whose = found.and_then(|order| order.buyer().map(Arc::from));
                let ground = found.map(|order| OrderGround {
                    units: order.units(),
                    total_minor: order.total().0,
                    lines: u32::try_from(order.lines().count()).unwrap_or(u32::MAX),
                    ..OrderGround::default()
                });
                (
                    whose.or_else(|| question.buyer.clone()),
                    ground.unwrap_or_default(),
                )
            }
            _ => (question.buyer.clone(), OrderGround::default()),
        };
        Self {
            past: book.past_of(buyer.as_deref()),
            buyer,
            order,
            title: sale.title.into(),
            state: sale.state,
            sold: sale.sold,
            available: sale.available,
        }
    }
}

/// An order as it would be placed; what the sale does not sell costs nothing here, and the book refuses it.
fn ordered(book: &Book, place: &Place) -> OrderGround {
    let mut ground = OrderGround {
        lines: u32::try_from(place.lines.len()).unwrap_or(u32::MAX),
        ..OrderGround::default()
    };
    for line in &place.lines {
        ground.units = ground.units.saturating_add(line.units.into());
        let own = book.find_sku(&line.sku).map(|sku| sku.price());
        let price = line.price.or(own).zip(book.currency());
        let amount = price.and_then(|(price, currency)| price.times(line.units, currency));
        let amount = amount.unwrap_or(Minor::ZERO).0;
        ground.total_minor = ground.total_minor.saturating_add(amount);
    }
    ground
}

/// The guard of a shop.
pub struct Guard {
    policy: RwLock<Arc<Policy>>,
    counts: Mutex<Counts>,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
}

impl Guard {
    pub(crate) fn new(clock: Arc<dyn Clock>, telemetry: Telemetry) -> Self {
        Self {
            policy: RwLock::default(),
            counts: Mutex::default(),
            clock,
            telemetry,
        }
    }

    /// Puts another policy in charge, from the next question on. Counts go on.
    pub fn swap(&self, policy: Policy) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }

    /// The digest of the file of rules that is in charge, if one is.
    pub fn content(&self) -> Option<Box<str>> {
        let policy = self.policy.read().unwrap_or_else(PoisonError::into_inner);
        policy.content.clone()
    }

    /// The policy in charge; `None` while nothing is judged.
    pub(crate) fn policy(&self) -> Option<Arc<Policy>> {
        let policy = self.policy.read().unwrap_or_else(PoisonError::into_inner);
        policy.on.then(|| policy.clone())
    }

    /// Judges one question; `seen` is what the book said, where the policy asks for it.
    pub(crate) fn judge(
        &self,
        policy: &Policy,
        sale: SaleId,
        question: &Question,
        seen: Option<Seen>,
    ) -> Risk {
        let seen = seen.unwrap_or_else(|| Seen::little(question));
        let ground = Ground {
            now: Time(self.clock.wall_ms()),
            buyer: seen.buyer.as_deref(),
            facts: &question.facts,
            past: seen.past,
            order: seen.order,
            sale: SaleGround {
                title: &seen.title,
                state: seen.state,
                sold: seen.sold,
                available: seen.available,
            },
            counters: self.count(policy, seen.buyer.as_deref(), &question.facts),
        };
        policy.evaluator.evaluate(&RiskFacts {
            at: question.at(),
            sale,
            ground,
        })
    }

    fn count(&self, policy: &Policy, buyer: Option<&str>, facts: &Facts) -> Counters {
        let network = facts.address.as_deref().map(network);
        let who = [buyer, facts.device.as_deref(), network.as_deref()];
        let at = self.clock.monotonic();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.see(at, policy.window_ms, who)
    }

    /// Tells operators what was said, and makes the caller's answer of it.
    pub(crate) fn answer(
        &self,
        sale: SaleId,
        question: &Question,
        risk: Risk,
    ) -> Result<(), Problem> {
        match risk {
            Risk::Allow => Ok(()),
            Risk::Review(reason) => {
                self.tell(sale, question.at(), Said::Review, &reason);
                Ok(())
            }
            Risk::Block(reason) if reason.broken => {
                // What went wrong in a rule is the operator's business and not the buyer's.
                self.tell(sale, question.at(), Said::Failed, &reason);
                Err(Problem::new(Code::RiskBlocked))
            }
            Risk::Block(reason) => {
                self.tell(sale, question.at(), Said::Blocked, &reason);
                let detail = format!("blocked by risk policy: {}", reason.text);
                Err(Problem::because(Code::RiskBlocked, detail))
            }
        }
    }

    fn tell(&self, sale: SaleId, at: RiskAt, verdict: Said, reason: &Reason) {
        self.telemetry.tell(&RiskJudged {
            sale,
            at,
            verdict,
            rule: &reason.rule,
            reason: &reason.text,
        });
    }
}

impl Policy {
    /// Whether the book has to be asked first.
    pub(crate) fn asks_book(&self) -> bool {
        self.asks_book
    }
}
