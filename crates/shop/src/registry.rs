//! The registry: which sales there are, and the way to their desks.
//!
//! A sale's desk is opened at start, or when somebody asks for a retired sale; the registry knows nothing of what a
//! sale sells.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use api::{Code, Problem};
use commerce::{Action, Actor, Command, Effect, Report, SaleState};
use storage::DataDir;
use storage::journal::{Doors, JournalSettings};
use telemetry::Telemetry;
use telemetry::fact::ReconcileGap;
use world::Tasks;
use world::tasks::Task;

use crate::cashier::{
    CashierHandle, Desks, IsOpen, OpenEffects, OpenNow, Payer, ReportError, Reported,
};
use crate::clock::LastSeen;
use crate::desk::{Desk, DeskError, DeskHandle, Durability, Effects, Equipment, Trouble};
use crate::house::House;
use crate::notices::NoticesHandle;
use crate::open::{Findings, OpenError, Opened, Place};
use crate::projector::{Progress, ProjectorHandle};
use crate::reconcile;
use crate::saga::Wakes;
use crate::settings::Settings;
use crate::wire;

/// The sales of a house and their desks.
pub struct Registry {
    settings: Settings,
    data: Arc<DataDir>,
    doors: Doors,
    tasks: Tasks,
    telemetry: Telemetry,
    house: Arc<House>,
    cashier: CashierHandle,
    projector: ProjectorHandle,
    seen: Option<LastSeen>,
    /// Who hears that a sale went on.
    wakes: Wakes,
    notices: NoticesHandle,
    desks: RwLock<BTreeMap<u32, DeskHandle>>,
    running: Mutex<BTreeMap<u32, Task<()>>>,
    /// One sale is opened or put away at a time after the start. Whoever does it keeps the guard until it is done, even
    /// when the caller who asked for it has hung up.
    opening: Arc<tokio::sync::Mutex<()>>,
}

/// What a registry works with.
pub(crate) struct Parts {
    pub(crate) settings: Settings,
    pub(crate) data: Arc<DataDir>,
    pub(crate) doors: Doors,
    pub(crate) tasks: Tasks,
    pub(crate) telemetry: Telemetry,
    pub(crate) house: House,
    pub(crate) cashier: CashierHandle,
    pub(crate) projector: ProjectorHandle,
    pub(crate) seen: Option<LastSeen>,
    pub(crate) wakes: Wakes,
    pub(crate) notices: NoticesHandle,
}

impl Effects for CashierHandle {
    fn offer(&self, sale: u32, effects: &mut Vec<Effect>) {
        Self::offer(self, sale, effects);
    }

    fn found(&self, sale: u32, effects: &mut Vec<Effect>) {
        Self::found(self, sale, effects);
    }
}

/// Who hears of the durable batches of one sale.
struct Listeners {
    sale: u32,
    progress: Progress,
    wakes: Wakes,
    notices: NoticesHandle,
}

impl Durability for Listeners {
    fn publish(&self, sequence: u64, time_ms: u64) {
        self.progress.publish(sequence, time_ms);
        self.wakes.wake(self.sale);
        self.notices.wake(self.sale);
    }
}

