//! The sale itself: create, alter, open, pause, close, retire; stock in and out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::{UnitAccount, Units, Violation};

use super::buyers::{Limited, NOBODY};
use super::keys::Question;
use super::team::Team;
use super::{Book, Done, Offered, Sku, Terms, Verdict};
use crate::command::Action;
use crate::entry::Entry;
use crate::offer::{self, Offer};
use crate::plan::{self, Patch, Plan, SKUS_MOST, SaleState, SkuPatch, Turn};
use crate::rules::RuleSet;
use crate::sip::Secret;
use crate::{Refusal, Time};

impl Book {
    pub(crate) fn decide_create(question: &Question<'_>) -> Verdict {
        let (secret, plan, offer) = match question.action {
            Action::Create { secret, plan } => (secret, plan, None),
            Action::CreateWith {
                secret,
                plan,
                offer,
            } => (secret, plan, Some(offer)),
            _ => return Refusal::NoSale.into(),
        };
        let sold = |sku: &str| plan.skus.iter().any(|other| &*other.sku == sku);
        let offered = offer.map_or(Ok(()), |offer| check_offer(offer, sold));
        let sound = plan::check(plan)
            .and(offered)
            .and_then(|()| match first_twice(plan) {
                Some(twice) => Err(format!("SKU {twice} stands twice in the plan")),
                None => Ok(()),
            });
        let key = sound
            .map_err(Refusal::Invalid)
            .and_then(|()| question.bound(secret));
        let (secret, plan) = (*secret, plan.clone());
        key.map_or_else(Verdict::from, |key| {
            accept(match offer.cloned() {
                None => Entry::Created { secret, plan, key },
                Some(offer) => Entry::CreatedWith {
                    secret,
                    plan,
                    offer,
                    key,
                },
            })
        })
    }

    pub(crate) fn decide_alter_offer(
        &self,
        terms: &Terms,
        question: &Question<'_>,
        offer: &Offer,
    ) -> Verdict {
        if matches!(terms.state, SaleState::Closed | SaleState::Retired) {
            let (state, why) = (terms.state, "a closed sale cannot be altered");
            return Refusal::SaleState { state, why }.into();
        }
        let sold = |sku: &str| self.sku_places.contains_key(sku);
        let key = check_offer(offer, sold)
            .and_then(|()| self.check_coupons(offer))
            .map_err(Refusal::Invalid)
            .and_then(|()| question.bound(&terms.secret));
        key.map_or_else(Verdict::from, |key| {
            accept(Entry::OfferAltered {
                offer: Box::new(offer.clone()),
                key,
            })
        })
    }

    /// A coupon keeps its place for ever, since orders name it by that.
    fn check_coupons(&self, offer: &Offer) -> Result<(), String> {
        let known = self.offer().map_or(&[][..], |old| &old.discounts.coupons);
        let mut new = offer.discounts.coupons.iter();
        let moved = known
            .iter()
            .find(|old| new.next().is_none_or(|new| new.code != old.code));
        moved.map_or(Ok(()), |old| {
            Err(format!(
                "coupon {} keeps its place: end it by `until`, and add new ones behind",
                old.code
            ))
        })
    }

    /// Sets the offer; a rule that did not change keeps its place, so that nothing piles up.
    fn set_offer(&mut self, offer: &Offer) -> Result<(), Violation> {
        let mut groups = BTreeMap::new();
        for rule in &offer.groups {
            let lost = || Violation::new("INV-6", "a group rule without a SKU");
            let sku = *self.sku_places.get(&rule.sku).ok_or_else(lost)?;
            let rules = &mut self.teams.rules;
            let same = rules.iter().position(|known| **known == *rule);
            let at = same.unwrap_or_else(|| {
                rules.push(Arc::new(rule.clone()));
                rules.len() - 1
            });
            groups.insert(sku, u32::try_from(at).map_err(|_| lost())?);
        }
        let mut rules = RuleSet::recovered(&offer.rules);
        if stdx::mutants::is("rules-of-yesterday")
            && let Some(before) = &self.offered
        {
            rules.clone_from(&before.rules);
        }
        let offer = offer.clone();
        self.offered = Some(Box::new(Offered {
            offer,
            groups,
            rules,
        }));
        Ok(())
    }

