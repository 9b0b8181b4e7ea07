//! A till: a real book without a journal, a sandbox behind a line that can be cut, and a cashier between them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::order::{ActionKind, PaymentAction};
use api::provider::{
    ChargeReply, ChargeRequest, ProviderLedger, RefundOutcome, RefundReply, RefundRequest,
};
use api::{PaymentId, RefundId};
use commerce::{
    Action, Actor, Ask, Book, Command, Done, Effect, Entry, Limits, OrderStatus, Outcome, Place,
    Plan, Report, SkuPlan, Time, Turn, Window,
};
use ledger::{Currency, UnitPrice, Units};
use telemetry::Telemetry;
use tidegate_shop::cashier::{
    Cashier, CashierHandle, Desks, OpenEffects, OpenNow, ReportError, Reported, Settings,
};
use tidegate_shop::provider::sandbox::{self, Sandbox};
use tidegate_shop::provider::{Asked, CallbackSink, Provider, ProviderError};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use world::{BootStamp, Clock, SeededEntropy, Tasks};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The runtime's clock, so that paused time is paused everywhere.
#[derive(Debug)]
pub(super) struct RuntimeClock {
    began: Instant,
    /// By how much the wall clock was set, in milliseconds.
    set_ms: AtomicI64,
}

impl RuntimeClock {
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            set_ms: AtomicI64::new(0),
        })
    }
}

impl RuntimeClock {
    /// A book's time: what passes, whatever anybody does to the wall clock.
    fn book_ms(&self) -> u64 {
        let passed = u64::try_from(self.monotonic().as_millis()).unwrap_or(u64::MAX);
        1_800_000_000_000 + passed
    }
}

impl Clock for RuntimeClock {
    fn wall_ms(&self) -> u64 {
        self.book_ms()
            .saturating_add_signed(self.set_ms.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }

    fn boot(&self) -> Option<BootStamp> {
        None
    }
}

/// What went over the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    Charge(PaymentId),
    Refund(RefundId),
    AskedCharge(PaymentId),
    AskedRefund(RefundId),
}

impl Called {
    fn key(self) -> String {
        match self {
            Self::Charge(key) | Self::AskedCharge(key) => key.to_string(),
            Self::Refund(key) | Self::AskedRefund(key) => key.to_string(),
        }
    }
}

/// The line to the sandbox: it can be cut, it writes down every call, and it suffers no two calls for one key at once.
#[derive(Debug)]
pub(super) struct Line {
    sandbox: Sandbox,
    pub(super) cut: AtomicBool,
    pub(super) deaf: AtomicBool,
    pub(super) refund_declines: AtomicU32,
    /// The next call ends in a panic.
    pub(super) panics: AtomicBool,
    /// Charges are refused as they stand and never reach the sandbox.
    pub(super) refuses: AtomicBool,
    /// Every charge waits for its buyer, whose page has what it needs.
    pub(super) waits: AtomicBool,
    /// Refunds never come to an answer.
    pub(super) refunds_hang: AtomicBool,
    calls: Mutex<Vec<(Instant, Called)>>,
    under_way: Mutex<BTreeSet<String>>,
}

impl Line {
    async fn call<T>(&self, called: Called, talk: Asked<'_, T>) -> Result<T, ProviderError> {
        lock(&self.calls).push((Instant::now(), called));
        let _mark = Mark::set(&self.under_way, called.key());
        // A call takes a moment, so that calls have a chance to meet.
        tokio::task::yield_now().await;
        assert!(
            !self.panics.swap(false, Ordering::SeqCst),
            "a bug in a provider's client"
        );
        if self.cut.load(Ordering::SeqCst) {
            return Err(ProviderError::Unreachable("the line is cut".into()));
        }
        talk.await
    }

    pub(super) fn calls(&self) -> Vec<(Instant, Called)> {
        lock(&self.calls).clone()
    }

