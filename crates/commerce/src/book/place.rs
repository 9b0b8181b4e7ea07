//! Placing an order: eligibility, limits, stock, price and order, together.

use std::num::NonZeroU32;
use std::sync::Arc;

use ledger::{Minor, Units, Violation};

use super::buyers::NOBODY;
use super::keys::Question;
use super::order::{Charge, Line, Lines, Order, Phase, SeatIn};
use super::sale::accept;
use super::{Book, Done, ORDERS_MOST, Terms, Verdict};
use crate::command::{Actor, Ask, Place};
use crate::deal::{Deal, Dealt};
use crate::entry::{Entry, Placed, PlacedLine, PlacedLines};
use crate::plan::{LINES_MOST, Rule, SaleState, check_name, check_price, check_tags};
use crate::refusal::LimitOf;
use crate::{Refusal, Time};

/// Why an order is not placed: for good, or only until holds that are due have expired.
pub(crate) enum Stop {
    Refuse(Refusal),
    Short(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

/// An order while it is decided: what is asked for, and of whom. The buyer is looked up once.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) now: Time,
    pub(crate) terms: &'a Terms,
    pub(crate) place: &'a Place,
    pub(crate) buyer: Option<&'a Arc<str>>,
    /// The buyer's place, unless his name is new.
    pub(crate) at: Option<u32>,
}

impl Asked<'_> {
    pub(crate) fn buyer(&self) -> Option<&str> {
        self.buyer.map(AsRef::as_ref)
    }
}

impl Book {
    pub(crate) fn decide_place(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        place: &Place,
    ) -> Verdict {
        match self.try_place(now, terms, question, place) {
            Ok(entry) => accept(entry),
            Err(Stop::Refuse(refusal)) => refusal.into(),
            // A hold that is due keeps nobody from buying: it expires first (and gives its buyer's limit back).
            Err(Stop::Short(_)) if self.has_due(now) => Verdict::SweepFirst,
            Err(Stop::Short(refusal)) => refusal.into(),
        }
    }

    fn try_place(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        place: &Place,
    ) -> Result<Entry, Stop> {
        let paused = terms.state == SaleState::Paused;
        if terms.state != SaleState::Open && !(paused && stdx::mutants::is("paused-sale-sells")) {
            return Err(not_open(terms).into());
        }
        check_place(place)?;
        let buyer = buyer_of(question, place)?;
        let admits = |rule: &Rule| rule.admits(now, buyer.map(AsRef::as_ref), &place.tags);
        if let Some(rule) = terms.rules.iter().position(|rule| !admits(rule)) {
            return Err(Refusal::NotEligible { rule }.into());
        }
        let mut lines = self.resolve(place)?;
        let asked = Asked {
            now,
            terms,
            place,
            buyer,
            at: buyer.and_then(|name| self.buyers.find(&terms.secret, name)),
        };
        let mut deal = Deal::default();
        let asks = self.offer().is_some() || place.deal.is_some();
        if asks {
            self.deal(&asked, &mut lines, &mut deal)?;
        }
        self.check_amounts(&asked, lines.as_slice(), !self.is_draw(&deal))?;
        let mut total = total(terms, lines.as_slice())?;
        let mut hold_ms = terms.hold_ms;
        if asks {
            hold_ms = self.hold_of(&asked)?;
            total = self.priced(&asked, lines.as_slice(), total, &mut deal)?;
            deal.facts = self.judged(&asked, total, lines.as_slice(), deal.seat.as_ref())?;
        }
        let plain = deal.is_plain();
        if self.orders.len() >= ORDERS_MOST {
            return Err(Refusal::Full("orders of one sale").into());
        }
        let key = question.bound(&terms.secret)?;
        let placed = Placed {
            order: self.orders.len(),
            key,
            // A buyer who orders for himself is named by his key already.
            buyer: buyer.filter(|_| question.buyer().is_none()).cloned(),
            // Tags only matter where there are rules that ask for them.
            tags: match terms.rules.is_empty() && plain {
                true => Vec::new(),
                false => place.tags.to_vec(),
            },
            lines,
            total,
            hold_ms: match stdx::mutants::is("hold-half-as-long") {
                true => hold_ms / 2,
                false => hold_ms,
            },
            paid: place.paid.clone(),
        };
        Ok(match plain {
            true => Entry::Placed(placed),
            false => Entry::Dealt(Dealt {
                placed,
                deal: Box::new(deal),
            }),
        })
    }

    fn resolve(&self, place: &Place) -> Result<PlacedLines, Refusal> {
        if let [ask] = &place.lines[..] {
            return self.resolve_line(ask).map(PlacedLines::One);
        }
        place
            .lines
            .iter()
            .map(|ask| self.resolve_line(ask))
            .collect::<Result<_, _>>()
            .map(PlacedLines::Many)
    }

