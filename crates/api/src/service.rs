//! What can be asked of a running shop. The front door calls these traits; the shop implements them.

use crate::audit::{AuditPage, AuditQuery};
use crate::code::Code;
use crate::export::Format;
use crate::id::{KeyId, OrderId, RequestId, SaleId, TeamId, TicketId};
use crate::key::{ApiKey, ApiKeys, CreateKey, CreatedKey};
use crate::line::{JoinLine, Ticket};
use crate::live::LiveTick;
use crate::offer::AlterOffer;
use crate::order::{
    BatchOrder, BatchResults, Order, OrderEvents, OrderPage, OrderQuery, PlaceOrder,
};
use crate::people::{Erased, Person, PersonData};
use crate::plan::{AlterSale, CreateSale};
use crate::position::Position;
use crate::problem::Problem;
use crate::provider::{Knock, ProviderReport};
use crate::refund::{Chargeback, Refund, RefundOrder};
use crate::sale::{Sale, SalePage, SaleQuery, Turn};
use crate::scope::{Scope, Scopes};
use crate::sending::{
    CarrierWord, DeadNotices, NoticesRetried, Saga, SagaPage, SagaQuery, SagaVerb, ShipOrder,
};
use crate::stock::{AddStock, Inventory, WriteOff};
use crate::team::{Team, TeamPage, TeamQuery};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

/// An answer on its way.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<Answer<T>, Problem>> + Send + 'a>>;

/// A live stream on its way.
pub type Watching<'a> =
    Pin<Box<dyn Future<Output = Result<Box<dyn LiveFeed>, Problem>> + Send + 'a>>;

/// What was asked for, and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// What was asked for.
    pub body: T,
    /// The idempotency key was known: nothing was done again.
    pub repeated: bool,
    /// The journal's position that makes the answer durable.
    pub position: Option<(SaleId, Position)>,
}

impl<T> Answer<T> {
    /// An answer that no journal stands behind.
    #[must_use]
    pub const fn plain(body: T) -> Self {
        Self {
            body,
            repeated: false,
            position: None,
        }
    }
}

/// Who asks, under which key, in which request.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who asks. The door has checked the credentials and the scope of the route.
    pub caller: Caller,
    /// The idempotency key, 1 to 128 visible ASCII bytes; present on every change but a provider's report.
    pub key: Option<Box<str>>,
    /// The name of the request in logs and answers.
    pub request_id: RequestId,
    /// Where the request came from, as far as the door believes it; `None` for the house itself.
    pub address: Option<IpAddr>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A merchant's program.
    Merchant {
        /// The account that the key acts for.
        account: Arc<str>,
        /// The key.
        key: KeyId,
        /// What it may do.
        scopes: Scopes,
    },
    /// A buyer, by a token that the merchant signed.
    Buyer {
        /// The buyer's pseudonym.
        id: Arc<str>,
        /// The buyer's tags.
        tags: Arc<[Box<str>]>,
    },
    /// A payment provider, by a signature over its callback.
    Provider,
}

impl Caller {
    /// Whether the caller holds a scope. Buyers and providers hold none.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        matches!(self, Self::Merchant { scopes, .. } if scopes.has(scope))
    }
}

/// Sales and their stock.
pub trait Sales: Send + Sync {
    /// Begins a sale, in state draft.
    fn create(&self, call: Call, body: CreateSale) -> Reply<'_, Sale>;
    /// Changes a sale.
    fn alter(&self, call: Call, sale: SaleId, body: AlterSale) -> Reply<'_, Sale>;
    /// Changes the whole offer of a sale.
    fn alter_offer(&self, call: Call, sale: SaleId, body: AlterOffer) -> Reply<'_, Sale>;
    /// Moves a sale through its life.
    fn turn(&self, call: Call, sale: SaleId, turn: Turn) -> Reply<'_, Sale>;
    /// Brings units in.
    fn add_stock(&self, call: Call, sale: SaleId, body: AddStock) -> Reply<'_, Sale>;
    /// Takes units out unsold.
    fn write_off(&self, call: Call, sale: SaleId, body: WriteOff) -> Reply<'_, Sale>;
    /// One sale, from its book.
    fn sale(&self, call: Call, sale: SaleId) -> Reply<'_, Sale>;
    /// Sales, from the read model.
    fn sales(&self, call: Call, query: SaleQuery) -> Reply<'_, SalePage>;
    /// Teams of a sale, newest first, from its book.
    fn teams(&self, call: Call, sale: SaleId, query: TeamQuery) -> Reply<'_, TeamPage>;
    /// One team, from the book of its sale. A buyer who is a member sees seats without names, any other buyer none.
    fn team(&self, call: Call, team: TeamId) -> Reply<'_, Team>;
    /// Units of a SKU, from the books.
    fn inventory(&self, call: Call, sku: Box<str>, sale: Option<SaleId>) -> Reply<'_, Inventory>;
    /// The live stream of a sale that the caller may look at; too many watchers are an error.
    fn watch(&self, call: Call, sale: SaleId) -> Watching<'_>;
}

