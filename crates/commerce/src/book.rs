//! The state machine of a sale.
//!
//! [`Book::execute`] is the one way in for commands, [`Book::apply`] the one way to change state. Each family of
//! transitions has a file with its `decide_…` (reads only) and its `apply_…` side by side.

mod audit;
mod buyers;
mod coupons;
mod deal;
mod effect;
mod expiry;
mod fulfil;
mod given_back;
mod giveup;
mod ground;
mod keys;
mod line;
mod order;
mod pay;
mod place;
mod redecide;
mod refund;
mod retry;
mod saga;
mod sale;
mod seats;
mod settle;
mod snapshot;
mod team;
mod view;
mod view_team;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ledger::{Currency, UnitAccount, UnitPrice, Violation};
use serde::{Deserialize, Serialize};

use crate::command::{Action, Command, Report};
use crate::entry::{Effect, EffectKind, Entry};
use crate::offer::Offer;
use crate::plan::{Limits, Rule, SaleState, Window};
use crate::rules::RuleSet;
use crate::saga::SagaEntry;
use crate::sip::Secret;
use crate::{Refusal, Time};
use buyers::Buyers;
use coupons::Coupons;
use expiry::Due;
use keys::{Keys, Question};
use line::{WaitingLine, Wanted};
use order::Order;
use saga::Sagas;
use stdx::chunks::Chunks;
use team::Teams;

pub use line::TicketState;
pub use order::{OrderStatus, RefundState};
pub use redecide::Divergence;
pub use saga::SagaRef;
pub use snapshot::SnapshotError;
pub use team::TeamState;
pub use view::{ChargeView, LineRef, OrderRef, RefundRef, SkuRef, Tally};
pub use view_team::{DrawRef, MemberRef, Settlement, TeamRef, TicketRef};

/// Orders in one book, at most.
pub const ORDERS_MOST: u32 = 100_000_000;
/// Holds that one sweep lets expire, at most; the rest follow in the next.
pub const SWEEP_MOST: usize = 4_096;

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was done, or why not.
    pub decision: Result<Done, Refusal>,
    /// The key had been used before with the same body: nothing new happened.
    pub repeated: bool,
}

impl Outcome {
    fn of(decision: Result<Done, Refusal>) -> Self {
        Self {
            decision,
            repeated: false,
        }
    }
}

/// What was done, by reference: today's status is derived from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Done {
    /// Something of the sale as a whole.
    Sale,
    /// Something of an order.
    Order(u32),
    /// A refund.
    Refund {
        /// Of which order.
        order: u32,
        /// Which.
        number: u16,
    },
    /// Something of a team.
    Team(u32),
    /// A place in the line.
    Ticket(u32),
}

/// What `decide` says.
pub(crate) enum Verdict {
    Accept(Entry),
    Repeat(Done),
    Refuse(Refusal),
    /// Holds are due that stand in the way: let them expire, then ask again.
    SweepFirst,
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

/// One SKU of the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sku {
    pub(crate) sku: Arc<str>,
    pub(crate) title: Box<str>,
    pub(crate) price: UnitPrice,
    pub(crate) limits: Limits,
    pub(crate) units: UnitAccount,
}

/// An effect whose outcome is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) since: Time,
    pub(crate) not_before: Time,
}

/// What the plan says now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) secret: Secret,
    pub(crate) title: Box<str>,
    pub(crate) currency: Currency,
    pub(crate) state: SaleState,
    pub(crate) hold_ms: u32,
    pub(crate) window: Window,
    pub(crate) limits: Limits,
    pub(crate) rules: Vec<Rule>,
    pub(crate) created: Time,
}

/// What the sale offers beyond plain orders now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Offered {
    pub(crate) offer: Offer,
    /// Group rules by SKU, by their place among all rules that the sale ever had.
    pub(crate) groups: BTreeMap<u32, u32>,
    /// Made of the offer's texts.
    #[serde(skip)]
    pub(crate) rules: RuleSet,
}

impl PartialEq for Offered {
    fn eq(&self, other: &Self) -> bool {
        self.offer == other.offer && self.groups == other.groups
    }
}

/// The book of one sale.
#[derive(Debug)]
pub struct Book {
    /// `None` until the sale is created.
    terms: Option<Terms>,
    offered: Option<Box<Offered>>,
    teams: Teams,
    line: WaitingLine,
    coupons: Coupons,
    skus: Vec<Sku>,
    sku_places: HashMap<Arc<str>, u32, FixedState>,
    orders: Chunks<Order>,
    keys: Keys,
    buyers: Buyers,
    due: Due,
    effects: BTreeMap<(u32, EffectKind), Pending>,
    tally: Tally,
    time: Time,
    sagas: Sagas,
}

/// Hashing without a random seed, so that a book is the same wherever it is built. The names are a merchant's own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FixedState;

