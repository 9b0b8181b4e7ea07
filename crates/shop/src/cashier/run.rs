//! The cashier's one task: takes effects in and sends them out, step by step.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use commerce::{Effect, Time};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use resilience::Budget;
use stdx::queue::Receiver;
use telemetry::fact::ReconcileGap;
use tokio::sync::watch;
use world::tasks::{Ended, Task};
use world::{Clock, Entropy, Tasks};

use super::board::{Admitted, Board};
use super::job::{Job, Name, Origin};
use super::scan::{Aim, Found, Scan};
use super::settings::Settings;
use super::step::{Stepped, Stepper};
use super::waiters::{FoundEffect, Waiters};
use super::{Desks, Offered, OpenNow, Shared};
use crate::provider::Provider;

/// What waits no longer than this waits in hand, however often the books are searched: a search finds it only when it is
/// overdue, which is later than its time.
const PATIENCE_MS_LEAST: u64 = 300_000;

/// Carries out effects. One task, however many effects are under way.
pub struct Cashier {
    pub(super) settings: Settings,
    provider: Arc<dyn Provider>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    tasks: Tasks,
    pub(super) shared: Arc<Shared>,
    intake: Receiver<Offered>,
    arrived: Vec<Offered>,
    pub(super) board: Board,
    pub(super) budget: Budget,
    steps: FuturesUnordered<Running>,
    scan: Option<Scan>,
    /// The sale at which the next scan begins.
    scan_from: u32,
    /// The scan had time enough so far.
    scan_is_whole: bool,
    /// What a scan found in a sale, and what desks found open when they began: it waits for room.
    found: VecDeque<FoundEffect>,
    /// What was asked about, and takes its time.
    pub(super) waiters: Waiters,
    /// When the next regular scan begins.
    overdue_at: Duration,
    /// When the next scan after effects were left behind may begin.
    all_at: Duration,
    /// Effects were left to the reconciler because the provider gave no answer; an answer calls for another scan.
    pub(super) rested: bool,
    /// When another scan is to follow, although nothing was left behind by a full queue.
    pub(super) heal_at: Option<Duration>,
    /// How long the next such scan will wait.
    pub(super) heal_wait: Duration,
}

/// What a cashier works with.
pub(super) struct Outside {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) tasks: Tasks,
}

/// A step that runs, and the effect that it is about, in case it panics.
struct Running {
    name: Name,
    step: Task<Stepped>,
}

impl Future for Running {
    type Output = (Name, Result<Stepped, Ended>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let stepped = ready!(Pin::new(&mut self.step).poll(context));
        Poll::Ready((self.name, stepped))
    }
}

/// What woke the cashier.
enum Woken {
    Stop,
    Arrived,
    Stepped(Name, Result<Stepped, Ended>),
    Found(Option<Found>),
    Time,
}

impl Cashier {
    pub(super) fn assemble(
        settings: Settings,
        outside: Outside,
        shared: Arc<Shared>,
        intake: Receiver<Offered>,
    ) -> Self {
        let Outside {
            provider,
            clock,
            entropy,
            tasks,
        } = outside;
        let now = clock.monotonic();
        Self {
            board: Board::new(settings.queue_effects_max),
            budget: Budget::new(
                settings.retry_budget_percent,
                settings.retry_floor_per_s,
                settings.retry_burst_max,
                now,
            ),
            overdue_at: now + Duration::from_millis(settings.reconcile_every_ms),
            all_at: now,
            arrived: Vec::new(),
            steps: FuturesUnordered::new(),
            scan: None,
            scan_from: 0,
            scan_is_whole: false,
            found: VecDeque::new(),
            waiters: Waiters::new(
                Duration::from_millis(settings.reconcile_older_ms),
                settings.waiting_asks_per_s,
            ),
            rested: false,
            heal_at: None,
            heal_wait: Duration::from_millis(settings.rescan_ms),
            settings,
            provider,
            clock,
            entropy,
            tasks,
            shared,
            intake,
        }
    }

