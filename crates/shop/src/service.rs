//! The shop as the front door sees it: the traits of `api`, on desks, house and read models.

mod audit;
mod keys;
mod knock;
mod live;
mod orders;
mod people;
mod queries;
mod risk;
mod sales;
mod sending;
mod teams;

pub use keys::scope_bits;
pub(crate) use keys::scope_names;
pub(crate) use sales::house_problem;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use api::service::{Answer, Caller, Health, Readiness};
use api::{Code, Problem, SaleId};
use commerce::{Actor, Book, Command};
use telemetry::RequestContext;
use world::Tasks;
use world::journal::Position;

use crate::delivery::Delivery;
use crate::desk::{DeskHandle, Durable};
use crate::house::By;
use crate::notices::NoticesHandle;
use crate::people::Keeper;
use crate::projector::ProjectorHandle;
use crate::provider::Provider;
use crate::registry::Registry;
use crate::risk::Guard;
use crate::wire;

/// The way into a running shop.
pub struct Handle {
    registry: Arc<Registry>,
    projector: ProjectorHandle,
    people: Keeper,
    provider: Arc<dyn Provider>,
    tasks: Tasks,
    watchers: Arc<AtomicUsize>,
    watchers_max: usize,
    risk: Guard,
    delivery: Delivery,
    notices: NoticesHandle,
}

/// What a command showed, and whether it was a repeat.
struct Told<T> {
    value: T,
    repeated: bool,
    position: Position,
}

impl Handle {
    pub(crate) fn new(
        registry: &Arc<Registry>,
        projector: &ProjectorHandle,
        (people, provider): (Keeper, Arc<dyn Provider>),
        tasks: Tasks,
        watchers_max: usize,
        risk: Guard,
        (delivery, notices): (Delivery, NoticesHandle),
    ) -> Self {
        Self {
            registry: Arc::clone(registry),
            projector: projector.clone(),
            people,
            provider,
            tasks,
            watchers: Arc::default(),
            watchers_max,
            risk,
            delivery,
            notices,
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

    /// The keeper of personal data.
    pub fn people(&self) -> &Keeper {
        &self.people
    }

    /// The read models' keeper.
    pub fn projector(&self) -> &ProjectorHandle {
        &self.projector
    }

    /// The desk of a sale that the caller may know of: a merchant only its own account's.
    async fn desk(&self, caller: &Caller, sale: SaleId) -> Result<DeskHandle, Problem> {
        self.may_know_of(caller, sale)?;
        self.registry.desk(sale.get()).await
    }

    /// Whether the caller may know that there is such a sale: to a merchant those of others are not there.
    fn may_know_of(&self, caller: &Caller, sale: SaleId) -> Result<(), Problem> {
        if let Caller::Merchant { account, .. } = caller {
            let house = self.registry.house().book();
            if house
                .sale(sale.get())
                .is_none_or(|sale| sale.account != *account)
            {
                return Err(Problem::new(Code::SaleNotFound));
            }
        }
        Ok(())
    }

    /// Submits one command and shows what it did.
    async fn tell<T: Send + 'static>(
        desk: &DeskHandle,
        command: Command,
        show: impl Fn(&Book, commerce::Done) -> Option<T> + Send + 'static,
    ) -> Result<Told<T>, Problem> {
        let sale = desk.sale();
        let done = desk.submit(vec![command], show).await;
        let Durable {
            mut value,
            position,
        } = done.map_err(|error| wire::desk_problem(&error))?;
        let done = value.pop().ok_or_else(|| Problem::new(Code::Internal))?;
        let shown = done
            .decision
            .map_err(|refusal| wire::problem(sale, &refusal))?;
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

/// Who asks, as the audit knows them: the key, or `house` for a command on the machine itself. A buyer is not named.
fn by(caller: &Caller) -> By {
    let trace = RequestContext::current().map(|context| context.trace_id);
    match caller {
        Caller::Merchant { account, key, .. } if key.0 != 0 => By {
            account: account.clone(),
            who: key.to_string().into(),
            trace,
        },
        Caller::Merchant { account, .. } => By::house(account),
        Caller::Buyer { .. } => By {
            account: "".into(),
            who: "buyer".into(),
            trace,
        },
        Caller::Provider => By {
            account: "".into(),
            who: "provider".into(),
            trace,
        },
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
