//! What a desk tells the operators.

use std::collections::BTreeSet;
use std::time::Duration;

use api::SaleId;
use telemetry::Telemetry;
use telemetry::fact::{
    BatchDecided, BatchDurable, ClockBelieved, ClockStepped, InvariantViolated, JournalFailed,
    ReconcileGap, SaleStopped, SnapshotFailed, StockCounted,
};
use telemetry::labels::{Invariant, Refused};
use telemetry::meters::Level;

use crate::coupons::Redeemed;

use super::Trouble;
use super::tell::{LiveView, Refusals};
use crate::wire;

/// The meters of one sale, looked up once.
pub(super) struct Meter {
    telemetry: Telemetry,
    sale: SaleId,
    queue: Level,
    /// Lottery teams whose seed nobody can make.
    seedless: BTreeSet<u32>,
}

impl Meter {
    pub(super) fn new(sale: u32, telemetry: Telemetry) -> Self {
        let sale = wire::sale_id(sale);
        Self {
            queue: telemetry.meters().queue_depth(sale),
            sale,
            telemetry,
            seedless: BTreeSet::new(),
        }
    }

    /// The seeds of full lottery teams cannot be made; each team is told once.
    pub(super) fn no_seeds(&mut self, teams: Vec<u32>) {
        for team in teams {
            if !self.seedless.insert(team) {
                continue;
            }
            let detail = format!(
                "{} team {team}: full, and no secret of a draw fits its promise: bring back the house journal or the \
                 secret of shop.draws that promised it",
                self.sale
            );
            self.telemetry.tell(&ReconcileGap { detail: &detail });
        }
    }

    /// A batch was decided.
    pub(super) fn decided(
        &self,
        commands: usize,
        (accepted, repeated): (u64, u64),
        refused: &Refusals,
        waiting: usize,
    ) {
        let mut by_reason = [0; Refused::ALL.len()];
        for (reason, count) in [
            (Refused::SoldOut, refused.sold_out),
            (Refused::Limit, refused.limit),
            (Refused::NotOpen, refused.not_open),
            (Refused::NotEligible, refused.not_eligible),
            (Refused::Other, refused.other),
        ] {
            by_reason[reason as usize] = count;
        }
        self.telemetry.tell(&BatchDecided {
            commands: commands as u64,
            accepted,
            repeated,
            refused: &by_reason,
            queue: (&self.queue, waiting as u64),
        });
    }

    /// A batch is on disk.
    pub(super) fn durable(&self, bytes: usize, coupons: &[Redeemed], sync: Duration) {
        for coupon in coupons {
            self.telemetry.tell(&coupon.fact(self.sale));
        }
        self.telemetry.tell(&BatchDurable {
            bytes: bytes as u64,
            sync,
        });
    }

    /// The stock as watchers see it.
    pub(super) fn view(&self, view: &LiveView) {
        let sum = |of: fn(&ledger::UnitAccount) -> ledger::Units| {
            view.skus
                .iter()
                .map(|(_, account)| u64::from(of(account).0))
                .sum()
        };
        self.telemetry.tell(&StockCounted {
            sale: self.sale,
            stocked: sum(ledger::UnitAccount::stocked),
            available: sum(ledger::UnitAccount::available),
            held: sum(ledger::UnitAccount::held),
            sold: sum(ledger::UnitAccount::sold),
            written_off: sum(ledger::UnitAccount::written_off),
        });
    }

    /// An invariant would have broken.
    pub(super) fn violation(&self, violation: &ledger::Violation) {
        let invariant = Invariant::find(violation.invariant).unwrap_or(Invariant::OneOutcome);
        self.telemetry.tell(&InvariantViolated {
            invariant,
            detail: &violation.detail,
        });
    }

    /// The journal broke or works again, or the sale stopped.
    pub(super) fn trouble(&self, trouble: &Trouble, sequence: u64) {
        match trouble {
            Trouble::None => self.telemetry.tell(&telemetry::fact::JournalResumed {
                sale: Some(self.sale),
                sequence,
            }),
            Trouble::ReadOnly(reason) => self.telemetry.tell(&JournalFailed {
                sale: Some(self.sale),
                reason,
            }),
            Trouble::Stopped(reason) => self.telemetry.tell(&SaleStopped {
                sale: self.sale,
                reason,
            }),
        }
    }

    /// A snapshot could not be written; the next start takes longer.
    pub(super) fn snapshot_failed(&self, reason: &str) {
        self.telemetry.tell(&SnapshotFailed {
            sale: self.sale,
            reason,
        });
    }

    /// The wall clock stepped, or is believed again.
    pub(super) fn clock(&self, stepped_ms: Option<i64>) {
        match stepped_ms {
            Some(offset_ms) => self.telemetry.tell(&ClockStepped { offset_ms }),
            None => self.telemetry.tell(&ClockBelieved),
        }
    }
}
