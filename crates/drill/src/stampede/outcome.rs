//! What a stampede comes to: the figures, the table, the verdict.

use super::Settings;
use super::fault::Fault;
use super::scenario::Books;
use super::tally::{Sample, Tally, read};
use super::verify::Findings;
use crate::audit::AuditReport;
use api::order::OrderState;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The figures of a stampede, as `--json` prints them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Buyers that came.
    pub buyers: u64,
    /// Units that came in.
    pub stock: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// Orders that were accepted.
    pub accepted: u64,
    /// Units that are sold in the end.
    pub sold: u64,
    /// Answers that everything was sold.
    pub refused_sold_out: u64,
    /// Answers that a limit was reached.
    pub refused_limit: u64,
    /// Answers that repeated an earlier one, for a key that was known.
    pub repeated_answers: u64,
    /// Orders that were not paid in time.
    pub expired: u64,
    /// Orders of which money went back.
    pub refunded: u64,
    /// Units sold or held beyond the stock.
    pub oversold: u64,
    /// Things that a client was told and that are not so.
    pub lost: u64,
    /// Orders or money that exist twice, or without anybody asking.
    pub doubled: u64,
    /// Answered requests in a second, outages included.
    pub requests_per_second: f64,
    /// Half of the answers came within this time on the wire, ms.
    pub p50_ms: f64,
    /// All but one of a hundred answers came within this time, ms.
    pub p99_ms: f64,
    /// How often the server was killed.
    pub kills: u64,
    /// The longest time from a kill to the first answer about the sale, ms.
    pub recovery_ms_max: f64,
    /// What else befell the server, and how it healed.
    pub storm: StormSummary,
    /// Teams that came about.
    pub teams_complete: u64,
    /// Teams that did not, whose members have everything back.
    pub teams_refunded: u64,
    /// Money that the provider captured, minor units.
    pub money_in_minor: i64,
    /// Money that the provider gave back, minor units.
    pub money_out_minor: i64,
    /// Money on its way back, minor units.
    pub money_open_minor: i64,
    /// Orders and teams that did not come to their end.
    pub unsettled: u64,
    /// `ok`, or `failed` when any oracle disagrees.
    pub verdict: &'static str,
}

/// How often each fault took place, and how long it took to heal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct StormSummary {
    /// How often the server stood still.
    pub stops: u64,
    /// How often its disk was full.
    pub full: u64,
    /// How often its disk turned read-only.
    pub read_only: u64,
    /// How often its disk hung.
    pub frozen: u64,
    /// How often its disk was slow.
    pub slow: u64,
    /// The longest time from the end of a fault to the first write that went through, ms.
    pub healing_ms_max: f64,
    /// From the last buyer's leaving until nothing was held, charged or on its way back, ms.
    pub settled_ms: f64,
}

/// A gap in which the server was dead or in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// What befell it.
    pub fault: Fault,
    /// Since the crowd was let loose.
    pub from: Duration,
    /// Until the sale could be seen again, or a write went through again.
    pub lasted: Duration,
    /// How much of it was healing, after the fault itself was over.
    pub healed: Duration,
}

/// A whole stampede.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The figures.
    pub summary: Summary,
    /// What was asked for.
    pub settings: Settings,
    /// What does not add up; empty when the verdict is `ok`.
    pub findings: Vec<String>,
    /// When the server was dead or in trouble.
    pub outages: Vec<Outage>,
    /// How long the crowd ran.
    pub elapsed: Duration,
    /// Requests whose answer was lost with their connection.
    pub lost_connections: u64,
    /// Answers that asked for patience (429, 503).
    pub turned_away: u64,
    /// Batches of all journals.
    pub batches: u64,
    /// Receipts that clients hold, one for each batch that anybody was told of.
    pub receipts: u64,
    /// Orders by where they stand in the end.
    pub states: Vec<(&'static str, u64)>,
    pub(super) samples: Vec<Sample>,
}

/// Everything that an outcome is made of.
pub(super) struct Account<'a> {
    pub(super) settings: Settings,
    pub(super) tally: &'a Tally,
    pub(super) audit: &'a AuditReport,
    pub(super) findings: Findings,
    pub(super) outages: Vec<Outage>,
    pub(super) elapsed: Duration,
    /// From the last buyer's leaving until nothing was loose.
    pub(super) settled: Duration,
    pub(super) requests: u64,
    pub(super) receipts: u64,
    pub(super) samples: Vec<Sample>,
    pub(super) books: Books,
}

