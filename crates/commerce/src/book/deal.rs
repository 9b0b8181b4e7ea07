//! Orders of an offer: a seat in a team, two dues, something off, and how long a buyer's holds live.

use std::sync::Arc;

use ledger::{Minor, Units, Violation};

use super::order::{DuesKept, Order, Phase, SeatIn, coupons_of};
use super::place::{Asked, Stop};
use super::team::{TEAMS_MOST, Team, TeamState};
use super::{Book, Done, Offered};
use crate::command::Place;
use crate::deal::{Deal, Dealt, Dues, Opening, Seat, TeamAsk};
use crate::entry::{PlacedLine, PlacedLines};
use crate::offer::{Alone, GroupRule, Offer, Pays};
use crate::plan::Rule;
use crate::price::{self, CouponAsk, Discounts, LinePrice, PriceError, Priced, Pricing};
use crate::rules::{Counters, Ground, OrderGround, Verdict};
use crate::{Facts, Refusal, Time};

/// Why a deposit cannot be paid.
pub(crate) const PRESALE_OVER: &str = "the pre-sale is over";

impl Book {
    /// What the sale offers beyond plain orders, if it does.
    pub(crate) fn offer(&self) -> Option<&Offer> {
        self.offered.as_ref().map(|offered| &offered.offer)
    }

    /// Finds the seat and the dues of an order; prices of lines become those of the team's tier.
    pub(crate) fn deal(
        &self,
        asked: &Asked<'_>,
        lines: &mut PlacedLines,
        deal: &mut Deal,
    ) -> Result<(), Stop> {
        let (now, place) = (asked.now, asked.place);
        let ask = place.deal.as_deref().and_then(|deal| deal.team);
        let Some(offered) = &self.offered else {
            let codes = place.deal.as_ref().and_then(|deal| deal.coupons.first());
            return match (ask, codes) {
                (Some(_), _) => Err(self.no_teams(lines.as_slice()).into()),
                (None, Some(code)) => {
                    let code = code.clone();
                    Err(Refusal::Price(PriceError::Unknown { code }).into())
                }
                (None, None) => Ok(()),
            };
        };
        match ask {
            Some(ask) => deal.seat = Some(self.seat(asked, offered, ask, lines)?),
            None => self.check_alone(offered, lines.as_slice())?,
        }
        self.check_line(lines.as_slice())?;
        // A team keeps its rule also where the offer has become a pre-sale since: its seats are paid whole.
        let dues = offered.offer.presale.as_ref();
        if let Some(presale) = dues.filter(|_| place.paid.is_none() && deal.seat.is_none()) {
            if now >= presale.until {
                return Err(Refusal::Invalid(PRESALE_OVER.into()).into());
            }
            deal.dues = Some(Dues {
                // The share is taken of the whole price, once that is known.
                deposit: Minor::ZERO,
                from: presale.from,
                until: presale.until,
                lapse: presale.lapse,
                grace_ms: presale.grace_ms,
            });
        }
        Ok(())
    }

    fn no_teams(&self, lines: &[PlacedLine]) -> Refusal {
        let sku = lines
            .first()
            .and_then(|line| self.skus.get(line.sku as usize));
        let how = "to single buyers only";
        sku.map_or(Refusal::NoTeam, |sku| Refusal::Teams {
            sku: sku.sku.clone(),
            how,
        })
    }

    pub(crate) fn check_alone(&self, offered: &Offered, lines: &[PlacedLine]) -> Result<(), Stop> {
        for line in lines {
            let rule = offered.groups.get(&line.sku);
            let rule = rule.and_then(|&rule| self.teams.rules.get(rule as usize));
            if let Some(rule) = rule.filter(|rule| rule.alone == Alone::TeamsOnly) {
                let (sku, how) = (rule.sku.clone(), "to teams only");
                return Err(Refusal::Teams { sku, how }.into());
            }
        }
        Ok(())
    }

    fn rule_of(&self, seat: Option<&Seat>) -> Option<&Arc<GroupRule>> {
        let seat = seat?;
        match &seat.opens {
            Some(opening) => self.teams.rules.get(opening.rule as usize),
            None => self.teams.rule(self.teams.get(seat.team)?).ok(),
        }
    }

    /// Whether the order's goods are prizes, which the team holds.
    pub(crate) fn is_draw(&self, deal: &Deal) -> bool {
        let rule = self.rule_of(deal.seat.as_ref());
        rule.is_some_and(|rule| rule.prizes.is_some())
    }

