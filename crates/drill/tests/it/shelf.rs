//! A shop in memory, small enough to be believed: keys, stock, refunds. Only tests use it.

use api::order::{BatchResult, BatchResults, Order, OrderLine, OrderState, PlaceBatch};
use api::plan::CreateSale;
use api::refund::{Refund, RefundOrder, RefundState};
use api::sale::{OrderCounts, Sale, SaleState, Sku};
use api::stock::WriteOff;
use api::{OrderId, Position, PriceText, RefundId, SaleId, Time};
use std::collections::BTreeMap;
use tidegate_drill::replay::{ReplayError, ReplayTarget, Told};

/// How the shop deceives its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deceit {
    /// Not at all.
    Honest,
    /// Refunds do not put units back.
    LosesReturns,
    /// Every order says that it costs a penny more.
    MisprintsTotals,
    /// Sells what it does not have.
    Oversells,
}

/// The shop.
#[derive(Debug)]
pub(crate) struct Shelf {
    deceit: Deceit,
    sale: Option<Sale>,
    orders: Vec<Order>,
    keys: BTreeMap<String, Kept>,
    /// Changes that are still answered; then the shop is out of reach.
    pub(crate) answers_left: Option<u32>,
    /// Changes that did something.
    pub(crate) changes: u32,
}

#[derive(Debug, Clone)]
enum Kept {
    Sale,
    Order(usize),
    Refund(Refund),
}

impl Shelf {
    pub(crate) fn new(deceit: Deceit) -> Self {
        Self {
            deceit,
            sale: None,
            orders: Vec::new(),
            keys: BTreeMap::new(),
            answers_left: None,
            changes: 0,
        }
    }

    fn reach(&mut self) -> Result<(), ReplayError> {
        if let Some(left) = self.answers_left.as_mut() {
            *left = left.checked_sub(1).ok_or(ReplayError::Unreachable(
                tidegate_drill::client::ClientError::Closed,
            ))?;
        }
        Ok(())
    }

    fn the_sale(&mut self) -> &mut Sale {
        self.sale.as_mut().expect("a sale was begun")
    }

    fn sku(&mut self, code: &str) -> &mut Sku {
        let skus = &mut self.the_sale().skus;
        skus.iter_mut()
            .find(|sku| &*sku.sku == code)
            .expect("the sale sells it")
    }

    fn place_one(&mut self, order: &api::order::BatchOrder) -> BatchResult {
        if let Some(Kept::Order(place)) = self.keys.get(&*order.idempotency_key) {
            return self.result(*place, true);
        }
        let mut wanted: BTreeMap<&str, u64> = BTreeMap::new();
        for line in &order.lines {
            *wanted.entry(&line.sku).or_default() += u64::from(line.quantity);
        }
        let oversells = self.deceit == Deceit::Oversells;
        for (code, units) in &wanted {
            let sku = self.sku(code);
            if sku.available_count < *units {
                if !oversells {
                    return refusal("TG-2102");
                }
                sku.available_count = *units;
            }
        }
        for (code, units) in wanted {
            let sku = self.sku(code);
            sku.available_count -= units;
            sku.sold_count += units;
        }
        self.changes += 1;
        self.book(order);
        let place = self.orders.len() - 1;
        self.keys
            .insert(order.idempotency_key.to_string(), Kept::Order(place));
        self.result(place, false)
    }

    fn book(&mut self, order: &api::order::BatchOrder) {
        let lines: Vec<OrderLine> = (0_u16..)
            .zip(&order.lines)
            .map(|(line, asked)| OrderLine {
                line,
                sku: asked.sku.clone(),
                quantity: asked.quantity,
                price: asked.price.expect("the file's own price"),
                total_minor: total(asked.price.expect("a price"), asked.quantity),
                returned_quantity: 0,
            })
            .collect();
        let total_minor = lines.iter().map(|line| line.total_minor).sum();
        let number = self.orders.len() as u64 + 1;
        self.the_sale().orders.placed += 1;
        let sale = self.the_sale().id;
        self.orders.push(Order {
            id: OrderId::new(sale, number).expect("few orders"),
            sale_id: sale,
            buyer: order.buyer.clone(),
            state: OrderState::Paid,
            currency: "GBP".parse().expect("a currency"),
            total_minor,
            lines,
            captured_minor: total_minor,
            refunded_minor: 0,
            refund_pending_minor: 0,
            charged_back_minor: 0,
            placed_at: Time::default(),
            hold_expires_at: None,
            payment: None,
            refunds: Vec::new(),
            team: None,
            off: Vec::new(),
            difference_minor: 0,
            dues: None,
            due_minor: 0,
        });
    }

    fn result(&self, place: usize, repeated: bool) -> BatchResult {
        let order = &self.orders[place];
        let lie = i64::from(self.deceit == Deceit::MisprintsTotals);
        BatchResult {
            status: if repeated { 200 } else { 201 },
            id: Some(order.id),
            state: Some(order.state),
            total_minor: Some(order.total_minor + lie),
            repeated,
            ..refusal("")
        }
    }