impl std::hash::BuildHasher for FixedState {
    type Hasher = siphasher::sip::SipHasher13;
    fn build_hasher(&self) -> Self::Hasher {
        siphasher::sip::SipHasher13::new()
    }
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

impl Book {
    /// The book of a sale that does not exist yet.
    pub fn new() -> Self {
        Self {
            terms: None,
            offered: None,
            teams: Teams::default(),
            line: WaitingLine::default(),
            coupons: Coupons::default(),
            skus: Vec::new(),
            sku_places: HashMap::with_hasher(FixedState),
            orders: Chunks::default(),
            keys: Keys::default(),
            buyers: Buyers::default(),
            due: Due::default(),
            effects: BTreeMap::new(),
            tally: Tally::default(),
            time: Time(0),
            sagas: Sagas::default(),
        }
    }

    /// Carries out a command: decides it, applies what was decided, and adds the entries to `out` for the journal.
    ///
    /// A refusal leaves the state byte-identical, unless the sale had to open or close or holds had to expire first;
    /// that is then in `out`. Book time never goes back: a `now` before [`Book::time`] counts as that time, under which
    /// the caller journals the entries.
    ///
    /// # Errors
    /// [`Violation`] when an invariant would break: the caller stops the sale.
    pub fn execute(
        &mut self,
        now: Time,
        command: &Command,
        out: &mut Vec<Entry>,
    ) -> Result<Outcome, Violation> {
        let now = now.max(self.time);
        self.tick_window(now, out)?;
        let (question, secret) = match self.question(command) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(Outcome::of(Err(refusal))),
        };
        // The duplicate test comes before every other test: the retry of the order that took the last unit must hear
        // "yes" (dtm's Redis barrier answers "failure", since it looks at the stock first).
        let mut verdict = self.decide_repeat(&secret, &question);
        if stdx::mutants::is("stock-tested-before-key")
            && let Verdict::Refuse(refusal @ Refusal::SoldOut { .. }) = self.decide(now, &question)
        {
            verdict = Some(refusal.into());
        }
        let mut in_vain = 0;
        loop {
            match verdict.unwrap_or_else(|| self.decide(now, &question)) {
                Verdict::Accept(entry) => {
                    let done = done(&entry);
                    let overtaken = self.overtakes(&entry);
                    self.apply(now, &entry)?;
                    out.push(entry);
                    if let Some(by) = overtaken {
                        self.withdraw(now, by, out)?;
                    }
                    self.tick_window(now, out)?;
                    self.tick_line(now, SWEEP_MOST, out)?;
                    return Ok(Outcome::of(Ok(done)));
                }
                Verdict::Repeat(done) => {
                    return Ok(Outcome {
                        decision: Ok(done),
                        repeated: true,
                    });
                }
                Verdict::Refuse(refusal) => {
                    if stdx::mutants::is("refusal-binds-key")
                        && let Ok(bound) = question.bound(&secret)
                    {
                        let _ = self.keys.bind(&bound, Done::Sale);
                    }
                    return Ok(Outcome::of(Err(refusal)));
                }
                Verdict::SweepFirst => {
                    let before = out.len();
                    self.sweep(now, SWEEP_MOST, out)?;
                    self.tick_line(now, SWEEP_MOST, out)?;
                    in_vain = if out.len() == before { in_vain + 1 } else { 0 };
                }
            }
            // The first sweep in vain may have dropped stale places; after a second one every further one is in vain.
            if in_vain > 1 {
                let lost = "a hold is due, and no sweep finds it";
                return Err(Violation::new("INV-3", lost));
            }
            verdict = None;
        }
    }