    fn seat(
        &self,
        asked: &Asked<'_>,
        offered: &Offered,
        ask: TeamAsk,
        lines: &mut PlacedLines,
    ) -> Result<Seat, Stop> {
        let PlacedLines::One(line) = lines else {
            return Err(Refusal::Invalid("an order of a team has one line".into()).into());
        };
        let now = asked.now;
        let Some(buyer) = asked.buyer() else {
            return Err(Refusal::Invalid("an order of a team names its buyer".into()).into());
        };
        if line.own_price {
            return Err(Refusal::Invalid("a team's price is its rule's".into()).into());
        }
        let seat = match ask {
            TeamAsk::Open { commit } => {
                let Some(&number) = offered.groups.get(&line.sku) else {
                    return Err(self.no_teams(std::slice::from_ref(line)).into());
                };
                let commit = commit.map(Box::new);
                let opening = Opening {
                    rule: number,
                    ends: now,
                    commit,
                };
                self.opening(now, opening)?
            }
            TeamAsk::Join { team } => self.joining(now, team, line.sku)?,
        };
        let Some(rule) = self.rule_of(Some(&seat)) else {
            return Err(Refusal::NoTeam.into());
        };
        let rules = if seat.opens.is_some() || stdx::mutants::is("joiner-judged-as-opener") {
            &rule.open_to
        } else {
            &rule.join_to
        };
        let admits = |rule: &Rule| rule.admits(now, Some(buyer), &asked.place.tags);
        if let Some(rule) = rules.iter().position(|rule| !admits(rule)) {
            return Err(Refusal::NotEligible { rule }.into());
        }
        self.check_seats(rule, &seat, asked.at)?;
        if rule.prizes.is_some() && line.units != 1 {
            return Err(Refusal::Invalid("a seat of a lottery team is for 1 unit".into()).into());
        }
        let paid = match (rule.pays, self.teams.get(seat.team)) {
            (Pays::Reached, Some(team)) if stdx::mutants::is("tier-counts-unpaid-seats") => {
                u16::try_from(team.seats.stocked().0 - team.seats.available().0).unwrap_or(0)
            }
            (Pays::Reached, Some(team)) => team.filled(),
            _ => 0,
        };
        line.price = rule.price_at(paid, line.price);
        Ok(seat)
    }

    fn opening(&self, now: Time, opening: Opening) -> Result<Seat, Stop> {
        let Some(rule) = self.teams.rules.get(opening.rule as usize) else {
            return Err(Refusal::NoTeam.into());
        };
        if self.teams.len() >= TEAMS_MOST {
            return Err(Refusal::Full("teams of one sale").into());
        }
        if let Some(prizes) = rule.prizes {
            if opening.commit.is_none() {
                return Err(
                    Refusal::Invalid("a lottery team needs the promise of a draw".into()).into(),
                );
            }
            let sku = self.find_sku(&rule.sku).map(|sku| sku.units().available());
            let left = sku.unwrap_or_default();
            if u32::from(prizes) > left.0 {
                let sku = rule.sku.clone();
                return Err(Stop::Short(Refusal::SoldOut { sku, left }));
            }
        }
        Ok(Seat {
            team: self.teams.len(),
            opens: Some(Opening {
                ends: now.after_ms(u64::from(rule.lifetime_ms)),
                commit: opening.commit.filter(|_| rule.prizes.is_some()),
                ..opening
            }),
        })
    }

    fn joining(&self, now: Time, number: u32, sku: u32) -> Result<Seat, Stop> {
        let Some(team) = self.teams.get(number) else {
            return Err(Refusal::NoTeam.into());
        };
        let code = self.teams.rule(team).map(|rule| &rule.sku).ok();
        if code != self.skus.get(sku as usize).map(|sku| &sku.sku) {
            return Err(Refusal::Invalid("the team buys another SKU".into()).into());
        }
        let over = stdx::mutants::is("team-joined-after-its-end");
        if team.state != TeamState::Open || (now >= team.ends && !over) {
            let state = team.state;
            return Err(Refusal::TeamOver { state }.into());
        }
        if team.seats.available() == Units::ZERO {
            let size = u16::try_from(team.seats.stocked().0).unwrap_or(u16::MAX);
            return Err(Stop::Short(Refusal::TeamFull { size }));
        }
        Ok(Seat {
            team: number,
            opens: None,
        })
    }

    fn check_seats(&self, rule: &GroupRule, seat: &Seat, buyer: Option<u32>) -> Result<(), Stop> {
        // Nobody has a seat in a team that begins.
        let Some(buyer) = buyer.filter(|_| seat.opens.is_none() || rule.teams_per_buyer.is_some())
        else {
            return Ok(());
        };
        let seats = self.teams.seats_of(seat.team, buyer);
        if seats >= rule.seats_per_buyer && !stdx::mutants::is("seat-limit-forgotten") {
            let (what, most) = ("seats in one team", rule.seats_per_buyer);
            return Err(Stop::Short(Refusal::SeatLimit { what, most }));
        }
        match rule.teams_per_buyer {
            Some(most)
                if seats == 0
                    && self.teams.teams_of(buyer) >= most
                    && !stdx::mutants::is("team-limit-forgotten") =>
            {
                let what = "teams";
                Err(Stop::Short(Refusal::SeatLimit { what, most }))
            }
            _ => Ok(()),
        }
    }

