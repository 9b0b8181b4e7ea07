//! One buyer from arrival to going home.

use super::door::{Door, Heard, Unanswered, body, code};
use super::memory::{Contradiction, Memory, Told};
use super::plan::{HOLD_MS, Habit, SKUS, UNITS_PER_ORDER, Visitor};
use super::tally::count;
use crate::client::Request;
use api::order::{AskedLine, Order, OrderState, PlaceOrder};
use api::refund::{Refund, RefundOrder, ReturnedLine};
use api::{OrderId, SaleId};
use std::sync::Arc;
use std::time::Duration;

/// Body of steps that need no data.
const NOTHING: &[u8] = b"{}";
/// How often a buyer comes back after everything was sold.
const COMEBACKS: u32 = 2;
/// How often a buyer tries to pay when its bank declines.
const PAYMENTS: u32 = 3;
/// How long a buyer watches a payment that is under way.
const WATCH_MAX: Duration = Duration::from_secs(60);
/// Orders that a hoarder tries: two units each, one more than the limit allows.
const HOARDER_ORDERS: u32 = 3;

/// A buyer at work.
pub(super) struct Buyer {
    pub(super) door: Arc<Door>,
    pub(super) sale: SaleId,
    pub(super) visitor: Visitor,
    pub(super) token: Box<str>,
    pub(super) merchant_key: Arc<str>,
    pub(super) memory: Memory,
    /// Keys used so far; each wish has its own.
    pub(super) keys: u32,
}

/// What became of a wish.
enum Wish {
    /// The order stands at this place of the memory.
    Granted(usize),
    SoldOut,
    Refused,
}

impl Buyer {
    /// Everything that the buyer does. What nobody answered is in the memory, as such.
    pub(super) async fn visit(mut self) -> Memory {
        tokio::time::sleep(self.visitor.arrives).await;
        let result = match self.visitor.habit {
            Habit::Hoard => self.hoard().await,
            _ => self.shop().await,
        };
        if result.is_err() {
            self.memory.unresolved += 1;
        }
        count(&self.door.tally.gone);
        self.memory
    }

