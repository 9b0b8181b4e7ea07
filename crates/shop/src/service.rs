//! The shop as the front door sees it: the traits of `api`, on desks, house and read models.

mod keys;
mod live;
mod orders;
mod queries;
mod risk;
mod sales;

pub use keys::scope_bits;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use api::service::{Answer, Caller, Health, Readiness};
use api::{Code, Problem, SaleId};
use commerce::{Actor, Book, Command};
use world::Tasks;
use world::journal::Position;

use crate::desk::{DeskHandle, Durable};
use crate::projector::ProjectorHandle;
use crate::registry::Registry;
use crate::risk::Guard;
use crate::wire;

/// The way into a running shop.
pub struct Handle {
    registry: Arc<Registry>,
    projector: ProjectorHandle,
    tasks: Tasks,
    watchers: Arc<AtomicUsize>,
    watchers_max: usize,
    risk: Guard,
}

/// What a command showed, and whether it was a repeat.
struct Told<T> {
    value: T,
    repeated: bool,
    position: Position,
}

impl Handle {
    pub(crate) fn new(
        registry: Arc<Registry>,
        projector: ProjectorHandle,
        tasks: Tasks,
        watchers_max: usize,
        risk: Guard,
    ) -> Self {
        Self {
            registry,
            projector,
            tasks,
            watchers: Arc::default(),
            watchers_max,
            risk,
        }
    }

    /// The registry behind the handle.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The guard of risk.
    pub fn risk(&self) -> &Guard {
        &self.risk
    }

    /// The read models' keeper.
    pub fn projector(&self) -> &ProjectorHandle {
        &self.projector
    }

    /// The desk of a sale that the caller may know of: a merchant only its own account's.
    async fn desk(&self, caller: &Caller, sale: SaleId) -> Result<DeskHandle, Problem> {
        if let Caller::Merchant { account, .. } = caller {
            let house = self.registry.house().book();
            if house
                .sale(sale.get())
                .is_none_or(|sale| sale.account != *account)
            {
                return Err(Problem::new(Code::SaleNotFound));
            }
        }
        self.registry.desk(sale.get()).await
    }

    /// Submits one command and shows what it did.
    async fn tell<T: Send + 'static>(
        desk: &DeskHandle,
        command: Command,
        show: impl Fn(&Book, commerce::Done) -> Option<T> + Send + 'static,
    ) -> Result<Told<T>, Problem> {
        let done = desk.submit(vec![command], show).await;
        let Durable {
            mut value,
            position,
        } = done.map_err(|error| wire::desk_problem(&error))?;
        let done = value.pop().ok_or_else(|| Problem::new(Code::Internal))?;
        let shown = done.decision.map_err(|refusal| wire::problem(&refusal))?;
        let value = shown.ok_or_else(|| Problem::new(Code::Internal))?;
        Ok(Told {
            value,
            repeated: done.repeated,
            position,
        })
    }

    /// Asks the book and gives the answer with its position.
    async fn ask<T: Send + 'static>(
        desk: &DeskHandle,
        look: impl FnMut(&Book) -> T + Send + 'static,
    ) -> Result<Durable<T>, Problem> {
        desk.ask(look)
            .await
            .map_err(|error| wire::desk_problem(&error))
    }
}

impl<T> Told<T> {
    fn answer(self, sale: SaleId) -> Answer<T> {
        Answer {
            body: self.value,
            repeated: self.repeated,
            position: Some((sale, wire::position(self.position))),
        }
    }
}

/// Who asks, as the book knows them.
fn actor(caller: &Caller) -> Actor {
    match caller {
        Caller::Merchant { account, .. } => Actor::Merchant(account.clone()),
        Caller::Buyer { id, .. } => Actor::Buyer(id.clone()),
        Caller::Provider => Actor::House,
    }
}

impl Health for Handle {
    fn ready(&self) -> Readiness {
        let mut reasons = self.registry.troubles();
        reasons.extend(self.projector.troubles());
        Readiness {
            ready: reasons.is_empty(),
            reasons,
        }
    }
}
