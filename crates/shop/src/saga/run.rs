//! The runner's one task, and the attempts beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api::{OrderId, SaleId};
use commerce::saga::{Call, Op, SagaAsk, Said, Stage, StepKey};
use commerce::{Action, Actor, Command, Time};
use telemetry::Telemetry;
use telemetry::fact::{SagaAges, SagaAttempted};
use tokio::sync::{mpsc, watch};
use world::tasks::Task;
use world::{Clock, Tasks};

use super::inside::inside;
use super::participant::{Heard, Participant, StepAsk};
use super::settings::Settings;
use super::{HttpParticipant, Wakes};
use crate::desk::{DeskError, DeskHandle};
use crate::provider::Line;
use crate::provider::client::UrlError;
use crate::provider::signature::Secret;
use crate::registry::Registry;

/// How often all sales are looked at, whatever the wakes say, and the ages are counted.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one desk may take to answer.
const LOOK_MOST: Duration = Duration::from_millis(500);
/// The wait before an answer that a desk did not take is brought again.
const TELL_AGAIN: Duration = Duration::from_millis(100);
/// How often it is brought again. After that the book's own deadline has long passed, and the step is tried anew.
const TELL_MOST: u32 = 50;

/// Runs the sagas of all sales.
pub struct Runner {
    settings: Settings,
    shared: Arc<Shared>,
    wakes: Wakes,
    /// Attempts under way, by step.
    under_way: BTreeMap<StepKey, Task<()>>,
    /// Sales that were looked at since the start: what is under way there was begun by this process.
    known: BTreeSet<u32>,
    /// Sales without any saga, where none will begin.
    quiet: BTreeSet<u32>,
}

/// What every attempt needs.
struct Shared {
    registry: Arc<Registry>,
    participants: BTreeMap<&'static str, Arc<dyn Participant>>,
    tasks: Tasks,
    telemetry: Telemetry,
}

/// Whether a participant may have been asked before this process looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Never,
    Perhaps,
}

impl Runner {
    /// A runner for the sales of a registry.
    ///
    /// # Errors
    /// [`UrlError`] when a participant's URL is none that can be called.
    pub(crate) fn new(
        settings: Settings,
        registry: Arc<Registry>,
        wakes: Wakes,
        line: &Line,
        clock: &Arc<dyn Clock>,
        telemetry: Telemetry,
    ) -> Result<Self, UrlError> {
        let mut participants = BTreeMap::new();
        let secret = settings.secret.as_ref();
        let secret = secret.and_then(|secret| Secret::new(secret.bytes()));
        for kind in commerce::saga::Kind::ALL {
            for plan in kind.steps() {
                let url = match plan.name {
                    "carrier" => settings.carrier_url.as_deref(),
                    "customs" => settings.customs_url.as_deref(),
                    _ => None,
                };
                let participant: Arc<dyn Participant> = match (url, &secret) {
                    (Some(url), Some(secret)) => {
                        let most = Duration::from_millis(u64::from(plan.timeout_ms));
                        let (secret, clock) = (secret.clone(), Arc::clone(clock));
                        Arc::new(HttpParticipant::new(url, secret, clock, line, most)?)
                    }
                    _ => inside(&registry, plan.name),
                };
                participants.insert(plan.name, participant);
            }
        }
        let shared = Shared {
            registry,
            participants,
            tasks: line.tasks.clone(),
            telemetry,
        };
        Ok(Self {
            settings,
            shared: Arc::new(shared),
            wakes,
            under_way: BTreeMap::new(),
            known: BTreeSet::new(),
            quiet: BTreeSet::new(),
        })
    }

