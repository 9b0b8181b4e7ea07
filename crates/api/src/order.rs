//! Orders on the wire: placing them, alone and in batches, and what they look like afterwards.

pub use crate::action::{ACTION_BYTES_MAX, ActionKind, PaymentAction};

use crate::buyer::BuyerFacts;
use crate::check::{Check, Faults, is_key, keyed, lenient_u32};
use crate::currency::Currency;
use crate::deal::{AskedTeam, OrderDues, OrderOff, OrderTeam};
use crate::id::{OrderId, PaymentId, SaleId};
use crate::limits::{
    BATCH_ORDERS_MAX, BUYER_MAX, CODES_MAX, CURSOR_MAX, LINES_MAX, PAGE_DEFAULT, PAGE_MAX,
    QUANTITY_MAX, REFERENCE_MAX, SKU_MAX, TAG_MAX, TAGS_MAX,
};
use crate::position::Position;
use crate::price::PriceText;
use crate::refund::Refund;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One line of an order that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskedLine {
    /// The SKU, 1 to 64 bytes.
    pub sku: Box<str>,
    /// Units, 1 to 1,000,000. The same SKU in several lines counts together.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
    /// Price of one unit instead of the sale's own; needs the scope `orders:price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceText>,
}

/// Money that was collected elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaidElsewhere {
    /// Under which reference, 1 to 128 bytes.
    pub reference: Box<str>,
}

/// Body of `POST /v1/orders`: all lines or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// The sale that sells the lines.
    pub sale_id: SaleId,
    /// 1 to 2,000 lines.
    pub lines: Vec<AskedLine>,
    /// The buyer's pseudonym, 1 to 64 bytes; merchants only, a buyer's own token names the buyer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Box<str>>,
    /// The buyer's tags for the sale's rules; merchants only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Box<str>>>,
    /// What else is known of the buyer, for rules; merchants only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<BuyerFacts>,
    /// Sold at once, for money that was collected elsewhere; needs the scope `orders:paid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<PaidElsewhere>,
    /// A seat in a team of a group buy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<AskedTeam>,
    /// Coupons by their codes, at most 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<Box<str>>,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

keyed!(PlaceOrder);

impl Check for PlaceOrder {
    fn check(&self, faults: &mut Faults) {
        check_lines(faults, "", &self.lines);
        check_buyer(faults, "", self.buyer.as_deref(), self.tags.as_deref());
        BuyerFacts::check_maybe(self.facts.as_ref(), faults, "");
        faults.maybe_text(
            "paid.reference",
            self.paid.as_ref().map(|paid| &*paid.reference),
            REFERENCE_MAX,
        );
        if let Some(team) = self.team {
            team.check_at(faults, "", self.sale_id);
        }
        check_coupons(faults, "", &self.coupons);
    }
}

/// One order of a batch; the fields are those of [`PlaceOrder`], but the key is part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchOrder {
    /// The idempotency key of this order.
    pub idempotency_key: Box<str>,
    /// The sale that sells the lines.
    pub sale_id: SaleId,
    /// 1 to 2,000 lines.
    pub lines: Vec<AskedLine>,
    /// The buyer's pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Box<str>>,
    /// The buyer's tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Box<str>>>,
    /// What else is known of the buyer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<BuyerFacts>,
    /// Sold at once, for money that was collected elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<PaidElsewhere>,
    /// A seat in a team of a group buy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<AskedTeam>,
    /// Coupons by their codes, at most 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<Box<str>>,
}

/// Body of `POST /v1/orders:batch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceBatch {
    /// 1 to 1,000 orders. Each is decided by itself, in this order.
    pub orders: Vec<BatchOrder>,
}

impl Check for PlaceBatch {
    fn check(&self, faults: &mut Faults) {
        if self.orders.is_empty() {
            faults.add("orders", "must not be empty");
        }
        faults.at_most("orders", self.orders.len(), BATCH_ORDERS_MAX);
        for (place, order) in self.orders.iter().enumerate().take(BATCH_ORDERS_MAX) {
            order.check_at(faults, place);
        }
    }
}

impl BatchOrder {
    fn check_at(&self, faults: &mut Faults, place: usize) {
        let path = BatchPath(place);
        if !is_key(self.idempotency_key.as_bytes()) {
            faults.add(
                format_args!("{path}idempotency_key"),
                "must be 1 to 128 visible ASCII bytes",
            );
        }
        check_lines(faults, path, &self.lines);
        check_buyer(faults, path, self.buyer.as_deref(), self.tags.as_deref());
        BuyerFacts::check_maybe(self.facts.as_ref(), faults, path);
        let reference = self.paid.as_ref().map(|paid| &*paid.reference);
        faults.maybe_text(
            format_args!("{path}paid.reference"),
            reference,
            REFERENCE_MAX,
        );
        if let Some(team) = self.team {
            team.check_at(faults, path, self.sale_id);
        }
        check_coupons(faults, path, &self.coupons);
    }
}

