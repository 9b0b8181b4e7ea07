//! Lives built by hand: a quiet world, people who act by a script, and the questions that every attack asks at its end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::order::{Order, OrderState};
use api::provider::{ChargeOutcome, RefundOutcome};
use commerce::entry::Entry;
use commerce::record::Records;
use serde_json::{Value, json};
use shop::provider::sandbox::PerMille;
use tidegate_sim::client::{Ask, Client};
use tidegate_sim::crowd::Market;
use tidegate_sim::life::{Act, Lived, live_with};
use tidegate_sim::network::Way;
use tidegate_sim::plan::{LifePlan, SalePlan, Size};
use tidegate_sim::record::{Call, Outcome, Said, Who};

/// Steps of a small life; one that needs more runs in circles.
const STEPS_MAX: u64 = 3_000_000;
/// How long a scripted client waits for one answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);
/// How often a scripted client asks before it gives up.
const TRIES: u32 = 40;

/// A world without any trouble, and a sale of one SKU.
pub(crate) fn quiet(seed: u64, stock: u32) -> LifePlan {
    let mut plan = LifePlan::draw(seed, Size::default());
    plan.shop = shop::Settings::default();
    plan.shop.sales.segment_bytes_first = 64 * 1024;
    plan.shop.sales.segment_bytes_max = 64 * 1024;
    plan.bank = shop::provider::sandbox::Settings {
        seed,
        unknown_charge: shop::provider::sandbox::UnknownCharge::Decline,
        ..shop::provider::sandbox::Settings::default()
    };
    plan.bank_clock_ms = 0;
    plan.way = Way::default();
    plan.disk = tidegate_sim::disk::FaultPlan::default();
    plan.sales = vec![SalePlan {
        stock: vec![stock],
        prices: vec!["10"],
        hold_ms: 120_000,
        first_sku_per_buyer: None,
        offer: None,
        closes: None,
        units_per_buyer: None,
    }];
    plan.guests = Vec::new();
    plan.incidents = Vec::new();
    plan
}

/// So many of a thousand.
pub(crate) fn share(per_mille: u16) -> PerMille {
    PerMille::new(per_mille).unwrap()
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Wraps a script.
pub(crate) fn act<F, W>(script: F) -> Act
where
    F: FnOnce(Market) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    Box::new(move |market| Box::pin(script(market)))
}

/// What scripts want to tell their test.
pub(crate) struct Notes<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Notes<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone> Notes<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Vec::new())))
    }

    pub(crate) fn add(&self, note: T) {
        self.0.lock().unwrap().push(note);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, which: impl Fn(&T) -> bool) -> usize {
        self.all().iter().filter(|note| which(note)).count()
    }
}

/// Lives the plan with its scripts and holds what is left against all that must hold in every life.
pub(crate) fn lived(plan: &LifePlan, acts: Vec<Act>) -> Lived {
    let lived = live_with(plan, acts, STEPS_MAX).unwrap();
    sound(&lived, plan.seed);
    lived
}

/// Nothing was found, everything is settled, and bank, book and shelf agree.
fn sound(lived: &Lived, seed: u64) {
    let evidence = &lived.evidence;
    let told = || format!("seed {seed}, story {:?}", lived.story);
    assert!(
        lived.findings.is_empty(),
        "{:?}, {}",
        lived.findings,
        told()
    );
    assert_eq!(evidence.panics, Vec::<String>::new(), "{}", told());
    assert_eq!(evidence.verify, Vec::<String>::new(), "{}", told());
    assert_eq!(evidence.unhealed, Vec::<String>::new(), "{}", told());
    assert_eq!(evidence.open_effects.values().sum::<u64>(), 0, "{}", told());
    for order in orders(lived) {
        let at_the_bank = captured(lived, &order) - refunded(lived, &order);
        let in_the_book = order.captured_minor - order.refunded_minor;
        assert_eq!(at_the_bank, in_the_book, "{order:?}, {}", told());
        assert!(order.refunded_minor <= order.captured_minor, "{order:?}");
    }
}

/// What the bank has captured for an order.
pub(crate) fn captured(lived: &Lived, order: &Order) -> i64 {
    let charges = lived.evidence.charges.iter();
    let kept = charges.filter(|charge| {
        charge.request.order == order.id && charge.outcome == ChargeOutcome::Captured
    });
    kept.map(|charge| charge.request.amount_minor).sum()
}

/// What the bank has given back for an order.
pub(crate) fn refunded(lived: &Lived, order: &Order) -> i64 {
    let refunds = lived.evidence.refunds.iter();
    let back = refunds.filter(|refund| {
        refund.request.charge.order == order.id && refund.outcome == RefundOutcome::Refunded
    });
    back.map(|refund| refund.request.amount_minor).sum()
}

/// All orders, as the lists show them at the end.
pub(crate) fn orders(lived: &Lived) -> Vec<Order> {
    lived.evidence.listed.values().flatten().cloned().collect()
}

/// The orders that own their units.
pub(crate) fn owned(lived: &Lived) -> Vec<Order> {
    let owns = |order: &Order| {
        matches!(
            order.state,
            OrderState::Paid | OrderState::Shipped | OrderState::Delivered
        )
    };
    orders(lived).into_iter().filter(owns).collect()
}

/// Units of orders.
pub(crate) fn units(orders: &[Order]) -> u32 {
    let lines = orders.iter().flat_map(|order| &order.lines);
    lines.map(|line| line.quantity).sum()
}

