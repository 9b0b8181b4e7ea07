//! What a sale offers beyond plain orders: group buys, a deposit pre-sale, a waiting line, and what becomes of holds.
//!
//! An offer is data. A plan without one is sold as it always was, by the same code; so the plain order pays nothing for
//! what it does not use. A team keeps the rule under which it was opened, whatever becomes of the offer since.

use std::sync::Arc;

use ledger::UnitPrice;
use serde::{Deserialize, Serialize};

use crate::Time;
use crate::plan::{self, HOLD_MS_LEAST, HOLD_MS_MOST, Rule};
use crate::price::Discounts;
use crate::rules::{RuleSet, RuleText, Then};

pub use crate::price::Cut;

/// Group rules of one sale, at most.
pub const GROUPS_MOST: usize = 100;
/// Seats of one team: at least, and at most.
pub const TEAM_SEATS: (u16, u16) = (2, 1_000);
/// Price tiers of one rule, at most.
pub const TIERS_MOST: usize = 16;
/// The longest life of a team, in milliseconds: 30 days.
pub const LIFETIME_MS_MOST: u32 = 30 * 24 * 3_600_000;
/// The longest wait for payments in flight, of a team, a hold or a balance, in milliseconds: one hour.
pub const GRACE_MS_MOST: u32 = 3_600_000;
/// Steps of a hold policy, at most.
pub const STEPS_MOST: usize = 8;
/// Places in one waiting line, at most.
pub const LINE_PLACES_MOST: u32 = 10_000_000;

/// What a sale offers beyond plain orders.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Offer {
    /// Group buys, one for each SKU at most.
    pub groups: Vec<GroupRule>,
    /// Every order is paid by a deposit and a balance. Not together with groups.
    pub presale: Option<Presale>,
    /// Who finds it sold out may wait.
    pub line: Option<LinePolicy>,
    /// What becomes of holds.
    pub holds: HoldPolicy,
    /// Coupons and discounts by level.
    pub discounts: Discounts,
    /// Who may buy what, as text: rules that admit or block, asked after the plan's own.
    pub rules: Vec<RuleText>,
}

/// How one SKU is sold to teams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRule {
    /// Which SKU, by the merchant's code.
    pub sku: Arc<str>,
    /// Seats of a team, 2 to 1,000: the team completes when the last one is paid.
    pub size: u16,
    /// Paid seats with which a team that did not fill still counts when its time is over; `size` for none but a full one.
    pub least: u16,
    /// From opening to end, in milliseconds.
    pub lifetime_ms: u32,
    /// How much longer a team lives at most while payments of its members are in flight, in milliseconds.
    pub stretch_ms: u32,
    /// Unit prices by paid seats, in rising order of seats and falling order of price; none: the SKU's own price.
    pub tiers: Vec<Tier>,
    /// What a member pays at first; the difference to the tier at the end goes back.
    pub pays: Pays,
    /// Seats of one buyer in one team.
    pub seats_per_buyer: u16,
    /// Teams in which one buyer may have a seat.
    pub teams_per_buyer: Option<u16>,
    /// Who may open a team.
    pub open_to: Vec<Rule>,
    /// Who may join one.
    pub join_to: Vec<Rule>,
    /// What the leader, who opens the team, pays less.
    pub leader: Option<Cut>,
    /// Whether a member who has paid may leave while the team is open.
    pub leave: Leave,
    /// Who may give up a paid seat of a finished team.
    pub after: AfterFinish,
    /// Seats that the house may fill, without orders, when the time is over; 0 is never.
    pub fill: u16,
    /// Whether the SKU is also sold outside of teams.
    pub alone: Alone,
    /// Prize units of a lottery team: the team holds them, seats hold none. `None` is no lottery.
    pub prizes: Option<u16>,
}

/// A price from so many paid seats on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// Paid seats, the house's own included.
    pub seats: u16,
    /// The price of one unit.
    pub price: UnitPrice,
}

/// What a member pays before the team has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Pays {
    /// The price of the tier that paid seats have reached so far.
    #[default]
    Reached,
    /// The price of the first tier.
    Top,
}

/// Whether a paid member may leave an open team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Leave {
    /// He may, and all his money goes back.
    #[default]
    Free,
    /// He may not; he gets it back only if the team does not come about.
    Bound,
}

