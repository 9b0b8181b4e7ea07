//! A sale told once more, naively: lists that are scanned for every question, no running accounts, no indexes, no holds
//! that are due and not yet swept. What it and the book disagree about is a bug of one of them.

mod money;
mod place;

use std::collections::BTreeMap;

use ledger::{Minor, Units};
use tidegate_commerce::book::RefundState;
use tidegate_commerce::{
    Action, Actor, Command, Done, Limits, OrderStatus, Patch, Refusal, Rule, SaleState, SkuPlan,
    Time, Turn, Window,
};

/// What a command comes to.
pub(crate) type Answer = Result<Done, Refusal>;

/// One SKU: what came in and what was written off. The rest follows from the orders.
pub(crate) struct Stock {
    pub(crate) plan: SkuPlan,
    pub(crate) stocked: u64,
    pub(crate) written_off: u64,
}

pub(crate) struct Line {
    pub(crate) sku: usize,
    pub(crate) units: u32,
    pub(crate) price: i64,
    pub(crate) returned: u32,
    pub(crate) restocked: u32,
}

/// What is known of one attempt to pay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Open,
    Unknown,
    Failed,
    Captured(i64),
}

pub(crate) struct Refund {
    pub(crate) amount: i64,
    pub(crate) charge: u16,
    pub(crate) state: RefundState,
    pub(crate) until_paid: bool,
    /// When it may be sent.
    pub(crate) due: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    Held,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
    Expired,
}

pub(crate) struct Order {
    pub(crate) buyer: Option<String>,
    pub(crate) lines: Vec<Line>,
    pub(crate) total: i64,
    pub(crate) deadline: u64,
    pub(crate) stage: Stage,
    pub(crate) elsewhere: bool,
    pub(crate) attempts: Vec<Attempt>,
    /// The attempt that pays the order, from 1; 0 for none.
    pub(crate) kept: u16,
    /// Whether its units were ever sold.
    pub(crate) sold: bool,
    pub(crate) refunds: Vec<Refund>,
    pub(crate) charged_back: i64,
}

/// A sale.
pub(crate) struct Model {
    pub(crate) now: u64,
    pub(crate) state: SaleState,
    pub(crate) hold_ms: u32,
    pub(crate) window: Window,
    pub(crate) limits: Limits,
    pub(crate) rules: Vec<Rule>,
    pub(crate) skus: Vec<Stock>,
    pub(crate) orders: Vec<Order>,
    keys: BTreeMap<(String, String), (String, Done)>,
}

impl Order {
    pub(crate) fn is_sold(&self) -> bool {
        matches!(self.stage, Stage::Paid | Stage::Shipped | Stage::Delivered)
    }

    pub(crate) fn status(&self) -> OrderStatus {
        let last = self.attempts.last();
        match self.stage {
            Stage::Cancelled => OrderStatus::Cancelled,
            Stage::Expired => OrderStatus::Expired,
            Stage::Held if matches!(last, Some(Attempt::Open | Attempt::Unknown)) => {
                OrderStatus::Paying
            }
            Stage::Held => OrderStatus::Held,
            _ if self.is_given_back() => OrderStatus::Refunded,
            Stage::Paid => OrderStatus::Paid,
            Stage::Shipped => OrderStatus::Shipped,
            Stage::Delivered => OrderStatus::Delivered,
        }
    }

