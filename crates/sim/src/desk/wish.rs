//! What clients of a desk want: orders, large and small, and everything that can be done with one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use commerce::command::UnitsBack;
use commerce::{
    Action, Actor, Ask, Command, Done, Limits, Place, Plan, RefundAsk, Report, SkuPlan, Turn,
    Window,
};
use ledger::{Currency, Minor, UnitPrice, Units};

use super::DeskSize;
use super::floor::Floor;
use super::memory::owned;
use crate::chance::Chance;

/// The merchant of the sale.
const MERCHANT: &str = "shop";
/// SKUs of the sale.
pub(super) const SKUS: usize = 3;
/// Prices of a unit, in ten thousandths.
const PRICES: [i64; SKUS] = [125_000, 99_900, 33_333];
const NAMES: [&str; SKUS] = ["s0", "s1", "s2"];

/// The place of a SKU in the sale, by its name.
pub(super) fn sku_number(name: &str) -> u32 {
    let place = NAMES.iter().position(|other| *other == name);
    place
        .and_then(|place| u32::try_from(place).ok())
        .unwrap_or(u32::MAX)
}

/// The commands that begin the sale.
pub(super) fn opening(size: &DeskSize) -> Vec<Command> {
    let skus = (0..SKUS).map(|nth| SkuPlan {
        sku: NAMES[nth].into(),
        title: NAMES[nth].into(),
        price: UnitPrice(PRICES[nth]),
        limits: Limits::default(),
        stock: Units(size.stock),
    });
    // The one currency of all simulated sales is known.
    let currency = Currency::new("EUR").into_iter();
    let plans = currency.map(|currency| Plan {
        title: "a desk's life".into(),
        currency,
        hold_ms: u32::try_from(size.hold_ms).unwrap_or(u32::MAX),
        window: Window::default(),
        limits: Limits {
            per_order: None,
            per_buyer: Some(Units(60)),
        },
        rules: Vec::new(),
        skus: skus.clone().collect(),
    });
    let create = plans.map(|plan| Action::Create {
        secret: [7; 16],
        plan: Box::new(plan),
    });
    create
        .chain([Action::Turn(Turn::Open)])
        .zip(["create", "open"])
        .map(|(action, key)| merchant(key, action))
        .collect()
}

fn merchant(key: &str, action: Action) -> Command {
    Command {
        actor: Actor::Merchant(MERCHANT.into()),
        key: Some(key.into()),
        action,
    }
}

/// A client: it asks in batches and repeats itself now and then.
pub(super) struct Client {
    pub(super) floor: Floor,
    pub(super) number: u32,
    pub(super) size: DeskSize,
    chance: Chance,
    asked: Vec<Command>,
    keys: u32,
}

impl Client {
    pub(super) fn new(floor: &Floor, seed: u64, number: u32, size: DeskSize) -> Self {
        Self {
            floor: floor.clone(),
            number,
            size,
            chance: Chance::of(seed, &format!("client {number}")),
            asked: Vec::new(),
            keys: 0,
        }
    }

    /// Asks as often as it is to, and goes.
    pub(super) async fn run(mut self) {
        for _ in 0..self.size.asks {
            let count = self.chance.between(1, self.size.batch_max);
            let commands = (0..count).map(|_| self.wish()).collect();
            let commands = once_each(commands);
            if self.floor.insist(&commands).await.is_none() {
                return;
            }
            if self.chance.hits(100) {
                self.floor.look().await;
            }
            let pause = self.chance.below(self.size.pause_ms + 1);
            self.floor.street.sleep(Duration::from_millis(pause)).await;
        }
    }

    fn wish(&mut self) -> Command {
        if self.asked.is_empty() || self.chance.hits(self.size.orders_per_mille) {
            let command = self.order();
            self.asked.push(command.clone());
            return command;
        }
        let nth = self.chance.index(self.asked.len());
        let earlier = self.asked[nth].clone();
        if self.chance.hits(250) {
            return earlier;
        }
        let answer = earlier
            .key
            .as_deref()
            .and_then(|key| self.floor.memory().answer(&earlier.actor, key));
        match answer {
            Some(Done::Order(order)) => self.about(order, &earlier.actor),
            _ if self.chance.hits(100) => self.of_the_merchant(),
            _ => earlier,
        }
    }

