//! A shop of one sale that lives in memory: as much of the contract as the door needs to be tried.

use api::code::Code;
use api::export::Format;
use api::line::{JoinLine, Ticket, TicketState};
use api::live::{LiveRefusals, LiveSku, LiveTick};
use api::offer::AlterOffer;
use api::order::{
    BatchOrder, BatchResult, BatchResults, Order, OrderEvents, OrderLine, OrderPage, OrderQuery,
    OrderState, PlaceOrder, ReadModel,
};
use api::people::Person;
use api::plan::{AlterSale, CreateSale, Limits, SkuLimits, Window};
use api::problem::Problem;
use api::provider::{Knock, ProviderReport};
use api::refund::{Chargeback, Refund, RefundOrder, RefundState};
use api::sale::{OrderCounts, Sale, SalePage, SaleQuery, SaleState, Sku, Turn};
use api::sending::{
    CarrierWord, DeadNotices, NoticesRetried, Saga, SagaPage, SagaQuery, SagaVerb, ShipOrder,
};
use api::service::{
    Answer, Call, Caller, Health, LiveFeed, Orders, Readiness, Reply, Sales, Sending, Watching,
};
use api::stock::{AddStock, Inventory, WriteOff};
use api::team::{Team, TeamPage, TeamQuery, TeamSeats, TeamState};
use api::{OrderId, Position, RefundId, SaleId, TeamId, TicketId, Time};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

mod house;

pub(crate) const MERCHANT: &str = "tgk_00000000001_all";
pub(crate) const READER: &str = "tgk_00000000002_reader";

pub(crate) struct Shop {
    sale: Mutex<Sale>,
    orders: Mutex<BTreeMap<String, (PlaceOrder, Order)>>,
    people: Mutex<BTreeMap<Box<str>, Person>>,
    pub(crate) revoked: AtomicBool,
    pub(crate) reports: AtomicUsize,
    /// What knocked in the name of real providers.
    pub(crate) knocks: Mutex<Vec<Knock>>,
    pub(crate) ready: AtomicBool,
    /// Live feeds say three things and then nothing more, instead of ending.
    pub(crate) endless: AtomicBool,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let skus = [("CUP", "Blue cup", 400)];
        let sku = |(code, name, stock): (&str, &str, u64)| Sku {
            sku: code.into(),
            name: name.into(),
            price: "12.50".parse().unwrap(),
            limits: SkuLimits::default(),
            stocked_count: stock,
            available_count: stock,
            held_count: 0,
            sold_count: 0,
            written_off_count: 0,
            waiting_count: 0,
        };
        let sale = Sale {
            id: sale_id(),
            name: "Midnight cups".into(),
            state: SaleState::Open,
            currency: "GBP".parse().unwrap(),
            hold_ms: 900_000,
            window: Window::default(),
            limits: Limits::default(),
            rules: Vec::new(),
            skus: skus.map(sku).to_vec(),
            orders: OrderCounts::default(),
            offer: None,
            teams: None,
            now: Time::from_ms(1_794_355_200_000),
            position: position(0),
        };
        Self {
            sale: Mutex::new(sale),
            orders: Mutex::new(BTreeMap::new()),
            people: Mutex::default(),
            revoked: AtomicBool::new(false),
            reports: AtomicUsize::new(0),
            knocks: Mutex::default(),
            ready: AtomicBool::new(true),
            endless: AtomicBool::new(false),
        }
    }

    fn sell(&self, call: &Call, body: PlaceOrder) -> Result<Answer<Order>, Problem> {
        let key = format!("{:?} {:?}", owner(&call.caller), call.key);
        let mut orders = self.orders.lock().unwrap();
        if let Some((earlier, order)) = orders.get(&key) {
            let same = *earlier == body;
            let order = order.clone();
            return if same {
                Ok(answer(order, true))
            } else {
                Err(Problem::new(Code::KeyReused))
            };
        }
        let mut sale = self.sale.lock().unwrap();
        let line = &body.lines[0];
        let sku = sale.skus.iter_mut().find(|sku| sku.sku == line.sku);
        let sku = sku.ok_or_else(|| Problem::new(Code::SkuNotFound))?;
        let quantity = u64::from(line.quantity);
        if sku.available_count < quantity {
            return Err(Problem::new(Code::SoldOut).with("units_left", sku.available_count));
        }
        sku.available_count -= quantity;
        sku.held_count += quantity;
        let number = u64::try_from(orders.len()).unwrap() + 1;
        let order = order(number, &body, owner(&call.caller));
        orders.insert(key, (body, order.clone()));
        Ok(answer(order, false))
    }

    fn find(&self, id: OrderId) -> Result<Answer<Order>, Problem> {
        let orders = self.orders.lock().unwrap();
        let found = orders
            .values()
            .find(|(_, order)| order.id == id)
            .map(|(_, order)| order.clone());
        found
            .map(|order| answer(order, false))
            .ok_or_else(|| Problem::new(Code::OrderNotFound))
    }

    fn shown(&self, sale: SaleId) -> Result<Answer<Sale>, Problem> {
        let shown = self.sale.lock().unwrap().clone();
        if sale == shown.id {
            Ok(answer(shown, false))
        } else {
            Err(Problem::new(Code::SaleNotFound))
        }
    }
}

