//! Lives of one desk: the real desk, book and journal on a simulated disk, without HTTP, so that thousands of crashes
//! fit into a minute.
//!
//! ```text
//!   clients, bank ──commands──▶ desk ──▶ journal ──▶ disk that fails, tears and forgets
//!        │                        ▲                        │
//!     memory of what was told     └── opened again ◀── what a crash left ──▶ judge: is all of it there?
//! ```
//!
//! The judges count for themselves, from the entries, and know nothing of the book but its answers.

mod bank;
mod count;
mod floor;
mod judge;
mod market;
mod member;
mod memory;
mod size;
#[cfg(test)]
mod tests;
mod wish;

pub use size::{DeskSize, Trade, Weather};

use std::sync::Arc;
use std::time::Duration;

use commerce::{Effect, Offer};
use shop::desk::Settings;
use storage::journal::{JournalSettings, read_dir};
use tokio::sync::{mpsc, oneshot};
use world::journal::Batch;
use world::{Disk, SeededEntropy, Tasks};

use crate::chance::Chance;
use crate::clock::HostClock;
use crate::disk::{DiskStats, FaultKind, Moment, Outage, SimDisk};
use crate::oracle;
use crate::record::{Ended, Evidence, Finding};
use crate::scheduler::{Host, Still, World};
use bank::Bank;
use count::Count;
use floor::{Floor, Refused, Start};

/// Steps of the scheduler before a life counts as running in circles.
const STEPS_MAX: u64 = 50_000_000;
/// The same for a sale with an offer, whose lives are short: what runs in circles there fills the journal.
const STEPS_MAX_OF_OFFERS: u64 = 400_000;
/// How long a shop may take, after the last fault, until everything is final: a refund that was refused again and again
/// waits six hours for its next try, and a charge that nobody heard of until its reconciler comes by.
const HEALING: Duration = Duration::from_secs(8 * 3_600);
/// Keys that are asked for again at the end, at most.
const ROLL_CALL: usize = 2_000;

/// Lives of desks with offers that each seed of the search lives.
const LIVES_OF_A_SEED: u64 = 4;

/// What became of a desk's life.
#[derive(Debug)]
pub struct DeskLived {
    /// Orders on the final record.
    pub orders: u64,
    /// Orders that were asked for and refused, as often as that was said.
    pub orders_refused: u64,
    /// Commands that were accepted, repeats left out.
    pub accepted: u64,
    /// Repeats that were told what the first had been told.
    pub repeated: u64,
    /// Deaths of the process and losses of power.
    pub crashes: u64,
    /// Starts that were refused, in words.
    pub refused: Vec<String>,
    /// The disk lost what it had called durable, and that was noticed.
    pub loss_noticed: bool,
    /// Broken promises; none in a sound life.
    pub findings: Vec<Finding>,
    /// The world's time at its end.
    pub lasted: Duration,
    /// Steps of the scheduler.
    pub steps: u64,
    /// A digest of all that happened.
    pub trace: u64,
    /// What the disk went through.
    pub disk: DiskStats,
    /// The record that was left, batch by batch; none where a loss was noticed.
    pub journal: Vec<Batch>,
    /// How many batches were on record after each crash.
    pub crashed_at: Vec<u64>,
}

/// Seeds of the lives of desks with offers that belong to a seed of the search.
pub fn seeds(seed: u64) -> impl Iterator<Item = u64> {
    (0..LIVES_OF_A_SEED).map(move |nth| seed.wrapping_mul(LIVES_OF_A_SEED).wrapping_add(nth))
}

/// Lives the life of a desk, with the offer that its seed draws where it has one.
#[must_use]
pub fn live(seed: u64, size: DeskSize) -> DeskLived {
    let drawn = || {
        let mut offer = market::draw(&mut Chance::of(seed, "offer"), 0);
        let none = Offer::default();
        market::add_discounts(&mut Chance::of(seed, "discounts"), &mut offer, &none, 0);
        offer
    };
    live_with(seed, size, (size.trade == Trade::Offers).then(drawn))
}