    fn key(&mut self) -> Box<str> {
        self.keys += 1;
        format!("c{}-{}", self.number, self.keys).into()
    }

    fn order(&mut self) -> Command {
        // Some share a name, so that limits are met.
        let buyer: Arc<str> = match self.chance.hits(50) {
            true => "twin".into(),
            false => format!("buyer {}-{}", self.number, self.keys).into(),
        };
        let lines = match self.chance.hits(50) {
            true => self.chance.between(2, 12),
            false => 1,
        };
        let lines = (0..lines).map(|_| Ask {
            sku: (*self.chance.pick(&NAMES)).into(),
            units: u32::try_from(self.chance.between(1, 3)).unwrap_or(1),
            price: None,
        });
        let place = Place {
            buyer: Some(buyer.clone()),
            tags: Arc::from([]),
            lines: lines.collect(),
            paid: None,
            deal: None,
        };
        match self.chance.hits(50) {
            true => {
                let paid = Some("elsewhere".into());
                let key = self.key();
                merchant(&key, Action::Place(Place { paid, ..place }))
            }
            false => Command {
                actor: Actor::Buyer(buyer),
                key: Some(self.key()),
                action: Action::Place(place),
            },
        }
    }

    /// Something about an order.
    fn about(&mut self, order: u32, owner: &Actor) -> Command {
        let key = self.key();
        let by = |actor: &Actor, action| Command {
            actor: actor.clone(),
            key: Some(key.clone()),
            action,
        };
        match self.chance.below(12) {
            0..=5 => by(owner, Action::Pay { order }),
            6 => by(owner, Action::Cancel { order }),
            7 => merchant(&key, Action::Cancel { order }),
            8 => merchant(&key, Action::Ship { order }),
            9 => merchant(&key, self.chargeback(order)),
            _ => merchant(&key, self.refund(order)),
        }
    }

    fn chargeback(&mut self, order: u32) -> Action {
        let amount = i64::try_from(self.chance.between(1, 2_000)).unwrap_or(1);
        Action::Report(Report::Chargeback {
            order,
            amount: Minor(amount),
            reference: "a bank".into(),
        })
    }

    fn refund(&mut self, order: u32) -> Action {
        let amount = self.chance.hits(400).then(|| {
            let amount = self.chance.between(1, 1_500);
            Minor(i64::try_from(amount).unwrap_or(1))
        });
        let lines = match self.chance.hits(400) {
            true => vec![(0, 1)],
            false => Vec::new(),
        };
        let units = match self.chance.hits(500) {
            true => UnitsBack::Restock,
            false => UnitsBack::StaySold,
        };
        let ask = RefundAsk {
            amount,
            lines,
            units,
            reason: None,
        };
        Action::Refund { order, ask }
    }

    /// The merchant brings units, takes some out, or pauses and opens again.
    fn of_the_merchant(&mut self) -> Command {
        let key = self.key();
        let sku: Arc<str> = (*self.chance.pick(&NAMES)).into();
        let units = Units(u32::try_from(self.chance.between(1, 20)).unwrap_or(1));
        let action = match self.chance.below(8) {
            0..=2 => Action::AddStock { sku, units },
            3..=5 => Action::WriteOff {
                sku,
                units,
                reason: None,
            },
            6 => Action::Turn(Turn::Pause),
            _ => Action::Turn(Turn::Open),
        };
        merchant(&key, action)
    }
}

/// The commands of a request, one for each key.
fn once_each(commands: Vec<Command>) -> Vec<Command> {
    let mut seen = BTreeSet::new();
    let mut is_first = |command: &Command| match &command.key {
        Some(key) => seen.insert(owned(&command.actor, key)),
        None => true,
    };
    commands
        .into_iter()
        .filter(|command| is_first(command))
        .collect()
}
