//! The crowd: people with habits, each a client of its own.

mod buyer;
mod depositor;
mod forger;
mod joiner;
mod leader;
mod merchant;
mod waiter;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::client::{Ask, Client, History};
use crate::clock::DAWN_MS;
use crate::plan::{Guest, Habit, LifePlan, SalePlan};
use crate::record::{Outcome, Said, Who};
use crate::stage::Stage;

/// How long a usual client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often somebody who insists asks.
const TRIES: u32 = 60;

/// What everybody in the crowd knows.
#[derive(Clone)]
pub struct Market {
    /// The stage.
    pub stage: Arc<Stage>,
    /// What all clients remember.
    pub history: History,
    /// The sales, once their merchant knows their names.
    sales: Arc<Mutex<Vec<Option<String>>>>,
    /// Orders that somebody placed, for the merchant to look after.
    orders: Arc<Mutex<Vec<String>>>,
    /// Links to teams that somebody showed around, with the place of their sale.
    links: Arc<Mutex<Vec<(usize, String)>>>,
    /// Places in line that somebody took, for forgers.
    tickets: Arc<Mutex<Vec<String>>>,
    /// Doors that opened to forgers.
    break_ins: Arc<Mutex<Vec<String>>>,
    plans: Arc<Vec<SalePlan>>,
    seed: u64,
}

impl Market {
    /// The market of a life.
    #[must_use]
    pub fn new(stage: &Arc<Stage>, history: &History, plan: &LifePlan) -> Self {
        Self {
            stage: stage.clone(),
            history: history.clone(),
            sales: Arc::new(Mutex::new(vec![None; plan.sales.len()])),
            orders: Arc::default(),
            links: Arc::default(),
            tickets: Arc::default(),
            break_ins: Arc::default(),
            plans: Arc::new(plan.sales.clone()),
            seed: plan.seed,
        }
    }

    /// The merchant creates a sale and opens it, however long that takes.
    pub async fn open_sale(self, nth: usize) {
        let number = u32::try_from(nth).unwrap_or(u32::MAX);
        let mut merchant = self.client(number, Who::Merchant);
        let plan = &self.plans[nth];
        let skus: Vec<Value> = (0..plan.stock.len())
            .map(|sku| {
                let most = plan.first_sku_per_buyer.filter(|_| sku == 0);
                json!({"sku": sku_name(sku), "price": plan.prices[sku], "stock": plan.stock[sku],
                    "limits": {"units_per_buyer": most}})
            })
            .collect();
        let mut body = json!({
            "name": format!("sale {nth}"),
            "currency": "EUR",
            "hold_ms": plan.hold_ms,
            "limits": {"units_per_order": 10, "units_per_buyer": plan.units_per_buyer},
            "skus": skus,
            "window": {"closes_at": plan.closes.map(|closes| {
                api::Time::from_ms(DAWN_MS + u64::try_from(closes.as_millis()).unwrap_or(u64::MAX))
            })},
        });
        if let Some(offer) = &plan.offer {
            body["offer"] = json!(offer);
        }
        let create = Ask::post("/v1/sales", format!("sale-{nth}"), &body);
        let Some(id) = insist(&mut merchant, &create)
            .await
            .and_then(|said| field(&said, "id"))
        else {
            return;
        };
        let open = Ask::post(
            format!("/v1/sales/{id}/open"),
            format!("open-{nth}"),
            &json!({}),
        );
        if insist(&mut merchant, &open).await.is_some() {
            self.sales.lock().unwrap_or_else(PoisonError::into_inner)[nth] = Some(id);
        }
    }