impl Registry {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            settings: parts.settings,
            data: parts.data,
            doors: parts.doors,
            tasks: parts.tasks,
            telemetry: parts.telemetry,
            house: Arc::new(parts.house),
            cashier: parts.cashier,
            projector: parts.projector,
            seen: parts.seen,
            wakes: parts.wakes,
            notices: parts.notices,
            desks: RwLock::default(),
            running: Mutex::default(),
            opening: Arc::default(),
        }
    }

    /// The house.
    pub fn house(&self) -> &House {
        &self.house
    }

    /// What a reconciler of these sales works with.
    pub(crate) fn to_reconcile(self: &Arc<Self>) -> reconcile::Parts {
        reconcile::Parts {
            settings: self.settings.reconcile.clone(),
            cashier: self.settings.cashier.clone(),
            registry: Arc::clone(self),
            projector: self.projector.clone(),
            provider: self.cashier.provider(),
            kept: (self.doors.disk.clone(), self.data.gaps()),
            clock: self.doors.clock.clone(),
            tasks: self.tasks.clone(),
            telemetry: self.telemetry.clone(),
        }
    }

    /// Whether charges wait because the provider is left alone, for how long at least.
    pub(crate) fn charges_wait(&self) -> Option<Duration> {
        self.cashier.provider().charges_wait()
    }

    /// Opens every sale that is not retired, or was opened again since, a few at a time.
    ///
    /// # Errors
    /// The first sale that cannot be opened, with its number.
    pub(crate) async fn open_all(&self) -> Result<Vec<(u32, Findings)>, (u32, OpenError)> {
        let book = self.house.book();
        let numbers = book
            .sales()
            .filter(|(_, sale)| !sale.retired)
            .map(|(number, _)| number);
        let mut found = Vec::new();
        let mut under_way = std::collections::VecDeque::new();
        for number in numbers {
            let (place, settings) = (self.place(number), self.journal_settings());
            under_way.push_back((number, self.tasks.blocking(move || place.open(settings))));
            if under_way.len() > 2 {
                found.extend(self.finish_open(under_way.pop_front()).await?);
            }
        }
        while !under_way.is_empty() {
            found.extend(self.finish_open(under_way.pop_front()).await?);
        }
        Ok(found)
    }

    async fn finish_open(
        &self,
        task: Option<OpeningTask>,
    ) -> Result<Option<(u32, Findings)>, (u32, OpenError)> {
        let Some((number, task)) = task else {
            return Ok(None);
        };
        let opened = task.await.map_err(|_| (number, OpenError::Writer))?;
        let (opened, findings) = opened.map_err(|error| (number, error))?;
        self.seat(number, opened);
        Ok(Some((number, findings)))
    }

    fn place(&self, sale: u32) -> Place {
        Place {
            dir: self.data.sale(sale.into()),
            doors: self.doors.clone(),
            tasks: self.tasks.clone(),
        }
    }

    fn journal_settings(&self) -> JournalSettings {
        JournalSettings {
            segment_bytes_first: self.settings.sales.segment_bytes_first,
            segment_bytes_max: self.settings.sales.segment_bytes_max,
        }
    }

    /// Starts the desk of an opened sale.
    fn seat(&self, sale: u32, opened: Opened) -> DeskHandle {
        let progress = self.projector.attach(sale, &*opened.journal);
        self.notices.join(sale, &*opened.journal);
        if opened.book.saga_kind().is_some() || opened.book.saga_counts().1 > 0 {
            // What an earlier run began goes on, also where nothing new begins by itself.
            self.wakes.listen();
        }
        let equipment = Equipment {
            clock: self.doors.clock.clone(),
            tasks: self.tasks.clone(),
            entropy: self.doors.entropy.clone(),
            seen: self.seen,
            effects: Arc::new(self.cashier.clone()),
            durability: Arc::new(Listeners {
                sale,
                progress,
                wakes: self.wakes.clone(),
                notices: self.notices.clone(),
            }),
            seeds: self.house.clone(),
            telemetry: self.telemetry.clone(),
        };
        let (desk, handle) = Desk::new(sale, opened, self.settings.desk.clone(), equipment);
        let running = self.tasks.spawn(desk.run());
        self.running().insert(sale, running);
        self.desks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(sale, handle.clone());
        handle
    }

    /// Builds a sale's read models anew from its journal.
    ///
    /// # Errors
    /// Why they stay as they are, in words.
    pub(crate) async fn build_anew(&self, sale: u32) -> Result<(), String> {
        let dir = self.data.sale(sale.into());
        self.projector.build_anew(sale, &self.doors.disk, dir).await
    }

    /// Tells operators of a gap between the books and a provider.
    pub(crate) fn tell_gap(&self, detail: &str) {
        self.telemetry.tell(&ReconcileGap { detail });
    }

    /// Draws random bytes, for the secret of a sale.
    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        self.doors.entropy.fill(bytes);
    }

    pub(crate) fn seated(&self, sale: u32) -> Option<DeskHandle> {
        self.desks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&sale)
            .cloned()
    }

    /// Retires sales once more that were opened again after they had been retired, where nothing is open any more.
    pub(crate) async fn retire_again(&self) {
        for desk in self.desks() {
            let is_over = desk.ask(|book| {
                book.state() == SaleState::Retired && book.open_effects().next().is_none()
            });
            // A house that cannot be written leaves them open, which costs memory and nothing else.
            if is_over.await.is_ok_and(|is_over| is_over.value)
                && self.house.retire(desk.sale()).await.is_ok()
            {
                self.put_away(desk.sale()).await;
            }
        }
    }

    /// The desk of a sale; a retired one is opened from its journal again. The house notes that first: what comes late
    /// may begin a refund, and whoever starts the shop next has to carry it on.
    ///
    /// # Errors
    /// `TG-2001` for a sale that does not exist, `TG-5001` for one that cannot be opened, `TG-3003` where the house
    /// cannot note it.
    pub async fn desk(&self, sale: u32) -> Result<DeskHandle, Problem> {
        if let Some(desk) = self.seated(sale) {
            return Ok(desk);
        }
        if self.house.book().sale(sale).is_none() {
            return Err(Problem::new(Code::SaleNotFound));
        }
        let one = self.opening.clone().lock_owned().await;
        if let Some(desk) = self.seated(sale) {
            return Ok(desk);
        }
        if self
            .house
            .book()
            .sale(sale)
            .is_some_and(|sale| sale.retired)
        {
            let noted = self.house.reopen(sale).await;
            noted.map_err(|error| Problem::because(Code::ReadOnly, error.to_string()))?;
        }
        let (place, settings) = (self.place(sale), self.journal_settings());
        // What is opened for nobody is closed again before the guard goes.
        let opening = self.tasks.blocking(move || (place.open(settings), one));
        let (opened, _one) = match opening.await {
            Ok((opened, one)) => (opened, Some(one)),
            Err(_) => (Err(OpenError::Writer), None),
        };
        match opened {
            Ok((opened, _)) => Ok(self.seat(sale, opened)),
            Err(error) => {
                let (sale, reason) = (wire::sale_id(sale), error.to_string());
                self.telemetry.tell(&telemetry::fact::SaleStopped {
                    sale,
                    reason: &reason,
                });
                Err(Problem::because(
                    Code::Internal,
                    "the sale cannot be opened; the log says why",
                ))
            }
        }
    }

    /// Ends the desk of a retired sale and waits for it, so that nobody opens its journal a second time meanwhile; its
    /// memory is free then.
    pub(crate) async fn put_away(&self, sale: u32) {
        let one = self.opening.clone().lock_owned().await;
        let desk = self
            .desks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&sale);
        let running = self.running().remove(&sale);
        if let Some(desk) = desk {
            desk.close();
            self.projector.detach(sale);
            self.telemetry.meters().forget_sale(wire::sale_id(sale));
        }
        let ending = self.tasks.spawn(async move {
            if let Some(running) = running {
                // A desk that panicked has lost nothing that was durable; the log has its message.
                let _ = running.await;
            }
            drop(one);
        });
        // It cannot be waited for twice, and nothing else ends it.
        let _ = ending.await;
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u32, Task<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All open desks.
    pub fn desks(&self) -> Vec<DeskHandle> {
        self.desks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// What is wrong with any desk, in words.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let said = |desk: &DeskHandle| match desk.trouble() {
            Trouble::None => None,
            Trouble::ReadOnly(why) => Some(format!(
                "{} is read-only: {why}",
                wire::sale_id(desk.sale())
            )),
            Trouble::Stopped(why) => {
                Some(format!("{} is stopped: {why}", wire::sale_id(desk.sale())))
            }
        };
        let house = self.house.trouble();
        let house = house.map(|why| format!("the house is read-only: {why}"));
        self.desks().iter().filter_map(said).chain(house).collect()
    }

    /// Closes all desks and waits until they have finished what waits, at most for `patience`.
    pub(crate) async fn close(&self, patience: Duration) {
        for desk in self.desks() {
            desk.close();
        }
        let running =
            std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async {
            for desk in running.into_values() {
                // A desk that panicked has lost nothing that was durable; the log has its message.
                let _ = desk.await;
            }
        };
        let _ = self.tasks.timeout(patience, all).await;
    }

    async fn record(&self, sale: u32, report: Report) -> Result<(), ReportError> {
        let desk = self
            .desk(sale)
            .await
            .map_err(|problem| match problem.code() {
                Code::SaleNotFound => ReportError::Gone,
                _ => ReportError::Retry,
            })?;
        let command = Command {
            actor: Actor::House,
            key: key_of(&report),
            action: Action::Report(report),
        };
        let done = desk.submit(vec![command], |_, _| ()).await;
        match done {
            Ok(done) if done.value.iter().all(|done| done.decision.is_ok()) => Ok(()),
            Ok(_) => Err(ReportError::Gone),
            Err(DeskError::Busy | DeskError::Unknown | DeskError::ReadOnly(_)) => {
                Err(ReportError::Retry)
            }
            Err(DeskError::Closing | DeskError::Stopped(_)) => Err(ReportError::Retry),
        }
    }
}

