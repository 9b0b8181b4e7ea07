//! The desk's loop.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use commerce::{Book, Entry, SaleState, Time};
use ledger::Violation;
use stdx::backoff::Backoff;
use stdx::queue::{Receiver, bounded};
use telemetry::Telemetry;
use tokio::sync::watch;
use world::journal::{Appending, Journal, JournalError, Position};
use world::{Clock, Entropy, Tasks};

use super::batch::Batch;
use super::job::{Job, Told};
use super::meter::Meter;
use super::tell::{Counters, LiveView, Refusals};
use super::{DeskError, DeskHandle, Durability, Effects, Seeds, Settings, Trouble, draw};
use crate::clock::{BookClock, LastSeen};
use crate::open::{OpenError, Opened, Place};

/// A batch takes no more jobs once it is so old: its moment would be too far from theirs.
const BATCH_AGE_MS: u64 = 50;
/// Watchers are told at most this often.
const VIEW_EVERY: Duration = Duration::from_millis(100);
/// The longest wait between two looks at the clock, so that a step is noticed on an idle desk too.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest wait before a broken journal is tried again.
const RESUME_MOST: Duration = Duration::from_secs(30);

/// What a desk works with.
pub struct Equipment {
    /// The world's time.
    pub clock: Arc<dyn Clock>,
    /// What carries waits.
    pub tasks: Tasks,
    /// Jitter for waits.
    pub entropy: Arc<dyn Entropy>,
    /// When a process was last seen alive.
    pub seen: Option<LastSeen>,
    /// Where effects go.
    pub effects: Arc<dyn Effects>,
    /// Who hears of durable batches.
    pub durability: Arc<dyn Durability>,
    /// Where the seeds of draws come from.
    pub seeds: Arc<dyn Seeds>,
    /// Who hears what happens.
    pub telemetry: Telemetry,
}

/// The owner of a sale.
pub struct Desk {
    settings: Settings,
    equipment: Equipment,
    sale: u32,
    place: Place,
    book: Book,
    journal: Box<dyn Journal>,
    clock: BookClock,
    queue: Receiver<Box<dyn Job>>,
    live: watch::Sender<Arc<LiveView>>,
    trouble: watch::Sender<Trouble>,
    state: State,
    counters: Counters,
    scratch: Vec<Entry>,
    taken: Vec<Box<dyn Job>>,
    spare: Vec<u8>,
    viewed: Duration,
    unsaved: u64,
    stepped: Option<i64>,
    failures: u32,
    /// When a broken journal is tried again.
    resume_at: Duration,
    /// The book has in it what is not durable, and nobody may see it: it is built anew once nothing is on its way, and
    /// again while the journal cannot be read.
    tainted: bool,
    meter: Meter,
}

/// What the desk is in the middle of.
#[derive(Default)]
struct State {
    /// Decided, not on its way yet.
    building: Option<Batch>,
    /// On its way to the disk.
    flying: Option<(Appending, Flight)>,
}

/// Who waits for an append.
struct Flight {
    batch: Batch,
    view: Option<LiveView>,
}

impl Desk {
    /// Makes the desk of an opened sale, and the way to it.
    pub fn new(
        sale: u32,
        opened: Opened,
        settings: Settings,
        equipment: Equipment,
    ) -> (Self, DeskHandle) {
        let (sender, queue) = bounded(settings.queue_commands_max);
        let Opened {
            place,
            mut book,
            journal,
            entries,
        } = opened;
        let meter = Meter::new(sale, equipment.telemetry.clone());
        let mut clock = BookClock::start(equipment.clock.clone(), book.time(), equipment.seen);
        book.advance(clock.now());
        let mut counters = Counters::default();
        let view = Arc::new(counters.view(&book, book.time()));
        let (live, watching) = watch::channel(view);
        let (trouble, troubles) = watch::channel(Trouble::None);
        equipment
            .durability
            .publish(journal.position().sequence, book.time().0);
        let handle = DeskHandle {
            sale,
            queue: sender,
            live: watching,
            trouble: troubles,
        };
        let started = equipment.tasks.now();
        let desk = Self {
            settings,
            equipment,
            sale,
            place,
            book,
            journal,
            clock,
            queue,
            live,
            trouble,
            state: State::default(),
            counters,
            scratch: Vec::new(),
            taken: Vec::new(),
            spare: Vec::new(),
            viewed: started,
            unsaved: entries,
            stepped: None,
            failures: 0,
            resume_at: started,
            tainted: false,
            meter,
        };
        (desk, handle)
    }

    /// Runs until the desk is closed and nothing waits; then writes a snapshot, if one is worth it.
    pub async fn run(mut self) {
        self.offer_open_effects();
        loop {
            self.gather();
            if self.state.flying.is_none() {
                self.launch();
            }
            if self.state.flying.is_some() {
                self.fly().await;
            } else if !self.rest().await {
                break;
            }
        }
        self.save().await;
    }