    /// Whether an order that comes back to its team stays within what one buyer may have.
    pub(crate) fn has_room_in(&self, team: u32, buyer: u32) -> bool {
        let seat = Seat { team, opens: None };
        let rule = self.rule_of(Some(&seat));
        rule.is_some_and(|rule| self.check_seats(rule, &seat, Some(buyer)).is_ok())
    }

    /// The whole price after what comes off it, which goes on record line by line; dues of which one would be nothing
    /// are none.
    pub(crate) fn priced(
        &self,
        asked: &Asked<'_>,
        lines: &[PlacedLine],
        gross: Minor,
        deal: &mut Deal,
    ) -> Result<Minor, Stop> {
        let mut total = gross;
        if let Some(price) = self.price(asked, lines, deal.seat.as_ref())? {
            total = price.total;
            if price.lines.iter().any(|line| line.amount.0 < 0) {
                deal.price = price.lines;
            }
        }
        if let Some(dues) = &mut deal.dues {
            let presale = self.offer().and_then(|offer| offer.presale.as_ref());
            let deposit = presale.and_then(|presale| presale.deposit.of(total));
            match deposit.filter(|&deposit| deposit.is_positive() && deposit < total) {
                Some(deposit) => dues.deposit = deposit,
                None => deal.dues = None,
            }
        }
        Ok(total)
    }

    /// The price line by line, where a discount, a coupon, a tier or the leader's cut may change it.
    fn price(
        &self,
        asked: &Asked<'_>,
        lines: &[PlacedLine],
        seat: Option<&Seat>,
    ) -> Result<Option<Priced>, Stop> {
        let ask = asked.place.deal.as_deref();
        let codes = ask.map_or(&[][..], |ask| &ask.coupons);
        let none = Discounts::default();
        let discounts = self.offer().map_or(&none, |offer| &offer.discounts);
        let rule = self.rule_of(seat);
        let opens = seat.is_some_and(|seat| seat.opens.is_some());
        let opens = opens || stdx::mutants::is("every-member-is-a-leader");
        let leader = rule.and_then(|rule| rule.leader).filter(|_| opens);
        let tiers = rule.is_some_and(|rule| !rule.tiers.is_empty());
        if codes.is_empty() && discounts.levels.is_empty() && leader.is_none() && !tiers {
            return Ok(None);
        }
        let of_line = |line: &PlacedLine| {
            let plain = self
                .skus
                .get(line.sku as usize)
                .map_or(line.price, |sku| sku.price);
            LinePrice {
                units: line.units,
                price: if tiers {
                    plain.max(line.price)
                } else {
                    line.price
                },
                tier: tiers.then_some(line.price),
            }
        };
        let lines: Vec<LinePrice> = lines.iter().map(of_line).collect();
        let coupons: Vec<CouponAsk<'_>> = codes
            .iter()
            .map(|code| self.coupons.asked(discounts, code, asked.at))
            .collect();
        let facts = facts_of(asked.place);
        let filled = seat
            .and_then(|seat| self.teams.get(seat.team))
            .map(Team::filled);
        let priced = price::price(&Pricing {
            now: asked.now,
            currency: asked.terms.currency,
            lines: &lines,
            seats: tiers.then(|| filled.unwrap_or(0).into()),
            facts: &facts,
            discounts,
            coupons: &coupons,
            leader,
        });
        priced.map(Some).map_err(|error| match error {
            // A hold that is due may give its coupon back.
            PriceError::Used { .. } | PriceError::Exhausted { .. } => Stop::Short(error.into()),
            error => Stop::Refuse(error.into()),
        })
    }

