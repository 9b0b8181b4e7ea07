//! Takes a history through a shop, invoice by invoice, and keeps account of every row.

use super::forecast::{Forecast, ReturnedLine};
use super::history::{History, Invoice, Line};
use super::target::{ReplayTarget, Told};
use super::{Rejection, ReplayError, StockShare};
use crate::watch::Watcher;
use api::limits::BATCH_ORDERS_MAX;
use api::order::{AskedLine, BatchOrder, BatchResult, PaidElsewhere, PlaceBatch};
use api::plan::{CreateSale, Limits, NewSku, SkuLimits, Window};
use api::refund::RefundOrder;
use api::stock::WriteOff;
use api::{Code, Currency, OrderId, PriceText, SaleId};
use std::collections::BTreeMap;
use std::time::Duration;
use world::Clock;

/// Lines of one batch: they keep its body far below the door's limit.
const BATCH_LINES_MAX: usize = 40_000;
/// Disagreements that are told; the rest is counted.
const DISAGREEMENTS_MAX: usize = 50;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Nothing yet.
    Open,
    /// Part of an accepted order.
    Booked,
    /// Part of an order that was refused as sold out.
    Refused,
    /// Units that came back, all of them matched.
    Returned,
    /// Units that came back, some of which no earlier purchase explains.
    Unmatched,
    /// Units that were written off.
    WrittenOff,
    /// Could not be booked.
    Rejected,
}

/// Everything that a replay did.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) sale: SaleId,
    pub(super) stock: Vec<u32>,
    pub(super) forecast: Forecast,
    /// The order of each invoice that sold.
    pub(super) orders: Vec<Option<OrderId>>,
    /// Money given back by invoice, minor units.
    pub(super) refunded_minor: BTreeMap<u32, i64>,
    /// What became of each row; row n stands at n - 1.
    pub(super) fates: Vec<Fate>,
    pub(super) rejections: Vec<Rejection>,
    pub(super) disagreements: Vec<String>,
    pub(super) refused_sold_out: u64,
    pub(super) units_returned: u64,
    pub(super) units_unmatched: u64,
    pub(super) gross_minor: i64,
    pub(super) elapsed: Duration,
}

/// A replay under way.
pub(super) struct Driver<'a, T> {
    history: &'a History,
    target: &'a mut T,
    clock: &'a dyn Clock,
    watcher: &'a dyn Watcher,
    done: Done,
    /// Orders that wait to be sent together, and whether the forecast accepts them.
    waiting: Vec<(u32, bool)>,
    waiting_lines: usize,
    /// Whether what comes now was never sent before. While an earlier run is being repeated, a request that it saw
    /// refused must not be sent: refusals bind nothing, and today's stock might accept it.
    new_ground: bool,
    started: Duration,
}

impl<'a, T: ReplayTarget> Driver<'a, T> {
    /// Makes and opens the sale. Its key is the history and the share, so that a second run finds the same sale.
    pub(super) async fn begin(
        history: &'a History,
        share: StockShare,
        target: &'a mut T,
        clock: &'a dyn Clock,
        watcher: &'a dyn Watcher,
    ) -> Result<Self, ReplayError> {
        let stock = history.stock(share)?;
        let name = format!("replay-{}-{share}", &history.digest.to_hex()[..16]);
        let body = sale_body(history, &stock, &name)?;
        let (sale, new_ground) = match target.create_sale(&name, &body).await? {
            Told::Done(sale) => (sale.id, true),
            Told::Repeated(sale) => (sale.id, false),
            Told::Refused { code, detail } => {
                return Err(refused("begin the sale", &code, &detail));
            }
        };
        if let Told::Refused { code, detail } =
            target.open_sale(&format!("{name}-open"), sale).await?
        {
            return Err(refused("open the sale", &code, &detail));
        }
        watcher.stage("replaying");
        Ok(Self {
            history,
            target,
            clock,
            watcher,
            done: Done::new(history, sale, stock),
            waiting: Vec::new(),
            waiting_lines: 0,
            new_ground,
            started: clock.monotonic(),
        })
    }

    /// All invoices, in order of time.
    pub(super) async fn replay(&mut self) -> Result<(), ReplayError> {
        let history = self.history;
        let total = history.invoices.len() as u64;
        for (place, invoice) in (0_u32..).zip(&history.invoices) {
            if !invoice.sold.is_empty() {
                self.sell(place, invoice).await?;
            }
            for line in &invoice.written_off {
                self.write_off(invoice, line).await?;
            }
            if !invoice.returned.is_empty() {
                self.take_back(invoice).await?;
            }
            if place % 256 == 0 {
                self.watcher.progress(place.into(), total);
            }
        }
        self.flush().await?;
        self.watcher.progress(total, total);
        Ok(())
    }