/// Orders and their money. A buyer sees and touches only its own.
pub trait Orders: Send + Sync {
    /// Places an order.
    fn place(&self, call: Call, body: PlaceOrder) -> Reply<'_, Order>;
    /// Places many, each decided by itself.
    fn place_batch(&self, call: Call, orders: Vec<BatchOrder>) -> Reply<'_, BatchResults>;
    /// One order, from its book.
    fn order(&self, call: Call, order: OrderId) -> Reply<'_, Order>;
    /// What happened to an order.
    fn events(&self, call: Call, order: OrderId) -> Reply<'_, OrderEvents>;
    /// Orders, from the read model.
    fn orders(&self, call: Call, query: OrderQuery) -> Reply<'_, OrderPage>;
    /// Starts to charge an order.
    fn pay(&self, call: Call, order: OrderId) -> Reply<'_, Order>;
    /// Gives an order up.
    fn cancel(&self, call: Call, order: OrderId) -> Reply<'_, Order>;
    /// Promises money back.
    fn refund(&self, call: Call, order: OrderId, body: RefundOrder) -> Reply<'_, Refund>;
    /// Waits in line for units of a sold-out SKU.
    fn join_line(&self, call: Call, sale: SaleId, body: JoinLine) -> Reply<'_, Ticket>;
    /// A place in the line, from the book.
    fn ticket(&self, call: Call, ticket: TicketId) -> Reply<'_, Ticket>;
    /// Gives a place in the line up.
    fn leave_line(&self, call: Call, ticket: TicketId) -> Reply<'_, Ticket>;
    /// The goods left, or a part of them.
    fn ship(&self, call: Call, order: OrderId, body: ShipOrder) -> Reply<'_, Order>;
    /// The goods arrived.
    fn deliver(&self, call: Call, order: OrderId) -> Reply<'_, Order>;
    /// All orders of a sale leave as a file: who took them goes on record before the first of them does.
    fn export(&self, call: Call, sale: SaleId, format: Format) -> Reply<'_, ()>;
    /// The buyer's bank took money back.
    fn chargeback(&self, call: Call, order: OrderId, body: Chargeback) -> Reply<'_, Order>;
    /// A provider says what became of a charge or refund.
    fn report(&self, call: Call, report: ProviderReport) -> Reply<'_, ()>;
    /// Somebody knocks in the name of a provider; what it says counts once it is proven and fits the book. Where that
    /// provider is not connected there is nothing behind the door.
    fn knock(&self, call: Call, knock: Knock) -> Reply<'_, ()> {
        drop((call, knock));
        let nobody = Problem::because(Code::NoRoute, "no such payment provider is connected here");
        Box::pin(std::future::ready(Err(nobody)))
    }
}

/// API keys.
pub trait Keys: Send + Sync {
    /// Who presents this key text (`tgk_<id>_<secret>`). Takes the same time for every wrong secret.
    ///
    /// # Errors
    /// `TG-1101`: unknown, wrong or revoked.
    fn verify(&self, presented: &str) -> Result<Caller, Problem>;
    /// Makes a key.
    fn create(&self, call: Call, body: CreateKey) -> Reply<'_, CreatedKey>;
    /// All keys.
    fn list(&self, call: Call) -> Reply<'_, ApiKeys>;
    /// Ends a key, at once and for good.
    fn revoke(&self, call: Call, key: KeyId) -> Reply<'_, ApiKey>;
}

/// What happens outside once an order is paid.
pub trait Sending: Send + Sync {
    /// Sagas of a sale.
    fn sagas(&self, call: Call, query: SagaQuery) -> Reply<'_, SagaPage>;
    /// The saga of an order.
    fn saga(&self, call: Call, order: OrderId) -> Reply<'_, Saga>;
    /// An operator decides about a saga.
    fn order_saga(&self, call: Call, order: OrderId, verb: SagaVerb) -> Reply<'_, Saga>;
    /// A carrier says something about a parcel.
    fn carrier(&self, call: Call, carrier: Box<str>, word: CarrierWord) -> Reply<'_, ()>;
    /// Notices that were given up.
    fn dead_notices(&self, call: Call) -> Reply<'_, DeadNotices>;
    /// Tries them again.
    fn retry_notices(&self, call: Call) -> Reply<'_, NoticesRetried>;
}

/// Personal data. A buyer sees and touches only its own.
pub trait People: Send + Sync {
    /// Keeps data about a buyer, in the place of what was kept before.
    fn put(&self, call: Call, buyer: Box<str>, body: PersonData) -> Reply<'_, Person>;
    /// What is kept about a buyer.
    fn person(&self, call: Call, buyer: Box<str>) -> Reply<'_, Person>;
    /// Destroys what is kept about a buyer, for good.
    fn erase(&self, call: Call, buyer: Box<str>) -> Reply<'_, Erased>;
}

/// The record of administrative acts.
pub trait Audits: Send + Sync {
    /// Acts of the caller's account, oldest first.
    fn acts(&self, call: Call, query: AuditQuery) -> Reply<'_, AuditPage>;
}

/// Whether traffic should come here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Everything works.
    pub ready: bool,
    /// Why not, for people.
    pub reasons: Vec<String>,
}

/// The state of health.
pub trait Health: Send + Sync {
    /// Whether traffic should come here, and why not.
    fn ready(&self) -> Readiness;
}

/// The live stream of one sale.
pub trait LiveFeed: Send {
    /// The next tick: after 250 ms while something changes, after 5 s at the latest; `None` when the server stops.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<LiveTick>> + Send + '_>>;
}