    /// Whether all sales have been opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let sales = self.sales.lock().unwrap_or_else(PoisonError::into_inner);
        sales.iter().all(Option::is_some)
    }

    /// The names of the sales that are open.
    #[must_use]
    pub fn sale_ids(&self) -> Vec<String> {
        let sales = self.sales.lock().unwrap_or_else(PoisonError::into_inner);
        sales.iter().flatten().cloned().collect()
    }

    /// One guest's visit.
    pub async fn visit(self, guest: Guest) {
        let chance = Chance::of(self.seed, &format!("guest {}", guest.number));
        let waits = self.client(guest.number, Who::Anybody);
        waits.wait(guest.at).await;
        let Some(sale) = self.sale(guest.sale) else {
            return;
        };
        let visit = Visit {
            market: self,
            guest,
            sale,
            chance,
        };
        match visit.guest.habit {
            Habit::Refund
            | Habit::Ship
            | Habit::Alter
            | Habit::Batch
            | Habit::ChargeBack
            | Habit::Rearrange
            | Habit::Keys => {
                visit.be_a_merchant().await;
            }
            _ => visit.be_a_buyer().await,
        }
    }

    /// A client of the street.
    #[must_use]
    pub fn client(&self, number: u32, who: Who) -> Client {
        Client::new(&self.stage, &self.history, number, who)
    }

    fn note_break_in(&self, what: String) {
        let mut break_ins = self
            .break_ins
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        break_ins.push(what);
    }

    /// What forgers got away with.
    #[must_use]
    pub fn break_ins(&self) -> Vec<String> {
        let break_ins = self
            .break_ins
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        break_ins.clone()
    }

    fn sale(&self, nth: usize) -> Option<String> {
        self.sales.lock().unwrap_or_else(PoisonError::into_inner)[nth].clone()
    }

    fn note_order(&self, order: &str) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.push(order.to_owned());
    }

    fn some_order(&self, chance: &mut Chance) -> Option<String> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        (!orders.is_empty()).then(|| orders[chance.index(orders.len())].clone())
    }

    fn note_ticket(&self, ticket: &str) {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.push(ticket.to_owned());
    }

    fn some_ticket(&self, chance: &mut Chance) -> Option<String> {
        let tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        (!tickets.is_empty()).then(|| tickets[chance.index(tickets.len())].clone())
    }

    /// Shows the link of a team around.
    fn show_link(&self, sale: usize, link: &str) {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.push((sale, link.to_owned()));
    }

    /// A link that somebody showed around, one of the last few.
    fn some_link(&self, sale: usize, chance: &mut Chance) -> Option<String> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let of_sale = links.iter().rev().filter(|(of, _)| *of == sale);
        let known: Vec<&String> = of_sale.take(3).map(|(_, link)| link).collect();
        (!known.is_empty()).then(|| known[chance.index(known.len())].clone())
    }
}

/// One guest, being there.
struct Visit {
    market: Market,
    guest: Guest,
    sale: String,
    chance: Chance,
}

impl Visit {
    /// A key of this guest's own; the same name gives the same key.
    fn key(&self, name: &str) -> String {
        format!("g{}-{name}", self.guest.number)
    }

    fn skus(&self) -> usize {
        self.market.plans[self.guest.sale].stock.len()
    }

    fn plan(&self) -> &SalePlan {
        &self.market.plans[self.guest.sale]
    }

    fn hold(&self) -> Duration {
        Duration::from_millis(self.market.plans[self.guest.sale].hold_ms)
    }

    /// The body of an order for one or two lines.
    fn wish(&mut self, most: u64) -> Value {
        let mut lines = vec![self.line(most)];
        if self.chance.hits(200) {
            lines.push(self.line(most));
        }
        json!({"sale_id": self.sale, "lines": lines})
    }

    fn line(&mut self, most: u64) -> Value {
        let skus = self.skus();
        json!({"sku": sku_name(self.chance.index(skus)), "quantity": self.chance.between(1, most)})
    }

    async fn pause(&mut self, client: &Client, most_ms: u64) {
        let wait = self.chance.below(most_ms + 1);
        client.wait(Duration::from_millis(wait)).await;
    }
}

/// Asks with the same key until somebody says something that is final: yes, or no for a reason of the request's own.
async fn insist(client: &mut Client, ask: &Ask) -> Option<Said> {
    let mut wait = Duration::from_millis(200);
    for _ in 0..TRIES {
        match client.ask(ask, PATIENCE).await {
            Outcome::Said(said) if said.is_yes() => return Some(said),
            Outcome::Said(said) if is_final(said.status) => return None,
            Outcome::Said(_) | Outcome::Unheard(_) | Outcome::Open => client.wait(wait).await,
        }
        wait = (wait * 2).min(Duration::from_secs(10));
    }
    None
}

/// A no that asking again will not change at once.
const fn is_final(status: u16) -> bool {
    matches!(status, 400..=499) && status != 429 && status != 408
}

fn sku_name(nth: usize) -> String {
    format!("SKU-{nth}")
}

fn field(said: &Said, name: &str) -> Option<String> {
    let document: Value = serde_json::from_str(&said.body).ok()?;
    Some(document.get(name)?.as_str()?.to_owned())
}

/// What somebody was shown, if it was a yes.
fn seen(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Said(said) if said.is_yes() => Some(&said.body),
        Outcome::Said(_) | Outcome::Unheard(_) | Outcome::Open => None,
    }
}