    /// What was done.
    pub(super) fn finish(mut self) -> Done {
        self.done.elapsed = self.clock.monotonic().saturating_sub(self.started);
        self.done
    }

    async fn sell(&mut self, place: u32, invoice: &Invoice) -> Result<(), ReplayError> {
        let accepted = self.done.forecast.sell(place, invoice);
        if !accepted && !self.new_ground {
            self.done.refuse(&invoice.sold);
            return Ok(());
        }
        if self.waiting.len() == BATCH_ORDERS_MAX
            || self.waiting_lines + invoice.sold.len() > BATCH_LINES_MAX
        {
            self.flush().await?;
        }
        self.waiting.push((place, accepted));
        self.waiting_lines += invoice.sold.len();
        Ok(())
    }

    /// Sends the orders that wait. Everything else that touches the book comes after this, to keep the order of time.
    async fn flush(&mut self) -> Result<(), ReplayError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_lines = 0;
        let orders = waiting.iter().map(|(place, _)| self.order(*place));
        let batch = PlaceBatch {
            orders: orders.collect(),
        };
        let answers = self.target.place(&batch).await?;
        if answers.results.len() != waiting.len() {
            return Err(ReplayError::AnswerMissing {
                asked: waiting.len(),
                answered: answers.results.len(),
            });
        }
        for ((place, accepted), answer) in waiting.into_iter().zip(&answers.results) {
            self.hear(place, accepted, answer);
        }
        Ok(())
    }

    fn order(&self, place: u32) -> BatchOrder {
        let invoice = &self.history.invoices[place as usize];
        let lines = invoice.sold.iter().map(|line| AskedLine {
            sku: self.history.items[line.item as usize].code.clone(),
            quantity: line.units,
            price: Some(line.price),
        });
        let customer = invoice
            .customer
            .map(|customer| &self.history.customers[customer as usize]);
        BatchOrder {
            idempotency_key: invoice.number.clone(),
            sale_id: self.done.sale,
            lines: lines.collect(),
            buyer: customer.map(|number| format!("customer-{number}").into()),
            tags: None,
            facts: None,
            paid: Some(PaidElsewhere {
                reference: invoice.number.clone(),
            }),
            team: None,
            coupons: Vec::new(),
        }
    }

    fn hear(&mut self, place: u32, accepted: bool, answer: &BatchResult) {
        let invoice = &self.history.invoices[place as usize];
        let code = answer.code.as_deref().unwrap_or_default();
        match (accepted, answer.id) {
            (true, Some(id)) => {
                self.new_ground |= !answer.repeated;
                self.done
                    .accept(place, invoice, id, answer.total_minor.unwrap_or_default());
            }
            (false, None) if code == Code::SoldOut.as_str() => self.done.refuse(&invoice.sold),
            (false, Some(id)) => {
                self.done
                    .settle(&invoice.sold, Fate::Booked, "booked twice");
                self.done.disagree(format!(
                    "invoice {}: {id} was accepted, though not everything is left",
                    invoice.number
                ));
            }
            (expected, None) => {
                let detail = answer.detail.as_deref().unwrap_or_default();
                if expected {
                    self.done.forecast.unsell(place, invoice);
                }
                self.done.reject(&invoice.sold, &format!("{code} {detail}"));
                self.done.disagree(format!(
                    "invoice {}: refused with {code}: {detail}",
                    invoice.number
                ));
            }
        }
    }

    async fn write_off(&mut self, invoice: &Invoice, line: &Line) -> Result<(), ReplayError> {
        let accepted = self.done.forecast.write_off(line);
        let too_many = "a write-off above what is available";
        if !accepted && !self.new_ground {
            self.done.reject(&[*line], too_many);
            return Ok(());
        }
        self.flush().await?;
        let body = WriteOff {
            sku: self.history.items[line.item as usize].code.clone(),
            units: line.units,
            reason: Some(format!("row {} of the history", line.row).into()),
            idempotency_key: None,
        };
        let key = format!("{}-{}", invoice.number, line.row);
        let told = self.target.write_off(&key, self.done.sale, &body).await?;
        self.new_ground |= accepted && matches!(told, Told::Done(_));
        match (accepted, told) {
            (true, Told::Done(_) | Told::Repeated(_)) => {
                self.done
                    .settle(&[*line], Fate::WrittenOff, "written off twice");
            }
            (false, Told::Refused { code, .. }) if *code == *Code::OverWriteOff.as_str() => {
                self.done.reject(&[*line], too_many);
            }
            (_, told) => {
                self.done.reject(&[*line], "the shop decided otherwise");
                self.done.disagree(format!(
                    "row {}: write-off answered with {}",
                    line.row,
                    said(&told)
                ));
            }
        }
        Ok(())
    }

    async fn take_back(&mut self, invoice: &Invoice) -> Result<(), ReplayError> {
        let forecast = &mut self.done.forecast;
        let lines = invoice.returned.iter();
        let lines: Vec<ReturnedLine> = lines
            .map(|line| forecast.take_back(invoice.customer, line))
            .collect();
        // One refund for each order that the units came from; a refund names each line once.
        let mut refunds: BTreeMap<u32, BTreeMap<u16, u32>> = BTreeMap::new();
        for found in lines.iter().flat_map(|line| &line.matches) {
            let units = refunds.entry(found.invoice).or_default();
            *units.entry(found.line).or_default() += found.units;
        }
        if !refunds.is_empty() {
            self.flush().await?;
        }
        let mut failed = Vec::new();
        for (place, units) in refunds {
            if !self.refund(invoice, place, &units).await? {
                failed.push(place);
            }
        }
        for line in lines {
            self.done.take_back(&line, &failed);
        }
        Ok(())
    }

    /// Refunds units of one order. Says whether the shop agreed.
    async fn refund(
        &mut self,
        invoice: &Invoice,
        place: u32,
        units: &BTreeMap<u16, u32>,
    ) -> Result<bool, ReplayError> {
        let Some(order) = self.done.orders[place as usize] else {
            self.done.disagree(format!(
                "invoice {}: the order to refund has no identifier",
                invoice.number
            ));
            return Ok(false);
        };
        let body = refund_body(invoice, units);
        let key = format!("{}-{order}", invoice.number);
        let told = self.target.refund(&key, order, &body).await?;
        self.new_ground |= matches!(told, Told::Done(_));
        let (Told::Done(refund) | Told::Repeated(refund)) = told else {
            self.done
                .disagree(format!("refund {key} answered with {}", said(&told)));
            return Ok(false);
        };
        let asked: u32 = units.values().sum();
        let expected = self.money_back(place, units);
        if (refund.units_returned, refund.amount_minor) != (asked, expected) {
            self.done.disagree(format!(
                "refund {key}: {} units and {} back, expected {asked} and {expected}",
                refund.units_returned, refund.amount_minor
            ));
        }
        *self.done.refunded_minor.entry(place).or_default() += refund.amount_minor;
        Ok(true)
    }

    /// What must come back for units: the difference of two rounded line totals, before and after.
    fn money_back(&self, place: u32, units: &BTreeMap<u16, u32>) -> i64 {
        let sold = &self.history.invoices[place as usize].sold;
        let kept = self.done.forecast.kept(place);
        let part = |(line, units): (&u16, &u32)| {
            let nth = usize::from(*line);
            let after = sold[nth].units - kept[nth];
            total_minor(sold[nth].price, after) - total_minor(sold[nth].price, after - units)
        };
        units.iter().map(part).sum()
    }
}

