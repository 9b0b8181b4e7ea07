//! What a verification says, for people and as JSON.

use std::path::PathBuf;

use api::{Position, SaleId, Time};
use ledger::Violation;
use serde::Serialize;
use telemetry::Invariant;
use world::journal::JournalError;

/// Findings that are kept; the rest is only counted.
const KEPT_MAX: usize = 1_000;

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything holds.
    Ok,
    /// Something does not.
    Finding,
}

/// The whole report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it comes to.
    pub verdict: Verdict,
    /// Each invariant that can be told from a data directory, and whether it holds.
    pub invariants: Vec<InvariantResult>,
    /// What does not hold, at most 1,000.
    pub findings: Vec<Finding>,
    /// How many there are.
    pub findings_total: u64,
    /// Entries that today's rules would have decided otherwise.
    pub divergences_total: u64,
    /// Batches of all journals.
    pub batches: u64,
    /// Entries of all journals.
    pub entries: u64,
    /// Receipts held against the journals.
    pub receipts_checked: u64,
    /// The house journal.
    pub house: HouseReport,
    /// Each sale.
    pub sales: Vec<SaleReport>,
}

impl Report {
    pub(super) fn new(
        house: HouseReport,
        sales: Vec<SaleReport>,
        receipts_checked: u64,
        findings: Findings,
    ) -> Self {
        let divergences_total = sales.iter().map(|sale| sale.divergences.total).sum();
        let sound = findings.total == 0 && divergences_total == 0;
        let held = |invariant: Invariant| InvariantResult {
            name: invariant.name(),
            title: title(invariant),
            findings: findings.of(invariant),
            held: findings.of(invariant) == 0,
        };
        let told = Invariant::ALL
            .iter()
            .copied()
            .filter(|invariant| *invariant != Invariant::Seats);
        Self {
            verdict: if sound { Verdict::Ok } else { Verdict::Finding },
            invariants: told.map(held).collect(),
            findings_total: findings.total,
            divergences_total,
            batches: house.batches + sales.iter().map(|sale| sale.batches).sum::<u64>(),
            entries: house.entries + sales.iter().map(|sale| sale.entries).sum::<u64>(),
            receipts_checked,
            house,
            sales,
            findings: findings.kept,
        }
    }
}

fn title(invariant: Invariant) -> &'static str {
    match invariant {
        Invariant::NoOversell => "no oversell",
        Invariant::NoOverRefund => "no over-refund",
        Invariant::OneOutcome => "one outcome per order",
        Invariant::OneEffect => "one effect per key",
        Invariant::Limits => "limits hold",
        Invariant::Seats => "seats and completion",
        Invariant::ShownDurable => "shown means durable",
        Invariant::Chain => "the chain is unbroken",
        Invariant::Units => "units are conserved",
        Invariant::Money => "money is conserved",
        Invariant::ReadModels => "read models equal the book",
    }
}

/// An invariant, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvariantResult {
    /// Its number, like `INV-1`.
    pub name: &'static str,
    /// In words.
    pub title: &'static str,
    /// Whether it holds.
    pub held: bool,
    /// Findings against it.
    pub findings: u64,
}