pub(crate) fn sale_id() -> SaleId {
    SaleId::new(1).unwrap()
}

fn position(sequence: u64) -> Position {
    Position::new(sequence, &[7; 32])
}

fn answer<T>(body: T, repeated: bool) -> Answer<T> {
    Answer {
        body,
        repeated,
        position: Some((sale_id(), position(42))),
    }
}

fn owner(caller: &Caller) -> Option<Box<str>> {
    match caller {
        Caller::Buyer { id, .. } => Some((**id).into()),
        _ => None,
    }
}

fn order(number: u64, body: &PlaceOrder, buyer: Option<Box<str>>) -> Order {
    let line = |(place, line): (usize, &api::order::AskedLine)| OrderLine {
        line: u16::try_from(place).unwrap(),
        sku: line.sku.clone(),
        quantity: line.quantity,
        price: "12.50".parse().unwrap(),
        total_minor: i64::from(line.quantity) * 1_250,
        returned_quantity: 0,
    };
    let lines: Vec<OrderLine> = body.lines.iter().enumerate().map(line).collect();
    Order {
        id: OrderId::new(sale_id(), number).unwrap(),
        sale_id: sale_id(),
        buyer: buyer.or_else(|| body.buyer.clone()),
        state: OrderState::Held,
        currency: "GBP".parse().unwrap(),
        total_minor: lines.iter().map(|line| line.total_minor).sum(),
        lines,
        captured_minor: 0,
        refunded_minor: 0,
        refund_pending_minor: 0,
        charged_back_minor: 0,
        placed_at: Time::from_ms(1_794_355_200_000),
        hold_expires_at: None,
        payment: None,
        refunds: Vec::new(),
        team: None,
        off: Vec::new(),
        difference_minor: 0,
        dues: None,
        due_minor: 0,
    }
}

fn team(state: TeamState) -> Team {
    Team {
        id: TeamId::new(sale_id(), 0).unwrap(),
        sale_id: sale_id(),
        sku: "CUP".into(),
        state,
        joinable: state == TeamState::Open,
        seats: TeamSeats {
            total: 3,
            free: 2,
            paid: 1,
            ..TeamSeats::default()
        },
        house_seats: None,
        price: "12.50".parse().unwrap(),
        next_tier: None,
        opened_at: Time::from_ms(1_794_355_200_000),
        ends_at: Time::from_ms(1_794_358_800_000),
        ended_at: None,
        link: "/v1/teams/team_00000000000".into(),
        leads: false,
        members: None,
        settlement: None,
        draw: None,
    }
}

fn ticket(buyer: Box<str>) -> Ticket {
    Ticket {
        id: TicketId::new(sale_id(), 4).unwrap(),
        sale_id: sale_id(),
        sku: "CUP".into(),
        quantity: 1,
        buyer,
        state: TicketState::Waiting,
        position: Some(5),
        order_id: None,
        since: Time::from_ms(1_794_355_200_000),
    }
}

fn now<T: Send + 'static>(result: Result<Answer<T>, Problem>) -> Reply<'static, T> {
    Box::pin(std::future::ready(result))
}