/// Who may give up a paid seat of a finished team. The team stays finished in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AfterFinish {
    /// The merchant.
    #[default]
    Merchant,
    /// The merchant and the buyer himself.
    Buyer,
    /// Nobody.
    Nobody,
}

/// Whether a SKU of a group rule is sold to single buyers too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Alone {
    /// At the SKU's own price.
    #[default]
    Sold,
    /// Only to teams.
    TeamsOnly,
}

/// Two dues of one order: a deposit at once, the balance later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presale {
    /// What of the price is the deposit: an amount for each order, or a share.
    pub deposit: Cut,
    /// First moment at which the balance may be paid.
    pub from: Time,
    /// First moment at which it no longer may.
    pub until: Time,
    /// What becomes of the deposit when the balance is not paid.
    pub lapse: Lapse,
    /// How long the end waits, at most, for a balance whose payment is in flight, in milliseconds.
    pub grace_ms: u32,
}

/// What becomes of a deposit whose balance was not paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Lapse {
    /// It goes back by itself.
    #[default]
    Refund,
    /// The merchant keeps it.
    Forfeit,
}

/// The waiting line of a sold-out SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinePolicy {
    /// How long an offer from the line is held, in milliseconds.
    pub hold_ms: u32,
    /// Units that one place may ask for.
    pub units_most: u32,
    /// Places in the line of one SKU.
    pub places_most: u32,
}

/// What becomes of holds beyond their time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HoldPolicy {
    /// How much longer a hold lives, once, if a payment is in flight when it runs out, in milliseconds; 0 is not at all.
    pub grace_ms: u32,
    /// Orders that one buyer may hold unpaid at a time.
    pub open_most: Option<u16>,
    /// What a buyer gets who let holds lapse, in rising order of lapses; the last step that he reached counts.
    pub steps: Vec<Shrink>,
}

/// What a buyer still gets who let so many holds lapse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shrink {
    /// From so many lapsed holds on.
    pub lapses: u16,
    /// How long his holds live, in milliseconds.
    pub hold_ms: u32,
    /// Orders that he may hold unpaid at a time.
    pub open_most: u16,
}

impl HoldPolicy {
    /// The step that a buyer with so many lapses has reached.
    #[must_use]
    pub fn step(&self, lapses: u16) -> Option<Shrink> {
        let reached = self.steps.iter().rev().find(|step| lapses >= step.lapses);
        reached.copied()
    }
}

impl GroupRule {
    /// The unit price with so many paid seats; `plain` where the rule has no tiers.
    #[must_use]
    pub fn price_at(&self, paid: u16, plain: UnitPrice) -> UnitPrice {
        let top = self.tiers.first().map_or(plain, |tier| tier.price);
        let reached = self.tiers.iter().rev().find(|tier| paid >= tier.seats);
        reached.map_or(top, |tier| tier.price)
    }

    fn check(&self) -> Result<(), String> {
        let (low, high) = TEAM_SEATS;
        plan::check_name("sku of a group", &self.sku)?;
        bounded(
            "size",
            u32::from(self.size),
            (u32::from(low), u32::from(high)),
        )?;
        bounded("least", u32::from(self.least), (1, u32::from(self.size)))?;
        bounded("lifetime_ms", self.lifetime_ms, (1_000, LIFETIME_MS_MOST))?;
        bounded("stretch_ms", self.stretch_ms, (0, GRACE_MS_MOST))?;
        let seats = (1, u32::from(self.size));
        bounded("seats_per_buyer", u32::from(self.seats_per_buyer), seats)?;
        bounded("fill", u32::from(self.fill), (0, u32::from(self.size) - 1))?;
        self.leader.map_or(Ok(()), |cut| named("leader", cut))?;
        plan::check_rules(&self.open_to)?;
        plan::check_rules(&self.join_to)?;
        self.check_tiers()?;
        if self.teams_per_buyer == Some(0) {
            return Err("teams_per_buyer is at least 1".into());
        }
        match self.prizes {
            Some(prizes) if prizes == 0 || prizes >= self.size => {
                Err("a lottery has at least 1 prize, and fewer prizes than seats".into())
            }
            Some(_) if self.fill > 0 || !self.tiers.is_empty() || self.least < self.size => Err(
                "a lottery team is full or fails: it has no tiers, no fill, and least is size"
                    .into(),
            ),
            _ => Ok(()),
        }
    }