    pub(crate) fn decide_alter(
        &self,
        terms: &Terms,
        question: &Question<'_>,
        patch: &Patch,
    ) -> Verdict {
        if matches!(terms.state, SaleState::Closed | SaleState::Retired) {
            return Refusal::SaleState {
                state: terms.state,
                why: "a closed sale cannot be altered",
            }
            .into();
        }
        let key = self
            .check_patch(patch)
            .and_then(|()| question.bound(&terms.secret));
        key.map_or_else(Verdict::from, |key| {
            accept(Entry::Altered {
                patch: Box::new(patch.clone()),
                key,
            })
        })
    }

    fn check_patch(&self, patch: &Patch) -> Result<(), Refusal> {
        patch
            .title
            .as_deref()
            .map_or(Ok(()), |title| plan::check_title("title", title))
            .map_err(Refusal::Invalid)?;
        patch
            .hold_ms
            .map_or(Ok(()), plan::check_hold)
            .map_err(Refusal::Invalid)?;
        patch
            .window
            .map_or(Ok(()), plan::check_window)
            .map_err(Refusal::Invalid)?;
        patch
            .rules
            .as_deref()
            .map_or(Ok(()), plan::check_rules)
            .map_err(Refusal::Invalid)?;
        if patch.skus.len() > SKUS_MOST {
            return Err(Refusal::Full("a change names at most 10,000 SKUs"));
        }
        let mut new = BTreeSet::new();
        for sku in &patch.skus {
            self.check_sku_patch(sku).map_err(Refusal::Invalid)?;
            if !self.sku_places.contains_key(&sku.sku) && !new.insert(&sku.sku) {
                let twice = format!("SKU {} stands twice in the change", sku.sku);
                return Err(Refusal::Invalid(twice));
            }
        }
        if self.skus.len() + new.len() > SKUS_MOST {
            return Err(Refusal::Full("a sale has at most 10,000 SKUs"));
        }
        Ok(())
    }

    fn check_sku_patch(&self, patch: &SkuPatch) -> Result<(), String> {
        plan::check_name("sku", &patch.sku)?;
        patch
            .title
            .as_deref()
            .map_or(Ok(()), |title| plan::check_title("SKU title", title))?;
        patch.price.map_or(Ok(()), plan::check_price)?;
        let exists = self.sku_places.contains_key(&patch.sku);
        match (exists, patch.stock, patch.price) {
            (true, Some(_), _) => Err(format!("SKU {} exists: add stock to it instead", patch.sku)),
            (false, _, None) => Err(format!("SKU {} is new and needs a price", patch.sku)),
            _ => Ok(()),
        }
    }

    pub(crate) fn decide_turn(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        turn: Turn,
    ) -> Verdict {
        // What is held and due expires before it can keep a sale from retiring.
        let retires = terms.state == SaleState::Closed && turn == Turn::Retire;
        if retires && self.tally.held > 0 && self.has_due(now) {
            return Verdict::SweepFirst;
        }
        let refused = |why| Refusal::SaleState {
            state: terms.state,
            why,
        };
        let to = self.turned(now, terms, turn).map_err(refused);
        let turned = to.and_then(|to| {
            let key = question.bound(&terms.secret)?;
            Ok(Entry::Turned { to, key: Some(key) })
        });
        turned.map_or_else(Verdict::from, accept)
    }