    /// Waits until there is something to do; `false` when the desk was closed, or nobody can reach it any more, and
    /// nothing waits. The queue says so under its own lock, so no job can slip in after it.
    async fn rest(&mut self) -> bool {
        let wait = self.wait();
        let idle = self.unsaved >= self.settings.snapshot_entries.max(1);
        let snapshot_idle = Duration::from_millis(self.settings.snapshot_idle_ms);
        let tasks = self.equipment.tasks.clone();
        tokio::select! {
            biased;
            more = self.queue.ready() => if !more { return false },
            () = tasks.sleep(wait) => {}
            () = tasks.sleep(snapshot_idle), if idle => self.save().await,
        }
        if self.read_only() && tasks.now() >= self.resume_at {
            self.resume().await;
        }
        true
    }

    /// How long until the desk must look up even if nobody asks: a due hold, a window's edge, the clock, a broken
    /// journal.
    fn wait(&mut self) -> Duration {
        match *self.trouble.borrow() {
            Trouble::ReadOnly(_) => {
                return self.resume_at.saturating_sub(self.equipment.tasks.now());
            }
            // Nothing is due at a sale that is stopped.
            Trouble::Stopped(_) => return LOOK_EVERY,
            Trouble::None => {}
        }
        let now = self.clock.now();
        let due = match self.book.next_due() {
            Some(due) if self.stepped.is_none() || due > now => {
                Duration::from_millis(due.0.saturating_sub(now.0))
            }
            _ => LOOK_EVERY,
        };
        due.min(LOOK_EVERY)
    }

    /// Takes what waits and decides it, as far as the batch being built has room.
    fn gather(&mut self) {
        let now = self.clock.now();
        self.watch_clock();
        if let Some(batch) = self
            .state
            .building
            .as_mut()
            .filter(|batch| batch.is_empty())
        {
            batch.time = now;
            self.book.advance(now);
        }
        let stale = self
            .state
            .building
            .as_ref()
            .is_some_and(|batch| now.0 > batch.time.0 + BATCH_AGE_MS);
        if self.state.flying.is_some() && (stale || self.tainted) {
            return;
        }
        let mut batch = self
            .state
            .building
            .take()
            .unwrap_or_else(|| self.begin(now));
        let ran = self.fill(&mut batch);
        self.state.building = Some(batch);
        if let Err(violation) = ran {
            self.stop(&violation);
        }
    }

    fn begin(&mut self, now: Time) -> Batch {
        self.book.advance(now);
        Batch {
            time: now,
            payload: mem::take(&mut self.spare),
            ..Batch::default()
        }
    }

    fn fill(&mut self, batch: &mut Batch) -> Result<(), Violation> {
        if !self.broken() && batch.is_empty() {
            self.tick(batch)?;
        }
        while !batch.is_full(self.settings.batch_commands_max) {
            let room = self.settings.batch_commands_max - batch.commands;
            let mut taken = mem::take(&mut self.taken);
            let moved = self.queue.take(&mut taken, room);
            let ran = taken.drain(..).try_for_each(|job| self.admit(batch, job));
            self.taken = taken;
            ran?;
            if moved == 0 {
                break;
            }
        }
        Ok(())
    }

    fn admit(&mut self, batch: &mut Batch, job: Box<dyn Job>) -> Result<(), Violation> {
        let refused = match &*self.trouble.borrow() {
            Trouble::None => None,
            Trouble::ReadOnly(why) => Some(DeskError::ReadOnly(why.clone())),
            Trouble::Stopped(why) => Some(DeskError::Stopped(why.clone())),
        };
        match refused {
            // A book that could not be built anew has what is not durable in it; it answers nothing.
            Some(error) if job.changes() || self.tainted => {
                job.finish(Err(error));
                Ok(())
            }
            _ if !job.changes() && stdx::mutants::is("query-before-durable") => {
                self.ask_again(job, batch.time, self.journal.position());
                Ok(())
            }
            _ => batch.run(job, &mut self.book, &mut self.scratch),
        }
    }

    /// Opens or closes the sale by its window, and lets due holds expire, unless the clock is in doubt.
    fn tick(&mut self, batch: &mut Batch) -> Result<(), Violation> {
        let ticked = if self.stepped.is_some() {
            self.book.tick_window(batch.time, &mut self.scratch)
        } else {
            self.book
                .tick(batch.time, self.settings.sweep_holds_max, &mut self.scratch)
        };
        ticked?;
        let seeds = &*self.equipment.seeds;
        let most = self.settings.sweep_holds_max;
        let stuck = draw::due(
            &mut self.book,
            (self.sale, seeds),
            (batch.time, most),
            &mut self.scratch,
        )?;
        self.meter.no_seeds(stuck);
        batch.record(&self.book, &mut self.scratch)
    }