    /// The command with its key hashed under the sale's secret, or under the one it brings for a new sale.
    fn question<'a>(&self, command: &'a Command) -> Result<(Question<'a>, Secret), Refusal> {
        let secret = match (&self.terms, &command.action) {
            (Some(terms), _) => terms.secret,
            (None, Action::Create { secret, .. } | Action::CreateWith { secret, .. }) => *secret,
            (None, _) => return Err(Refusal::NoSale),
        };
        Ok((Question::new(&secret, command)?, secret))
    }

    /// Decides a question whose key is new, without changing anything.
    pub(crate) fn decide(&self, now: Time, question: &Question<'_>) -> Verdict {
        let Some(terms) = &self.terms else {
            return Self::decide_create(question);
        };
        match question.action {
            Action::Create { .. } | Action::CreateWith { .. } => Refusal::SaleExists.into(),
            Action::Alter(patch) => self.decide_alter(terms, question, patch),
            Action::Turn(turn) => self.decide_turn(now, terms, question, *turn),
            Action::AddStock { sku, units } => self.decide_add_stock(terms, question, sku, *units),
            Action::WriteOff { sku, units, reason } => {
                self.decide_write_off(now, terms, question, sku, *units, reason.as_deref())
            }
            Action::Place(place) => self.decide_place(now, terms, question, place),
            Action::Pay { order } => self.decide_pay(now, terms, question, *order),
            Action::Cancel { order } => self.decide_cancel(now, terms, question, *order),
            Action::Refund { order, ask } => self.decide_refund(now, terms, question, *order, ask),
            Action::Ship { order } => self.decide_ship(now, terms, question, *order),
            Action::Deliver { order } => self.decide_deliver(now, terms, question, *order),
            Action::Report(report) => self.decide_report(now, terms, question, report),
            Action::AlterOffer(offer) => self.decide_alter_offer(terms, question, offer),
            Action::Wait {
                buyer,
                sku,
                units,
                tags,
                facts,
            } => {
                let wanted = Wanted {
                    buyer: buyer.as_ref(),
                    code: sku,
                    units: *units,
                    tags,
                    facts: facts.as_deref(),
                };
                self.decide_wait(now, terms, question, wanted)
            }
            Action::LeaveLine { ticket } => self.decide_leave_line(terms, question, *ticket),
            Action::ShipPart { order, lines } => {
                self.decide_ship_part(now, terms, question, *order, lines)
            }
            Action::Saga(ask) => self.decide_saga(now, terms, question, *ask),
        }
    }

    fn decide_report(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        report: &Report,
    ) -> Verdict {
        match report {
            Report::Charge {
                order,
                attempt,
                outcome,
            } => self.decide_charge(now, terms, *order, *attempt, *outcome),
            Report::Refund {
                order,
                number,
                outcome,
            } => self.decide_refund_report(now, *order, *number, *outcome),
            Report::Chargeback {
                order,
                amount,
                reference,
            } => self.decide_chargeback(terms, question, *order, *amount, reference),
            Report::Seed { team, seed } => self.decide_seed(*team, seed),
        }
    }

    /// Applies an entry, whether just decided or read from the journal. Never re-decides.
    ///
    /// # Errors
    /// [`Violation`] when the entry does not fit the book: a bug, or a journal that was changed by hand.
    pub fn apply(&mut self, now: Time, entry: &Entry) -> Result<(), Violation> {
        self.time = self.time.max(now);
        self.apply_entry(now, entry)?;
        self.note_entry(entry);
        Ok(())
    }

    fn apply_entry(&mut self, now: Time, entry: &Entry) -> Result<(), Violation> {
        match entry {
            Entry::Created { .. }
            | Entry::Altered { .. }
            | Entry::Turned { .. }
            | Entry::CreatedWith { .. }
            | Entry::OfferAltered { .. } => self.apply_sale(now, entry),
            Entry::StockAdded { .. } | Entry::WrittenOff { .. } => self.apply_stock(entry),
            Entry::Placed(placed) => self.apply_placed(now, placed),
            Entry::PayBegun { .. }
            | Entry::Captured { .. }
            | Entry::ChargeFailed { .. }
            | Entry::ChargeUnknown { .. }
            | Entry::ChargeAuthorised { .. } => self.apply_pay(now, entry),
            Entry::Noted { .. } => Ok(()),
            Entry::Expired { orders } => self.apply_expired(orders),
            Entry::HoldsExtended { orders, by_ms } => self.apply_extended(orders, *by_ms),
            Entry::BalanceLapsed { orders } => self.apply_lapsed(now, orders),
            Entry::Dealt(dealt) => self.apply_dealt(now, dealt),
            Entry::TeamEnded { team, how } => self.apply_team_ended(now, *team, *how),
            Entry::TeamSettled { team, orders } => self.apply_team_settled(now, *team, orders),
            Entry::Drawn {
                team,
                seed,
                entries,
                winners,
            } => self.apply_drawn(*team, seed, entries, winners),
            Entry::Waits(_)
            | Entry::WaitsKnown { .. }
            | Entry::LeftLine { .. }
            | Entry::LineOffered(_) => self.apply_line(now, entry),
            Entry::Cancelled { .. }
            | Entry::RefundsBegun { .. }
            | Entry::GivenUp { .. }
            | Entry::RefundBegun { .. }
            | Entry::Refunded { .. }
            | Entry::RefundFailed { .. }
            | Entry::ChargedBack { .. } => self.apply_refund(now, entry),
            Entry::Shipped { .. } | Entry::Delivered { .. } => self.apply_fulfil(entry),
            Entry::ShippedInPart { order, rest, key } => {
                self.apply_ship_part(now, *order, rest, key)
            }
            Entry::Saga(entry) => self.apply_saga(now, entry),
        }
    }

    /// The last moment the book was told.
    pub fn time(&self) -> Time {
        self.time
    }

    /// Tells the book the time without deciding anything, so that what is due shows as over.
    pub fn advance(&mut self, now: Time) {
        self.time = self.time.max(now);
    }

    /// Calls to the outside whose outcome is not known, in the order of their orders.
    pub fn open_effects(&self) -> impl Iterator<Item = Effect> {
        self.effects
            .iter()
            .filter_map(|(&(order, kind), &pending)| self.effect(order, kind, pending))
    }

    /// The open effect of this order and kind.
    pub fn open_effect(&self, order: u32, kind: EffectKind) -> Option<Effect> {
        let pending = self.effects.get(&(order, kind))?;
        self.effect(order, kind, *pending)
    }

    fn effect(&self, order: u32, kind: EffectKind, pending: Pending) -> Option<Effect> {
        let terms = self.terms.as_ref()?;
        let held = self.orders.get(order)?;
        let amount = match kind {
            EffectKind::Charge { attempt } => held.due_of(attempt),
            EffectKind::Refund { number, .. } => held.refund(number)?.amount,
        };
        Some(Effect {
            order,
            kind,
            amount,
            currency: terms.currency,
            since: pending.since,
            not_before: pending.not_before,
        })
    }

    fn sku(&self, at: u32) -> Result<&Sku, Violation> {
        self.skus
            .get(at as usize)
            .ok_or_else(|| Violation::new("INV-9", format!("no SKU at {at}")))
    }

    fn sku_mut(&mut self, at: u32) -> Result<&mut Sku, Violation> {
        self.skus
            .get_mut(at as usize)
            .ok_or_else(|| Violation::new("INV-9", format!("no SKU at {at}")))
    }

    fn order_mut(&mut self, number: u32) -> Result<&mut Order, Violation> {
        self.orders
            .get_mut(number)
            .ok_or_else(|| Violation::new("INV-3", format!("no order {number}")))
    }

    fn terms_mut(&mut self) -> Result<&mut Terms, Violation> {
        self.terms
            .as_mut()
            .ok_or_else(|| Violation::new("INV-3", "no sale yet"))
    }

    fn secret(&self) -> Result<Secret, Violation> {
        self.terms
            .as_ref()
            .map(|terms| terms.secret)
            .ok_or_else(|| Violation::new("INV-3", "no sale yet"))
    }
}