/// What kind of thing does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Bytes are not what was written.
    Damage,
    /// Somebody has seen what is not there.
    Loss,
    /// An invariant does not hold.
    Violation,
    /// A batch cannot be understood.
    Record,
    /// A snapshot is not the book at its place.
    Snapshot,
    /// The read models are not the book at their position.
    ReadModels,
    /// The registry of sales and the journals do not fit together.
    Registry,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// The invariant, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invariant: Option<&'static str>,
    /// The sale; none for the house and for the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sale: Option<SaleId>,
    /// What is wrong.
    pub detail: String,
    /// The journal's batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The damaged file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The first byte in it that cannot be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn new(
        kind: FindingKind,
        invariant: Option<Invariant>,
        sale: Option<SaleId>,
        detail: String,
    ) -> Self {
        let invariant = invariant.map(Invariant::name);
        Self {
            kind,
            invariant,
            sale,
            detail,
            sequence: None,
            file: None,
            offset: None,
            remedy: None,
        }
    }

    pub(super) fn at(self, sequence: u64) -> Self {
        Self {
            sequence: Some(sequence),
            ..self
        }
    }

    pub(super) fn loss(sale: Option<SaleId>, detail: String) -> Self {
        Self::new(
            FindingKind::Loss,
            Some(Invariant::ShownDurable),
            sale,
            detail,
        )
    }

    pub(super) fn record(sale: Option<SaleId>, detail: String) -> Self {
        Self::new(FindingKind::Record, Some(Invariant::Chain), sale, detail)
    }

    pub(super) fn registry(sale: Option<SaleId>, detail: String) -> Self {
        Self::new(
            FindingKind::Registry,
            Some(Invariant::ShownDurable),
            sale,
            detail,
        )
    }

    pub(super) fn snapshot(sale: Option<SaleId>, file: PathBuf, detail: String) -> Self {
        let finding = Self::new(FindingKind::Snapshot, None, sale, detail);
        Self {
            file: Some(file),
            remedy: Some("remove the file; the journal does without it".to_owned()),
            ..finding
        }
    }

    pub(super) fn read_models(sale: Option<SaleId>, detail: String) -> Self {
        let finding = Self::new(
            FindingKind::ReadModels,
            Some(Invariant::ReadModels),
            sale,
            detail,
        );
        let remedy = "stop the server and remove models.sqlite; it is built anew at the next start";
        Self {
            remedy: Some(remedy.to_owned()),
            ..finding
        }
    }

    pub(super) fn violation(sale: Option<SaleId>, violation: &Violation) -> Self {
        let known = Invariant::ALL
            .iter()
            .copied()
            .find(|known| known.name() == violation.invariant);
        let detail = format!("{}: {}", violation.invariant, violation.detail);
        Self::new(FindingKind::Violation, known, sale, detail)
    }

    /// What a reader found wrong with the bytes; the error itself if it says nothing about them.
    pub(super) fn of_journal(
        sale: Option<SaleId>,
        error: JournalError,
    ) -> Result<Self, JournalError> {
        match error {
            JournalError::Damaged {
                file,
                offset,
                reason,
                remedy,
            } => {
                let finding = Self::new(FindingKind::Damage, Some(Invariant::Chain), sale, reason);
                Ok(Self {
                    file: Some(file),
                    offset: Some(offset),
                    remedy: Some(remedy),
                    ..finding
                })
            }
            error @ (JournalError::Lost { .. } | JournalError::Version { .. }) => Ok(Self::new(
                FindingKind::Damage,
                Some(Invariant::Chain),
                sale,
                error.to_string(),
            )),
            other => Err(other),
        }
    }
}

/// Findings as they come.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    kept: Vec<Finding>,
    total: u64,
    by_invariant: std::collections::BTreeMap<&'static str, u64>,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        self.total += 1;
        if let Some(invariant) = finding.invariant {
            *self.by_invariant.entry(invariant).or_default() += 1;
        }
        if self.kept.len() < KEPT_MAX {
            self.kept.push(finding);
        }
    }

    fn of(&self, invariant: Invariant) -> u64 {
        self.by_invariant
            .get(invariant.name())
            .copied()
            .unwrap_or(0)
    }
}

/// The house journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HouseReport {
    /// Its batches.
    pub batches: u64,
    /// Its entries.
    pub entries: u64,
    /// Where it ends.
    pub position: Position,
    /// Sales in the registry.
    pub sales: u64,
    /// API keys, revoked ones too.
    pub keys: u64,
    /// Reports from outside that matched no order.
    pub unmatched: u64,
}