    fn watch_clock(&mut self) {
        let stepped = self.clock.stepped_ms();
        if stepped.is_some() != self.stepped.is_some() {
            self.meter.clock(stepped);
        }
        self.stepped = stepped;
    }

    /// Sends the built batch to the disk; one that changed nothing is answered at once.
    fn launch(&mut self) {
        let Some(mut batch) = self.state.building.take() else {
            return;
        };
        let view = self.count(&batch);
        if batch.entries == 0 {
            self.spare = mem::take(&mut batch.payload);
            self.answer(batch, view);
            return;
        }
        self.hurry(&mut batch);
        let expected = self.journal.position().sequence;
        let appending = self.journal.append(expected, batch.seal());
        self.state.flying = Some((appending, Flight { batch, view }));
    }

    /// What a desk must not do with a batch that is not durable: the deliberate bugs of this place.
    fn hurry(&mut self, batch: &mut Batch) {
        if stdx::mutants::is("answer-before-sync") {
            let position = self.journal.position();
            let jobs = batch.jobs.drain(..);
            jobs.for_each(|job| job.finish(Ok(position)));
        }
        if stdx::mutants::is("effects-before-durable") {
            self.equipment.effects.offer(self.sale, &mut batch.effects);
        }
    }

    /// Waits for the append under way, and goes on deciding what comes in meanwhile.
    async fn fly(&mut self) {
        let Some((mut appending, flight)) = self.state.flying.take() else {
            return;
        };
        let full = self
            .state
            .building
            .as_ref()
            .is_some_and(|batch| batch.is_full(self.settings.batch_commands_max));
        let landed = tokio::select! {
            biased;
            landed = &mut appending => landed,
            true = self.queue.ready(), if !full && self.takes_more() => {
                self.state.flying = Some((appending, flight));
                return;
            }
        };
        match landed {
            Ok(appended) => {
                self.failures = 0;
                self.spare = appended.buffer;
                self.unsaved += u64::from(flight.batch.entries);
                self.equipment
                    .durability
                    .publish(appended.position.sequence, flight.batch.time.0);
                self.meter
                    .durable(flight.batch.bytes, &flight.batch.coupons, appended.sync);
                self.answer(flight.batch, flight.view);
            }
            Err(error) => self.fail(flight.batch, &error),
        }
        if self.tainted {
            self.restore();
        }
    }

    /// Whether the batch being built is young enough to take more while another is on its way.
    fn takes_more(&mut self) -> bool {
        let now = self.clock.now();
        self.state
            .building
            .as_ref()
            .is_none_or(|batch| now.0 <= batch.time.0 + BATCH_AGE_MS)
    }

    /// Everything up to here is durable: tell the callers, hand out the effects, show the watchers.
    fn answer(&mut self, mut batch: Batch, view: Option<LiveView>) {
        let position = self.journal.position();
        for job in batch.jobs.drain(..) {
            job.finish(Ok(position));
        }
        if !batch.effects.is_empty() {
            self.equipment.effects.offer(self.sale, &mut batch.effects);
        }
        if let Some(view) = view {
            self.meter.view(&view);
            self.live.send_replace(Arc::new(view));
        }
    }

    /// Counts what a batch decided; now and then makes a view of it, shown once it is durable.
    fn count(&mut self, batch: &Batch) -> Option<LiveView> {
        let (mut accepted, mut repeated, mut refused) = (0, 0, Refusals::default());
        for job in &batch.jobs {
            job.each_order(&mut |told| match told {
                Told::Accepted => accepted += 1,
                Told::Repeated => repeated += 1,
                Told::Refused(refusal) => refused.count(refusal),
            });
        }
        if self.tainted {
            return None;
        }
        if batch.entries == 0 && repeated == 0 && refused.sum() == 0 {
            // Even a quiet sale is shown anew now and then, since its pace falls.
            return (self.since_view() >= LOOK_EVERY).then(|| self.look(batch.time));
        }
        self.counters
            .add(accepted, &refused, &batch.changed, &batch.teams);
        self.meter.decided(
            batch.commands,
            (accepted, repeated),
            &refused,
            self.queue.weight(),
        );
        (self.since_view() >= VIEW_EVERY).then(|| self.look(batch.time))
    }

    fn since_view(&self) -> Duration {
        self.equipment.tasks.now().saturating_sub(self.viewed)
    }

    fn look(&mut self, now: Time) -> LiveView {
        self.viewed = self.equipment.tasks.now();
        self.counters.view(&self.book, now)
    }