/// What an entry did, as its key's holder hears it.
fn done(entry: &Entry) -> Done {
    match entry {
        Entry::Placed(placed) => Done::Order(placed.order),
        Entry::Dealt(dealt) => Done::Order(dealt.placed.order),
        Entry::RefundsBegun { refunds, .. } => match refunds.first() {
            Some(refund) => Done::Refund {
                order: refund.order,
                number: refund.number,
            },
            None => Done::Sale,
        },
        Entry::TeamEnded { team, .. }
        | Entry::TeamSettled { team, .. }
        | Entry::Drawn { team, .. } => Done::Team(*team),
        Entry::Waits(waits) | Entry::WaitsKnown { waits, .. } => Done::Ticket(waits.ticket),
        Entry::LeftLine { ticket, .. } => Done::Ticket(*ticket),
        Entry::LineOffered(offer) => Done::Order(offer.order),
        Entry::Saga(SagaEntry::Chosen { .. }) => Done::Sale,
        Entry::Saga(
            SagaEntry::Begun { order, .. }
            | SagaEntry::Moved { order, .. }
            | SagaEntry::Ordered { order, .. },
        )
        | Entry::ShippedInPart { order, .. } => Done::Order(*order),
        Entry::PayBegun { order, .. }
        | Entry::Captured { order, .. }
        | Entry::ChargeFailed { order, .. }
        | Entry::ChargeUnknown { order, .. }
        | Entry::ChargeAuthorised { order, .. }
        | Entry::GivenUp { order, .. }
        | Entry::Noted { order, .. }
        | Entry::Cancelled { order, .. }
        | Entry::ChargedBack { order, .. }
        | Entry::Shipped { order, .. }
        | Entry::Delivered { order, .. } => Done::Order(*order),
        Entry::RefundBegun { refund, .. } => Done::Refund {
            order: refund.order,
            number: refund.number,
        },
        Entry::Refunded { order, number } | Entry::RefundFailed { order, number, .. } => {
            Done::Refund {
                order: *order,
                number: *number,
            }
        }
        Entry::Created { .. }
        | Entry::Altered { .. }
        | Entry::Turned { .. }
        | Entry::StockAdded { .. }
        | Entry::WrittenOff { .. }
        | Entry::CreatedWith { .. }
        | Entry::OfferAltered { .. }
        | Entry::HoldsExtended { .. }
        | Entry::BalanceLapsed { .. }
        | Entry::Expired { .. } => Done::Sale,
    }
}

#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod tests;