    /// Works until `shutdown` turns true or its sender is gone; then waits for the calls under way, for a bounded time.
    pub async fn run(mut self, desks: Arc<dyn Desks>, mut shutdown: watch::Receiver<bool>) {
        // A second run does not happen: `self` is consumed.
        let _first = self
            .shared
            .desks
            .set(Arc::<dyn Desks>::downgrade(&desks) as Weak<dyn Desks>);
        let stepper = Stepper {
            provider: Arc::clone(&self.provider),
            desks: Arc::clone(&desks),
        };
        loop {
            self.begin_scan(&desks);
            self.admit_found();
            self.send_out(&stepper);
            match self.wait(&mut shutdown).await {
                Woken::Stop => break,
                Woken::Arrived => self.take_in(),
                Woken::Stepped(name, stepped) => self.end(name, stepped),
                Woken::Found(found) => self.take_found(found),
                Woken::Time => {}
            }
        }
        self.stop().await;
    }

    async fn wait(&mut self, shutdown: &mut watch::Receiver<bool>) -> Woken {
        let now = self.clock.monotonic();
        let wait = self.next_moment(now).saturating_sub(now);
        let timer = self.tasks.sleep(wait);
        let (room, all_admitted) = (self.board.room() > 0, self.found.is_empty());
        let scan = async {
            match &mut self.scan {
                Some(scan) => scan.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // A stop comes first; an end makes room for a beginning.
            biased;
            _ = shutdown.wait_for(|stop| *stop) => Woken::Stop,
            Some((name, stepped)) = self.steps.next() => Woken::Stepped(name, stepped),
            // Handles live as long as desks do; without any, only scans bring work.
            true = self.intake.ready(), if room => Woken::Arrived,
            found = scan, if all_admitted => Woken::Found(found),
            () = timer => Woken::Time,
        }
    }

    /// The next moment at which something is to be done unasked.
    fn next_moment(&mut self, now: Duration) -> Duration {
        let idle = self.steps.len() < self.settings.workers;
        let job = idle
            .then(|| self.board.wait(now, &mut self.budget))
            .flatten();
        let behind = self.shared.behind.load(Ordering::Acquire) && self.board.room_for_found() > 0;
        let waiter = self.waiters.wait(now);
        let waiter = waiter.filter(|_| self.board.room_for_found() > 0);
        let moments = [
            job.map(|wait| now + wait),
            waiter.map(|wait| now + wait),
            self.scan.is_none().then_some(self.overdue_at),
            (self.scan.is_none() && behind).then_some(self.all_at),
            self.heal_at,
        ];
        // Nothing to wait for but an event: look around once a minute all the same.
        moments
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(now + Duration::from_secs(60))
    }

    /// Effects come in from desks: fresh ones, and what a desk found open when it began.
    fn take_in(&mut self) {
        let mut arrived = std::mem::take(&mut self.arrived);
        self.intake.take(&mut arrived, self.board.room());
        for offered in arrived.drain(..) {
            // Its wait counts from the moment at which it was recorded.
            let due = self.due(&offered.effect, offered.effect.since);
            let found = (offered.sale, offered.effect, offered.origin, due);
            match offered.origin {
                Origin::Fresh => self.admit(found),
                _ if self.found.len() < self.settings.queue_effects_max => {
                    self.found.push_back(found);
                }
                _ => self.fall_behind(),
            }
        }
        self.arrived = arrived;
    }

    /// A scan found something, or ended.
    fn take_found(&mut self, found: Option<Found>) {
        let Some(aim) = self.scan.as_ref().map(|scan| scan.aim) else {
            return;
        };
        match found {
            None => self.end_scan(),
            Some(Found::Cut) => self.look_again(),
            Some(Found::Late) => {
                self.scan_is_whole = false;
                self.look_again();
                // What was found in the last sale is in hand; the next scan goes on behind it.
                self.scan_from = self.scan_from.saturating_add(1);
            }
            Some(Found::Effects(sale, open)) => {
                self.scan_from = sale;
                self.sort_found(sale, &open, aim);
            }
        }
    }

    fn end_scan(&mut self) {
        self.scan = None;
        if self.scan_is_whole {
            self.scan_from = 0;
            self.waiters.end_search();
        }
    }

    /// What nobody has asked about yet comes in as soon as there is room; what was asked about and takes its time gets
    /// its turn among its like.
    fn sort_found(&mut self, sale: u32, open: &OpenNow, aim: Aim) {
        let now = self.clock.monotonic();
        let overdue = Duration::from_millis(self.settings.reconcile_older_ms);
        for effect in &open.effects {
            let waits = self.waiters.sees((sale, effect.order, effect.kind));
            if aim == Aim::Overdue && open.age(effect) < overdue {
                continue;
            }
            let found = (sale, *effect, aim.origin(), self.due(effect, open.now));
            match waits {
                true => self.waiters.queue(found, now),
                false => self.found.push_back(found),
            }
        }
    }

    /// What was found comes in, as far as there is room.
    fn admit_found(&mut self) {
        while self.board.room_for_found() > 0
            && let Some(found) = self.found.pop_front()
        {
            self.admit(found);
        }
        let now = self.clock.monotonic();
        while self.board.room_for_found() > 0
            && let Some(found) = self.waiters.next(now)
        {
            self.admit(found);
        }
    }

    /// When an effect may be carried out, where its book's time is `now`.
    fn due(&self, effect: &Effect, now: Time) -> Duration {
        let wait_ms = effect.not_before.0.saturating_sub(now.0);
        self.clock.monotonic() + Duration::from_millis(wait_ms)
    }

    fn admit(&mut self, (sale, effect, origin, due): FoundEffect) {
        let Some(job) = Job::new(sale, effect, origin) else {
            let detail =
                format!("an effect of sale {sale} cannot be said to a provider: {effect:?}");
            return self
                .shared
                .telemetry
                .tell(&ReconcileGap { detail: &detail });
        };
        let now = self.clock.monotonic();
        let wait = due.saturating_sub(now);
        // What has to wait must not take the room of others: the regular scan finds it after its time.
        let crowded = self.board.room_for_found() == 0;
        let patience = self.settings.reconcile_every_ms.max(PATIENCE_MS_LEAST);
        if wait > Duration::from_millis(patience) || (!wait.is_zero() && crowded) {
            return;
        }
        if self.board.admit(job, now, wait) == Admitted::Full {
            self.fall_behind();
        }
    }

    /// Effects are open in a book and not in hand: the next scan brings them.
    fn fall_behind(&self) {
        self.shared.behind.store(true, Ordering::Release);
    }

    fn begin_scan(&mut self, desks: &Arc<dyn Desks>) {
        let now = self.clock.monotonic();
        if self.heal_at.take_if(|at| *at <= now).is_some() {
            self.fall_behind();
        }
        if self.scan.is_some() {
            return;
        }
        let aim = if now >= self.overdue_at {
            self.heal_wait = Duration::from_millis(self.settings.rescan_ms);
            self.overdue_at = now + Duration::from_millis(self.settings.reconcile_every_ms);
            Aim::Overdue
        } else if now >= self.all_at
            && self.board.room_for_found() > 0
            && self.shared.behind.swap(false, Ordering::AcqRel)
        {
            self.all_at = now + Duration::from_millis(self.settings.rescan_ms);
            Aim::All
        } else {
            return;
        };
        let budget = Duration::from_millis(self.settings.reconcile_budget_ms);
        self.waiters.begin_search();
        self.scan_is_whole = true;
        let (desks, way) = (Arc::clone(desks), (self.scan_from, budget));
        self.scan = Some(Scan::begin(&self.tasks, desks, aim, way));
    }

    fn send_out(&mut self, stepper: &Stepper) {
        while self.steps.len() < self.settings.workers {
            let now = self.clock.monotonic();
            let Some(job) = self.board.next(now, &mut self.budget) else {
                return;
            };
            let name = job.name();
            let step = self.tasks.spawn(stepper.clone().step(job));
            self.steps.push(Running { name, step });
        }
    }

    /// Calls under way may end; what does not end in time is open in its book and found at the next start.
    async fn stop(&mut self) {
        self.scan = None;
        let grace = Duration::from_millis(self.settings.stop_grace_ms);
        let ends = async { while self.steps.next().await.is_some() {} };
        if self.tasks.timeout(grace, ends).await.is_none() {
            self.steps.iter().for_each(|running| running.step.abort());
            while self.steps.next().await.is_some() {}
        }
    }
}

impl std::fmt::Debug for Cashier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cashier")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