impl Outcome {
    pub(super) fn new(mut account: Account<'_>) -> Self {
        // Here, where no scenario can forget it: whatever is still open could yet end either way.
        if account.books.unsettled > 0 {
            let what = format!(
                "{} orders and teams did not settle",
                account.books.unsettled
            );
            account.findings.say(what);
        }
        let mut states: BTreeMap<OrderState, u64> = BTreeMap::new();
        for order in &account.audit.orders {
            *states.entry(order.state).or_default() += 1;
        }
        Self {
            summary: summary(&account, &states),
            settings: account.settings,
            findings: account.findings.words,
            outages: account.outages,
            elapsed: account.elapsed,
            lost_connections: read(&account.tally.lost_connections),
            turned_away: read(&account.tally.turned_away),
            batches: account.audit.batches,
            receipts: account.receipts,
            states: states
                .iter()
                .map(|(state, count)| (state.name(), *count))
                .collect(),
            samples: account.samples,
        }
    }

    /// Whether every oracle agrees.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.summary.verdict == "ok"
    }

    /// The report: one HTML page that needs nothing else.
    #[must_use]
    pub fn html(&self, machine: &crate::machine::Machine) -> String {
        super::report::page(self, machine)
    }
}

fn summary(account: &Account<'_>, states: &BTreeMap<OrderState, u64>) -> Summary {
    let (tally, findings) = (account.tally, &account.findings);
    let latency = tally.overall();
    let orders = &account.audit.orders;
    let refunded = orders.iter().filter(|order| order.refunded_minor > 0);
    let kills = account
        .outages
        .iter()
        .filter(|outage| outage.fault == Fault::Kill);
    let recovery = kills.clone().map(|outage| outage.lasted).max();
    let per_second = rounded(ratio(account.requests, account.elapsed));
    Summary {
        buyers: account.settings.buyers.into(),
        stock: account.settings.stock.into(),
        requests: account.requests,
        accepted: read(&tally.accepted),
        sold: account.audit.stock.iter().map(|sku| sku.sold).sum(),
        refused_sold_out: read(&tally.refused_sold_out),
        refused_limit: read(&tally.refused_limit),
        repeated_answers: read(&tally.repeated),
        expired: states
            .get(&OrderState::Expired)
            .copied()
            .unwrap_or_default(),
        refunded: refunded.count() as u64,
        oversold: findings.oversold,
        lost: findings.lost,
        doubled: findings.doubled,
        requests_per_second: per_second,
        p50_ms: milliseconds(Duration::from_micros(latency.p50_us)),
        p99_ms: milliseconds(Duration::from_micros(latency.p99_us)),
        kills: kills.count() as u64,
        recovery_ms_max: milliseconds(recovery.unwrap_or_default()),
        storm: storm(account),
        teams_complete: account.books.teams_complete,
        teams_refunded: account.books.teams_refunded,
        money_in_minor: account.books.money_in_minor,
        money_out_minor: account.books.money_out_minor,
        money_open_minor: account.books.money_open_minor,
        unsettled: account.books.unsettled,
        verdict: if *findings == Findings::default() {
            "ok"
        } else {
            "failed"
        },
    }
}

fn storm(account: &Account<'_>) -> StormSummary {
    let outages = &account.outages;
    let count = |fault| {
        let such = outages.iter().filter(|outage| outage.fault == fault);
        such.count() as u64
    };
    let healed = outages.iter().map(|outage| outage.healed).max();
    StormSummary {
        stops: count(Fault::Stop),
        full: count(Fault::Full),
        read_only: count(Fault::ReadOnly),
        frozen: count(Fault::Freeze),
        slow: count(Fault::Slow),
        healing_ms_max: milliseconds(healed.unwrap_or_default()),
        settled_ms: milliseconds(account.settled),
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of a drill are far below 2^52"
)]
fn ratio(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(0.001)
}

fn milliseconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1000.0)
}

/// Three decimals are more than any of these figures deserves.
fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

/// Findings that the table shows.
const FINDINGS_SHOWN: usize = 20;

impl fmt::Display for Outcome {
    /// The table for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.rows() {
            writeln!(f, "  {name:<30}{value:>14}")?;
        }
        for finding in self.findings.iter().take(FINDINGS_SHOWN) {
            writeln!(f, "  FOUND {finding}")?;
        }
        let more = self.findings.len().saturating_sub(FINDINGS_SHOWN);
        if more > 0 {
            writeln!(f, "  and {more} more")?;
        }
        Ok(())
    }
}

