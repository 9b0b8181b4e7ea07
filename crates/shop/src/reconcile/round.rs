//! One run over the window: page by page, each page looked at twice.

use std::collections::BTreeMap;
use std::time::Duration;

use api::{PaymentId, RefundId};
use commerce::Time;
use commerce::book::RefundState;
use futures_util::StreamExt;
use storage::models::{ModelsError, OrderKey, OrderRow};
use storage::replace_file;
use telemetry::Gap;
use telemetry::fact::{GapFound, GapRepaired, ReconcileGap, Reconciled};
use world::ErrorKind;

use super::Reconciler;
use super::fit::Fit;
use super::gaps::Gaps;
use super::judge::{Answers, Difference, What, judge};
use super::seen::{Known, Page, Seen, older, page, seen};
use super::{kept, unmatched};
use crate::cashier::{Desks, TURN_MAX, book_report};
use crate::delivery;
use crate::desk::{DeskHandle, Durable};
use crate::provider::{Asked, ProviderError};
use crate::verify::order_difference;
use crate::wire;

/// How often the read models are asked whether they have caught up, and how long one waits between.
const CATCH_UP: (u32, Duration) = (40, Duration::from_millis(50));

/// How often the read models of a sale are built anew, at most.
const BUILT_AT_MOST: Duration = Duration::from_secs(3_600);

/// Orders of a page that the provider may leave without an answer before the run ends.
const SILENT_MAX: u32 = 5;

/// How often a question is asked that the provider has no time for, before the run ends.
const TURNS_MAX: u32 = 10;

/// Where a run goes on: the sale and the order in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    sale: u32,
    order: u32,
}

/// What the provider said of some orders.
#[derive(Default)]
struct Heard {
    /// Those that it gave an answer about.
    orders: Vec<(Seen, Answers)>,
    /// Those about which its answer makes no sense, and why.
    unasked: Vec<(u32, String)>,
    /// It is left alone, or answers nobody: the run ends, and the next one goes on with this order.
    stopped: Option<u32>,
}

/// Why a kept report is still kept.
enum Still {
    /// Its order, or what it is about, is not there, or it is for people only.
    Waits,
    /// It names other money than the book asked for; it never counts.
    Differs(String),
}

/// A page that was compared.
struct Compared {
    orders: u64,
    /// Where the next page begins.
    next: Option<u32>,
    stopped: Option<u32>,
}

impl Reconciler {
    /// One run.
    pub(super) async fn round(&mut self) {
        let begun = self.parts.clock.monotonic();
        let wall_ms = self.parts.clock.wall_ms();
        let horizon = wall_ms.saturating_sub(self.parts.settings.window_ms.max(1));
        self.gaps.forget_unmatched_before(horizon);
        let unmatched = self.try_unmatched(horizon).await;
        self.look_at_old_gaps(begun, Time(horizon)).await;
        let (orders, whole) = self.walk(begun, Time(horizon)).await;
        let unsettled = self.oldest_open_effect().await;
        self.keep().await;
        let now = self.parts.clock.monotonic();
        self.parts.telemetry.tell(&Reconciled {
            orders,
            open: &self.gaps.by_kind(),
            oldest: self.gaps.oldest(wall_ms).max(unsettled),
            unmatched,
            whole,
            took: now.saturating_sub(begun),
        });
    }

    /// Takes up what an earlier run kept.
    pub(super) async fn remember(&mut self) {
        let (disk, path) = self.parts.kept.clone();
        let read = self.parts.tasks.blocking(move || {
            let read = kept::read(&*disk, &path);
            read.map_err(|why| format!("{} is not used: {why}", path.display()))
        });
        match read.await {
            Ok(Ok(kept)) => self.gaps = Gaps::of(kept),
            Ok(Err(detail)) => {
                let detail = detail.as_str();
                self.parts.telemetry.tell(&ReconcileGap { detail });
            }
            // A panic, which the log has.
            Err(_) => {}
        }
    }

    /// Keeps what is open for the next process; what cannot be written now is written after the next run.
    async fn keep(&mut self) {
        let Some(gaps) = self.gaps.take_unkept() else {
            return;
        };
        let (disk, path) = self.parts.kept.clone();
        let bytes = kept::bytes(gaps);
        let write = move || replace_file(&*disk, &path, &[&bytes]);
        let written = self.parts.tasks.blocking(write).await;
        if !matches!(written, Ok(Ok(()))) {
            self.gaps.keep_again();
        }
    }