impl Done {
    fn new(history: &History, sale: SaleId, stock: Vec<u32>) -> Self {
        let mut done = Self {
            sale,
            forecast: Forecast::new(history, &stock),
            stock,
            orders: vec![None; history.invoices.len()],
            refunded_minor: BTreeMap::new(),
            fates: vec![Fate::Open; history.rows as usize],
            rejections: history.rejections.clone(),
            disagreements: Vec::new(),
            refused_sold_out: 0,
            units_returned: 0,
            units_unmatched: 0,
            gross_minor: 0,
            elapsed: Duration::ZERO,
        };
        for rejection in &history.rejections {
            done.fates[rejection.row as usize - 1] = Fate::Rejected;
        }
        done
    }

    fn accept(&mut self, place: u32, invoice: &Invoice, id: OrderId, told_minor: i64) {
        let lines = invoice.sold.iter();
        let expected: i64 = lines.map(|line| total_minor(line.price, line.units)).sum();
        if told_minor != expected {
            self.disagree(format!(
                "invoice {}: costs {told_minor}, expected {expected}",
                invoice.number
            ));
        }
        self.gross_minor += told_minor;
        self.orders[place as usize] = Some(id);
        self.settle(&invoice.sold, Fate::Booked, "booked twice");
    }

    fn refuse(&mut self, lines: &[Line]) {
        self.refused_sold_out += 1;
        self.settle(lines, Fate::Refused, "refused twice");
    }