    fn is_given_back(&self) -> bool {
        let units_left = self.lines.iter().any(|line| line.returned < line.units);
        match self.captured() {
            0 => !units_left,
            captured => self.refunded() == captured,
        }
    }
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            now: 0,
            state: SaleState::Draft,
            hold_ms: 0,
            window: Window::default(),
            limits: Limits::default(),
            rules: Vec::new(),
            skus: Vec::new(),
            orders: Vec::new(),
            keys: BTreeMap::new(),
        }
    }

    /// Takes a command, and says what it comes to and whether it is a repeat.
    pub(crate) fn ask(&mut self, now: u64, command: &Command) -> (Answer, bool) {
        self.wait_until(now);
        let name = command.key.as_ref().map(|key| {
            let key: &str = key;
            (format!("{:?}", command.actor), key.to_owned())
        });
        let body = body(&command.action);
        if let Some((bound, done)) = name.as_ref().and_then(|name| self.keys.get(name)) {
            return match *bound == body {
                true => (Ok(*done), true),
                false => (Err(Refusal::KeyReused), false),
            };
        }
        let answer = self.decide(command);
        if let (Ok(done), Some(name)) = (&answer, name) {
            self.keys.insert(name, (body, *done));
        }
        self.turn_by_window();
        (answer, false)
    }

    /// Lets time go by: the window opens and closes the sale, and every hold that is due expires.
    pub(crate) fn wait_until(&mut self, now: u64) {
        self.now = self.now.max(now);
        self.turn_by_window();
        for order in &mut self.orders {
            if order.stage == Stage::Held && self.now >= order.deadline {
                order.stage = Stage::Expired;
            }
        }
    }

    fn turn_by_window(&mut self) {
        let now = Time(self.now);
        let early = self.window.opens.is_some_and(|opens| now < opens);
        let over = self.window.closes.is_some_and(|closes| now >= closes);
        self.state = match self.state {
            SaleState::Scheduled | SaleState::Open | SaleState::Paused if over => SaleState::Closed,
            SaleState::Scheduled | SaleState::Open if early => SaleState::Scheduled,
            SaleState::Scheduled => SaleState::Open,
            other => other,
        };
    }

    fn decide(&mut self, command: &Command) -> Answer {
        match &command.action {
            Action::Create { plan, .. } => {
                self.hold_ms = plan.hold_ms;
                self.window = plan.window;
                self.limits = plan.limits;
                self.rules.clone_from(&plan.rules);
                self.skus = plan.skus.iter().cloned().map(Stock::new).collect();
                Ok(Done::Sale)
            }
            Action::Alter(patch) => self.alter(patch),
            Action::Turn(turn) => self.turn(*turn),
            Action::AddStock { sku, units } => self.add_stock(sku, *units),
            Action::WriteOff { sku, units, .. } => self.write_off(sku, *units),
            Action::Place(place) => self.place(&command.actor, place),
            Action::Report(report) => self.hear(report),
            Action::ShipPart { .. } | Action::Saga(_) => unreachable!("the model knows neither"),
            Action::Pay { order } => self.pay(&command.actor, *order),
            Action::Cancel { order } => self.cancel(&command.actor, *order),
            Action::Refund { order, ask } => self.refund(&command.actor, *order, ask),
            Action::Ship { order } => self.ship(&command.actor, *order),
            Action::Deliver { order } => {
                let found = self.seen(&command.actor, *order)?;
                if found.stage != Stage::Shipped {
                    let state = found.status();
                    return Err(Refusal::OrderState { state });
                }
                found.stage = Stage::Delivered;
                Ok(Done::Order(*order))
            }
            Action::CreateWith { .. }
            | Action::AlterOffer(_)
            | Action::Wait { .. }
            | Action::LeaveLine { .. } => unreachable!("offers have a model of their own"),
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.state, SaleState::Closed | SaleState::Retired)
    }

    fn no_step<T>(&self) -> Result<T, Refusal> {
        let state = self.state;
        Err(Refusal::SaleState { state, why: "" })
    }

    fn alter(&mut self, patch: &Patch) -> Answer {
        if self.is_over() {
            return self.no_step();
        }
        self.hold_ms = patch.hold_ms.unwrap_or(self.hold_ms);
        self.window = patch.window.unwrap_or(self.window);
        self.limits = patch.limits.unwrap_or(self.limits);
        self.rules = patch.rules.clone().unwrap_or(self.rules.clone());
        for change in &patch.skus {
            let at = self.find(&change.sku).expect("only known SKUs are changed");
            let plan = &mut self.skus[at].plan;
            plan.price = change.price.unwrap_or(plan.price);
            plan.limits = change.limits.unwrap_or(plan.limits);
        }
        Ok(Done::Sale)
    }

    fn turn(&mut self, turn: Turn) -> Answer {
        let over = self
            .window
            .closes
            .is_some_and(|closes| self.now >= closes.0);
        let busy = self.orders.iter().any(Order::is_busy);
        self.state = match (turn, self.state) {
            (Turn::Open, SaleState::Draft | SaleState::Scheduled | SaleState::Paused) if !over => {
                SaleState::Scheduled
            }
            (Turn::Pause, SaleState::Scheduled | SaleState::Open) => SaleState::Paused,
            (Turn::Close, state) if state != SaleState::Closed && state != SaleState::Retired => {
                SaleState::Closed
            }
            (Turn::Retire, SaleState::Closed) if !busy => SaleState::Retired,
            _ => return self.no_step(),
        };
        Ok(Done::Sale)
    }

    fn add_stock(&mut self, sku: &str, units: Units) -> Answer {
        if self.is_over() {
            return self.no_step();
        }
        let at = self.find(sku)?;
        self.skus[at].stocked += u64::from(units.0);
        Ok(Done::Sale)
    }

    fn write_off(&mut self, sku: &str, units: Units) -> Answer {
        let at = self.find(sku)?;
        let left = self.available(at);
        if units > left {
            return Err(Refusal::OverWriteOff { left });
        }
        self.skus[at].written_off += u64::from(units.0);
        Ok(Done::Sale)
    }

    pub(crate) fn find(&self, sku: &str) -> Result<usize, Refusal> {
        let found = self.skus.iter().position(|known| *known.plan.sku == *sku);
        found.ok_or_else(|| Refusal::NoSku { sku: sku.into() })
    }

    pub(crate) fn held(&self, sku: usize) -> u64 {
        let held = self
            .orders
            .iter()
            .filter(|order| order.stage == Stage::Held);
        let lines = held.flat_map(|order| &order.lines);
        let of_sku = lines.filter(|line| line.sku == sku);
        of_sku.map(|line| u64::from(line.units)).sum()
    }

    pub(crate) fn sold(&self, sku: usize) -> u64 {
        let sold = self.orders.iter().filter(|order| order.sold);
        let lines = sold.flat_map(|order| &order.lines);
        let of_sku = lines.filter(|line| line.sku == sku);
        of_sku
            .map(|line| u64::from(line.units - line.restocked))
            .sum()
    }

    pub(crate) fn available(&self, sku: usize) -> Units {
        let stock = &self.skus[sku];
        let taken = self.held(sku) + self.sold(sku) + stock.written_off;
        Units(u32::try_from(stock.stocked - taken).unwrap())
    }

    /// Units that count against a buyer, of one SKU or of all.
    pub(crate) fn used(&self, buyer: &str, sku: Option<usize>) -> u64 {
        let counts = |order: &&Order| {
            order.buyer.as_deref() == Some(buyer) && (order.stage == Stage::Held || order.is_sold())
        };
        let lines = self
            .orders
            .iter()
            .filter(counts)
            .flat_map(|order| &order.lines);
        let of_sku = lines.filter(|line| sku.is_none_or(|sku| line.sku == sku));
        of_sku
            .map(|line| u64::from(line.units - line.returned))
            .sum()
    }

    /// The order, if the actor may see it.
    pub(crate) fn seen(&mut self, actor: &Actor, order: u32) -> Result<&mut Order, Refusal> {
        let found = self
            .orders
            .get_mut(order as usize)
            .ok_or(Refusal::NoOrder)?;
        match actor {
            Actor::Buyer(buyer) if found.buyer.as_deref() != Some(buyer) => Err(Refusal::NoOrder),
            _ => Ok(found),
        }
    }
}

impl Stock {
    fn new(plan: SkuPlan) -> Self {
        Self {
            stocked: u64::from(plan.stock.0),
            written_off: 0,
            plan,
        }
    }
}

/// What a client sent, as text; tags come with the buyer's token and not with the body.
fn body(action: &Action) -> String {
    match action {
        Action::Place(place) => {
            let bare = (&place.buyer, &place.lines, &place.paid);
            format!("place {bare:?}")
        }
        other => format!("{other:?}"),
    }
}

/// Half to even, at the hundredth: the model's money is in euros.
pub(crate) fn price(price: i64, units: u32) -> i64 {
    let fine = i128::from(price) * i128::from(units);
    let (whole, rest) = (fine / 100, fine % 100);
    let up = rest > 50 || (rest == 50 && whole % 2 == 1);
    i64::try_from(whole).unwrap() + i64::from(up)
}

/// Amounts of one order, as the book shows them.
pub(crate) struct Amounts {
    pub(crate) captured: Minor,
    pub(crate) refunded: Minor,
    pub(crate) held: Minor,
    pub(crate) charged_back: Minor,
}