    /// Asks the offer's rules, and gives back what was known of the buyer where the decision looked at it.
    pub(crate) fn judged(
        &self,
        asked: &Asked<'_>,
        total: Minor,
        lines: &[PlacedLine],
        seat: Option<&Seat>,
    ) -> Result<Option<Box<Facts>>, Stop> {
        let Some(offered) = &self.offered else {
            return Ok(None);
        };
        let discounts = &offered.offer.discounts;
        let opens = seat.is_some_and(|seat| seat.opens.is_some());
        if offered.rules.is_empty() && discounts.levels.is_empty() && discounts.coupons.is_empty() {
            return Ok(None);
        }
        let facts = facts_of(asked.place);
        facts.check().map_err(Refusal::Invalid)?;
        let skipped = seat.is_some() && !opens && stdx::mutants::is("rule-not-asked-on-join");
        if offered.rules.is_empty() || skipped {
            return Ok(Some(Box::new(facts)));
        }
        let ground = Ground {
            now: asked.now,
            buyer: asked.buyer(),
            facts: &facts,
            past: self.past_at(asked.at),
            order: OrderGround {
                units: lines.iter().map(|line| u64::from(line.units)).sum(),
                total_minor: total.0,
                lines: u32::try_from(lines.len()).unwrap_or(u32::MAX),
                team: seat.is_some(),
                opens,
            },
            sale: self.ground_for(&offered.rules),
            counters: Counters::default(),
        };
        if let Verdict::Refuse { rule, error } = offered.rules.judge(&ground) {
            let text = offered.rules.texts().nth(rule);
            let name = text.map(|text| text.name.clone()).unwrap_or_default();
            let reason = match (error, text) {
                (Some(error), _) => error.to_string().into(),
                (None, Some(text)) => text.reason.clone(),
                (None, None) => Box::default(),
            };
            // A hold that is due may be what the rule minds.
            return Err(Stop::Short(Refusal::Rule { rule: name, reason }));
        }
        Ok(Some(Box::new(facts)))
    }

    /// Whether an expired order's coupons can be used again.
    pub(crate) fn coupons_left(&self, order: &Order) -> bool {
        let known = self
            .offer()
            .map_or(&[][..], |offer| &offer.discounts.coupons);
        order.coupons().all(|(place, off)| {
            let uses = self.coupons.uses(place, order.buyer);
            known.get(usize::from(place)).is_some_and(|coupon| {
                coupon.affords(self.coupons.spent(place), off)
                    && coupon.per_buyer.is_none_or(|most| uses < most)
            })
        })
    }

    /// How long the buyer's hold lives; refuses where he holds as many as he may.
    pub(crate) fn hold_of(&self, asked: &Asked<'_>) -> Result<u32, Stop> {
        let hold_ms = asked.terms.hold_ms;
        let says =
            |offer: &&Offer| !offer.holds.steps.is_empty() || offer.holds.open_most.is_some();
        let Some(offer) = self.offer().filter(says).filter(|_| asked.buyer.is_some()) else {
            return Ok(hold_ms);
        };
        let (open, lapses) = self.buyers.holds(asked.at);
        let step = match stdx::mutants::is("holds-never-shrink") {
            true => None,
            false => offer.holds.step(lapses),
        };
        let most = step.map_or(offer.holds.open_most, |step| Some(step.open_most));
        let counts = !stdx::mutants::is("open-holds-uncounted");
        if let Some(most) = most.filter(|&most| open >= most && counts) {
            return Err(Stop::Short(Refusal::OpenHolds { open, most, lapses }));
        }
        Ok(step.map_or(hold_ms, |step| step.hold_ms.min(hold_ms)))
    }

    pub(crate) fn apply_dealt(&mut self, now: Time, dealt: &Dealt) -> Result<(), Violation> {
        let (placed, deal) = (&dealt.placed, &dealt.deal);
        let mut seat = SeatIn::NONE;
        if let Some(taken) = &deal.seat {
            if let Some(opening) = &taken.opens {
                self.open_team(now, taken.team, opening)?;
            }
            let draw = self
                .rule_of(Some(taken))
                .is_some_and(|rule| rule.prizes.is_some());
            seat = SeatIn::new(taken.team);
            if draw {
                seat = seat.bare();
            }
        }
        self.push_order(now, placed, seat)?;
        let order = self.order_mut(placed.order)?;
        let paid = order.phase == Phase::Paid;
        if !deal.price.is_empty() || deal.dues.is_some() {
            let extra = order.extra_mut();
            extra.price.clone_from(&deal.price);
            extra.dues = deal.dues.map(|dues| DuesKept {
                dues,
                paid: 0,
                split: 0,
                forfeited: false,
            });
        }
        let buyer = order.buyer;
        self.coupons.take(buyer, coupons_of(&deal.price));
        if seat != SeatIn::NONE {
            self.take_seat(placed.order)?;
            if paid {
                self.post_seat(now, placed.order)?;
            }
        }
        self.keys.bind(&placed.key, Done::Order(placed.order))
    }
}

/// What is known of the buyer, as far as it may go on record: neither device nor address.
fn facts_of(place: &Place) -> Facts {
    let told = place.deal.as_deref().and_then(|deal| deal.facts.as_deref());
    let told = told.cloned().unwrap_or_else(|| Facts::of_tags(&place.tags));
    Facts {
        device: None,
        address: None,
        ..told
    }
}