/// Lives the life of a desk that begins with this offer.
#[must_use]
pub fn live_with(seed: u64, size: DeskSize, offer: Option<Offer>) -> DeskLived {
    let world = World::new(seed);
    let (shop, street, heaven) = (world.host(), world.host(), world.host());
    let floor = Floor::new(&world, &shop, &street);
    let (offers, effects) = mpsc::unbounded_channel();
    let (slow_ms, steps_max) = match size.trade {
        Trade::Plain => (size.hold_ms * 2, STEPS_MAX),
        Trade::Offers => ((size.hold_ms * 2).max(25_000), STEPS_MAX_OF_OFFERS),
    };
    let bank = Bank::new(&floor, seed, slow_ms);
    drop(floor.street.spawn(bank.clone().run(effects)));
    if size.trade == Trade::Offers {
        let keeper = member::keep_seeds(floor.clone(), Chance::of(seed, "seeds"));
        drop(floor.street.spawn(keeper));
    }
    let director = Director {
        seed,
        size,
        offer,
        disk: SimDisk::with_plan(seed, size.plan(seed)),
        clock: HostClock::new(&world),
        entropy: Arc::new(SeededEntropy::new(seed ^ 0x5eed)),
        tasks: heaven.tasks(),
        dice: Chance::of(seed, "director"),
        crashes_left: size.crashes,
        crashes: 0,
        refused: Vec::new(),
        lost: false,
        noticed: false,
        calm: false,
        findings: Vec::new(),
        orders: 0,
        journal: Vec::new(),
        crashed_at: Vec::new(),
        floor: floor.clone(),
        shop: shop.clone(),
        bank,
        offers,
    };
    let ran = world.block_on(steps_max, &heaven, director.run());
    let lived = match ran {
        Ok(director) => director.sum_up(),
        Err(still) => stuck(still),
    };
    let lived = DeskLived {
        lasted: world.now(),
        steps: world.steps(),
        trace: world.trace(),
        ..lived
    };
    floor.put_desk(None);
    for host in [&street, &shop, &heaven] {
        host.end(Ended::PowerLost);
    }
    with_panics(lived, &world.panics())
}

fn with_panics(mut lived: DeskLived, panics: &[String]) -> DeskLived {
    let panics = panics.iter();
    lived
        .findings
        .extend(panics.map(|words| Finding::new("panic", words.clone())));
    lived
}

fn stuck(still: Still) -> DeskLived {
    DeskLived {
        orders: 0,
        orders_refused: 0,
        accepted: 0,
        repeated: 0,
        crashes: 0,
        refused: Vec::new(),
        loss_noticed: false,
        findings: vec![Finding::new(
            "healing",
            format!("the life stands still: {still:?}"),
        )],
        lasted: Duration::ZERO,
        steps: 0,
        trace: 0,
        disk: DiskStats::default(),
        journal: Vec::new(),
        crashed_at: Vec::new(),
    }
}

/// Who makes it happen.
struct Director {
    seed: u64,
    size: DeskSize,
    /// What the sale offers from its beginning.
    offer: Option<Offer>,
    disk: SimDisk,
    clock: HostClock,
    entropy: Arc<SeededEntropy>,
    tasks: Tasks,
    dice: Chance,
    crashes_left: u32,
    crashes: u64,
    refused: Vec<String>,
    /// What was told is not on the record: the next start must say so.
    lost: bool,
    noticed: bool,
    /// All faults are over.
    calm: bool,
    findings: Vec<Finding>,
    orders: u64,
    journal: Vec<Batch>,
    crashed_at: Vec<u64>,
    floor: Floor,
    shop: Host,
    bank: Bank,
    offers: mpsc::UnboundedSender<Effect>,
}

impl Director {
    async fn run(mut self) -> Self {
        self.start().await;
        let floor = self.floor.clone();
        let opening = wish::opening(&self.size, self.offer.take());
        let opened = floor.street.clone().spawn(async move {
            floor.insist(&opening).await;
        });
        self.keep_up_until(opened).await;
        let clients: Vec<_> = (0..self.size.clients)
            .map(|nth| wish::Client::new(&self.floor, self.seed, nth, self.size))
            .map(|client| self.floor.street.spawn(client.run()))
            .collect();
        for client in clients {
            self.keep_up_until(client).await;
        }
        self.calm = true;
        self.disk.heal();
        if !self.shop.is_up() {
            self.raise().await;
        }
        self.settle().await;
        self.call_the_roll().await;
        self.stop().await;
        self
    }

    /// Starts the desk until it opens, as a supervisor would.
    async fn start(&mut self) {
        for attempt in 0..60 {
            if self.floor.is_over() {
                return;
            }
            if attempt == 40 {
                // No fault lasts for ever.
                self.disk.heal();
            }
            self.shop.start();
            self.shop.mount(Some(self.disk.clone()));
            self.arm();
            match self.opening().run(&self.disk.clone()).await {
                Ok(()) if self.lost => {
                    let what = "what was told is gone, and the start did not notice";
                    self.findings.push(Finding::new("INV-7", what));
                    return self.floor.close();
                }
                Ok(()) => return,
                Err(refused) => self.turned_away(refused),
            }
            self.tasks.sleep(Duration::from_secs(1)).await;
        }
        let why = self.refused.last().cloned().unwrap_or_default();
        if self.disk.stats().promises_broken == 0 && !self.has_damage() {
            let what = format!("an honest disk's sale does not open: {why}");
            self.findings.push(Finding::new("INV-8", what));
        }
        self.noticed = true;
        self.floor.close();
    }