    /// Looks at orders with a difference that were placed before the window: it is open until it is gone. Takes half of
    /// the time at most.
    async fn look_at_old_gaps(&mut self, begun: Duration, placed_before: Time) {
        if self.parts.settings.window_ms == 0 {
            return;
        }
        let budget = Duration::from_millis(self.parts.cashier.reconcile_budget_ms) / 2;
        let page = usize::try_from(self.parts.settings.page_orders).unwrap_or(usize::MAX);
        for (sale, orders) in self.gaps.orders() {
            let Ok(desk) = self.parts.registry.desk(sale).await else {
                continue;
            };
            for orders in orders.chunks(page) {
                let over = self.parts.clock.monotonic().saturating_sub(begun) >= budget;
                let orders = orders.to_vec();
                let asked = desk.ask(move |book| older(book, sale, &orders, placed_before));
                let stopped = match asked.await {
                    Ok(asked) if !over => self.compare(&desk, asked).await,
                    Ok(_) | Err(_) => None,
                };
                if over || stopped.is_some_and(|(_, stopped)| stopped.is_some()) {
                    return;
                }
            }
        }
    }

    /// Goes through the window from the cursor on, as far as the budget reaches.
    async fn walk(&mut self, begun: Duration, placed_from: Time) -> (u64, bool) {
        let budget = Duration::from_millis(self.parts.cashier.reconcile_budget_ms);
        let mut orders = 0;
        let start = self.cursor.take();
        if self.parts.settings.window_ms == 0 {
            return (orders, true);
        }
        let sales = self.parts.registry.sales().into_iter();
        for sale in sales.filter(|sale| start.is_none_or(|start| *sale >= start.sale)) {
            let mut next = Some(start.filter(|at| at.sale == sale).map_or(0, |at| at.order));
            while let Some(order) = next {
                if self.parts.clock.monotonic().saturating_sub(begun) >= budget {
                    self.cursor = Some(Cursor { sale, order });
                    return (orders, false);
                }
                // A sale that cannot be asked now is passed over.
                let Some(page) = self.page(sale, order, placed_from).await else {
                    break;
                };
                orders += page.orders;
                if let Some(order) = page.stopped {
                    self.cursor = Some(Cursor { sale, order });
                    return (orders, false);
                }
                next = page.next;
            }
        }
        (orders, true)
    }

    /// One page: book, provider, read models, book again; nothing when the sale cannot be asked now.
    async fn page(&mut self, sale: u32, from: u32, placed_from: Time) -> Option<Compared> {
        let desk = self.parts.registry.seated(sale)?;
        let most = self.parts.settings.page_orders;
        let asked = desk.ask(move |book| page(book, sale, from, placed_from, most));
        let Durable { value, position } = asked.await.ok()?;
        let Page { seen, next } = value;
        let asked = Durable {
            value: seen,
            position,
        };
        let (orders, stopped) = self.compare(&desk, asked).await?;
        Some(Compared {
            orders,
            next,
            stopped,
        })
    }

    /// Holds orders against the provider, the read models, and the book once more: how many, and where the run stopped.
    async fn compare(
        &mut self,
        desk: &DeskHandle,
        asked: Durable<Vec<Seen>>,
    ) -> Option<(u64, Option<u32>)> {
        let sale = desk.sale();
        let heard = self.ask_provider(sale, asked.value).await;
        for (order, why) in heard.unasked {
            let detail = format!("{}: {why}", wire::order_id(sale, order));
            let name = (sale, u64::from(order), What::Order);
            let (now_ms, telemetry) = (self.parts.clock.wall_ms(), &self.parts.telemetry);
            self.gaps
                .seen(name, Gap::Unasked, now_ms, &detail, telemetry);
        }
        let rows = self
            .rows(sale, asked.position.sequence, &heard.orders)
            .await;
        let compared = heard.orders.len() as u64;
        for (seen, differences) in look_again(desk, sale, heard.orders, rows).await? {
            self.take(sale, seen, differences).await;
        }
        Some((compared, heard.stopped))
    }

    /// Asks about orders until the provider has left too many without an answer. One of which it says what makes no
    /// sense keeps nobody from the others; what it is silent about may be what it is silent about the next time, so the
    /// next run goes on behind that.
    async fn ask_provider(&self, sale: u32, seen: Vec<Seen>) -> Heard {
        let at_once = self.parts.settings.calls_at_once;
        let asking = seen.into_iter().map(|seen| self.ask_about(sale, seen));
        let mut answers = futures_util::stream::iter(asking).buffered(at_once);
        let (mut heard, mut silent) = (Heard::default(), 0);
        while let Some((seen, answered)) = answers.next().await {
            match answered {
                Ok(answered) => heard.orders.push((seen, answered)),
                Err(ProviderError::Held(_)) => heard.stopped = Some(seen.number),
                Err(error) if !matches!(error.kind(), ErrorKind::Retry | ErrorKind::Wait) => {
                    heard.unasked.push((seen.number, error.to_string()));
                }
                Err(_) if silent < SILENT_MAX => silent += 1,
                Err(_) => heard.stopped = Some(seen.number.saturating_add(1)),
            }
            if heard.stopped.is_some() {
                break;
            }
        }
        heard
    }