impl Sales for Shop {
    fn create(&self, _call: Call, body: CreateSale) -> Reply<'_, Sale> {
        let mut sale = self.sale.lock().unwrap().clone();
        sale.name = body.name;
        now(Ok(answer(sale, false)))
    }
    fn alter(&self, _call: Call, sale: SaleId, _body: AlterSale) -> Reply<'_, Sale> {
        now(self.shown(sale))
    }
    fn alter_offer(&self, _call: Call, sale: SaleId, body: AlterOffer) -> Reply<'_, Sale> {
        let shown = self.shown(sale).map(|mut answer| {
            answer.body.offer = Some(body.offer);
            answer
        });
        now(shown)
    }
    fn teams(&self, _call: Call, sale: SaleId, query: TeamQuery) -> Reply<'_, TeamPage> {
        let page = self.shown(sale).map(|_| {
            let teams = vec![team(query.state.unwrap_or(TeamState::Open))];
            Answer::plain(TeamPage {
                teams,
                next_cursor: None,
            })
        });
        now(page)
    }
    fn team(&self, _call: Call, id: TeamId) -> Reply<'_, Team> {
        now(self
            .shown(id.sale())
            .map(|_| Answer::plain(team(TeamState::Open)))
            .map_err(|_| Problem::new(Code::TeamNotFound)))
    }
    fn turn(&self, _call: Call, sale: SaleId, _turn: Turn) -> Reply<'_, Sale> {
        now(self.shown(sale))
    }
    fn add_stock(&self, _call: Call, sale: SaleId, body: AddStock) -> Reply<'_, Sale> {
        for sku in &mut self.sale.lock().unwrap().skus {
            if sku.sku == body.sku {
                sku.available_count += u64::from(body.units);
                sku.stocked_count += u64::from(body.units);
            }
        }
        now(self.shown(sale))
    }
    fn write_off(&self, _call: Call, sale: SaleId, _body: WriteOff) -> Reply<'_, Sale> {
        now(self.shown(sale))
    }
    fn sale(&self, _call: Call, sale: SaleId) -> Reply<'_, Sale> {
        now(self.shown(sale))
    }
    fn sales(&self, _call: Call, _query: SaleQuery) -> Reply<'_, SalePage> {
        let page = SalePage {
            sales: Vec::new(),
            next_cursor: None,
            read_model: ReadModel::default(),
        };
        now(Ok(Answer::plain(page)))
    }
    fn inventory(&self, _call: Call, sku: Box<str>, _sale: Option<SaleId>) -> Reply<'_, Inventory> {
        now(Ok(Answer::plain(Inventory {
            sku,
            available_count: 3,
            sales: Vec::new(),
        })))
    }
    fn watch(&self, _call: Call, sale: SaleId) -> Watching<'_> {
        let sku = |sku: Sku| LiveSku {
            sku: sku.sku,
            available: sku.available_count,
            held: sku.held_count,
            sold: sku.sold_count,
            stocked: sku.stocked_count,
        };
        let feed = self.shown(sale).map(|shown| -> Box<dyn LiveFeed> {
            Box::new(Feed {
                skus: shown.body.skus.into_iter().map(sku).collect(),
                left: 3,
                endless: self.endless.load(Ordering::SeqCst),
            })
        });
        Box::pin(std::future::ready(feed))
    }
}

/// Three ticks, and then the end.
struct Feed {
    skus: Vec<LiveSku>,
    left: usize,
    endless: bool,
}

impl LiveFeed for Feed {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<LiveTick>> + Send + '_>> {
        let tick = LiveTick {
            now: Time::from_ms(1_794_355_200_000),
            state: SaleState::Open,
            skus: self.skus.clone(),
            orders_per_s: 1_234,
            accepted: 5_000,
            refused: LiveRefusals {
                sold_out: 400,
                limit: 20,
                ..LiveRefusals::default()
            },
            requests_total: 5_420,
            recent: Vec::new(),
            teams: Vec::new(),
        };
        let tick = (self.left > 0).then_some(tick);
        if tick.is_none() && self.endless {
            return Box::pin(std::future::pending());
        }
        self.left = self.left.saturating_sub(1);
        Box::pin(std::future::ready(tick))
    }
}