    fn turned_away(&mut self, refused: Refused) {
        match refused {
            Refused::Died => {
                self.crashes += 1;
                return self.bury();
            }
            Refused::Because(why) => self.refused.push(why),
            Refused::Lost(why) => {
                self.refused.push(why.clone());
                self.noticed = true;
                if !self.lost {
                    self.findings.push(Finding::new(
                        "INV-8",
                        format!("nothing is gone, but: {why}"),
                    ));
                }
                self.floor.close();
            }
        }
        self.shop.end(Ended::Killed);
        self.bury();
    }

    /// Whether the disk itself damaged what it held.
    fn has_damage(&self) -> bool {
        let damage = [
            FaultKind::BitFlip,
            FaultKind::Misdirected,
            FaultKind::LyingSync,
        ];
        damage.iter().any(|kind| self.disk.met(*kind) > 0)
    }

    fn opening(&self) -> Start {
        let journal = JournalSettings {
            segment_bytes_first: self.size.segment_bytes.0,
            segment_bytes_max: self.size.segment_bytes.1,
        };
        let settings = Settings {
            snapshot_entries: self.size.snapshot_entries,
            snapshot_idle_ms: 40,
            sweep_holds_max: match self.size.trade {
                Trade::Plain => Settings::default().sweep_holds_max,
                // A team's end is a fan-out of several entries.
                Trade::Offers => 3,
            },
            ..Settings::default()
        };
        Start {
            floor: self.floor.clone(),
            shop: self.shop.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            bank: self.offers.clone(),
            settings,
            journal,
        }
    }

    /// Plans the end of the run that begins.
    fn arm(&mut self) {
        if self.crashes_left == 0 || self.calm {
            return;
        }
        self.crashes_left -= 1;
        let how = *self
            .dice
            .pick(&[Ended::Killed, Ended::PowerLost, Ended::PowerLost]);
        let moment = *self.dice.pick(&[Moment::Before, Moment::After]);
        self.shop.ends_so(how);
        match self.dice.hits(600) {
            true => {
                let ops = self.dice.between(1, 80);
                self.disk.crash_at(self.disk.ops() + ops, moment);
            }
            false => {
                let polls = self.dice.between(1, 400);
                self.shop.end_after(polls, how);
            }
        }
    }

    /// The run is over: looks at what it left.
    fn bury(&mut self) {
        self.floor.put_desk(None);
        let ended = self.floor.world.ended(self.shop.run());
        let outage = match ended {
            Some(Ended::PowerLost) => {
                self.clock.boot_anew();
                Outage::Power(self.dice.next())
            }
            _ => Outage::Process,
        };
        self.disk = self.disk.crash(outage);
        if self.calm {
            self.disk.heal();
        }
        self.judge();
    }

    /// Holds what was told against what is there.
    fn judge(&mut self) -> Option<Count> {
        let Ok(batches) = self.record() else {
            // Damage that reading notices; a start has to notice it too, if it matters to it.
            return None;
        };
        self.crashed_at.push(batches.len() as u64);
        let count = Count::of(&batches);
        let missing = judge::missing(&self.floor.memory(), &batches, &count);
        let lied = self.disk.stats().promises_broken > 0 || self.has_damage();
        self.lost = !missing.is_empty();
        if !lied {
            self.findings.extend(missing);
        }
        self.findings.extend(count.findings.iter().cloned());
        Some(count)
    }

    /// The journal as a reader of its own finds it, on a copy of the disk that is in order.
    fn record(&self) -> Result<Vec<Batch>, world::journal::JournalError> {
        let copy = self.disk.fork();
        copy.heal();
        let disk: Arc<dyn Disk> = Arc::new(copy);
        let mut reader = read_dir(&disk, &floor::home(), 0)?;
        let mut batches = Vec::new();
        while let Some(batch) = reader.next()? {
            batches.push(batch);
        }
        Ok(batches)
    }