    pub(super) fn called(&self) -> Vec<Called> {
        self.calls().into_iter().map(|(_, called)| called).collect()
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    pub(super) fn ledger(&self) -> &dyn ProviderLedger {
        &self.sandbox
    }
}

struct Mark<'a>(&'a Mutex<BTreeSet<String>>, String);

impl<'a> Mark<'a> {
    fn set(set: &'a Mutex<BTreeSet<String>>, key: String) -> Self {
        assert!(lock(set).insert(key.clone()), "two calls for {key} at once");
        Self(set, key)
    }
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        lock(self.0).remove(&self.1);
    }
}

impl Provider for Line {
    fn charge(&self, request: ChargeRequest) -> Asked<'_, ChargeReply> {
        let key = request.key;
        if self.refuses.load(Ordering::SeqCst) {
            let refusal = std::future::ready(Err(ProviderError::Refused(400)));
            return Box::pin(self.call(Called::Charge(key), Box::pin(refusal)));
        }
        Box::pin(self.call(Called::Charge(key), self.sandbox.charge(request)))
    }

    fn refund(&self, request: RefundRequest) -> Asked<'_, RefundReply> {
        let key = request.key;
        if self.refunds_hang.load(Ordering::SeqCst) {
            let never = std::future::pending();
            return Box::pin(self.call(Called::Refund(key), Box::pin(never)));
        }
        let declines = self.refund_declines.load(Ordering::SeqCst);
        if declines > 0 {
            self.refund_declines.store(declines - 1, Ordering::SeqCst);
            let reply = RefundReply {
                key,
                outcome: RefundOutcome::Declined,
                amount_minor: request.amount_minor,
            };
            return Box::pin(self.call(Called::Refund(key), Box::pin(async move { Ok(reply) })));
        }
        Box::pin(self.call(Called::Refund(key), self.sandbox.refund(request)))
    }

    fn charge_status(&self, key: PaymentId) -> Asked<'_, Option<ChargeReply>> {
        Box::pin(self.call(Called::AskedCharge(key), self.sandbox.charge_status(key)))
    }

    fn refund_status(&self, key: RefundId) -> Asked<'_, Option<RefundReply>> {
        Box::pin(self.call(Called::AskedRefund(key), self.sandbox.refund_status(key)))
    }

    fn action(&self, _key: PaymentId) -> Option<PaymentAction> {
        let waits = self.waits.load(Ordering::SeqCst);
        waits
            .then(|| PaymentAction::new(ActionKind::Redirect, "https://pay.example"))
            .flatten()
    }

    fn callbacks_to(&self, sink: Arc<dyn CallbackSink>) {
        if !self.deaf.load(Ordering::SeqCst) {
            self.sandbox.callbacks_to(sink);
        }
    }
}

/// The desks: one book, whose every entry is durable at once.
pub(super) struct Books {
    book: Mutex<Book>,
    entries: Mutex<Vec<Entry>>,
    clock: Arc<RuntimeClock>,
    handle: Mutex<Option<CashierHandle>>,
    changed: Notify,
    /// So many reports are refused before one is taken.
    pub(super) busy: AtomicU32,
}

/// The sale that the book is of.
pub(super) const SALE: u32 = 7;

impl Books {
    fn new(clock: Arc<RuntimeClock>, stock: u32) -> Arc<Self> {
        let books = Self {
            book: Mutex::new(Book::new()),
            entries: Mutex::default(),
            clock,
            handle: Mutex::default(),
            changed: Notify::new(),
            busy: AtomicU32::new(0),
        };
        let plan = Box::new(plan(stock));
        let secret = [7; 16];
        books.run("create", Action::Create { secret, plan });
        books.run("open", Action::Turn(Turn::Open));
        Arc::new(books)
    }

    fn run(&self, key: &str, action: Action) -> Outcome {
        let command = Command {
            actor: Actor::Merchant("shop".into()),
            key: Some(key.into()),
            action,
        };
        self.execute(&command)
    }