    fn resolve_line(&self, ask: &Ask) -> Result<PlacedLine, Refusal> {
        let sku = self.sku_places.get(&*ask.sku).copied();
        let found = sku.and_then(|at| self.skus.get(at as usize).map(|sku| (at, sku)));
        let (at, sku) = found.ok_or_else(|| Refusal::NoSku {
            sku: (*ask.sku).into(),
        })?;
        Ok(PlacedLine {
            sku: at,
            units: ask.units,
            price: ask.price.unwrap_or(sku.price),
            own_price: ask.price.is_some(),
        })
    }

    /// Limits and stock. Lines of the same SKU count together (medusa#16502 checked each alone).
    fn check_amounts(
        &self,
        asked: &Asked<'_>,
        lines: &[PlacedLine],
        goods: bool,
    ) -> Result<(), Stop> {
        let (terms, at) = (asked.terms, asked.at);
        let whole: u64 = lines.iter().map(|line| u64::from(line.units)).sum();
        within(|| LimitOf::Order, terms.limits.per_order, 0, whole)?;
        let buyer = asked.buyer.map(|_| at);
        if buyer.is_some() {
            if at.is_none() && self.buyers.is_full() {
                return Err(Refusal::Full("buyers of one sale").into());
            }
            // A limit that a due hold still uses is free once that hold has expired.
            let used = match stdx::mutants::is("limit-forgets-earlier-orders") {
                true => 0,
                false => self.buyers.units(at),
            };
            within(|| LimitOf::Buyer, terms.limits.per_buyer, used, whole).map_err(Stop::Short)?;
        }
        if let [line] = lines {
            return self.check_sku(buyer, line.sku, u64::from(line.units), goods);
        }
        let mut sums: Vec<(u32, u64)> = lines
            .iter()
            .map(|line| (line.sku, u64::from(line.units)))
            .collect();
        sums.sort_unstable();
        let mut from = 0;
        while let Some(&(sku, _)) = sums.get(from) {
            let to = from
                + sums[from..]
                    .iter()
                    .take_while(|(other, _)| *other == sku)
                    .take(match stdx::mutants::is("same-sku-lines-checked-alone") {
                        true => 1,
                        false => usize::MAX,
                    })
                    .count();
            self.check_sku(
                buyer,
                sku,
                sums[from..to].iter().map(|(_, units)| units).sum(),
                goods,
            )?;
            from = to;
        }
        Ok(())
    }

    fn check_sku(
        &self,
        buyer: Option<Option<u32>>,
        at: u32,
        units: u64,
        goods: bool,
    ) -> Result<(), Stop> {
        let Some(sku) = self.skus.get(at as usize) else {
            return Err(Refusal::Invalid("no such SKU".into()).into());
        };
        within(
            || LimitOf::SkuInOrder(sku.sku.clone()),
            sku.limits.per_order,
            0,
            units,
        )?;
        if let (Some(at_buyer), Some(_)) = (buyer, sku.limits.per_buyer) {
            let used = match stdx::mutants::is("sku-limit-forgets-earlier-orders") {
                true => 0,
                false => self.buyers.units_of(at_buyer, at),
            };
            within(
                || LimitOf::SkuOfBuyer(sku.sku.clone()),
                sku.limits.per_buyer,
                used,
                units,
            )
            .map_err(Stop::Short)?;
        }
        let left = sku.units.available();
        if goods && units > u64::from(left.0) {
            return Err(Stop::Short(Refusal::SoldOut {
                sku: sku.sku.clone(),
                left,
            }));
        }
        Ok(())
    }

    pub(crate) fn apply_placed(&mut self, now: Time, placed: &Placed) -> Result<(), Violation> {
        self.push_order(now, placed, SeatIn::NONE)?;
        self.keys.bind(&placed.key, Done::Order(placed.order))
    }

    /// Writes an order down: its units are held, or sold where there is nothing to wait for.
    pub(crate) fn push_order(
        &mut self,
        now: Time,
        placed: &Placed,
        seat: SeatIn,
    ) -> Result<(), Violation> {
        if placed.order != self.orders.len() {
            return Err(Violation::new(
                "INV-3",
                format!("order {} is not the next", placed.order),
            ));
        }
        let secret = self.secret()?;
        let buyer = match placed.buyer() {
            Some(name) => self.buyers.intern(&secret, name)?,
            None => NOBODY,
        };
        let mut lines = match &placed.lines {
            PlacedLines::One(line) => Lines::One(self.hold_line(buyer, line, seat)?),
            PlacedLines::Many(lines) => {
                let held = lines.iter().map(|line| self.hold_line(buyer, line, seat));
                Lines::Many(held.collect::<Result<_, _>>()?)
            }
        };
        let charge = match (&placed.paid, placed.total) {
            (Some(_), _) => Charge::Elsewhere,
            (None, Minor(0)) => Charge::Free,
            (None, _) => Charge::None,
        };
        let phase = if charge == Charge::None {
            Phase::Held
        } else {
            Phase::Paid
        };
        if phase == Phase::Paid {
            if seat.has_goods() {
                self.post_lines(&mut lines)?;
            }
            self.tally.paid += 1;
        } else {
            self.tally.held += 1;
            self.buyers.open(buyer);
            self.due
                .push(now.after_ms(u64::from(placed.hold_ms)), placed.order);
        }
        self.tally.placed += 1;
        self.orders.push(Order {
            lines,
            total: placed.total,
            placed: now,
            extra: None,
            hold_ms: placed.hold_ms,
            buyer,
            attempt: 0,
            phase,
            charge,
            seat,
        });
        Ok(())
    }