    /// The state that a step leads to, or what stands in its way.
    fn turned(&self, now: Time, terms: &Terms, turn: Turn) -> Result<SaleState, &'static str> {
        let window = terms.window;
        match (terms.state, turn) {
            (SaleState::Draft | SaleState::Scheduled | SaleState::Paused, Turn::Open) => {
                if window.closes.is_some_and(|closes| now >= closes) {
                    Err("its window is over")
                } else if window.opens.is_some_and(|opens| now < opens) {
                    Ok(SaleState::Scheduled)
                } else {
                    Ok(SaleState::Open)
                }
            }
            (SaleState::Open | SaleState::Scheduled, Turn::Pause) => Ok(SaleState::Paused),
            (
                SaleState::Draft | SaleState::Scheduled | SaleState::Open | SaleState::Paused,
                Turn::Close,
            ) => Ok(SaleState::Closed),
            (SaleState::Closed, Turn::Retire)
                if self.tally.held == 0
                    && self.effects.is_empty()
                    && !self.teams.all.iter().any(Team::is_busy)
                    && self.saga_counts().1 == 0 =>
            {
                Ok(SaleState::Retired)
            }
            _ => Err(turn.verb()),
        }
    }

    pub(crate) fn decide_add_stock(
        &self,
        terms: &Terms,
        question: &Question<'_>,
        sku: &Arc<str>,
        units: Units,
    ) -> Verdict {
        if matches!(terms.state, SaleState::Closed | SaleState::Retired) {
            return Refusal::SaleState {
                state: terms.state,
                why: "a closed sale takes no stock",
            }
            .into();
        }
        let Some(&at) = self.sku_places.get(sku) else {
            return Refusal::NoSku { sku: sku.clone() }.into();
        };
        let fits = self
            .skus
            .get(at as usize)
            .is_some_and(|sku| sku.units.stocked().plus(units).is_some());
        if units == Units::ZERO || !fits {
            return Refusal::Invalid(
                "units must be at least 1, and a SKU holds at most 4,294,967,295".into(),
            )
            .into();
        }
        let key = question.bound(&terms.secret);
        key.map_or_else(Verdict::from, |key| {
            accept(Entry::StockAdded {
                sku: at,
                units,
                key,
            })
        })
    }

    pub(crate) fn decide_write_off(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        sku: &Arc<str>,
        units: Units,
        reason: Option<&str>,
    ) -> Verdict {
        let Some(&at) = self.sku_places.get(sku) else {
            return Refusal::NoSku { sku: sku.clone() }.into();
        };
        if units == Units::ZERO {
            return Refusal::Invalid("units must be at least 1".into()).into();
        }
        if let Some(Err(problem)) = reason.map(|reason| plan::check_reason("reason", reason)) {
            return Refusal::Invalid(problem).into();
        }
        let left = self
            .skus
            .get(at as usize)
            .map_or(Units::ZERO, |sku| sku.units.available());
        if units > left {
            return if self.has_due(now) {
                Verdict::SweepFirst
            } else {
                Refusal::OverWriteOff { left }.into()
            };
        }
        let key = question.bound(&terms.secret);
        key.map_or_else(Verdict::from, |key| {
            accept(Entry::WrittenOff {
                sku: at,
                units,
                reason: reason.map(Into::into),
                key,
            })
        })
    }

    pub(crate) fn apply_sale(&mut self, now: Time, entry: &Entry) -> Result<(), Violation> {
        match entry {
            Entry::Created { secret, plan, key } => {
                self.begin(now, *secret, plan)?;
                self.keys.bind(key, Done::Sale)?;
            }
            Entry::CreatedWith {
                secret,
                plan,
                offer,
                key,
            } => {
                self.begin(now, *secret, plan)?;
                self.set_offer(offer)?;
                self.keys.bind(key, Done::Sale)?;
            }
            Entry::OfferAltered { offer, key } => {
                self.set_offer(offer)?;
                self.keys.bind(key, Done::Sale)?;
            }
            Entry::Altered { patch, key } => {
                self.apply_patch(patch)?;
                self.keys.bind(key, Done::Sale)?;
            }
            Entry::Turned { to, key } => {
                self.terms_mut()?.state = *to;
                if let Some(key) = key {
                    self.keys.bind(key, Done::Sale)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, now: Time, secret: Secret, plan: &Plan) -> Result<(), Violation> {
        if self.terms.is_some() {
            return Err(Violation::new("INV-3", "the sale began before"));
        }
        self.terms = Some(Terms {
            secret,
            title: plan.title.clone(),
            currency: plan.currency,
            state: SaleState::Draft,
            hold_ms: plan.hold_ms,
            window: plan.window,
            limits: plan.limits,
            rules: plan.rules.clone(),
            created: now,
        });
        plan.skus.iter().try_for_each(|sku| {
            let (code, title) = (sku.sku.clone(), sku.title.clone());
            self.add_sku(code, title, sku.price, sku.limits, sku.stock)
        })
    }

    fn apply_patch(&mut self, patch: &Patch) -> Result<(), Violation> {
        let terms = self.terms_mut()?;
        if let Some(title) = &patch.title {
            terms.title.clone_from(title);
        }
        terms.hold_ms = patch.hold_ms.unwrap_or(terms.hold_ms);
        terms.window = patch.window.unwrap_or(terms.window);
        terms.limits = patch.limits.unwrap_or(terms.limits);
        if let Some(rules) = &patch.rules {
            terms.rules.clone_from(rules);
        }
        let mut recount = BTreeSet::new();
        for sku in &patch.skus {
            recount.extend(self.apply_sku_patch(sku)?);
        }
        if !recount.is_empty() {
            self.count_buyers_of(&recount);
        }
        Ok(())
    }

    /// Changes or adds a SKU; gives its place where its buyers are now counted, or no longer.
    fn apply_sku_patch(&mut self, patch: &SkuPatch) -> Result<Option<u32>, Violation> {
        let Some(&at) = self.sku_places.get(&patch.sku) else {
            let title = patch.title.clone().unwrap_or_default();
            let (price, limits) = (
                patch.price.unwrap_or_default(),
                patch.limits.unwrap_or_default(),
            );
            let stock = patch.stock.unwrap_or_default();
            self.add_sku(patch.sku.clone(), title, price, limits, stock)?;
            return Ok(None);
        };
        let sku = self.sku_mut(at)?;
        if let Some(title) = &patch.title {
            sku.title.clone_from(title);
        }
        sku.price = patch.price.unwrap_or(sku.price);
        let was_limited = sku.limited();
        sku.limits = patch.limits.unwrap_or(sku.limits);
        Ok((sku.limited() != was_limited).then_some(at))
    }

    /// Counts anew what each buyer has of some SKUs, since that is only counted while a limit asks for it. One pass
    /// over the orders, however many SKUs there are.
    fn count_buyers_of(&mut self, changed: &BTreeSet<u32>) {
        let Self {
            orders,
            buyers,
            skus,
            ..
        } = self;
        buyers.forget_skus(changed);
        let counted = |at: &u32| {
            changed.contains(at)
                && skus
                    .get(*at as usize)
                    .is_some_and(|sku| sku.limited() == Limited::Yes)
        };
        for order in orders
            .iter()
            .filter(|order| order.counts() && order.buyer != NOBODY)
        {
            for line in order
                .lines
                .as_slice()
                .iter()
                .filter(|line| counted(&line.sku))
            {
                buyers.count_sku(order.buyer, line.sku, line.units.get() - line.returned);
            }
        }
    }

    fn add_sku(
        &mut self,
        sku: Arc<str>,
        title: Box<str>,
        price: ledger::UnitPrice,
        limits: plan::Limits,
        stock: Units,
    ) -> Result<(), Violation> {
        let mut units = UnitAccount::default();
        units.stock(stock)?;
        let at =
            u32::try_from(self.skus.len()).map_err(|_| Violation::new("INV-9", "too many SKUs"))?;
        self.sku_places.insert(sku.clone(), at);
        self.skus.push(Sku {
            sku,
            title,
            price,
            limits,
            units,
        });
        Ok(())
    }

    pub(crate) fn apply_stock(&mut self, entry: &Entry) -> Result<(), Violation> {
        match entry {
            Entry::StockAdded { sku, units, key } => {
                self.sku_mut(*sku)?.units.stock(*units)?;
                self.keys.bind(key, Done::Sale)?;
            }
            Entry::WrittenOff {
                sku, units, key, ..
            } => {
                let written_off = self.sku_mut(*sku)?.units.write_off(*units);
                written_off.map_err(|shortage| Violation::new("INV-1", shortage.to_string()))?;
                self.keys.bind(key, Done::Sale)?;
            }
            _ => {}
        }
        Ok(())
    }
}

pub(crate) fn accept(entry: Entry) -> Verdict {
    Verdict::Accept(entry)
}

fn check_offer(offer: &Offer, sold: impl Fn(&str) -> bool) -> Result<(), String> {
    offer::check(offer)?;
    let stranger = offer.groups.iter().find(|group| !sold(&group.sku));
    stranger.map_or(Ok(()), |group| {
        Err(format!(
            "a group rule names {}, which the sale does not sell",
            group.sku
        ))
    })
}

fn first_twice(plan: &Plan) -> Option<&str> {
    let mut skus: Vec<&str> = plan.skus.iter().map(|sku| &*sku.sku).collect();
    skus.sort_unstable();
    skus.windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
}
