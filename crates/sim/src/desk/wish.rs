//! What clients of a desk want: orders, large and small, and everything that can be done with one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use commerce::command::UnitsBack;
use commerce::deal::DealAsk;
use commerce::{
    Action, Actor, Ask, Command, Done, Limits, Offer, Place, Plan, RefundAsk, Report, SkuPlan,
    Turn, Window,
};
use ledger::{Currency, Minor, UnitPrice, Units};

use super::floor::Floor;
use super::market::{self, NEW};
use super::member::Glance;
use super::memory::owned;
use super::{DeskSize, Trade};
use crate::chance::Chance;

/// The merchant of the sale.
const MERCHANT: &str = "shop";
/// SKUs of the sale.
pub(super) const SKUS: usize = 3;
/// Prices of a unit, in ten thousandths.
pub(super) const PRICES: [i64; SKUS] = [125_000, 99_900, 33_333];
pub(super) const NAMES: [&str; SKUS] = ["s0", "s1", "s2"];

/// The place of a SKU in the sale, by its name.
pub(super) fn sku_number(name: &str) -> u32 {
    let place = NAMES.iter().position(|other| *other == name);
    place
        .and_then(|place| u32::try_from(place).ok())
        .unwrap_or(u32::MAX)
}

/// The commands that begin the sale.
pub(super) fn opening(size: &DeskSize, offer: Option<Offer>) -> Vec<Command> {
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
            per_buyer: Some(Units(size.units_per_buyer)),
        },
        rules: Vec::new(),
        skus: skus.clone().collect(),
    });
    let create = plans.map(|plan| match offer.clone() {
        None => Action::Create {
            secret: [7; 16],
            plan: Box::new(plan),
        },
        Some(offer) => Action::CreateWith {
            secret: [7; 16],
            plan: Box::new(plan),
            offer: Box::new(offer),
        },
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
    /// What it saw when it last looked at an offer.
    glance: Glance,
    /// In lives in which links of teams go round.
    links: Option<Links>,
}

/// Teams that somebody was sent the links of, with what they buy; and dice of their own for them.
struct Links {
    known: Vec<(u32, Arc<str>)>,
    chance: Chance,
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
            glance: Glance::default(),
            links: Chance::of(seed, "links").hits(500).then(|| Links {
                known: Vec::new(),
                chance: Chance::of(seed, &format!("links of client {number}")),
            }),
        }
    }

    /// Asks as often as it is to, and goes.
    pub(super) async fn run(mut self) {
        for _ in 0..self.size.asks {
            if self.size.trade == Trade::Offers {
                self.glance = self.floor.glance().await.unwrap_or_default();
                self.follow_links();
            }
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

    /// Now and then somebody minds a team whose link he was sent, whatever has become of it since.
    fn follow_links(&mut self) {
        let Some(Links { known, chance }) = &mut self.links else {
            return;
        };
        let open = self.glance.open.clone();
        if !known.is_empty() && chance.hits(400) {
            self.glance.open = vec![chance.pick(known).clone()];
        }
        known.extend(open);
        let old = known.len().saturating_sub(4);
        known.drain(..old);
    }

    fn wish(&mut self) -> Command {
        if self.asked.is_empty() || self.chance.hits(self.size.orders_per_mille) {
            let command = match self.size.trade {
                Trade::Plain => self.order(),
                Trade::Offers => self.of_an_offer(),
            };
            self.asked.push(command.clone());
            return command;
        }
        // What an offer is about does not last, so people mind what they have just asked for.
        let since = match self.size.trade {
            Trade::Plain => 0,
            Trade::Offers => self.asked.len().saturating_sub(6),
        };
        let nth = since + self.chance.index(self.asked.len() - since);
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
            Some(Done::Ticket(ticket)) => self.leave(ticket, &earlier.actor),
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

    /// An order in a team or alone, a place in line, or the payment of what came from the line.
    fn of_an_offer(&mut self) -> Command {
        if !self.glance.offered.is_empty() && self.chance.hits(350) {
            let (order, buyer) = self.chance.pick(&self.glance.offered).clone();
            return self.by(Actor::Buyer(buyer), Action::Pay { order });
        }
        // Few names, so that limits, lapses and second seats are met.
        let names = *self.chance.pick(&[4, 24, 24]);
        let number = self.chance.below(names);
        let buyer: Arc<str> = format!("buyer {number}").into();
        let has_line = self.glance.offer.line.is_some();
        if has_line && !self.glance.scarce.is_empty() && self.chance.hits(500) {
            let sku = self.chance.pick(&self.glance.scarce).clone();
            let units = u32::try_from(self.chance.between(1, 3)).unwrap_or(1);
            let wait = Action::Wait {
                buyer: None,
                sku,
                units,
                tags: Arc::from([]),
                facts: None,
            };
            return self.by(Actor::Buyer(buyer), wait);
        }
        let seat = self.glance.seat(&mut self.chance);
        let (sku, units, deal) = match seat {
            Some((sku, true, deal)) => (sku, 1, Some(Box::new(deal))),
            Some((sku, false, deal)) => (sku, self.chance.between(1, 2), Some(Box::new(deal))),
            None => {
                let sku = *self.chance.pick(&NAMES);
                (sku.into(), self.chance.between(1, 3), None)
            }
        };
        let tags: Arc<[Box<str>]> = match self.chance.hits(600) {
            true => Arc::from([NEW.into()]),
            false => Arc::from([]),
        };
        let elsewhere = self.chance.hits(40);
        let deal = self.with_coupons(deal, number, &tags);
        let place = Place {
            buyer: Some(buyer.clone()),
            tags,
            lines: vec![Ask {
                sku: (*sku).into(),
                units: u32::try_from(units).unwrap_or(1),
                price: None,
            }],
            paid: elsewhere.then(|| "elsewhere".into()),
            deal,
        };
        let actor = match elsewhere {
            true => Actor::Merchant(MERCHANT.into()),
            false => Actor::Buyer(buyer),
        };
        self.by(actor, Action::Place(place))
    }

    /// Coupons and what is known of the buyer, where the offer asks for them: codes that are there and that are not, one or
    /// several, the same one twice.
    fn with_coupons(
        &mut self,
        deal: Option<Box<DealAsk>>,
        buyer: u64,
        tags: &[Box<str>],
    ) -> Option<Box<DealAsk>> {
        let offer = &self.glance.offer;
        let coupons = offer.discounts.coupons.len();
        if coupons == 0 && offer.rules.is_empty() && offer.discounts.levels.is_empty() {
            return deal;
        }
        let chance = &mut self.chance;
        let mut deal = deal.unwrap_or_default();
        if coupons > 0 && chance.hits(600) {
            let count = *chance.pick(&[1, 1, 1, 2, 2, 3]);
            let unknown = usize::from(chance.hits(60));
            deal.coupons = (0..count)
                .map(|_| market::code(chance.index(coupons) + unknown * coupons))
                .collect();
        }
        deal.facts = (!chance.hits(60)).then(|| Box::new(market::facts(buyer, tags)));
        Some(deal)
    }

    fn by(&mut self, actor: Actor, action: Action) -> Command {
        Command {
            actor,
            key: Some(self.key()),
            action,
        }
    }

    /// A place in line is given up by its owner, or by somebody else.
    fn leave(&mut self, ticket: u32, owner: &Actor) -> Command {
        let actor = match self.chance.hits(150) {
            true => Actor::Buyer("a stranger".into()),
            false => owner.clone(),
        };
        self.by(actor, Action::LeaveLine { ticket })
    }

    /// Something about an order.
    fn about(&mut self, order: u32, owner: &Actor) -> Command {
        let key = self.key();
        let by = |actor: &Actor, action| Command {
            actor: actor.clone(),
            key: Some(key.clone()),
            action,
        };
        let ways = match self.size.trade {
            Trade::Plain => 12,
            Trade::Offers => 24,
        };
        match self.chance.below(ways) {
            0..=5 | 12.. => by(owner, Action::Pay { order }),
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
        if self.size.trade == Trade::Offers && self.chance.hits(250) {
            let now = self.floor.street.now().as_millis();
            let now_ms = u64::try_from(now).unwrap_or(0);
            let mut offer = market::draw(&mut self.chance, now_ms);
            let before = &self.glance.offer;
            if before != &Offer::default() {
                market::add_discounts(&mut self.chance, &mut offer, before, now_ms);
            }
            return merchant(&key, Action::AlterOffer(Box::new(offer)));
        }
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