    /// Runs until it is told to stop. Attempts under way are left: the next start finds them in the books.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let (ended, mut ends) = mpsc::channel(self.settings.attempts_max.max(1));
        self.look_at_all(&ended).await;
        let mut next = self.shared.tasks.now() + LOOK_EVERY;
        loop {
            let wait = next.saturating_sub(self.shared.tasks.now());
            let tick = self.shared.tasks.sleep(wait);
            let wakes = self.wakes.clone();
            tokio::select! {
                biased;
                () = stopped(&mut stopping) => break,
                Some(key) = ends.recv() => {
                    self.under_way.remove(&key);
                    // Something may have had no place while this was under way.
                    self.wakes.wake(key.sale);
                }
                sales = wakes.take() => {
                    for sale in sales {
                        self.look(sale, &ended).await;
                    }
                }
                () = tick => {
                    next = self.shared.tasks.now() + LOOK_EVERY;
                    self.look_at_all(&ended).await;
                    self.count().await;
                }
            }
        }
        // Nothing of this shop outlives it, so that its directory is free.
        let attempts = std::mem::take(&mut self.under_way);
        attempts.values().for_each(Task::abort);
        for attempt in attempts.into_values() {
            let _ = attempt.await;
        }
    }

    async fn look_at_all(&mut self, ended: &mpsc::Sender<StepKey>) {
        for desk in self.shared.registry.desks() {
            self.look(desk.sale(), ended).await;
        }
    }

    /// Makes the attempts of a sale that its book has on record.
    async fn look(&mut self, sale: u32, ended: &mpsc::Sender<StepKey>) {
        let Some(desk) = self.shared.registry.seated(sale) else {
            return;
        };
        if self.quiet.contains(&sale) {
            return;
        }
        let seen = desk.ask(|book| {
            let calls: Vec<Call> = book.saga_calls().collect();
            (book.exists(), book.saga_kind(), book.saga_counts().1, calls)
        });
        // A desk that hangs holds up nobody else's sagas.
        let Some(Ok(seen)) = self.shared.tasks.timeout(LOOK_MOST, seen).await else {
            return;
        };
        let (exists, kind, open, calls) = seen.value;
        let wanted = self.settings.kind();
        if exists && kind != wanted {
            // A desk that is busy hears it at the next look.
            let told = tell(&desk, SagaAsk::Begin(wanted));
            let _told = self.shared.tasks.timeout(LOOK_MOST, told).await;
        } else if exists && wanted.is_none() && open == 0 {
            self.quiet.insert(sale);
        }
        let asked = match self.known.insert(sale) {
            true => Asked::Perhaps,
            false => Asked::Never,
        };
        for call in calls {
            self.begin(sale, call, asked, ended);
        }
    }

    fn begin(&mut self, sale: u32, call: Call, asked: Asked, ended: &mpsc::Sender<StepKey>) {
        let key = StepKey {
            sale,
            saga: call.saga,
            step: call.step,
        };
        let full = self.under_way.len() >= self.settings.attempts_max;
        if full || self.under_way.contains_key(&key) {
            return;
        }
        let asked = match call.attempt {
            1 => asked,
            _ => Asked::Perhaps,
        };
        let (shared, ended) = (Arc::clone(&self.shared), ended.clone());
        let attempt = async move {
            shared.attempt(key, call, asked).await;
            // A runner that has stopped needs to know nothing.
            let _ = ended.send(key).await;
        };
        self.under_way.insert(key, self.shared.tasks.spawn(attempt));
    }

    /// Counts what is open, what is parked, and how old the oldest unfinished step is.
    async fn count(&self) {
        let (mut open, mut parked, mut oldest) = (0, 0, Duration::ZERO);
        for desk in self.shared.registry.desks() {
            if self.quiet.contains(&desk.sale()) {
                continue;
            }
            let seen = desk.ask(|book| ages(book, book.time()));
            let Some(Ok(seen)) = self.shared.tasks.timeout(LOOK_MOST, seen).await else {
                continue;
            };
            let (some, waiting, age) = seen.value;
            open += some;
            parked += waiting;
            oldest = oldest.max(age);
        }
        let ages = SagaAges {
            open,
            parked,
            oldest,
        };
        self.shared.telemetry.tell(&ages);
    }
}

/// Over once the shop stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same as its message.
    let _ = stopping.wait_for(|stop| *stop).await;
}

fn ages(book: &commerce::Book, now: Time) -> (u64, u64, Duration) {
    let (mut open, mut parked, mut oldest) = (0, 0, Duration::ZERO);
    for found in book.open_sagas() {
        open += 1;
        let stage = found.saga.at.stage;
        parked += u64::from(matches!(stage, Stage::Parked | Stage::UndoParked));
        let age = now.0.saturating_sub(found.saga.since.0);
        oldest = oldest.max(Duration::from_millis(age));
    }
    (open, parked, oldest)
}

impl Shared {
    /// One attempt: within its time, and its end on record.
    async fn attempt(&self, key: StepKey, call: Call, asked: Asked) {
        let order = SaleId::new(key.sale).and_then(|sale| OrderId::new(sale, call.order.into()));
        let plan = call.kind.steps().get(usize::from(call.step));
        let (Some(order), Some(plan)) = (order, plan) else {
            return;
        };
        let ask = StepAsk {
            key,
            op: call.op,
            kind: call.kind,
            step: plan.name,
            order,
            attempt: call.attempt,
        };
        let begun = self.tasks.now();
        let most = Duration::from_millis(u64::from(plan.timeout_ms));
        let said = self.tasks.timeout(most, self.ask(ask.clone(), asked)).await;
        let said = said.unwrap_or(Said::Unknown);
        self.telemetry.tell(&SagaAttempted {
            key: &key.to_string(),
            step: plan.name,
            way: match call.op {
                Op::Forward => "forward",
                Op::Undo => "undo",
            },
            attempt: call.attempt,
            said: match said {
                Said::Done => "done",
                Said::Failed => "failed",
                Said::Unknown => "unknown",
            },
            took: self.tasks.now().saturating_sub(begun),
        });
        self.record(key, call, said).await;
    }

    async fn ask(&self, ask: StepAsk, asked: Asked) -> Said {
        let Some(participant) = self.participants.get(ask.step) else {
            return Said::Unknown;
        };
        if asked == Asked::Perhaps
            && let Heard::Said(said) = participant.status(ask.clone()).await
        {
            return said;
        }
        participant.act(ask).await
    }

    async fn record(&self, key: StepKey, call: Call, said: Said) {
        let answer = SagaAsk::Answer {
            saga: call.saga,
            step: call.step,
            op: call.op,
            said,
        };
        for _ in 0..TELL_MOST {
            let Some(desk) = self.registry.seated(key.sale) else {
                return;
            };
            match tell(&desk, answer).await {
                Ok(()) | Err(DeskError::Closing | DeskError::Stopped(_)) => return,
                Err(DeskError::Busy | DeskError::Unknown | DeskError::ReadOnly(_)) => {
                    self.tasks.sleep(TELL_AGAIN).await;
                }
            }
        }
    }
}

/// Brings something to a book; what the book makes of it is the book's affair.
async fn tell(desk: &DeskHandle, ask: SagaAsk) -> Result<(), DeskError> {
    let command = Command {
        actor: Actor::House,
        key: None,
        action: Action::Saga(ask),
    };
    desk.submit(vec![command], |_, _| ()).await.map(|_| ())
}