    async fn keep_up_until<T: Send + 'static>(&mut self, mut task: world::tasks::Task<T>) {
        loop {
            let gone = self.shop.gone();
            let over = tokio::select! {
                biased;
                _ = &mut task => true,
                () = gone => false,
            };
            if over {
                return;
            }
            if self.floor.is_over() {
                // Nobody starts it again; whoever waits hears of the end.
                let _ = task.await;
                return;
            }
            self.raise().await;
        }
    }

    async fn raise(&mut self) {
        self.crashes += 1;
        self.bury();
        let wait = self.dice.between(1, 3_000);
        self.tasks.sleep(Duration::from_millis(wait)).await;
        self.start().await;
    }

    /// Waits until every order, charge and refund is final.
    async fn settle(&mut self) {
        let deadline = self.tasks.now() + HEALING;
        while !self.floor.is_over() {
            if !self.shop.is_up() {
                // A crash that was planned before the calm has come late.
                self.raise().await;
            }
            let Some(desk) = self.floor.desk() else {
                return;
            };
            let open = desk.ask(|book| {
                let due = usize::from(book.next_due().is_some());
                book.open_effects().count() + due + book.draws_due().count()
            });
            let open = open.await.map(|open| open.value);
            if open == Ok(0) && self.bank.is_idle() {
                return;
            }
            if self.tasks.now() >= deadline {
                let what =
                    format!("eight hours after the last fault there is still open: {open:?}");
                return self.findings.push(Finding::new("healing", what));
            }
            self.tasks.sleep(Duration::from_secs(5)).await;
        }
    }

    /// Everybody asks again for what it was told: the same answer, and nothing new.
    async fn call_the_roll(&mut self) {
        let told: Vec<_> = {
            let memory = self.floor.memory();
            let every = memory.told.len().div_ceil(ROLL_CALL).max(1);
            memory.told.iter().step_by(every).cloned().collect()
        };
        for some in told.chunks(200) {
            let commands: Vec<_> = some.iter().map(|told| told.command.clone()).collect();
            let floor = self.floor.clone();
            let (tell, told) = oneshot::channel();
            let asked = floor.street.clone().spawn(async move {
                let answers = floor.insist(&commands).await;
                // The director waits for it.
                let _ = tell.send(answers);
            });
            self.keep_up_until(asked).await;
            let Ok(Some(answers)) = told.await else {
                return;
            };
            for (told, answer) in some.iter().zip(answers) {
                if !answer.repeated || answer.decision != Ok(told.done) {
                    let what = format!(
                        "{:?} was told {:?}, then {answer:?}",
                        told.command.key, told.done
                    );
                    self.findings.push(Finding::new("INV-4", what));
                }
            }
        }
    }

    /// Drains the desk, opens what it left once more, and compares.
    async fn stop(&mut self) {
        if let Some(desk) = self.floor.desk() {
            desk.close();
            self.shop.gone().await;
        }
        self.bury();
        if self.noticed || self.floor.is_over() {
            return;
        }
        let Some(count) = self.judge() else {
            if self.disk.stats().promises_broken == 0 && !self.has_damage() {
                self.findings
                    .push(Finding::new("INV-8", "the record does not read to its end"));
            }
            return;
        };
        self.orders = count.orders.len() as u64;
        self.findings
            .extend(judge::charges(self.bank.captured().into_iter(), &count));
        self.journal = self.record().unwrap_or_default();
        self.findings.extend(self.judged_from_outside());
        self.start().await;
        if let Some(desk) = self.floor.desk() {
            let seats = oracle::seats(&self.journal);
            let given = oracle::coupons_given(&self.journal);
            let differs = desk.ask(move |book| {
                let mut differs = judge::differs(book, &count);
                differs.extend(judge::miscounted(book, &seats));
                differs.extend(judge::misspent(book, &given));
                differs
            });
            let differs = differs.await;
            self.findings
                .extend(differs.map(|found| found.value).unwrap_or_default());
        }
    }

    /// What the judges of whole lives say of the record and of the bank's ledger.
    fn judged_from_outside(&self) -> Vec<Finding> {
        if self.disk.stats().promises_broken > 0 || self.has_damage() {
            return Vec::new();
        }
        let (charges, refunds) = self.bank.books();
        oracle::judge(&Evidence {
            journals: [(floor::SALE, self.journal.clone())].into(),
            charges,
            refunds,
            ..Evidence::default()
        })
    }

    fn sum_up(mut self) -> DeskLived {
        let memory = self.floor.memory();
        self.findings.extend(memory.findings.iter().cloned());
        self.findings.sort();
        self.findings.dedup();
        DeskLived {
            orders: self.orders,
            orders_refused: memory.orders_refused,
            accepted: memory.accepted,
            repeated: memory.repeated,
            crashes: self.crashes,
            refused: self.refused.clone(),
            loss_noticed: self.noticed,
            findings: std::mem::take(&mut self.findings),
            lasted: Duration::ZERO,
            steps: 0,
            trace: 0,
            disk: self.disk.stats(),
            journal: std::mem::take(&mut self.journal),
            crashed_at: std::mem::take(&mut self.crashed_at),
        }
    }
}