    pub(crate) fn hold_line(
        &mut self,
        buyer: u32,
        line: &PlacedLine,
        seat: SeatIn,
    ) -> Result<Line, Violation> {
        let units = NonZeroU32::new(line.units)
            .ok_or_else(|| Violation::new("INV-9", "a line without units"))?;
        let sku = self.sku_mut(line.sku)?;
        let hold = match seat.has_goods() {
            true => Some(sku.units.hold(units)),
            false => None,
        };
        let hold = hold
            .transpose()
            .map_err(|short| Violation::new("INV-1", short.to_string()))?;
        let limited = sku.limited();
        self.buyers.take(buyer, line.sku, line.units, limited)?;
        Ok(Line {
            price: line.price,
            sku: line.sku,
            units,
            returned: 0,
            restocked: 0,
            hold,
        })
    }

    /// Sells what the lines hold.
    pub(crate) fn post_lines(&mut self, lines: &mut Lines) -> Result<(), Violation> {
        for line in lines.as_mut_slice() {
            let hold = line
                .hold
                .take()
                .ok_or_else(|| Violation::new("INV-3", "a line is not held"))?;
            self.sku_mut(line.sku)?.units.post(hold)?;
        }
        Ok(())
    }
}

fn not_open(terms: &Terms) -> Refusal {
    let waits = terms.state == SaleState::Scheduled;
    Refusal::NotOpen {
        state: terms.state,
        opens: terms.window.opens.filter(|_| waits),
    }
}

/// Whom the order is for. A buyer orders for himself, named or not, so that nobody shops on another's limit.
fn buyer_of<'a>(
    question: &Question<'a>,
    place: &'a Place,
) -> Result<Option<&'a Arc<str>>, Refusal> {
    match (question.actor, &place.buyer) {
        (Actor::Buyer(own), Some(other)) if own != other => {
            Err(Refusal::Invalid("a buyer orders for nobody else".into()))
        }
        (Actor::Buyer(own), _) => Ok(Some(own)),
        (Actor::Merchant(_) | Actor::House, buyer) => Ok(buyer.as_ref()),
    }
}

fn check_place(place: &Place) -> Result<(), Refusal> {
    if place.lines.is_empty() || place.lines.len() > LINES_MOST {
        return Err(Refusal::Invalid(format!(
            "an order has 1 to {LINES_MOST} lines"
        )));
    }
    let (buyer, paid) = (place.buyer.as_deref(), place.paid.as_deref());
    buyer
        .map_or(Ok(()), |name| check_name("buyer", name))
        .and_then(|()| paid.map_or(Ok(()), |paid| check_name("payment reference", paid)))
        .and_then(|()| check_tags(&place.tags))
        .map_err(Refusal::Invalid)?;
    place.lines.iter().try_for_each(|ask| {
        if ask.units == 0 {
            return Err(Refusal::Invalid("a line has at least 1 unit".into()));
        }
        let price = ask.price.map_or(Ok(()), check_price);
        price.map_err(Refusal::Invalid)
    })
}

fn within(
    of: impl FnOnce() -> LimitOf,
    limit: Option<Units>,
    used: u64,
    more: u64,
) -> Result<(), Refusal> {
    match limit {
        Some(limit) if used + more > u64::from(limit.0) => Err(Refusal::Limit {
            of: of(),
            limit,
            used: Units(u32::try_from(used).unwrap_or(u32::MAX)),
        }),
        _ => Ok(()),
    }
}

pub(crate) fn total(terms: &Terms, lines: &[PlacedLine]) -> Result<Minor, Refusal> {
    let sum = lines.iter().try_fold(Minor::ZERO, |sum, line| {
        sum.plus(line.price.times(line.units, terms.currency)?)
    });
    // A sixteenth of the range leaves room for several captures of the same order.
    sum.filter(|sum| sum.0 <= i64::MAX / 16)
        .ok_or_else(|| Refusal::Invalid("the order's total is out of range".into()))
}