/// Everything that the sales' journals say, with the time at which it was said.
pub(crate) fn entries(lived: &Lived) -> Vec<(u64, Entry)> {
    let mut entries = Vec::new();
    for batch in lived.evidence.journals.values().flatten() {
        let mut records = Records::new(&batch.payload);
        while let Some(entry) = records.read::<Entry>().unwrap() {
            entries.push((batch.time_ms, entry));
        }
    }
    entries
}

/// How many entries of the sales' journals are such.
pub(crate) fn entered(lived: &Lived, which: impl Fn(&Entry) -> bool) -> usize {
    let entries = entries(lived);
    entries.iter().filter(|(_, entry)| which(entry)).count()
}

/// The calls that brought this key.
pub(crate) fn calls<'a>(lived: &'a Lived, key: &'a str) -> impl Iterator<Item = &'a Call> {
    let calls = lived.evidence.calls.iter();
    calls.filter(move |call| call.key.as_deref() == Some(key))
}

/// The answer of a call, if one was heard.
pub(crate) fn heard(call: &Call) -> Option<&Said> {
    match &call.outcome {
        Outcome::Said(said) => Some(said),
        Outcome::Open | Outcome::Unheard(_) => None,
    }
}

/// Whether a call ended without an answer.
pub(crate) fn unheard(call: &Call) -> bool {
    matches!(call.outcome, Outcome::Unheard(_))
}

/// A field of an answer that is a text.
pub(crate) fn text(said: &Said, name: &str) -> Option<String> {
    let document: Value = serde_json::from_str(&said.body).ok()?;
    Some(document.get(name)?.as_str()?.to_owned())
}

/// A field of an answer that is a number.
pub(crate) fn number(said: &Said, name: &str) -> i64 {
    let document: Value = serde_json::from_str(&said.body).unwrap();
    document[name].as_i64().unwrap()
}

/// Somebody who acts by a script.
pub(crate) struct Actor {
    pub(crate) market: Market,
    pub(crate) client: Client,
}

impl Actor {
    /// A buyer with this name; the number must be its own.
    pub(crate) fn buyer(market: &Market, number: u32, name: &str) -> Self {
        Self {
            client: market.client(number, Who::Buyer(name.to_owned())),
            market: market.clone(),
        }
    }

    /// One of the merchant's people; the number must be its own.
    pub(crate) fn merchant(market: &Market, number: u32) -> Self {
        Self {
            client: market.client(number, Who::Merchant),
            market: market.clone(),
        }
    }

    pub(crate) fn sale(&self) -> String {
        self.market.sale_ids()[0].clone()
    }

    pub(crate) async fn wait(&self, how_long: Duration) {
        self.client.wait(how_long).await;
    }

    /// The request for an order of so many units a line.
    pub(crate) fn order(&self, key: &str, lines: &[u32]) -> Ask {
        let lines: Vec<Value> = lines
            .iter()
            .map(|quantity| json!({"sku": "SKU-0", "quantity": quantity}))
            .collect();
        Ask::post(
            "/v1/orders",
            key,
            &json!({"sale_id": self.sale(), "lines": lines}),
        )
    }

    /// Asks once.
    pub(crate) async fn once(&mut self, ask: &Ask) -> Outcome {
        self.client.ask(ask, PATIENCE).await
    }

    /// Asks with the same key until there is an answer that asking again will not change.
    pub(crate) async fn insist(&mut self, ask: &Ask) -> Said {
        let mut wait = ms(100);
        for _ in 0..TRIES {
            if let Outcome::Said(said) = self.once(ask).await
                && said.status < 500
                && said.status != 408
            {
                return said;
            }
            self.wait(wait).await;
            wait = (wait * 2).min(Duration::from_secs(5));
        }
        panic!("nobody ever answers {ask:?}");
    }

    /// Places an order of so many units, and insists.
    pub(crate) async fn place(&mut self, key: &str, units: u32) -> Said {
        let ask = self.order(key, &[units]);
        self.insist(&ask).await
    }

    /// Places an order that must succeed; its name.
    pub(crate) async fn take(&mut self, key: &str, units: u32) -> String {
        let said = self.place(key, units).await;
        assert!(said.is_yes(), "{said:?}");
        text(&said, "id").unwrap()
    }

    /// Does something with an order, and insists.
    pub(crate) async fn with_order(&mut self, order: &str, what: &str, key: &str) -> Said {
        let ask = Ask::post(format!("/v1/orders/{order}/{what}"), key, &json!({}));
        self.insist(&ask).await
    }

    /// Asks for a refund.
    pub(crate) fn refund(order: &str, key: &str, body: &Value) -> Ask {
        Ask::post(format!("/v1/orders/{order}/refunds"), key, body)
    }

    /// An order as it is now.
    pub(crate) async fn see(&mut self, order: &str) -> Said {
        self.insist(&Ask::get(format!("/v1/orders/{order}"))).await
    }

    /// Waits until an order has one of these states.
    pub(crate) async fn until(&mut self, order: &str, states: &[&str]) -> String {
        for _ in 0..600 {
            let state = text(&self.see(order).await, "state").unwrap_or_default();
            if states.contains(&state.as_str()) {
                return state;
            }
            self.wait(ms(100)).await;
        }
        panic!("{order} is never one of {states:?}");
    }

    /// Places an order, pays it and waits until it is paid.
    pub(crate) async fn buy(&mut self, key: &str, units: u32) -> String {
        let order = self.take(key, units).await;
        self.with_order(&order, "pay", &format!("{key}-pay")).await;
        self.until(&order, &["paid"]).await;
        order
    }

    /// Units that can be bought now.
    pub(crate) async fn available(&mut self) -> i64 {
        let path = format!("/v1/inventory/SKU-0?sale={}", self.sale());
        number(&self.insist(&Ask::get(path)).await, "available_count")
    }
}