    /// Asks about everything of an order that is final in the book.
    async fn ask_about(&self, sale: u32, seen: Seen) -> (Seen, Result<Answers, ProviderError>) {
        let answered = self.answers(sale, &seen).await;
        (seen, answered)
    }

    async fn answers(&self, sale: u32, seen: &Seen) -> Result<Answers, ProviderError> {
        let provider = &self.parts.provider;
        let order = wire::order_id(sale, seen.number);
        let mut answers = Answers {
            charges: BTreeMap::new(),
            refunds: BTreeMap::new(),
            remembers: provider.remembers(),
        };
        for (attempt, known) in &seen.charges {
            if *known != Known::Open {
                let attempt = *attempt;
                let key = PaymentId { order, attempt };
                let asked = self.in_turn(|| provider.charge_status(key)).await?;
                answers.charges.insert(attempt, asked);
            }
        }
        for (number, _, state) in &seen.refunds {
            if *state != RefundState::Pending {
                let number = *number;
                let key = RefundId { order, number };
                let asked = self.in_turn(|| provider.refund_status(key)).await?;
                answers.refunds.insert(number, asked);
            }
        }
        Ok(answers)
    }

    /// Asks, and waits for its turn when the questions of this second are used up: a run that ended there would never
    /// get over a page with more orders than that.
    async fn in_turn<'a, T>(&self, ask: impl Fn() -> Asked<'a, T>) -> Result<T, ProviderError> {
        for _ in 1..TURNS_MAX {
            match ask().await {
                Err(ProviderError::Held(wait)) if wait <= TURN_MAX => {
                    self.parts.tasks.sleep(wait).await;
                }
                answered => return answered,
            }
        }
        ask().await
    }

    /// The rows of these orders, once the read models stand at the page's position or behind it; `None` when they do
    /// not come that far.
    async fn rows(
        &self,
        sale: u32,
        sequence: u64,
        heard: &[(Seen, Answers)],
    ) -> Option<Vec<Option<OrderRow>>> {
        let (tries, pause) = CATCH_UP;
        for _ in 0..tries {
            let stands = self.parts.projector.witness(sale);
            if stands.is_some_and(|stands| stands.sequence >= sequence) {
                break;
            }
            self.parts.tasks.sleep(pause).await;
        }
        let keys = heard.iter().map(|(seen, _)| OrderKey {
            sale,
            number: seen.number,
        });
        let (keys, projector) = (keys.collect::<Vec<_>>(), self.parts.projector.clone());
        let look = move || {
            let view = projector.models().view()?;
            let stands = view.position(sale)?.map_or(0, |stands| stands.sequence);
            if stands < sequence {
                return Ok(None);
            }
            let rows = keys.into_iter().map(|key| view.order(key));
            rows.collect::<Result<Vec<_>, ModelsError>>().map(Some)
        };
        self.parts.tasks.blocking(look).await.ok()?.ok()?
    }

    /// What differs of one order: settles what may be settled, keeps the rest.
    async fn take(&mut self, sale: u32, seen: Seen, differences: Vec<Difference>) {
        let order = u64::from(seen.number);
        let still: Vec<What> = differences.iter().map(|found| found.what).collect();
        self.gaps.only(sale, order, &still);
        let id = wire::order_id(sale, seen.number);
        for found in differences {
            let detail = format!("{id}: {}", found.detail);
            let name = (sale, order, found.what);
            let now_ms = self.parts.clock.wall_ms();
            self.gaps
                .seen(name, found.kind, now_ms, &detail, &self.parts.telemetry);
            if found.what == What::Row {
                self.build_anew(sale, &detail).await;
                continue;
            }
            let Some(report) = found.repair.filter(|_| self.gaps.report_once(name)) else {
                continue;
            };
            match self.parts.registry.report(sale, report).await {
                Ok(()) => self.parts.telemetry.tell(&GapRepaired { detail: &detail }),
                Err(_) => self.gaps.report_again(name),
            }
        }
    }

    /// A wrong row is never alone for certain, and all rows of a sale follow from its journal: they are built anew.
    async fn build_anew(&mut self, sale: u32, detail: &str) {
        let now = self.parts.clock.monotonic();
        let built = self.built.get(&sale);
        if built.is_some_and(|built| now.saturating_sub(*built) < BUILT_AT_MOST) {
            return;
        }
        self.built.insert(sale, now);
        let id = wire::sale_id(sale);
        match self.parts.registry.build_anew(sale).await {
            Ok(()) => {
                let detail = format!("{detail}; the read models of {id} were built anew");
                self.parts.telemetry.tell(&GapRepaired { detail: &detail });
            }
            Err(why) => {
                let detail = format!("the read models of {id} cannot be built anew: {why}");
                let kind = Gap::Model;
                self.parts.telemetry.tell(&GapFound {
                    kind,
                    detail: &detail,
                });
            }
        }
    }

    /// Tries reports again that matched no order; how many are left within the window.
    async fn try_unmatched(&mut self, horizon_ms: u64) -> u64 {
        let house = self.parts.registry.house().book();
        let kept = house.unmatched_newest();
        // Words of carriers are heard by whoever knows their table.
        let kept = kept.filter(|kept| kept.at.0 >= horizon_ms && *kept.source != *delivery::KEPT);
        let kept: Vec<_> = kept.collect();
        let oldest = kept.first().map_or(u64::MAX, |kept| kept.number);
        self.heard.retain(|number| *number >= oldest);
        let mut left = 0;
        for kept in kept {
            if self.heard.contains(&kept.number) {
                // Its book would write down each time that it disagrees.
                continue;
            }
            let (kind, why) = match self.try_again(&kept.report).await {
                Ok(()) => {
                    self.heard.insert(kept.number);
                    self.gaps.only(0, kept.number, &[]);
                    continue;
                }
                Err(Still::Waits) => (Gap::Unmatched, String::new()),
                Err(Still::Differs(why)) => (Gap::Amount, format!(" ({why})")),
            };
            left += 1;
            let detail = format!("{}: {}{why}", kept.source, kept.report);
            let name = (0, kept.number, What::Row);
            let telemetry = &self.parts.telemetry;
            self.gaps.seen(name, kind, kept.at.0, &detail, telemetry);
        }
        left
    }

    /// Tells a kept report to its book, if it fits there as it would have to when it came.
    async fn try_again(&self, kept: &str) -> Result<(), Still> {
        let outside = unmatched::read(kept).ok_or(Still::Waits)?;
        let registry = &self.parts.registry;
        match registry.fit(&outside).await.map_err(|_| Still::Waits)? {
            Fit::Fits => {}
            Fit::Nothing | Fit::NotBegun | Fit::NoWord => return Err(Still::Waits),
            Fit::Currency(why) | Fit::Amount(why) => return Err(Still::Differs(why)),
        }
        let (sale, report) = book_report(&outside).ok_or(Still::Waits)?;
        let told = registry.report(sale, report).await;
        told.map_err(|_| Still::Waits)
    }

    /// Age of the oldest effect that should long have been over.
    async fn oldest_open_effect(&self) -> Duration {
        let mut oldest = Duration::ZERO;
        for sale in self.parts.registry.sales() {
            let Ok(open) = self.parts.registry.open_effects(sale).await else {
                continue;
            };
            let ages = open.effects.iter().map(|effect| open.age(effect));
            oldest = ages.max().unwrap_or_default().max(oldest);
        }
        let overdue = Duration::from_millis(self.parts.cashier.reconcile_older_ms);
        if oldest >= overdue {
            oldest
        } else {
            Duration::ZERO
        }
    }
}

/// Looks at the same orders again: only what did not change meanwhile can be held against anything.
async fn look_again(
    desk: &DeskHandle,
    sale: u32,
    heard: Vec<(Seen, Answers)>,
    rows: Option<Vec<Option<OrderRow>>>,
) -> Option<Vec<(Seen, Vec<Difference>)>> {
    let again = desk.ask(move |book| {
        let mut found = Vec::new();
        for (at, (before, answers)) in heard.iter().enumerate() {
            if seen(book, sale, before.number).as_ref() != Some(before) {
                continue;
            }
            let mut differences = judge(before, answers);
            let row = rows.as_ref().and_then(|rows| rows.get(at));
            let detail = match row {
                Some(Some(row)) => order_difference(sale, book, row),
                Some(None) => Some("is missing in the read models".to_owned()),
                None => None,
            };
            differences.extend(detail.map(|detail| Difference {
                what: What::Row,
                kind: Gap::Model,
                repair: None,
                detail,
            }));
            found.push((before.clone(), differences));
        }
        found
    });
    again.await.ok().map(|again| again.value)
}