/// A chargeback has no number of its own in a book, so a provider's name for it is what makes it book once.
fn key_of(report: &Report) -> Option<Box<str>> {
    match report {
        Report::Chargeback { reference, .. } => Some(format!("dispute_{reference}").into()),
        _ => None,
    }
}

type OpeningTask = (u32, Task<Result<(Opened, Findings), OpenError>>);

impl Desks for Registry {
    fn report(&self, sale: u32, report: Report) -> Reported<'_> {
        Box::pin(self.record(sale, report))
    }

    fn open_effects(&self, sale: u32) -> OpenEffects<'_> {
        Box::pin(async move {
            let desk = self.seated(sale).ok_or(ReportError::Gone)?;
            let asked = desk.ask(OpenNow::of).await;
            asked.map(|open| open.value).map_err(|_| ReportError::Retry)
        })
    }

    fn is_open(&self, sale: u32, effect: Effect) -> IsOpen<'_> {
        Box::pin(async move {
            let desk = self.seated(sale).ok_or(ReportError::Gone)?;
            let open =
                move |book: &commerce::Book| book.open_effect(effect.order, effect.kind).is_some();
            let asked = desk.ask(open).await;
            asked.map(|open| open.value).map_err(|_| ReportError::Retry)
        })
    }

    fn payer(&self, sale: u32, order: u32) -> Payer<'_> {
        Box::pin(async move {
            let desk = self.seated(sale).ok_or(ReportError::Gone)?;
            let buyer = move |book: &commerce::Book| book.order(order)?.buyer().map(Arc::from);
            let asked = desk.ask(buyer).await;
            asked
                .map(|buyer| buyer.value)
                .map_err(|_| ReportError::Retry)
        })
    }

    fn sales(&self) -> Vec<u32> {
        self.desks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .copied()
            .collect()
    }
}
