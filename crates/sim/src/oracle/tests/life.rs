//! A small shop for tests: the real book behind clients that write down what they see.

use std::collections::BTreeMap;
use std::time::Duration;

use api::provider::{
    ChargeOutcome, ChargeRequest, ProviderCharge, ProviderRefund, RefundOutcome, RefundRequest,
};
use api::{OrderId, PaymentId, Position, RefundId, SaleId};
use commerce::command::{self, Action, Actor, Ask, Command, Place, RefundAsk, Report, UnitsBack};
use commerce::plan::{Limits, Plan, Rule, SkuPlan, Test, Turn, Window};
use commerce::record::{self, Records};
use commerce::{Book, Done, Entry, Offer, Time};
use ledger::{Currency, Minor, UnitPrice, Units};
use world::journal::Batch;

use super::answers;
use crate::oracle::chain;
use crate::record::{Call, Evidence, Outcome, Said, Who};

pub(super) const ID: [u8; 16] = [3; 16];

pub(super) struct Life {
    pub(super) book: Book,
    pub(super) now: u64,
    pub(super) batches: Vec<Batch>,
    pub(super) calls: Vec<Call>,
    pub(super) charges: Vec<ProviderCharge>,
    pub(super) refunds: Vec<ProviderRefund>,
}

pub(super) fn order_id(number: u32) -> OrderId {
    OrderId::new(SaleId::new(1).unwrap(), number.into()).unwrap()
}

pub(super) fn cups(stock: u32) -> Plan {
    Plan {
        title: "Cups".into(),
        currency: Currency::new("EUR").unwrap(),
        hold_ms: 10_000,
        window: Window::default(),
        limits: Limits {
            per_order: Some(Units(4)),
            per_buyer: Some(Units(4)),
        },
        rules: vec![Rule {
            test: Test::Named,
            until: None,
        }],
        skus: vec![SkuPlan {
            sku: "cup".into(),
            title: "Cup".into(),
            price: UnitPrice(125_050),
            limits: Limits {
                per_order: None,
                per_buyer: Some(Units(3)),
            },
            stock: Units(stock),
        }],
    }
}

impl Life {
    pub(super) fn open(stock: u32) -> Self {
        Self::open_with(stock, None)
    }

    /// A sale that offers something beyond plain orders.
    pub(super) fn open_with(stock: u32, offer: Option<Offer>) -> Self {
        let mut life = Self {
            book: Book::new(),
            now: 1_000,
            batches: Vec::new(),
            calls: Vec::new(),
            charges: Vec::new(),
            refunds: Vec::new(),
        };
        let plan = Box::new(cups(stock));
        let secret = [7; 16];
        let create = match offer.map(Box::new) {
            None => Action::Create { secret, plan },
            Some(offer) => Action::CreateWith {
                secret,
                plan,
                offer,
            },
        };
        life.merchant("create", "/v1/sales", "{}", create);
        life.merchant(
            "open",
            "/v1/sales/sale_00001/open",
            "",
            Action::Turn(Turn::Open),
        );
        life
    }

    /// Everything once: bought, repeated, refused, paid, paid late, paid twice, given up, refunded, run out.
    pub(super) fn busy() -> Self {
        let mut life = Self::open(8);
        let ann = life.place("ann", "a1", 3);
        assert_eq!(life.place("ann", "a1", 3), ann);
        assert_eq!(life.place("ann", "a2", 1), None, "limit");
        life.pay("ann", "p1", ann.unwrap());
        life.charge(ann.unwrap(), 1, true);
        let bob = life.place("bob", "b1", 2).unwrap();
        life.pay("bob", "p1", bob);
        life.charge(bob, 1, false);
        life.pay("bob", "p2", bob);
        life.look("bob", bob);
        life.charge(bob, 2, true);
        life.capture(bob, 1);
        life.refunded(bob, 1, true);
        let cid = life.place("cid", "c1", 2).unwrap();
        life.pay("cid", "p1", cid);
        let dan = life.place("dan", "d1", 1).unwrap();
        life.pay("dan", "p1", dan);
        assert_eq!(life.place("eve", "e1", 1), None, "sold out");
        life.now += 20_000;
        life.look("cid", cid);
        let eve = life.place("eve", "e1", 3).unwrap();
        life.charge(cid, 1, true);
        life.refunded(cid, 1, false);
        life.refunded(cid, 2, true);
        life.cancel("eve", "x1", eve);
        life.charge(dan, 1, true);
        life.refund("r1", ann.unwrap(), 1);
        life.refunded(ann.unwrap(), 1, true);
        life.give_up("x2", bob);
        life.refunded(bob, 2, true);
        life.stock("s1", 5);
        life.write_off("w1", 2);
        life.look_at_stock();
        life
    }

    /// Carries out a command, writes down its entries, and lets the client hear of it.
    fn run(&mut self, actor: Actor, key: Option<&str>, action: Action) -> commerce::Outcome {
        self.now += 10;
        let mut entries = Vec::new();
        let command = Command {
            actor,
            key: key.map(Into::into),
            action,
        };
        let outcome = self
            .book
            .execute(Time(self.now), &command, &mut entries)
            .unwrap();
        if !entries.is_empty() {
            let batch = seal(self.batches.last(), self.now, &entries);
            self.batches.push(batch);
        }
        outcome
    }