    async fn shop(&mut self) -> Result<(), Unanswered> {
        let units = if self.visitor.chance.percent(30) {
            2
        } else {
            1
        };
        for _ in 0..=COMEBACKS {
            match self.order(units).await? {
                Wish::Granted(nth) => return self.live_with(nth).await,
                Wish::Refused => return Ok(()),
                Wish::SoldOut => {}
            }
            let pause = self.visitor.chance.between(200, 3_000);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Ok(())
    }

    async fn live_with(&mut self, nth: usize) -> Result<(), Unanswered> {
        match self.visitor.habit {
            Habit::Abandon => Ok(()),
            Habit::Cancel => self.cancel(nth).await,
            Habit::Return => {
                self.pay(nth).await?;
                self.give_back(nth).await
            }
            Habit::Late => {
                let late = HOLD_MS + self.visitor.chance.between(100, 900);
                tokio::time::sleep(Duration::from_millis(late)).await;
                self.pay(nth).await
            }
            Habit::Forge => {
                self.forge(nth).await?;
                self.pay(nth).await
            }
            _ => self.pay(nth).await,
        }
    }

    /// Asks for more than one order may have, then takes what the limit allows and keeps half of it unpaid.
    async fn hoard(&mut self) -> Result<(), Unanswered> {
        self.order(UNITS_PER_ORDER + 1).await?;
        for nth in 0..HOARDER_ORDERS {
            if let Wish::Granted(order) = self.order(2).await?
                && nth % 2 == 0
            {
                self.pay(order).await?;
            }
        }
        Ok(())
    }

    async fn order(&mut self, units: u32) -> Result<Wish, Unanswered> {
        let sku = SKUS[self.visitor.wish()].0;
        let key = self.next_key();
        let asked = self.order_body(sku, units);
        let bearer = self.token.clone();
        let request = Request::post("/v1/orders", &bearer, &key, &asked);
        let mut strays = 0;
        if self.visitor.habit == Habit::HangUp {
            // Whether it was sent at all does not matter: the same key asks again.
            let _ = self.door.pool.send_and_hang_up(&request).await;
            strays = 1;
        }
        let answers = self.send(&request, &mut strays).await?;
        let mut wish = Wish::Refused;
        for heard in &answers {
            wish = self.hear_order(wish, heard, sku, units);
        }
        if !matches!(wish, Wish::Granted(_)) && strays > 0 {
            self.memory.strays += 1;
        }
        Ok(wish)
    }

    /// Sends once, or twice at the same time if that is the buyer's habit. Counts requests that were never answered.
    async fn send(
        &self,
        request: &Request<'_>,
        strays: &mut u32,
    ) -> Result<Vec<Heard>, Unanswered> {
        let (door, chance) = (&self.door, &self.visitor.chance);
        if self.visitor.habit != Habit::DoubleClick {
            return Ok(vec![door.insist_counting(request, chance, strays).await?]);
        }
        let mut more = 0;
        let (first, second) = tokio::join!(
            door.insist_counting(request, chance, strays),
            door.insist_counting(request, chance, &mut more)
        );
        *strays += more;
        Ok(vec![first?, second?])
    }

    fn hear_order(&mut self, before: Wish, heard: &Heard, sku: &str, units: u32) -> Wish {
        let Some(order) = body::<Order>(heard) else {
            let code = code(heard);
            self.door.tally.refused(&code);
            return match before {
                Wish::Granted(nth) => Wish::Granted(nth),
                _ if &*code == "TG-2102" => Wish::SoldOut,
                _ => Wish::Refused,
            };
        };
        if let Wish::Granted(nth) = before {
            self.compare(nth, &order);
            return Wish::Granted(nth);
        }
        let line = order.lines.first();
        let same = order.lines.len() == 1
            && order.sale_id == self.sale
            && line.is_some_and(|line| &*line.sku == sku && line.quantity == units)
            && order.buyer.as_deref() == Some(&*self.visitor.name);
        if !same {
            let what = format!("{} is not what was ordered", order.id);
            self.memory.contradict(Contradiction::OtherFacts(what));
        }
        count(&self.door.tally.accepted);
        self.memory.orders.push(Told {
            id: order.id,
            sku: sku.into(),
            units,
            total_minor: order.total_minor,
            held_until_ms: order.hold_expires_at.map_or(0, |until| until.ms()),
            paid: false,
            cancelled: false,
            refunds: Vec::new(),
        });
        Wish::Granted(self.memory.orders.len() - 1)
    }

    /// A second answer to the same key must be about the same order.
    fn compare(&mut self, nth: usize, order: &Order) {
        let told = &self.memory.orders[nth];
        if told.id != order.id {
            let what = format!("one key, two orders: {} and {}", told.id, order.id);
            self.memory.contradict(Contradiction::TwoOrders(what));
        } else if told.total_minor != order.total_minor {
            let what = format!("{} costs something else when asked again", order.id);
            self.memory.contradict(Contradiction::OtherFacts(what));
        }
    }

    /// Uses the key of an accepted order for another wish; the shop must refuse it as such.
    async fn forge(&mut self, nth: usize) -> Result<(), Unanswered> {
        let key = self.key(self.keys);
        let told = &self.memory.orders[nth];
        let other = self.order_body(&told.sku, told.units + 1);
        let bearer = self.token.clone();
        let request = Request::post("/v1/orders", &bearer, &key, &other);
        let heard = self.door.insist(&request, &self.visitor.chance).await?;
        if let Some(order) = body::<Order>(&heard) {
            let what = format!(
                "a used key with another body was answered with {}",
                order.id
            );
            self.memory.contradict(Contradiction::TwoOrders(what));
        }
        Ok(())
    }

    async fn pay(&mut self, nth: usize) -> Result<(), Unanswered> {
        let id = self.memory.orders[nth].id;
        for attempt in 0..PAYMENTS {
            let heard = self.step(id, "pay", attempt).await?;
            let Some(order) = body::<Order>(&heard) else {
                // Expired, or decided otherwise in the meantime; the audit knows what is right.
                return Ok(());
            };
            self.saw(nth, &order);
            let state = self.watch(nth).await?;
            let gives_up = self.visitor.chance.percent(30);
            if state != OrderState::Held || gives_up {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks at the order until its payment is decided.
    async fn watch(&mut self, nth: usize) -> Result<OrderState, Unanswered> {
        let path = format!("/v1/orders/{}", self.memory.orders[nth].id);
        let until = world::Clock::monotonic(&*self.door.clock) + WATCH_MAX;
        let mut pause_ms = 20;
        loop {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let request = Request::get(&path, &self.token);
            let heard = self.door.insist(&request, &self.visitor.chance).await?;
            let Some(order) = body::<Order>(&heard) else {
                let what = format!("{path} cannot be seen by its buyer: {}", code(&heard));
                self.memory.contradict(Contradiction::OtherFacts(what));
                return Err(Unanswered);
            };
            self.saw(nth, &order);
            let over = world::Clock::monotonic(&*self.door.clock) >= until;
            if order.state != OrderState::Paying || over {
                return Ok(order.state);
            }
            pause_ms = (pause_ms * 2).min(500);
        }
    }

    fn saw(&mut self, nth: usize, order: &Order) {
        let now_ms = world::Clock::wall_ms(&*self.door.clock);
        self.memory.saw(nth, order, now_ms);
    }

    async fn cancel(&mut self, nth: usize) -> Result<(), Unanswered> {
        let id = self.memory.orders[nth].id;
        let heard = self.step(id, "cancel", 0).await?;
        if let Some(order) = body::<Order>(&heard) {
            self.saw(nth, &order);
        }
        Ok(())
    }

    /// The merchant refunds: all, or one unit that goes back on sale.
    async fn give_back(&mut self, nth: usize) -> Result<(), Unanswered> {
        if !self.memory.orders[nth].paid {
            return Ok(());
        }
        let id = self.memory.orders[nth].id;
        let refund = if self.visitor.chance.percent(50) {
            RefundOrder {
                restock: true,
                ..RefundOrder::default()
            }
        } else {
            RefundOrder {
                lines: Some(vec![ReturnedLine {
                    line: 0,
                    quantity: 1,
                }]),
                restock: self.visitor.chance.percent(50),
                ..RefundOrder::default()
            }
        };
        let asked = serde_json::to_vec(&refund).unwrap_or_default();
        let path = format!("/v1/orders/{id}/refunds");
        let key = format!("{id}-refund");
        let merchant_key = Arc::clone(&self.merchant_key);
        let request = Request::post(&path, &merchant_key, &key, &asked);
        // A nervous clerk: the same refund twice, one after the other.
        for _ in 0..2 {
            let heard = self.door.insist(&request, &self.visitor.chance).await?;
            if let Some(refund) = body::<Refund>(&heard) {
                self.hear_refund(nth, &refund);
            }
        }
        Ok(())
    }

    fn hear_refund(&mut self, nth: usize, refund: &Refund) {
        let told = &mut self.memory.orders[nth];
        match told.refunds.first() {
            None => told.refunds.push((refund.id, refund.amount_minor)),
            Some(known) if *known != (refund.id, refund.amount_minor) => {
                let what = format!("one key, two refunds: {} and {}", known.0, refund.id);
                self.memory.contradict(Contradiction::TwoOrders(what));
            }
            Some(_) => {}
        }
    }

    async fn step(&self, id: OrderId, step: &str, attempt: u32) -> Result<Heard, Unanswered> {
        let path = format!("/v1/orders/{id}/{step}");
        let key = format!("{id}-{step}-{attempt}");
        let request = Request::post(&path, &self.token, &key, NOTHING);
        let mut answers = self.send(&request, &mut 0).await?;
        // Of two answers to one key a yes is the one to go on with.
        answers.sort_by_key(|heard| heard.is_success());
        answers.pop().ok_or(Unanswered)
    }

    fn order_body(&self, sku: &str, units: u32) -> Vec<u8> {
        let order = PlaceOrder {
            sale_id: self.sale,
            lines: vec![AskedLine {
                sku: sku.into(),
                quantity: units,
                price: None,
            }],
            buyer: None,
            tags: None,
            paid: None,
            team: None,
            coupons: Vec::new(),
            facts: None,
            idempotency_key: None,
        };
        // A body of plain texts and numbers can always be written.
        serde_json::to_vec(&order).unwrap_or_default()
    }

    fn next_key(&mut self) -> String {
        self.keys += 1;
        self.key(self.keys)
    }

    fn key(&self, nth: u32) -> String {
        format!("{}-{nth}", self.visitor.name)
    }
}