    /// The append failed: nobody may see what it held. The book is built anew from the durable part.
    fn fail(&mut self, batch: Batch, error: &JournalError) {
        self.try_later();
        if !self.broken() {
            self.say(Trouble::ReadOnly(error.to_string().into()));
        }
        let building = self.state.building.take();
        if !stdx::mutants::is("book-kept-after-failed-append") {
            self.restore();
        }
        self.withdraw([Some(batch), building].into_iter().flatten());
    }

    /// An invariant would have broken: the sale stops where it is durable.
    fn stop(&mut self, violation: &Violation) {
        self.meter.violation(violation);
        self.say(Trouble::Stopped(violation.to_string().into()));
        self.scratch.clear();
        // What is on its way was decided before, by a sound book; it lands, or fails by itself.
        self.tainted = true;
        if self.state.flying.is_none() {
            self.restore();
        }
        let building = self.state.building.take();
        self.withdraw(building.into_iter());
    }

    /// Builds the book anew from the durable part.
    fn restore(&mut self) {
        match self.place.rebuild(&*self.journal) {
            Ok(book) => {
                self.book = book;
                self.tainted = false;
            }
            Err(error) => {
                self.tainted = true;
                let why = error.to_string().into();
                // A disk that cannot be read now may be read when the journal is tried again.
                match error.may_pass() && !self.stopped() {
                    true => self.say(Trouble::ReadOnly(why)),
                    false => self.say(Trouble::Stopped(why)),
                }
            }
        }
        let now = self.clock.now();
        self.book.advance(now);
    }

    /// Tells the callers of batches that will not be durable.
    fn withdraw(&mut self, batches: impl Iterator<Item = Batch>) {
        let (now, position) = (self.clock.now(), self.journal.position());
        for job in batches.flat_map(|batch| batch.jobs) {
            if job.changes() || self.tainted {
                job.finish(Err(DeskError::Unknown));
            } else {
                self.ask_again(job, now, position);
            }
        }
    }

    fn say(&mut self, trouble: Trouble) {
        self.meter
            .trouble(&trouble, self.journal.position().sequence);
        self.trouble.send_replace(trouble);
    }

    fn resume_wait(&self) -> Duration {
        let mut chance = [0; 8];
        self.equipment.entropy.fill(&mut chance);
        let rule = Backoff {
            base: Duration::from_millis(self.settings.resume_ms),
            most: RESUME_MOST,
        };
        rule.wait(self.failures, u64::from_le_bytes(chance))
    }

    /// Reads go on while the disk refuses: the question is asked of the durable book.
    fn ask_again(&mut self, mut job: Box<dyn Job>, now: Time, position: Position) {
        let asked = job.run(&mut self.book, now, &mut self.scratch);
        job.finish(asked.map(|()| position).map_err(|_| DeskError::Unknown));
    }

    fn broken(&self) -> bool {
        *self.trouble.borrow() != Trouble::None
    }

    fn stopped(&self) -> bool {
        matches!(*self.trouble.borrow(), Trouble::Stopped(_))
    }

    fn read_only(&self) -> bool {
        matches!(*self.trouble.borrow(), Trouble::ReadOnly(_))
    }

    /// Tries to go on in a new segment.
    async fn resume(&mut self) {
        let resumed = self.journal.resume().await;
        if resumed.is_ok() && self.tainted {
            self.restore();
        }
        match resumed {
            Ok(_) if !self.tainted => {
                self.failures = 0;
                self.say(Trouble::None);
            }
            // What could not be read has been said.
            Ok(_) => self.try_later(),
            Err(error) => {
                self.try_later();
                self.trouble
                    .send_replace(Trouble::ReadOnly(error.to_string().into()));
            }
        }
    }

    fn try_later(&mut self) {
        self.failures += 1;
        self.resume_at = self.equipment.tasks.now() + self.resume_wait();
    }

    /// After a start, calls whose outcome is not known are taken up again, by a question.
    fn offer_open_effects(&mut self) {
        let mut effects: Vec<_> = self.book.open_effects().collect();
        if !effects.is_empty() {
            self.equipment.effects.found(self.sale, &mut effects);
        }
    }

    /// Writes a snapshot; one that fails only makes the next start longer.
    async fn save(&mut self) {
        let small = self.unsaved < self.settings.snapshot_entries.min(1_000);
        if small && self.book.state() != SaleState::Retired || self.broken() {
            return;
        }
        self.unsaved = 0;
        let saved = match self.book.to_snapshot() {
            Ok(bytes) => {
                self.place
                    .save(self.journal.position(), self.book.time(), bytes)
                    .await
            }
            Err(error) => Err(OpenError::from(error)),
        };
        if let Err(error) = saved {
            self.meter.snapshot_failed(&error.to_string());
        }
    }
}