impl Outcome {
    /// The table, row by row.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let sum = &self.summary;
        let mut rows = vec![
            ("buyers", grouped(sum.buyers)),
            ("units to sell", grouped(sum.stock)),
            ("requests answered", grouped(sum.requests)),
            ("orders accepted", grouped(sum.accepted)),
            ("units sold", grouped(sum.sold)),
            ("refused, sold out", grouped(sum.refused_sold_out)),
            ("refused, limit reached", grouped(sum.refused_limit)),
            ("answers repeated for a key", grouped(sum.repeated_answers)),
            ("orders expired", grouped(sum.expired)),
            ("orders with money back", grouped(sum.refunded)),
            ("answers lost on the way", grouped(self.lost_connections)),
            ("asked for patience", grouped(self.turned_away)),
            (
                "requests a second",
                format!("{:.0}", sum.requests_per_second),
            ),
            ("half within, ms", format!("{:.2}", sum.p50_ms)),
            ("99 of 100 within, ms", format!("{:.2}", sum.p99_ms)),
            ("server killed", grouped(sum.kills)),
            (
                "longest recovery, ms",
                format!("{:.0}", sum.recovery_ms_max),
            ),
        ];
        rows.extend(self.storm_rows());
        rows.extend([
            ("batches in the journal", grouped(self.batches)),
            ("receipts checked", grouped(self.receipts)),
            ("oversold", grouped(sum.oversold)),
            ("lost", grouped(sum.lost)),
            ("doubled", grouped(sum.doubled)),
            ("teams complete", grouped(sum.teams_complete)),
            ("teams refunded", grouped(sum.teams_refunded)),
            ("money in, minor units", sum.money_in_minor.to_string()),
            ("money back, minor units", sum.money_out_minor.to_string()),
            ("on its way back", sum.money_open_minor.to_string()),
            ("unsettled", grouped(sum.unsettled)),
            ("verdict", sum.verdict.to_owned()),
        ]);
        rows
    }
}

impl Outcome {
    /// What a storm adds to the table; a drill without one shows nothing of it.
    fn storm_rows(&self) -> Vec<(&'static str, String)> {
        let storm = &self.summary.storm;
        if self.settings.storm.total() == 0 {
            return Vec::new();
        }
        vec![
            ("server stood still", grouped(storm.stops)),
            ("disk full", grouped(storm.full)),
            ("disk read-only", grouped(storm.read_only)),
            ("disk hung", grouped(storm.frozen)),
            ("disk slow", grouped(storm.slow)),
            (
                "longest healing, ms",
                format!("{:.0}", storm.healing_ms_max),
            ),
            ("settled after, ms", format!("{:.0}", storm.settled_ms)),
        ]
    }
}

/// A number with thin gaps between thousands, for people.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stampede::Scenario;

    fn verdict(scenario: Scenario, unsettled: u64) -> (&'static str, usize) {
        let audit = AuditReport {
            orders: Vec::new(),
            stock: Vec::new(),
            problems: Vec::new(),
            batches: 0,
            chain: Box::new(|_, _| None),
        };
        let outcome = Outcome::new(Account {
            settings: Settings {
                scenario,
                ..Settings::default()
            },
            tally: &Tally::new().expect("bounds that are right"),
            audit: &audit,
            findings: Findings::default(),
            outages: Vec::new(),
            elapsed: Duration::from_secs(1),
            settled: Duration::ZERO,
            requests: 0,
            receipts: 0,
            samples: Vec::new(),
            books: Books {
                unsettled,
                ..Books::default()
            },
        });
        (outcome.summary.verdict, outcome.findings.len())
    }

    #[test]
    fn what_is_not_settled_fails_the_verdict_of_every_scenario() {
        for scenario in [
            Scenario::Flash,
            Scenario::Group,
            Scenario::Presale,
            Scenario::Lottery,
            Scenario::PaymentsFromHell,
        ] {
            assert_eq!(verdict(scenario, 0), ("ok", 0), "{scenario}");
            assert_eq!(verdict(scenario, 1), ("failed", 1), "{scenario}");
        }
    }

    #[test]
    fn thousands_are_grouped() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }
}