    fn check_tiers(&self) -> Result<(), String> {
        if self.tiers.len() > TIERS_MOST {
            return Err(format!("a group has at most {TIERS_MOST} tiers"));
        }
        for tier in &self.tiers {
            bounded(
                "seats of a tier",
                u32::from(tier.seats),
                (1, u32::from(self.size)),
            )?;
            plan::check_price(tier.price)?;
        }
        let orderly = self
            .tiers
            .windows(2)
            .all(|pair| pair[0].seats < pair[1].seats && pair[0].price >= pair[1].price);
        orderly.then_some(()).ok_or_else(|| {
            "tiers stand in rising order of seats and falling order of price".to_owned()
        })
    }
}

/// Checks what the types of an offer cannot say.
///
/// # Errors
/// A sentence that names the field and the bound.
pub fn check(offer: &Offer) -> Result<(), String> {
    if offer.groups.len() > GROUPS_MOST {
        return Err(format!("a sale has at most {GROUPS_MOST} group rules"));
    }
    offer.groups.iter().try_for_each(GroupRule::check)?;
    let mut skus: Vec<&str> = offer.groups.iter().map(|group| &*group.sku).collect();
    skus.sort_unstable();
    if let Some(pair) = skus.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("SKU {} has two group rules", pair[0]));
    }
    if let Some(presale) = &offer.presale {
        named("deposit", presale.deposit)?;
        bounded("grace_ms", presale.grace_ms, (0, GRACE_MS_MOST))?;
        if presale.from >= presale.until {
            return Err("the balance is due until a moment after it may first be paid".into());
        }
        if !offer.groups.is_empty() {
            return Err("a sale has groups or a pre-sale, not both".into());
        }
    }
    if let Some(line) = &offer.line {
        bounded(
            "hold_ms of the line",
            line.hold_ms,
            (HOLD_MS_LEAST, HOLD_MS_MOST),
        )?;
        bounded("units_most", line.units_most, (1, 1_000_000))?;
        bounded("places_most", line.places_most, (1, LINE_PLACES_MOST))?;
    }
    offer.discounts.check()?;
    compiled(&offer.rules)?;
    check_holds(&offer.holds)
}

fn named(what: &str, cut: Cut) -> Result<(), String> {
    cut.check().map_err(|why| format!("{what}: {why}"))
}

/// The rules of an offer, ready to be asked.
///
/// # Errors
/// Every rule that is wrong, and rules that ask for what the journal must not hold or that only people can follow.
pub(crate) fn compiled(texts: &[RuleText]) -> Result<RuleSet, String> {
    let rules = RuleSet::compile(texts).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        faults.join("; ")
    })?;
    for private in ["buyer.device", "buyer.address"] {
        if let Some(rule) = rules.asking_for(private) {
            return Err(format!(
                "rule {} asks for {private}, which no journal holds: it is a rule of risk",
                rule.name
            ));
        }
    }
    match texts.iter().find(|text| text.then == Then::Review) {
        Some(text) => Err(format!(
            "rule {} reviews, which is for rules of risk",
            text.name
        )),
        None => Ok(rules),
    }
}

fn check_holds(holds: &HoldPolicy) -> Result<(), String> {
    bounded("grace_ms", holds.grace_ms, (0, GRACE_MS_MOST))?;
    if holds.open_most == Some(0) || holds.steps.iter().any(|step| step.open_most == 0) {
        return Err("a buyer may hold at least 1 order".into());
    }
    if holds.steps.len() > STEPS_MOST {
        return Err(format!("a hold policy has at most {STEPS_MOST} steps"));
    }
    for step in &holds.steps {
        bounded("lapses", u32::from(step.lapses), (1, 60_000))?;
        bounded(
            "hold_ms of a step",
            step.hold_ms,
            (HOLD_MS_LEAST, HOLD_MS_MOST),
        )?;
    }
    let rising = holds
        .steps
        .windows(2)
        .all(|pair| pair[0].lapses < pair[1].lapses);
    rising
        .then_some(())
        .ok_or_else(|| "steps stand in rising order of lapses".to_owned())
}

fn bounded(what: &str, value: u32, (least, most): (u32, u32)) -> Result<(), String> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("{what} lies between {least} and {most}"))
}