    fn refund_lines(&mut self, order: OrderId, body: &RefundOrder) -> Refund {
        let restocks = self.deceit != Deceit::LosesReturns;
        let place = usize::try_from(order.number()).expect("few orders") - 1;
        let (mut amount, mut units, mut back) = (0, 0, Vec::new());
        for asked in body.lines.as_deref().expect("lines") {
            let line = &mut self.orders[place].lines[usize::from(asked.line)];
            let before = total(line.price, line.returned_quantity);
            line.returned_quantity += asked.quantity;
            assert!(
                line.returned_quantity <= line.quantity,
                "more than was bought"
            );
            amount += total(line.price, line.returned_quantity) - before;
            units += asked.quantity;
            back.push((line.sku.clone(), u64::from(asked.quantity)));
        }
        for (code, units) in back {
            let sku = self.sku(&code);
            sku.sold_count -= units;
            if restocks {
                sku.available_count += units;
            }
        }
        let order = &mut self.orders[place];
        order.refunded_minor += amount;
        let refund = Refund {
            id: RefundId {
                order: order.id,
                number: u16::try_from(order.refunds.len() + 1).expect("few refunds"),
            },
            amount_minor: amount,
            state: RefundState::Refunded,
            automatic: false,
            units_returned: units,
        };
        order.refunds.push(refund.clone());
        refund
    }
}

fn refusal(code: &str) -> BatchResult {
    BatchResult {
        status: 409,
        id: None,
        state: None,
        total_minor: None,
        repeated: false,
        code: (!code.is_empty()).then(|| code.to_owned().into()),
        detail: None,
        units_left: None,
    }
}

fn told_no<T>(code: &str) -> Told<T> {
    Told::Refused {
        code: code.into(),
        detail: "no".into(),
    }
}

/// Half to even, written differently from the code under test.
fn total(price: PriceText, units: u32) -> i64 {
    let exact = i128::from(price.ten_thousandths()) * i128::from(units);
    let floor = exact.div_euclid(100);
    let twice_rest = 2 * exact.rem_euclid(100);
    let up = twice_rest > 100 || (twice_rest == 100 && floor % 2 == 1);
    i64::try_from(floor + i128::from(up)).expect("a small amount")
}

impl ReplayTarget for Shelf {
    async fn create_sale(
        &mut self,
        key: &str,
        body: &CreateSale,
    ) -> Result<Told<Sale>, ReplayError> {
        self.reach()?;
        if matches!(self.keys.get(key), Some(Kept::Sale)) {
            return Ok(Told::Repeated(self.the_sale().clone()));
        }
        self.changes += 1;
        self.keys.insert(key.into(), Kept::Sale);
        let skus = body.skus.iter().map(|sku| Sku {
            sku: sku.sku.clone(),
            name: sku.name.clone().unwrap_or_default(),
            price: sku.price,
            limits: sku.limits,
            stocked_count: sku.stock.into(),
            available_count: sku.stock.into(),
            held_count: 0,
            sold_count: 0,
            written_off_count: 0,
            waiting_count: 0,
        });
        let sale = Sale {
            id: SaleId::new(1).expect("a small number"),
            name: body.name.clone(),
            state: SaleState::Draft,
            currency: body.currency,
            hold_ms: body.hold_ms,
            window: body.window,
            limits: body.limits,
            rules: Vec::new(),
            skus: skus.collect(),
            orders: OrderCounts::default(),
            offer: None,
            teams: None,
            now: Time::default(),
            position: Position::new(0, &[0; 32]),
        };
        self.sale = Some(sale.clone());
        Ok(Told::Done(sale))
    }

    async fn open_sale(&mut self, _key: &str, _sale: SaleId) -> Result<Told<()>, ReplayError> {
        self.reach()?;
        Ok(Told::Done(()))
    }

    async fn place(&mut self, body: &PlaceBatch) -> Result<BatchResults, ReplayError> {
        self.reach()?;
        let results = body.orders.iter().map(|order| self.place_one(order));
        Ok(BatchResults {
            results: results.collect(),
            positions: Vec::new(),
        })
    }

    async fn refund(
        &mut self,
        key: &str,
        order: OrderId,
        body: &RefundOrder,
    ) -> Result<Told<Refund>, ReplayError> {
        self.reach()?;
        if let Some(Kept::Refund(refund)) = self.keys.get(key) {
            return Ok(Told::Repeated(refund.clone()));
        }
        self.changes += 1;
        let refund = self.refund_lines(order, body);
        self.keys.insert(key.into(), Kept::Refund(refund.clone()));
        Ok(Told::Done(refund))
    }

    async fn write_off(
        &mut self,
        key: &str,
        _sale: SaleId,
        body: &WriteOff,
    ) -> Result<Told<()>, ReplayError> {
        self.reach()?;
        if self.keys.contains_key(key) {
            return Ok(Told::Repeated(()));
        }
        let sku = self.sku(&body.sku);
        if sku.available_count < u64::from(body.units) {
            return Ok(told_no("TG-2109"));
        }
        sku.available_count -= u64::from(body.units);
        sku.written_off_count += u64::from(body.units);
        self.changes += 1;
        self.keys.insert(key.into(), Kept::Sale);
        Ok(Told::Done(()))
    }

    async fn sale(&mut self, _sale: SaleId) -> Result<Sale, ReplayError> {
        Ok(self.the_sale().clone())
    }

    async fn orders(&mut self, ids: &[OrderId]) -> Result<Vec<Order>, ReplayError> {
        let place = |id: &OrderId| usize::try_from(id.number()).expect("few orders") - 1;
        Ok(ids
            .iter()
            .map(|id| self.orders[place(id)].clone())
            .collect())
    }
}