impl Orders for Shop {
    fn place(&self, call: Call, body: PlaceOrder) -> Reply<'_, Order> {
        if &*body.lines[0].sku == "SLOW" {
            return Box::pin(std::future::pending());
        }
        // Decided when it is awaited, so that a panic happens there too.
        Box::pin(async move {
            assert_ne!(
                &*body.lines[0].sku, "PANIC",
                "the handler was asked to panic"
            );
            self.sell(&call, body)
        })
    }
    fn place_batch(&self, _call: Call, orders: Vec<BatchOrder>) -> Reply<'_, BatchResults> {
        let result = |_| BatchResult {
            status: 409,
            id: None,
            state: None,
            total_minor: None,
            repeated: false,
            code: Some(Code::SoldOut.as_str().into()),
            detail: None,
            units_left: Some(0),
        };
        let results = orders.into_iter().map(result).collect();
        now(Ok(Answer::plain(BatchResults {
            results,
            positions: Vec::new(),
        })))
    }
    fn order(&self, _call: Call, order: OrderId) -> Reply<'_, Order> {
        now(self.find(order))
    }
    fn events(&self, _call: Call, _order: OrderId) -> Reply<'_, OrderEvents> {
        now(Ok(Answer::plain(OrderEvents {
            events: Vec::new(),
            read_model: None,
        })))
    }
    fn orders(&self, _call: Call, query: OrderQuery) -> Reply<'_, OrderPage> {
        let orders = self.orders.lock().unwrap();
        let wanted = orders
            .values()
            .map(|(_, order)| order.clone())
            .filter(|order| order.buyer == query.buyer);
        let page = OrderPage {
            orders: wanted.collect(),
            next_cursor: None,
            read_model: ReadModel::default(),
        };
        now(Ok(Answer::plain(page)))
    }
    fn pay(&self, _call: Call, order: OrderId) -> Reply<'_, Order> {
        now(self.find(order))
    }
    fn cancel(&self, _call: Call, order: OrderId) -> Reply<'_, Order> {
        now(self.find(order))
    }
    fn refund(&self, _call: Call, order: OrderId, body: RefundOrder) -> Reply<'_, Refund> {
        let amount_minor = i64::try_from(body.amount_minor.unwrap_or(1)).unwrap();
        let id = RefundId { order, number: 1 };
        let refund = Refund {
            id,
            amount_minor,
            state: RefundState::Pending,
            automatic: false,
            units_returned: 0,
        };
        now(Ok(answer(refund, false)))
    }
    fn export(&self, _call: Call, sale: SaleId, _format: Format) -> Reply<'_, ()> {
        now(self.shown(sale).map(|_| answer((), false)))
    }
    fn join_line(&self, call: Call, sale: SaleId, body: JoinLine) -> Reply<'_, Ticket> {
        if &*body.sku != "CUP" {
            return now(Err(Problem::new(Code::SkuNotFound)));
        }
        let buyer = owner(&call.caller).or(body.buyer).unwrap_or_default();
        now(self.shown(sale).map(|_| answer(ticket(buyer), false)))
    }
    fn ticket(&self, call: Call, _ticket: TicketId) -> Reply<'_, Ticket> {
        let buyer = owner(&call.caller).unwrap_or_default();
        now(Ok(answer(ticket(buyer), false)))
    }
    fn leave_line(&self, call: Call, _ticket: TicketId) -> Reply<'_, Ticket> {
        let buyer = owner(&call.caller).unwrap_or_default();
        let left = Ticket {
            state: TicketState::Left,
            position: None,
            ..ticket(buyer)
        };
        now(Ok(answer(left, false)))
    }
    fn ship(&self, _call: Call, order: OrderId, _body: ShipOrder) -> Reply<'_, Order> {
        now(self.find(order))
    }
    fn deliver(&self, _call: Call, order: OrderId) -> Reply<'_, Order> {
        now(self.find(order))
    }
    fn chargeback(&self, _call: Call, order: OrderId, _body: Chargeback) -> Reply<'_, Order> {
        now(self.find(order))
    }
    fn knock(&self, _call: Call, knock: Knock) -> Reply<'_, ()> {
        let forged = knock.body.is_empty();
        self.knocks.lock().unwrap().push(knock);
        let refused = Problem::because(Code::BadSignature, "the signature does not fit the body");
        let answer = if forged {
            Err(refused)
        } else {
            Ok(Answer::plain(()))
        };
        Box::pin(std::future::ready(answer))
    }

    fn report(&self, _call: Call, _report: ProviderReport) -> Reply<'_, ()> {
        self.reports.fetch_add(1, Ordering::SeqCst);
        now(Ok(answer((), false)))
    }
}

impl Health for Shop {
    fn ready(&self) -> Readiness {
        let ready = self.ready.load(Ordering::SeqCst);
        let reasons = if ready {
            Vec::new()
        } else {
            vec!["the disk is full".to_owned()]
        };
        Readiness { ready, reasons }
    }
}

impl Sending for Shop {
    fn sagas(&self, _call: Call, _query: SagaQuery) -> Reply<'_, SagaPage> {
        now(Err(Problem::new(Code::SaleNotFound)))
    }
    fn saga(&self, _call: Call, _order: OrderId) -> Reply<'_, Saga> {
        now(Err(Problem::new(Code::SagaNotFound)))
    }
    fn order_saga(&self, _call: Call, _order: OrderId, _verb: SagaVerb) -> Reply<'_, Saga> {
        now(Err(Problem::new(Code::SagaState)))
    }
    fn carrier(&self, _call: Call, _carrier: Box<str>, _word: CarrierWord) -> Reply<'_, ()> {
        now(Ok(answer((), false)))
    }
    fn dead_notices(&self, _call: Call) -> Reply<'_, DeadNotices> {
        let notices = Vec::new();
        now(Ok(answer(DeadNotices { notices }, false)))
    }
    fn retry_notices(&self, _call: Call) -> Reply<'_, NoticesRetried> {
        now(Ok(answer(NoticesRetried { notices: 0 }, false)))
    }
}