    fn reject(&mut self, lines: &[Line], reason: &str) {
        self.settle(lines, Fate::Rejected, "rejected twice");
        self.rejections.extend(lines.iter().map(|line| Rejection {
            row: line.row,
            reason: reason.into(),
        }));
    }

    fn take_back(&mut self, line: &ReturnedLine, failed: &[u32]) {
        let refused = |found: &super::Match| failed.contains(&found.invoice);
        if line.matches.iter().any(refused) {
            self.reject(&[line.line], "the shop refused the refund");
            return;
        }
        self.units_returned += u64::from(line.line.units - line.unmatched_units);
        self.units_unmatched += u64::from(line.unmatched_units);
        let fate = if line.unmatched_units == 0 {
            Fate::Returned
        } else {
            Fate::Unmatched
        };
        self.settle(&[line.line], fate, "returned twice");
    }

    /// Every row has exactly one fate.
    fn settle(&mut self, lines: &[Line], fate: Fate, twice: &str) {
        for line in lines {
            let place = &mut self.fates[line.row as usize - 1];
            if *place != Fate::Open {
                let was = *place;
                self.disagree(format!("row {} was {was:?} and is {twice}", line.row));
                continue;
            }
            *place = fate;
        }
    }

    fn disagree(&mut self, what: String) {
        if self.disagreements.len() < DISAGREEMENTS_MAX {
            self.disagreements.push(what);
        }
    }
}

fn sale_body(history: &History, stock: &[u32], name: &str) -> Result<CreateSale, ReplayError> {
    let currency: Currency = "GBP"
        .parse()
        .map_err(|_| refused("begin the sale", "", "GBP is no currency"))?;
    let skus = history.items.iter().zip(stock).map(|(item, stock)| NewSku {
        sku: item.code.clone(),
        name: (!item.name.is_empty()).then(|| item.name.clone()),
        price: item.price,
        stock: *stock,
        limits: SkuLimits::default(),
    });
    Ok(CreateSale {
        name: name.into(),
        currency,
        hold_ms: api::limits::HOLD_MS_DEFAULT,
        window: Window::default(),
        limits: Limits {
            units_per_order: None,
            units_per_buyer: None,
        },
        rules: Vec::new(),
        skus: skus.collect(),
        offer: None,
        idempotency_key: None,
    })
}

fn refund_body(invoice: &Invoice, units: &BTreeMap<u16, u32>) -> RefundOrder {
    let lines = units
        .iter()
        .map(|(line, quantity)| api::refund::ReturnedLine {
            line: *line,
            quantity: *quantity,
        });
    RefundOrder {
        amount_minor: None,
        lines: Some(lines.collect()),
        restock: true,
        reason: Some(invoice.number.clone()),
        idempotency_key: None,
    }
}

/// Price of so many units in pennies, rounded half to even; counted here once more, so that the book's own arithmetic
/// is checked and not repeated.
pub(super) fn total_minor(price: PriceText, units: u32) -> i64 {
    let exact = price.ten_thousandths() * i64::from(units);
    let (whole, rest) = (exact / 100, exact % 100);
    match rest {
        51.. => whole + 1,
        50 => whole + whole % 2,
        _ => whole,
    }
}

fn refused(what: &'static str, code: &str, detail: &str) -> ReplayError {
    ReplayError::Refused {
        what,
        status: 409,
        answer: format!("{code} {detail}"),
    }
}

fn said<A>(told: &Told<A>) -> String {
    match told {
        Told::Done(_) => "yes".into(),
        Told::Repeated(_) => "yes, as before".into(),
        Told::Refused { code, detail } => format!("{code}: {detail}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_rounded_once_and_half_to_even() {
        for (price, units, minor) in [
            ("0.001", 1, 0),
            ("0.001", 15, 2),
            ("0.005", 1, 0),
            ("0.015", 1, 2),
            ("2.55", 6, 1530),
            ("0", 9, 0),
        ] {
            let price: PriceText = price.parse().unwrap();
            assert_eq!(total_minor(price, units), minor, "{price} x {units}");
        }
    }
}
