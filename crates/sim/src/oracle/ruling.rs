//! INV-5 for the rules of an offer: an order, or a place in line, that a rule refuses is not on the record.
//!
//! The rules are read and answered here by a small reader of their text, of its own; what it cannot read is a finding,
//! so that no rule goes unjudged.

mod text;

use commerce::entry::Placed;
use commerce::rules::{RuleText, Then};
use commerce::{Entry, Facts};

use super::fold::place;
use super::rows::{Happening, Rows, name_of};
use super::{limits, price};
use crate::record::Finding;
use text::{Value, Wrong};

/// Before each entry.
pub(super) fn before(rows: &Rows, at: &Happening, findings: &mut Vec<Finding>) {
    let Some(offer) = &rows.gathered.offer else {
        return;
    };
    let discounts = &offer.discounts;
    let asks = !offer.rules.is_empty();
    let looks = asks || !discounts.levels.is_empty() || !discounts.coupons.is_empty();
    let wrong = match &at.entry {
        Entry::Placed(placed) => {
            looks.then(|| format!("order {}: nobody looked at its buyer", placed.order))
        }
        Entry::Dealt(dealt) => {
            let (placed, seat) = (&dealt.placed, dealt.deal.seat.as_ref());
            let team = (
                seat.is_some(),
                seat.is_some_and(|seat| seat.opens.is_some()),
            );
            match &dealt.deal.facts {
                None if !looks => None,
                None => Some(format!(
                    "order {}: nobody looked at its buyer",
                    placed.order
                )),
                Some(facts) => {
                    refused(&offer.rules, &ordered(rows, at.time, (placed, facts), team))
                }
            }
        }
        Entry::Waits(waits) if asks => {
            let facts = Facts::of_tags(&waits.tags);
            let named = waits.buyer.as_deref();
            let sku = rows.skus.get(place(waits.sku));
            let units = i64::from(waits.units);
            let currency = rows.terms.as_ref().map_or("", |terms| &terms.currency);
            let total = sku.map_or(0, |sku| price::of_line(sku.now.price, units, currency));
            refused(
                &offer.rules,
                &Seen {
                    rows,
                    now: at.time,
                    buyer: Some(named.unwrap_or_else(|| name_of(&waits.key.by))),
                    facts: &facts,
                    units,
                    total,
                    lines: 1,
                    team: (false, false),
                },
            )
        }
        _ => None,
    };
    if let Some(what) = wrong {
        let what = format!("sale {} batch {}: {what}", rows.sale, at.sequence);
        findings.push(Finding::new("INV-5", what));
    }
}

/// What rules may ask for.
struct Seen<'a> {
    rows: &'a Rows,
    now: u64,
    buyer: Option<&'a str>,
    facts: &'a Facts,
    units: i64,
    total: i64,
    lines: usize,
    /// Whether the order takes a seat, and opens the team.
    team: (bool, bool),
}

fn ordered<'a>(
    rows: &'a Rows,
    now: u64,
    (placed, facts): (&'a Placed, &'a Facts),
    team: (bool, bool),
) -> Seen<'a> {
    let lines = placed.lines.as_slice();
    Seen {
        rows,
        now,
        buyer: placed.buyer().map(AsRef::as_ref),
        facts,
        units: lines.iter().map(|line| i64::from(line.units)).sum(),
        total: placed.total.0,
        lines: lines.len(),
        team,
    }
}

/// Asks the rules one after the other: which of them stands against it.
fn refused(rules: &[RuleText], seen: &Seen<'_>) -> Option<String> {
    for rule in rules {
        let name = &rule.name;
        let answer = match text::answer(&rule.when, &|path| seen.fact(path)) {
            Ok(answer) => answer,
            Err(Wrong::Run) => return Some(format!("rule {name} has no answer for this order")),
            Err(Wrong::Text) => return Some(format!("the judge cannot read rule {name}")),
        };
        match (answer, rule.then) {
            (false, Then::Admit) | (true, Then::Block) => {
                return Some(format!("rule {name} keeps this order out"));
            }
            (true, Then::Allow) => return None,
            _ => {}
        }
    }
    None
}

impl Seen<'_> {
    /// A fact by the name that rules have for it; nothing where it is not known.
    fn fact(&self, path: &str) -> Result<Value, Wrong> {
        let facts = self.facts;
        let whole = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let known = |text: Option<&str>| text.map(Value::text).ok_or(Wrong::Run);
        let buyer = self.buyer.unwrap_or_default();
        let sum = |of: fn(&super::rows::SkuLook) -> i64| {
            Value::Int(self.rows.skus.iter().map(|sku| of(&sku.now)).sum())
        };
        Ok(match path {
            "now" => whole(self.now),
            "buyer.name" => known(self.buyer)?,
            "buyer.level" => Value::Int(facts.level.into()),
            "buyer.points" => Value::Int(facts.points),
            "buyer.region" => known(facts.region.as_deref())?,
            "buyer.tags" => Value::List(facts.tags.iter().map(|tag| Value::text(tag)).collect()),
            "buyer.new_customer" => Value::Bool(facts.new_customer),
            "buyer.units" => Value::Int(limits::used(self.rows, buyer, None)),
            "buyer.lapses" => {
                let lapses = self.rows.gathered.lapses.get(buyer);
                Value::Int(lapses.copied().unwrap_or(0))
            }
            "order.units" => Value::Int(self.units),
            "order.total_minor" => Value::Int(self.total),
            "order.lines" => Value::Int(i64::try_from(self.lines).unwrap_or(i64::MAX)),
            "order.team" => Value::Bool(self.team.0),
            "order.opens" => Value::Bool(self.team.1),
            "sale.sold" => sum(|look| look.sold),
            "sale.available" => sum(super::rows::SkuLook::available),
            _ => return Err(Wrong::Text),
        })
    }
}