    /// Decides, and hands out the effects like a desk does.
    fn execute(&self, command: &Command) -> Outcome {
        let mut book = lock(&self.book);
        let now = Time(self.clock.book_ms());
        let mut new = Vec::new();
        let outcome = book
            .execute(now, command, &mut new)
            .expect("no invariant breaks");
        let mut effects: Vec<Effect> = new.iter().flat_map(|entry| book.begun(entry)).collect();
        drop(book);
        lock(&self.entries).append(&mut new);
        if let Some(handle) = &*lock(&self.handle) {
            handle.offer(SALE, &mut effects);
        }
        self.changed.notify_waiters();
        outcome
    }

    /// Places an order of one cup.
    pub(super) fn place(&self, key: &str) -> u32 {
        let lines = vec![Ask {
            sku: "cup".into(),
            units: 1,
            price: None,
        }];
        let place = Place {
            buyer: None,
            tags: Arc::from([]),
            lines,
            paid: None,
            deal: None,
        };
        match self.run(key, Action::Place(place)).decision {
            Ok(Done::Order(order)) => order,
            other => panic!("{other:?}"),
        }
    }

    /// Begins to pay.
    pub(super) fn pay(&self, order: u32, key: &str) {
        self.run(key, Action::Pay { order })
            .decision
            .expect("it can be paid");
    }

    /// Places and begins to pay.
    pub(super) fn buy(&self, key: &str) -> u32 {
        let order = self.place(key);
        self.pay(order, &format!("pay {key}"));
        order
    }

    /// Gives an order up.
    pub(super) fn cancel(&self, order: u32) {
        let key = format!("cancel {order}");
        self.run(&key, Action::Cancel { order })
            .decision
            .expect("it can be cancelled");
    }

    /// Gives all of a paid order back.
    pub(super) fn refund(&self, order: u32) {
        let ask = commerce::RefundAsk::default();
        let key = format!("refund {order}");
        self.run(&key, Action::Refund { order, ask })
            .decision
            .expect("it can be refunded");
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Book) -> T) -> T {
        read(&lock(&self.book))
    }

    pub(super) fn status(&self, order: u32) -> OrderStatus {
        self.read(|book| book.order(order).expect("it was placed").status())
    }

    pub(super) fn open_count(&self) -> usize {
        self.read(|book| book.open_effects().count())
    }

    pub(super) fn count(&self, which: impl Fn(&Entry) -> bool) -> usize {
        lock(&self.entries)
            .iter()
            .filter(|entry| which(entry))
            .count()
    }

    /// Waits until the books look like that, for a day of paused time at most.
    pub(super) async fn until(&self, what: &str, like: impl Fn(&Self) -> bool) {
        let look = async {
            loop {
                let changed = self.changed.notified();
                if like(self) {
                    return;
                }
                changed.await;
            }
        };
        let day = Duration::from_secs(86_400);
        tokio::time::timeout(day, look)
            .await
            .unwrap_or_else(|_| panic!("never: {what}"));
    }

    pub(super) async fn until_settled(&self) {
        self.until("no effect is open", |books| books.open_count() == 0)
            .await;
        self.read(Book::check).expect("no invariant broke");
    }
}

fn plan(stock: u32) -> Plan {
    Plan {
        title: "Cups".into(),
        currency: Currency::new("EUR").expect("it exists"),
        hold_ms: 600_000,
        window: Window::default(),
        limits: Limits::default(),
        rules: Vec::new(),
        skus: vec![SkuPlan {
            sku: "cup".into(),
            title: "Cup".into(),
            price: UnitPrice(125_000),
            limits: Limits::default(),
            stock: Units(stock),
        }],
    }
}

