//! What the small shop of the tests says.

use api::order::{Order, OrderLine, OrderState, Payment, PaymentState};
use api::refund::{Refund, RefundState};
use api::sale::{OrderCounts, Sale, SaleState, Sku};
use api::stock::{Inventory, SaleStock};
use api::{PaymentId, PriceText, RefundId, SaleId, Time};
use commerce::book::{ChargeView, RefundState as BookRefund};
use commerce::{Book, Done, OrderStatus, Outcome, Refusal};

use super::life::{Life, order_id};
use super::offers;
use crate::record::Said;

pub(super) fn yes(life: &Life, body: String, repeated: bool) -> Said {
    Said {
        status: if repeated { 200 } else { 201 },
        repeated,
        position: Some((SaleId::new(1).unwrap(), life.position())),
        body,
    }
}

pub(super) fn said(life: &Life, outcome: &Outcome) -> Said {
    match &outcome.decision {
        Ok(Done::Order(number)) => yes(life, order_body(&life.book, *number), outcome.repeated),
        Ok(Done::Refund {
            order: number,
            number: refund,
        }) => {
            let order = order(&life.book, *number);
            yes(
                life,
                serde_json::to_string(&order.refunds[usize::from(*refund) - 1]).unwrap(),
                outcome.repeated,
            )
        }
        Ok(Done::Sale) => yes(
            life,
            serde_json::to_string(&sale(life)).unwrap(),
            outcome.repeated,
        ),
        Ok(Done::Ticket(number)) => yes(
            life,
            serde_json::to_string(&offers::ticket(&life.book, *number)).unwrap(),
            outcome.repeated,
        ),
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => no(refusal),
    }
}

pub(super) fn order_body(book: &Book, number: u32) -> String {
    serde_json::to_string(&order(book, number)).unwrap()
}

fn no(refusal: &Refusal) -> Said {
    let (code, left) = match refusal {
        Refusal::SoldOut { left, .. } => ("TG-2102", Some(left.0)),
        Refusal::OverWriteOff { left } => ("TG-2109", Some(left.0)),
        Refusal::Limit { .. } => ("TG-2103", None),
        Refusal::KeyReused => ("TG-2105", None),
        Refusal::NotOpen { .. } => ("TG-2101", None),
        Refusal::Rule { .. } => ("TG-2139", None),
        Refusal::Price(_) => ("TG-2138", None),
        other => panic!("{other:?}"),
    };
    Said {
        status: 409,
        repeated: false,
        position: None,
        body: serde_json::json!({"code": code, "units_left": left}).to_string(),
    }
}

pub(super) fn state(status: OrderStatus) -> OrderState {
    match status {
        OrderStatus::Held => OrderState::Held,
        OrderStatus::Paying => OrderState::Paying,
        OrderStatus::Paid => OrderState::Paid,
        OrderStatus::Shipped => OrderState::Shipped,
        OrderStatus::Delivered => OrderState::Delivered,
        OrderStatus::Cancelled => OrderState::Cancelled,
        OrderStatus::Expired => OrderState::Expired,
        OrderStatus::Refunded => OrderState::Refunded,
        OrderStatus::Deposited => OrderState::Deposited,
    }
}