/// A sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SaleReport {
    /// Which.
    pub sale: SaleId,
    /// Its batches.
    pub batches: u64,
    /// Its entries.
    pub entries: u64,
    /// Where its journal ends.
    pub position: Position,
    /// The book's time there.
    pub time: Time,
    /// Where the sale stands.
    pub state: api::sale::SaleState,
    /// Its currency, once it was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Units, all SKUs together.
    pub units: Units,
    /// Money, all orders together.
    pub money: Money,
    /// Orders by what became of them.
    pub orders: OrderTally,
    /// Teams and their seats.
    pub teams: TeamTally,
    /// Places in waiting lines.
    pub line: LineTally,
    /// Deposits and balances.
    pub dues: DuesTally,
    /// Where today's rules decide otherwise.
    pub divergences: Divergences,
    /// Snapshots that were held against the book.
    pub snapshots_compared: u64,
    /// The read models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_models: Option<ReadModelsReport>,
}

/// Units of all SKUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Units {
    /// Ever came in.
    pub stocked: u64,
    /// Can be bought.
    pub available: u64,
    /// In unpaid orders.
    pub held: u64,
    /// Sold and not given back.
    pub sold: u64,
    /// Lost unsold.
    pub written_off: u64,
}

/// Money of all orders, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Money {
    /// Captured.
    pub captured_minor: i64,
    /// Given back.
    pub refunded_minor: i64,
    /// On its way back.
    pub refund_pending_minor: i64,
    /// Taken back by buyers' banks.
    pub charged_back_minor: i64,
    /// Gone out beyond what came in.
    pub loss_minor: i64,
    /// All that came in.
    pub money_in_minor: i64,
    /// All that went out again, given back or taken back.
    pub money_out_minor: i64,
    /// Of what came in, what is promised to somebody and not gone yet.
    pub money_open_minor: i64,
}

/// Teams by how they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TeamTally {
    /// Take members, or wait for their payments.
    pub open: u64,
    /// Came about.
    pub complete: u64,
    /// Did not.
    pub failed: u64,
    /// Ended and not settled to the last order.
    pub unsettled: u64,
    /// Seats of all teams.
    pub seats: u64,
    /// Seats that are taken and not paid.
    pub seats_held: u64,
    /// Seats that are paid.
    pub seats_paid: u64,
    /// Seats that the house filled.
    pub seats_filled: u64,
}

/// Places in waiting lines by how they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LineTally {
    /// Wait.
    pub waiting: u64,
    /// Got an order.
    pub offered: u64,
    /// Left.
    pub left: u64,
}

/// Orders with a deposit and a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DuesTally {
    /// All of them.
    pub orders: u64,
    /// Whose deposit was paid.
    pub deposits_paid: u64,
    /// Whose balance was paid too.
    pub balances_paid: u64,
    /// Whose deposit the merchant keeps.
    pub forfeited: u64,
}

/// Orders by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct OrderTally {
    /// Ever placed.
    pub placed: u64,
    /// Wait to be paid.
    pub held: u64,
    /// A charge is under way.
    pub paying: u64,
    /// Paid.
    pub paid: u64,
    /// On their way.
    pub shipped: u64,
    /// Arrived.
    pub delivered: u64,
    /// Given up.
    pub cancelled: u64,
    /// Not paid in time.
    pub expired: u64,
    /// All their money went back.
    pub refunded: u64,
    /// Deposit paid, balance not.
    pub deposited: u64,
}

/// Where today's rules decide otherwise than the journal says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Divergences {
    /// How many.
    pub total: u64,
    /// The first ten.
    pub first: Vec<DivergenceFound>,
}

/// An entry that today's rules decide otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DivergenceFound {
    /// The batch.
    pub sequence: u64,
    /// The entry's place in the batch, from 0.
    pub entry: u64,
    /// What the journal says, in short.
    pub journal: String,
    /// What today's rules say.
    pub today: String,
}

/// The read models of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReadModelsReport {
    /// Where they stand.
    pub position: Position,
    /// Batches that they miss.
    pub behind_batches: u64,
    /// Whether they were held against the book at that place.
    pub compared: bool,
}