impl Desks for Books {
    fn report(&self, sale: u32, report: Report) -> Reported<'_> {
        Box::pin(async move {
            assert_eq!(sale, SALE);
            let busy = self.busy.load(Ordering::SeqCst);
            if busy > 0 {
                self.busy.store(busy - 1, Ordering::SeqCst);
                return Err(ReportError::Retry);
            }
            let command = Command {
                actor: Actor::House,
                key: None,
                action: Action::Report(report),
            };
            self.execute(&command)
                .decision
                .map(drop)
                .map_err(|_| ReportError::Gone)
        })
    }

    fn open_effects(&self, _sale: u32) -> OpenEffects<'_> {
        let mut open = self.read(OpenNow::of);
        // A desk advances its book before it asks it anything.
        open.now = Time(self.clock.book_ms());
        Box::pin(async move { Ok(open) })
    }

    fn sales(&self) -> Vec<u32> {
        vec![SALE]
    }
}

/// All of it together.
pub(super) struct Till {
    pub(super) books: Arc<Books>,
    pub(super) line: Arc<Line>,
    pub(super) telemetry: Telemetry,
    settings: Settings,
    clock: Arc<RuntimeClock>,
    run: Option<(JoinHandle<()>, watch::Sender<bool>)>,
}

impl Till {
    /// A till with the cashier at work.
    pub(super) fn open(settings: Settings, sandbox: sandbox::Settings) -> Self {
        let mut till = Self::closed(settings, sandbox);
        till.start();
        till
    }

    /// A till whose cashier has not come yet.
    pub(super) fn closed(settings: Settings, sandbox: sandbox::Settings) -> Self {
        settings
            .check()
            .expect("the settings are within their limits");
        let clock = RuntimeClock::start();
        let line = Line {
            sandbox: Sandbox::new(
                sandbox,
                Arc::clone(&clock) as Arc<dyn Clock>,
                Tasks::of_the_machine(),
            ),
            cut: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            refund_declines: AtomicU32::new(0),
            panics: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            refunds_hang: AtomicBool::new(false),
            calls: Mutex::default(),
            under_way: Mutex::default(),
        };
        Self {
            books: Books::new(Arc::clone(&clock), 100_000),
            line: Arc::new(line),
            telemetry: Telemetry::new(),
            settings,
            clock,
            run: None,
        }
    }

    /// Somebody sets the wall clock by so many minutes; the book's time stays where it is.
    pub(super) fn set_clock(&self, minutes: i64) {
        let by_ms = minutes * 60_000;
        self.clock.set_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// The cashier comes to work.
    pub(super) fn start(&mut self) {
        let (cashier, handle) = Cashier::new(
            self.settings.clone(),
            Arc::clone(&self.line) as Arc<dyn Provider>,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Arc::new(SeededEntropy::new(5)),
            Tasks::of_the_machine(),
            self.telemetry.clone(),
        );
        *lock(&self.books.handle) = Some(handle);
        let (stop, stopped) = watch::channel(false);
        let desks = Arc::clone(&self.books) as Arc<dyn Desks>;
        self.run = Some((tokio::spawn(cashier.run(desks, stopped)), stop));
    }

    /// The cashier drops dead, with all that it knew.
    pub(super) async fn kill(&mut self) {
        if let Some((task, _stop)) = self.run.take() {
            task.abort();
            assert!(task.await.is_err_and(|error| error.is_cancelled()));
        }
    }

    /// The cashier is asked to stop.
    pub(super) async fn stop(&mut self) {
        if let Some((task, stop)) = self.run.take() {
            stop.send_replace(true);
            task.await.expect("the cashier does not panic");
        }
    }

    /// So much paused time passes.
    pub(super) async fn pass(&self, time: Duration) {
        assert!(
            tokio::time::timeout(time, std::future::pending::<()>())
                .await
                .is_err()
        );
    }

    /// The value of a counter.
    pub(super) fn counter(&self, name: &str) -> u64 {
        let text = self.telemetry.exposition();
        let lines = text
            .lines()
            .filter(|line| line.starts_with(&format!("{name}{{")));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        values.sum()
    }
}