pub(super) fn order(book: &Book, number: u32) -> Order {
    let (found, of) = (book.order(number).unwrap(), book.currency().unwrap());
    let (attempt, view) = found.charge();
    let payment = match view {
        ChargeView::None | ChargeView::Free => None,
        ChargeView::Charging => Some(PaymentState::Charging),
        ChargeView::Unknown => Some(PaymentState::Unknown),
        ChargeView::Failed => Some(PaymentState::Failed),
        ChargeView::Captured => Some(PaymentState::Captured),
        ChargeView::Elsewhere => Some(PaymentState::External),
        ChargeView::Authorised => Some(PaymentState::Authorised),
    };
    let lines = found.lines().zip(0..).map(|(line, at)| OrderLine {
        line: at,
        sku: (&**line.sku()).into(),
        quantity: line.units(),
        price: PriceText::new(line.price().0).unwrap(),
        total_minor: line.total(of).0,
        returned_quantity: line.returned(),
    });
    let refunds = found.refunds().map(|refund| Refund {
        id: RefundId {
            order: order_id(number),
            number: refund.number,
        },
        amount_minor: refund.amount.0,
        state: match refund.state {
            BookRefund::Pending => RefundState::Pending,
            BookRefund::Refunded => RefundState::Refunded,
            BookRefund::Failed => RefundState::Failed,
        },
        automatic: refund.automatic,
        units_returned: refund.units_restocked,
    });
    let funds = found.funds();
    let waits = matches!(
        found.status(),
        OrderStatus::Held | OrderStatus::Paying | OrderStatus::Deposited
    );
    Order {
        id: order_id(number),
        sale_id: SaleId::new(1).unwrap(),
        buyer: found.buyer().map(Into::into),
        state: state(found.status()),
        currency: of.code().parse().unwrap(),
        total_minor: found.total().0,
        lines: lines.collect(),
        captured_minor: funds.captured().0,
        refunded_minor: funds.refunded().0,
        refund_pending_minor: funds.held().0,
        charged_back_minor: funds.charged_back().0,
        placed_at: Time::from_ms(found.placed().0),
        hold_expires_at: waits.then(|| Time::from_ms(found.deadline().0)),
        payment: payment.map(|state| Payment {
            id: PaymentId {
                order: order_id(number),
                attempt,
            },
            state,
            action: None,
        }),
        refunds: refunds.collect(),
        team: offers::seat(book, found),
        off: offers::off(found),
        difference_minor: found.difference().0,
        dues: offers::dues(found),
        due_minor: if waits { found.due().0 } else { 0 },
    }
}

fn sale_state(book: &Book) -> SaleState {
    match book.state() {
        commerce::SaleState::Draft => SaleState::Draft,
        commerce::SaleState::Scheduled => SaleState::Scheduled,
        commerce::SaleState::Open => SaleState::Open,
        commerce::SaleState::Paused => SaleState::Paused,
        commerce::SaleState::Closed => SaleState::Closed,
        commerce::SaleState::Retired => SaleState::Retired,
    }
}

fn sale(life: &Life) -> Sale {
    let book = &life.book;
    let skus = book.skus().map(|sku| Sku {
        sku: (&**sku.sku()).into(),
        name: sku.title().into(),
        price: PriceText::new(sku.price().0).unwrap(),
        limits: api::plan::SkuLimits::default(),
        stocked_count: sku.units().stocked().0.into(),
        available_count: sku.units().available().0.into(),
        held_count: sku.units().held().0.into(),
        sold_count: sku.units().sold().0.into(),
        written_off_count: sku.units().written_off().0.into(),
        waiting_count: 0,
    });
    Sale {
        id: SaleId::new(1).unwrap(),
        name: book.title().into(),
        state: sale_state(book),
        currency: "EUR".parse().unwrap(),
        hold_ms: book.hold_ms().into(),
        window: api::plan::Window::default(),
        limits: api::plan::Limits::default(),
        rules: Vec::new(),
        skus: skus.collect(),
        orders: OrderCounts::default(),
        offer: None,
        teams: None,
        now: Time::from_ms(life.now),
        position: life.position(),
    }
}

pub(super) fn stock(life: &Life) -> Said {
    let sku = life.book.find_sku("cup").unwrap();
    let available_count = u64::from(sku.units().available().0);
    let body = Inventory {
        sku: "cup".into(),
        available_count,
        sales: vec![SaleStock {
            sale_id: SaleId::new(1).unwrap(),
            state: sale_state(&life.book),
            available_count,
            position: life.position(),
        }],
    };
    Said {
        status: 200,
        repeated: false,
        position: None,
        body: serde_json::to_string(&body).unwrap(),
    }
}