    /// What the book does by itself when its time has come.
    pub(super) fn tick(&mut self) {
        self.now += 10;
        let mut entries = Vec::new();
        let now = Time(self.now);
        self.book.tick(now, 100, &mut entries).unwrap();
        let batch = seal(self.batches.last(), self.now, &entries);
        self.batches.push(batch);
    }

    pub(super) fn position(&self) -> Position {
        let last = self.batches.last().unwrap();
        Position::new(last.sequence, &last.chain)
    }

    pub(super) fn note(
        &mut self,
        who: Who,
        request: (&'static str, String, String),
        key: Option<&str>,
        said: Said,
    ) {
        let client = match &who {
            Who::Buyer(name) => u32::from(name.as_bytes()[0]),
            _ => 1,
        };
        self.calls.push(Call {
            client,
            who,
            method: request.0,
            path: request.1,
            key: key.map(Into::into),
            body: request.2,
            asked_at: Duration::from_millis(self.now - 5),
            ended_at: Duration::from_millis(self.now),
            outcome: Outcome::Said(said),
        });
    }

    pub(super) fn change(
        &mut self,
        who: Who,
        key: &str,
        path: &str,
        body: &str,
        action: Action,
    ) -> Option<Done> {
        let actor = match &who {
            Who::Buyer(name) => Actor::Buyer(name.as_str().into()),
            _ => Actor::Merchant("shop".into()),
        };
        let outcome = self.run(actor, Some(key), action);
        let said = answers::said(self, &outcome);
        self.note(who, ("POST", path.into(), body.into()), Some(key), said);
        outcome.decision.ok()
    }

    fn merchant(&mut self, key: &str, path: &str, body: &str, action: Action) {
        self.change(Who::Merchant, key, path, body, action).unwrap();
    }

    pub(super) fn place(&mut self, buyer: &str, key: &str, units: u32) -> Option<u32> {
        let place = Place {
            buyer: None,
            tags: [].into(),
            lines: vec![Ask {
                sku: "cup".into(),
                units,
                price: None,
            }],
            paid: None,
            deal: None,
        };
        let body =
            format!(r#"{{"sale_id":"sale_00001","lines":[{{"sku":"cup","quantity":{units}}}]}}"#);
        let who = Who::Buyer(buyer.into());
        match self.change(who, key, "/v1/orders", &body, Action::Place(place)) {
            Some(Done::Order(order)) => Some(order),
            _ => None,
        }
    }

    pub(super) fn pay(&mut self, buyer: &str, key: &str, order: u32) {
        let path = format!("/v1/orders/{}/pay", order_id(order));
        let who = Who::Buyer(buyer.into());
        self.change(who, key, &path, "", Action::Pay { order })
            .unwrap();
    }

    pub(super) fn cancel(&mut self, buyer: &str, key: &str, order: u32) {
        let path = format!("/v1/orders/{}/cancel", order_id(order));
        let who = Who::Buyer(buyer.into());
        self.change(who, key, &path, "", Action::Cancel { order })
            .unwrap();
    }

    fn give_up(&mut self, key: &str, order: u32) {
        let path = format!("/v1/orders/{}/cancel", order_id(order));
        self.merchant(key, &path, "", Action::Cancel { order });
    }

    fn refund(&mut self, key: &str, order: u32, units: u32) {
        let ask = RefundAsk {
            lines: vec![(0, units)],
            units: UnitsBack::Restock,
            ..RefundAsk::default()
        };
        let path = format!("/v1/orders/{}/refunds", order_id(order));
        let body = format!(r#"{{"lines":[{{"line":0,"quantity":{units}}}],"restock":true}}"#);
        self.merchant(key, &path, &body, Action::Refund { order, ask });
    }

    pub(super) fn stock(&mut self, key: &str, units: u32) {
        let body = format!(r#"{{"sku":"cup","units":{units}}}"#);
        let action = Action::AddStock {
            sku: "cup".into(),
            units: Units(units),
        };
        self.merchant(key, "/v1/sales/sale_00001/stock", &body, action);
    }

    fn write_off(&mut self, key: &str, units: u32) {
        let body = format!(r#"{{"sku":"cup","units":{units}}}"#);
        let action = Action::WriteOff {
            sku: "cup".into(),
            units: Units(units),
            reason: None,
        };
        self.merchant(key, "/v1/sales/sale_00001/write-offs", &body, action);
    }

    pub(super) fn look(&mut self, buyer: &str, order: u32) {
        self.now += 10;
        self.book.advance(Time(self.now));
        let said = answers::yes(self, answers::order_body(&self.book, order), false);
        let path = format!("/v1/orders/{}", order_id(order));
        self.note(
            Who::Buyer(buyer.into()),
            ("GET", path, String::new()),
            None,
            said,
        );
    }

    pub(super) fn look_at_stock(&mut self) {
        self.now += 10;
        let said = answers::stock(self);
        let path = "/v1/inventory/cup?sale=sale_00001".to_owned();
        self.note(Who::Merchant, ("GET", path, String::new()), None, said);
    }

    /// What the provider decided about a charge, and its report.
    pub(super) fn charge(&mut self, order: u32, attempt: u16, captured: bool) {
        let key = PaymentId {
            order: order_id(order),
            attempt,
        };
        let found = self.book.order(order).unwrap();
        let total = match found.dues() {
            // The attempt that is under way is for what is not paid yet.
            Some((dues, true, _)) => Minor(found.total().0 - dues.deposit.0),
            Some((dues, false, _)) => dues.deposit,
            None => found.total(),
        };
        self.charges.push(ProviderCharge {
            request: ChargeRequest {
                key,
                order: order_id(order),
                amount_minor: total.0,
                currency: "EUR".parse().unwrap(),
            },
            outcome: match captured {
                true => ChargeOutcome::Captured,
                false => ChargeOutcome::Declined,
            },
        });
        let outcome = match captured {
            true => command::ChargeOutcome::Captured(total),
            false => command::ChargeOutcome::Failed,
        };
        self.report(Report::Charge {
            order,
            attempt,
            outcome,
        });
    }

    /// A charge that had failed was captured after all.
    fn capture(&mut self, order: u32, attempt: u16) {
        let key = PaymentId {
            order: order_id(order),
            attempt,
        };
        self.charges.retain(|charge| charge.request.key != key);
        self.charge(order, attempt, true);
    }

    pub(super) fn refunded(&mut self, order: u32, number: u16, paid: bool) {
        let found = self.book.order(order).unwrap();
        let refund = found
            .refunds()
            .find(|refund| refund.number == number)
            .unwrap();
        let open = self
            .book
            .open_effects()
            .find_map(|effect| match effect.kind {
                commerce::entry::EffectKind::Refund { number: of, charge }
                    if effect.order == order && of == number =>
                {
                    Some(charge)
                }
                _ => None,
            });
        self.refunds.push(ProviderRefund {
            request: RefundRequest {
                key: RefundId {
                    order: order_id(order),
                    number,
                },
                charge: PaymentId {
                    order: order_id(order),
                    attempt: open.unwrap(),
                },
                amount_minor: refund.amount.0,
                currency: "EUR".parse().unwrap(),
            },
            outcome: match paid {
                true => RefundOutcome::Refunded,
                false => RefundOutcome::Declined,
            },
        });
        let outcome = match paid {
            true => command::RefundOutcome::Refunded,
            false => command::RefundOutcome::Failed,
        };
        self.report(Report::Refund {
            order,
            number,
            outcome,
        });
    }

    pub(super) fn report(&mut self, report: Report) {
        self.run(Actor::House, None, Action::Report(report))
            .decision
            .unwrap();
    }

    pub(super) fn evidence(self) -> Evidence {
        let orders = self
            .book
            .orders()
            .map(|order| answers::order(&self.book, order.number()));
        Evidence {
            listed: BTreeMap::from([(1, orders.collect())]),
            calls: self.calls,
            journals: BTreeMap::from([(1, self.batches)]),
            journal_ids: BTreeMap::from([(1, ID)]),
            charges: self.charges,
            refunds: self.refunds,
            open_effects: BTreeMap::from([(1, 0)]),
            ..Evidence::default()
        }
    }
}

/// A batch behind another.
pub(super) fn seal(before: Option<&Batch>, time_ms: u64, entries: &[Entry]) -> Batch {
    let mut payload = Vec::new();
    for entry in entries {
        record::put(entry, &mut payload).unwrap();
    }
    let mut batch = Batch {
        sequence: before.map_or(1, |before| before.sequence + 1),
        time_ms,
        entries: u32::try_from(entries.len()).unwrap(),
        payload,
        chain: [0; 32],
    };
    let root = chain::root(&ID);
    batch.chain = chain::link(before.map_or(&root, |before| &before.chain), &batch);
    batch
}

/// The entries of a journal, with their times.
pub(super) fn entries(evidence: &Evidence) -> Vec<(u64, Entry)> {
    let mut entries = Vec::new();
    for batch in &evidence.journals[&1] {
        let mut records = Records::new(&batch.payload);
        while let Some(entry) = records.read().unwrap() {
            entries.push((batch.time_ms, entry));
        }
    }
    entries
}

/// A busy life whose journal was written otherwise. What clients and read models say is taken away with it, so that the
/// journal is judged by itself.
pub(super) fn forged(forge: impl FnOnce(&mut Vec<(u64, Entry)>)) -> Evidence {
    let mut evidence = Life::busy().evidence();
    let mut story = entries(&evidence);
    forge(&mut story);
    let mut batches: Vec<Batch> = Vec::new();
    for (time, entry) in story {
        let batch = seal(batches.last(), time, &[entry]);
        batches.push(batch);
    }
    evidence.journals.insert(1, batches);
    evidence.calls.clear();
    evidence.listed.clear();
    evidence
}

pub(super) fn minor(amount: i64) -> Minor {
    Minor(amount)
}
