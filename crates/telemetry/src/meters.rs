//! Every metric by name. Handles are resolved once; counting is an atomic add.

use crate::histogram::{BATCH_COMMANDS, Histogram, REQUEST_SECONDS, SYNC_SECONDS};
use crate::http::{LimitLabel, LimitMeter, RouteLabels, RouteMeter};
use crate::labels::{CouponType, EffectKind, Invariant, Refused, Risk, RiskAt, UnitsIn, UserTier};
use crate::outside::OutsideMeters;
use crate::process::ProcessCollector;
use api::{Code, SaleId};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::AtomicU64;

/// A gauge of something that cannot be negative.
pub type Level = Gauge<u64, AtomicU64>;

/// A sale as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SaleLabel(pub(crate) SaleId);

impl EncodeLabelValue for SaleLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        fmt::Write::write_fmt(encoder, format_args!("{}", self.0))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct BySale {
    pub(crate) sale: SaleLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct BySaleAndPlace {
    pub(crate) sale: SaleLabel,
    pub(crate) units: UnitsIn,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByInvariant {
    invariant: Invariant,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByRisk {
    pub(crate) at: RiskAt,
    pub(crate) verdict: Risk,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByCoupon {
    pub(crate) coupon_type: CouponType,
    pub(crate) user_tier: UserTier,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEffect {
    effect: EffectKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCode {
    code: &'static str,
}

/// All meters of the process.
#[derive(Debug)]
pub struct Meters {
    registry: Registry,
    /// The front door.
    pub door: DoorMeters,
    /// Desks, journals, effects, read models.
    pub selling: SellingMeters,
    /// Payments, breakers, reconciliation.
    pub outside: OutsideMeters,
    /// Sagas, notices and carriers.
    pub sending: SendingMeters,
    /// Log lines lost because the log was full.
    pub log_lines_dropped: Counter,
    requests: Family<RouteLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    limited: Family<LimitLabel, Counter>,
    problems: Vec<Counter>,
    queue_depth: Family<BySale, Level>,
    stock_units: Family<BySaleAndPlace, Level>,
    refused: Vec<Counter>,
    pub(crate) risk: RiskMeters,
    violations: Vec<Counter>,
    effects_done: Vec<Counter>,
    effects_retried: Vec<Counter>,
}

/// Meters of risk and of coupons.
#[derive(Debug)]
pub(crate) struct RiskMeters {
    pub(crate) verdicts: Family<ByRisk, Counter>,
    pub(crate) coupons: Family<ByCoupon, Counter>,
    pub(crate) coupon_minor: Family<ByCoupon, Counter>,
}

impl RiskMeters {
    fn new(names: &mut Naming) -> Self {
        Self {
            verdicts: names.add(
                "tidegate_risk_verdicts",
                "Orders and payments that risk blocked or wants looked at",
                Family::default(),
            ),
            coupons: names.add(
                "tidegate_coupons_redeemed",
                "Coupons that took something off an order",
                Family::default(),
            ),
            coupon_minor: names.add(
                "tidegate_coupon_discount_minor",
                "What coupons took off, in minor units of whatever currency",
                Family::default(),
            ),
        }
    }
}

/// Meters of the front door.
#[derive(Debug)]
pub struct DoorMeters {
    /// Requests that were read and not yet answered.
    pub in_flight: Level,
    /// Open connections.
    pub connections: Level,
    /// Connections turned away because there were too many.
    pub connections_refused: Counter,
    /// Open live streams.
    pub live_streams: Level,
    /// Handlers that panicked.
    pub panics: Counter,
}

impl DoorMeters {
    fn new(names: &mut Naming) -> Self {
        Self {
            in_flight: names.level("http_requests_in_flight", "Requests being answered"),
            connections: names.level("http_connections", "Open connections"),
            connections_refused: names
                .counter("http_connections_refused", "Connections turned away"),
            live_streams: names.level("http_live_streams", "Open live streams"),
            panics: names.counter("http_panics", "Handlers that panicked"),
        }
    }
}

/// Meters of selling.
#[derive(Debug)]
pub struct SellingMeters {
    /// Commands in one batch of a desk.
    pub batch_commands: Histogram,
    /// Time until a batch was durable.
    pub sync_seconds: Histogram,
    /// Bytes appended to journals.
    pub journal_bytes: Counter,
    /// Failed appends.
    pub journal_failures: Counter,
    /// Orders accepted.
    pub orders_accepted: Counter,
    /// Answers repeated for a known idempotency key.
    pub orders_repeated: Counter,
    /// Tries again of a compensation (a refund or a release).
    pub rollback_retries: Counter,
    /// Effects and cancellations that found their queue full and were left to the next sweep.
    pub cancel_drops: Counter,
    /// Differences that reconciliation found between book, provider and read models.
    pub reconcile_gaps: Counter,
    /// Age of the newest journal entry that the read models miss, ms.
    pub projector_lag_ms: Level,
    /// Batches that the read models miss.
    pub projector_behind: Level,
    /// Batches that went into the read models.
    pub projector_batches: Counter,
    /// Steps of the wall clock above five seconds.
    pub clock_steps: Counter,
    /// How far the wall clock is from the book's time, ms.
    pub clock_offset_ms: Gauge,
}

impl SellingMeters {
    fn new(names: &mut Naming) -> Self {
        let commands = Histogram::new(BATCH_COMMANDS);
        let sync = Histogram::new(SYNC_SECONDS);
        Self {
            batch_commands: names.add(
                "tidegate_desk_batch_commands",
                "Commands in one batch",
                commands,
            ),
            sync_seconds: names.add(
                "tidegate_journal_fsync_seconds",
                "Time until a batch was durable",
                sync,
            ),
            journal_bytes: names.counter("tidegate_journal_bytes", "Bytes appended"),
            journal_failures: names.counter("tidegate_journal_failures", "Failed appends"),
            orders_accepted: names.counter("tidegate_orders_accepted", "Orders accepted"),
            orders_repeated: names.counter(
                "tidegate_orders_repeated",
                "Answers repeated for a known key",
            ),
            rollback_retries: names.counter("rollback_retry_count", "Compensations tried again"),
            cancel_drops: names.counter("cancel_ch_drop", "Cancellations left to the next sweep"),
            reconcile_gaps: names
                .counter("reconcile_gap_count", "Differences found by reconciliation"),
            projector_lag_ms: names.level(
                "tidegate_projector_lag_milliseconds",
                "Age of what the read models miss",
            ),
            projector_behind: names.level(
                "tidegate_projector_behind_batches",
                "Batches that the read models miss",
            ),
            projector_batches: names.counter(
                "tidegate_projector_batches",
                "Batches read into the read models",
            ),
            clock_steps: names.counter(
                "tidegate_clock_steps",
                "Steps of the wall clock above five seconds",
            ),
            clock_offset_ms: names.add(
                "tidegate_clock_offset_milliseconds",
                "Wall clock minus book time",
                Gauge::default(),
            ),
        }
    }
}

/// Meters of what happens outside once an order is paid.
#[derive(Debug)]
pub struct SendingMeters {
    /// Attempts of saga steps that ended.
    pub saga_attempts: Counter,
    /// Attempts of saga steps that brought no answer.
    pub saga_unknown: Counter,
    /// Sagas that wait for an operator.
    pub saga_parked: Level,
    /// Sagas that are not over.
    pub saga_open: Level,
    /// Age of the oldest unfinished step of all sagas, ms.
    pub saga_oldest_ms: Level,
    /// Notices delivered.
    pub notices_delivered: Counter,
    /// Deliveries of notices tried again.
    pub notices_retried: Counter,
    /// Notices given up, to be looked at.
    pub notices_dead: Level,
    /// Words of carriers that stand in no table.
    pub carrier_unknown: Counter,
    /// Words of carriers that moved an order.
    pub carrier_moved: Counter,
}

impl SendingMeters {
    fn new(names: &mut Naming) -> Self {
        Self {
            saga_attempts: names.counter("tidegate_saga_attempts", "Attempts of steps that ended"),
            saga_unknown: names.counter("tidegate_saga_unknown", "Attempts without an answer"),
            saga_parked: names.level("tidegate_saga_parked", "Sagas that wait for an operator"),
            saga_open: names.level("tidegate_saga_open", "Sagas that are not over"),
            saga_oldest_ms: names.level(
                "tidegate_saga_oldest_unfinished_step_milliseconds",
                "Age of the oldest unfinished step",
            ),
            notices_delivered: names.counter("tidegate_notices_delivered", "Notices delivered"),
            notices_retried: names.counter("tidegate_notices_retried", "Deliveries tried again"),
            notices_dead: names.level("tidegate_notices_dead", "Notices given up"),
            carrier_unknown: names.counter(
                "tidegate_carrier_unknown_codes",
                "Words of carriers that stand in no table",
            ),
            carrier_moved: names.counter(
                "tidegate_carrier_moves",
                "Words of carriers that moved an order",
            ),
        }
    }
}

impl Meters {
    /// Fresh meters; every closed set of labels is there from the start, at zero.
    pub(crate) fn new() -> Self {
        let labels = [("service".into(), "tidegate".into())];
        let mut names = Naming(Registry::with_labels(labels.into_iter()));
        let seconds: fn() -> Histogram = || Histogram::new(REQUEST_SECONDS);
        let mut meters = Self {
            registry: Registry::default(),
            door: DoorMeters::new(&mut names),
            selling: SellingMeters::new(&mut names),
            outside: OutsideMeters::new(&mut names),
            sending: SendingMeters::new(&mut names),
            log_lines_dropped: names.counter("tidegate_log_lines_dropped", "Log lines lost"),
            requests: names.add("http_requests", "Answered requests", Family::default()),
            request_seconds: names.add(
                "http_request_duration_seconds",
                "Time from the head of a request to the head of its answer",
                Family::new_with_constructor(seconds),
            ),
            limited: names.add(
                "http_requests_limited",
                "Requests refused by a limit",
                Family::default(),
            ),
            problems: names.codes(),
            queue_depth: names.add(
                "tidegate_desk_queue_depth",
                "Commands waiting at a desk",
                Family::default(),
            ),
            stock_units: names.add(
                "tidegate_stock_units",
                "Units of a sale by where they are",
                Family::default(),
            ),
            refused: names.refusals(),
            risk: RiskMeters::new(&mut names),
            violations: names.invariants(),
            effects_done: names.effects(
                "tidegate_effects",
                "Calls to the outside that came to an end",
            ),
            effects_retried: names.effects(
                "tidegate_effect_retries",
                "Calls to the outside tried again",
            ),
        };
        names.0.register_collector(Box::new(ProcessCollector));
        meters.registry = names.0;
        meters
    }

    /// The meter of one route; look it up once.
    #[must_use]
    pub fn route(&self, method: &'static str, route: &'static str) -> RouteMeter {
        RouteMeter::new(
            method,
            route,
            self.requests.clone(),
            self.request_seconds.clone(),
        )
    }

    /// The meter of one limit of requests; look it up once.
    #[must_use]
    pub fn limit(&self, name: &str) -> LimitMeter {
        let limit = name.to_owned();
        let refused = self.limited.get_or_create(&LimitLabel { limit });
        LimitMeter {
            name: name.into(),
            refused: refused.clone(),
        }
    }

    /// Counts a problem by its code.
    pub fn count_problem(&self, code: Code) {
        if let Some(place) = Code::ALL.iter().position(|other| *other == code) {
            self.problems[place].inc();
        }
    }

    /// Counts refused orders by reason.
    pub fn count_refused(&self, reason: Refused, orders: u64) {
        self.refused[reason.place()].inc_by(orders);
    }

    /// Refused orders so far, for one reason.
    #[must_use]
    pub fn refused(&self, reason: Refused) -> u64 {
        self.refused[reason.place()].get()
    }

    /// The counter that must stay zero.
    #[must_use]
    pub fn violations(&self, invariant: Invariant) -> &Counter {
        &self.violations[invariant as usize]
    }

    /// Calls to the outside that came to an end.
    #[must_use]
    pub fn effects_done(&self, effect: EffectKind) -> &Counter {
        &self.effects_done[effect as usize]
    }

    /// Calls to the outside that are tried again.
    #[must_use]
    pub fn effects_retried(&self, effect: EffectKind) -> &Counter {
        &self.effects_retried[effect as usize]
    }

    /// How many commands wait at the desk of a sale; look it up once.
    #[must_use]
    pub fn queue_depth(&self, sale: SaleId) -> Level {
        self.queue_depth
            .get_or_create(&BySale {
                sale: SaleLabel(sale),
            })
            .clone()
    }

    /// Units of a sale in one place; look it up once.
    #[must_use]
    pub fn stock_units(&self, sale: SaleId, units: UnitsIn) -> Level {
        self.stock_units
            .get_or_create(&BySaleAndPlace {
                sale: SaleLabel(sale),
                units,
            })
            .clone()
    }

    /// Forgets the time series of a sale that was put away.
    pub fn forget_sale(&self, sale: SaleId) {
        let sale = SaleLabel(sale);
        self.queue_depth.remove(&BySale { sale });
        for units in UnitsIn::ALL {
            self.stock_units.remove(&BySaleAndPlace {
                sale,
                units: *units,
            });
        }
    }

    pub(crate) fn exposition(&self) -> String {
        let mut page = String::with_capacity(16 * 1024);
        if text::encode(&mut page, &self.registry).is_err() {
            page.clear();
        }
        page
    }
}

/// Registers metrics under their names.
pub(crate) struct Naming(Registry);

impl Naming {
    pub(crate) fn add<M>(&mut self, name: &str, help: &str, metric: M) -> M
    where
        M: prometheus_client::registry::Metric + Clone,
    {
        self.0.register(name, help, metric.clone());
        metric
    }

    pub(crate) fn counter(&mut self, name: &str, help: &str) -> Counter {
        self.add(name, help, Counter::default())
    }

    pub(crate) fn level(&mut self, name: &str, help: &str) -> Level {
        self.add(name, help, Level::default())
    }

    fn codes(&mut self) -> Vec<Counter> {
        let family: Family<ByCode, Counter> = self.add(
            "tidegate_problems",
            "Problems told to clients",
            Family::default(),
        );
        Code::ALL
            .iter()
            .map(|code| {
                family
                    .get_or_create(&ByCode {
                        code: code.as_str(),
                    })
                    .clone()
            })
            .collect()
    }

    fn refusals(&mut self) -> Vec<Counter> {
        let family: Family<ByReason, Counter> = self.add(
            "tidegate_orders_refused",
            "Orders refused",
            Family::default(),
        );
        Refused::ALL
            .iter()
            .map(|reason| family.get_or_create(&ByReason { reason: *reason }).clone())
            .collect()
    }

    fn invariants(&mut self) -> Vec<Counter> {
        let help = "Violations of an invariant; must stay zero";
        let family: Family<ByInvariant, Counter> =
            self.add("tidegate_invariant_violations", help, Family::default());
        let counter = |invariant: &Invariant| {
            family
                .get_or_create(&ByInvariant {
                    invariant: *invariant,
                })
                .clone()
        };
        Invariant::ALL.iter().map(counter).collect()
    }

    fn effects(&mut self, name: &str, help: &str) -> Vec<Counter> {
        let family: Family<ByEffect, Counter> = self.add(name, help, Family::default());
        EffectKind::ALL
            .iter()
            .map(|effect| family.get_or_create(&ByEffect { effect: *effect }).clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invariant_is_there_from_the_start_and_zero() {
        let page = Meters::new().exposition();
        for number in 1..=11 {
            let line = format!(
                "tidegate_invariant_violations_total{{service=\"tidegate\",invariant=\"INV-{number}\"}} 0"
            );
            assert!(page.contains(&line), "{line} in {page}");
        }
        assert!(page.ends_with("# EOF\n"));
    }

    #[test]
    fn a_problem_is_counted_under_its_code() {
        let meters = Meters::new();
        meters.count_problem(Code::SoldOut);
        assert!(meters.exposition().contains("code=\"TG-2102\"} 1\n"));
    }

    #[test]
    fn a_sale_that_was_put_away_leaves_no_series() {
        let meters = Meters::new();
        let sale = SaleId::new(7).unwrap();
        meters.stock_units(sale, UnitsIn::Sold).set(5);
        meters.queue_depth(sale).set(1);
        assert!(
            meters
                .exposition()
                .contains("sale=\"sale_00007\",units=\"sold\"} 5")
        );
        meters.forget_sale(sale);
        assert!(!meters.exposition().contains("sale_00007"));
    }
}