/// Where the fields of one order of a batch are.
#[derive(Clone, Copy)]
struct BatchPath(usize);

impl std::fmt::Display for BatchPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "orders[{}].", self.0)
    }
}

fn check_coupons(faults: &mut Faults, path: impl std::fmt::Display + Copy, coupons: &[Box<str>]) {
    faults.at_most(format_args!("{path}coupons"), coupons.len(), CODES_MAX);
    for (place, code) in coupons.iter().enumerate().take(CODES_MAX) {
        faults.text(format_args!("{path}coupons[{place}]"), code, SKU_MAX);
    }
}

fn check_lines(faults: &mut Faults, path: impl std::fmt::Display + Copy, lines: &[AskedLine]) {
    if lines.is_empty() {
        faults.add(format_args!("{path}lines"), "must not be empty");
    }
    faults.at_most(format_args!("{path}lines"), lines.len(), LINES_MAX);
    for (place, line) in lines.iter().enumerate().take(LINES_MAX) {
        faults.text(format_args!("{path}lines[{place}].sku"), &line.sku, SKU_MAX);
        faults.between(
            format_args!("{path}lines[{place}].quantity"),
            line.quantity.into(),
            1,
            QUANTITY_MAX.into(),
        );
        faults.price(format_args!("{path}lines[{place}].price"), line.price);
    }
}

fn check_buyer(
    faults: &mut Faults,
    path: impl std::fmt::Display,
    buyer: Option<&str>,
    tags: Option<&[Box<str>]>,
) {
    faults.maybe_text(format_args!("{path}buyer"), buyer, BUYER_MAX);
    let tags = tags.unwrap_or_default();
    faults.at_most(format_args!("{path}tags"), tags.len(), TAGS_MAX);
    for (place, tag) in tags.iter().enumerate().take(TAGS_MAX) {
        faults.text(format_args!("{path}tags[{place}]"), tag, TAG_MAX);
    }
}

/// Where an order stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Its units are held; it waits to be paid.
    Held,
    /// A charge is in flight.
    Paying,
    /// Paid; the units are sold.
    Paid,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Given up before it was paid.
    Cancelled,
    /// Not paid in time.
    Expired,
    /// All money was given back.
    Refunded,
    /// The deposit is paid; its units are held until the balance is due.
    Deposited,
}

impl OrderState {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Paying => "paying",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Refunded => "refunded",
            Self::Deposited => "deposited",
        }
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderLine {
    /// Its place in the order, from 0.
    pub line: u16,
    /// The SKU.
    pub sku: Box<str>,
    /// Units bought.
    pub quantity: u32,
    /// Price of one unit.
    pub price: PriceText,
    /// Price of the line in minor units, rounded once, half to even.
    pub total_minor: i64,
    /// Units that came back with refunds.
    pub returned_quantity: u32,
}

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// The provider was asked.
    Charging,
    /// The provider is being left alone because it answers nobody; the payment waits for it and is not lost.
    Delayed,
    /// The provider's answer was lost; it is being asked again under the same key.
    Unknown,
    /// The money was captured.
    Captured,
    /// The provider declined.
    Failed,
    /// Collected elsewhere.
    External,
    /// The bank set the money aside; its capture follows.
    Authorised,
}

/// The newest payment of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    /// Its identifier, which is also the provider's idempotency key.
    pub id: PaymentId,
    /// Where it stands.
    pub state: PaymentState,
    /// What the buyer's page needs to finish it; a moment after the payment began, and only while it waits for the
    /// buyer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<PaymentAction>,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// Its identifier.
    pub id: OrderId,
    /// The sale.
    pub sale_id: SaleId,
    /// The buyer's pseudonym, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Box<str>>,
    /// Where it stands.
    pub state: OrderState,
    /// The sale's currency.
    pub currency: Currency,
    /// Sum of its lines, less what came off, minor units.
    pub total_minor: i64,
    /// Its lines.
    pub lines: Vec<OrderLine>,
    /// Money captured, minor units.
    pub captured_minor: i64,
    /// Money given back, minor units.
    pub refunded_minor: i64,
    /// Money that is on its way back, minor units.
    pub refund_pending_minor: i64,
    /// Money that the buyer's bank took back, minor units.
    pub charged_back_minor: i64,
    /// When it was placed.
    pub placed_at: Time,
    /// Until when its units are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_expires_at: Option<Time>,
    /// The newest payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
    /// Its refunds.
    pub refunds: Vec<Refund>,
    /// Its seat in a team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<OrderTeam>,
    /// What came off the price of its lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub off: Vec<OrderOff>,
    /// What went back of its price as its team ended in a better tier, minor units.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub difference_minor: i64,
    /// Deposit and balance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dues: Option<OrderDues>,
    /// What the next payment is for, minor units; 0 when nothing is due.
    #[serde(default)]
    pub due_minor: i64,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
const fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

/// What happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderEventKind {
    /// It was placed and its units were held.
    Placed,
    /// It was placed as paid elsewhere.
    PlacedPaid,
    /// A charge was started.
    PaymentStarted,
    /// A charge was captured and kept.
    PaymentCaptured,
    /// A charge was captured too late or twice; it goes back.
    PaymentReturned,
    /// A charge failed.
    PaymentFailed,
    /// The outcome of a charge is not known yet.
    PaymentUnknown,
    /// It was cancelled.
    Cancelled,
    /// Its hold expired.
    Expired,
    /// A refund was promised.
    RefundStarted,
    /// A refund arrived.
    Refunded,
    /// A refund failed at the provider.
    RefundFailed,
    /// The buyer's bank took money back.
    ChargedBack,
    /// It was shipped.
    Shipped,
    /// It was delivered.
    Delivered,
    /// The bank set the money aside.
    PaymentAuthorised,
    /// The deposit was captured and kept.
    DepositPaid,
    /// Its hold lives longer, since a payment was in flight.
    HoldExtended,
    /// The balance was not paid in time.
    BalanceLapsed,
    /// Its team ended, and it was settled.
    TeamSettled,
    /// It won a prize unit.
    Won,
}

/// One thing that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderEvent {
    /// Number of the journal's batch that records it.
    pub sequence: u64,
    /// When.
    pub at: Time,
    /// What.
    pub event: OrderEventKind,
    /// How much money it was about, minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<i64>,
    /// How many units it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
    /// A payment, refund or outside reference that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Box<str>>,
}

/// Answer of `GET /v1/orders/{id}/events`, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderEvents {
    /// The events.
    pub events: Vec<OrderEvent>,
    /// How fresh the answer is, when it comes from the read model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_model: Option<ReadModel>,
}

/// Answer to one order of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchResult {
    /// The HTTP status that this order would have had alone.
    pub status: u16,
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<OrderId>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<OrderState>,
    /// Its price, minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_minor: Option<i64>,
    /// It had been placed before with the same key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    /// Why not: the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<std::borrow::Cow<'static, str>>,
    /// Why not: the sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<std::borrow::Cow<'static, str>>,
    /// Units that could still be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units_left: Option<u32>,
}

/// A place in the journal of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SalePosition {
    /// The sale.
    pub sale_id: SaleId,
    /// The place.
    pub position: Position,
}

/// Answer of `POST /v1/orders:batch`: results in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchResults {
    /// One result for each order.
    pub results: Vec<BatchResult>,
    /// Where the journals of the sales stand that were asked.
    pub positions: Vec<SalePosition>,
}

/// Filters of `GET /v1/orders`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OrderQuery {
    /// Orders of this sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale_id: Option<SaleId>,
    /// Orders of this buyer; a buyer's own token always sees its own only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Box<str>>,
    /// Orders in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<OrderState>,
    /// Orders placed at or after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_after: Option<Time>,
    /// Orders placed before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_before: Option<Time>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Box<str>>,
    /// Orders of a page, 1 to 200; 50 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl Check for OrderQuery {
    fn check(&self, faults: &mut Faults) {
        faults.maybe_text("buyer", self.buyer.as_deref(), BUYER_MAX);
        check_page(faults, self.cursor.as_deref(), self.limit);
    }
}

impl OrderQuery {
    /// Orders of a page.
    #[must_use]
    pub fn page(&self) -> u32 {
        self.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
    }
}

/// Checks what every list has.
pub(crate) fn check_page(faults: &mut Faults, cursor: Option<&str>, limit: Option<u32>) {
    faults.maybe_text("cursor", cursor, CURSOR_MAX);
    faults.between(
        "limit",
        limit.unwrap_or(PAGE_DEFAULT).into(),
        1,
        PAGE_MAX.into(),
    );
}

/// How fresh a list is that comes from the read model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadModel {
    /// Up to where the journals have been read.
    pub positions: Vec<SalePosition>,
    /// Age of the newest entry that is still missing, ms; 0 when caught up.
    pub lag_ms: u64,
    /// Batches that are still missing.
    pub behind_batches: u64,
}

/// Answer of `GET /v1/orders`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderPage {
    /// The orders.
    pub orders: Vec<Order>,
    /// Where the next page begins; missing on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<Box<str>>,
    /// How fresh the list is.
    pub read_model: ReadModel,
}

#[cfg(test)]
mod tests;
