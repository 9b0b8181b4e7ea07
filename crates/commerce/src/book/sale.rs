//! The sale itself: create, alter, open, pause, close, retire; stock in and out.

use std::sync::Arc;

use ledger::{UnitAccount, Units, Violation};

use super::{Book, Done, Sku, Terms, Verdict};
use crate::command::{Action, Command};
use crate::entry::Entry;
use crate::plan::{self, Patch, Plan, SKUS_MOST, SaleState, SkuPatch, Turn};
use crate::{Refusal, Time};

impl Book {
    pub(crate) fn decide_create(&self, command: &Command) -> Verdict {
        let Action::Create { secret, plan } = &command.action else {
            return Refusal::NoSale.into();
        };
        if let Err(problem) = plan::check(plan) {
            return Refusal::Invalid(problem).into();
        }
        if let Some(twice) = first_twice(plan) {
            return Refusal::Invalid(format!("SKU {twice} stands twice in the plan")).into();
        }
        match Self::bound(secret, command) {
            Ok(key) => accept(Entry::Created {
                secret: *secret,
                plan: plan.clone(),
                key,
            }),
            Err(refusal) => refusal.into(),
        }
    }

    pub(crate) fn decide_alter(&self, terms: &Terms, command: &Command, patch: &Patch) -> Verdict {
        if matches!(terms.state, SaleState::Closed | SaleState::Retired) {
            return Refusal::SaleState {
                state: terms.state,
                why: "a closed sale cannot be altered",
            }
            .into();
        }
        if let Err(refusal) = self.check_patch(patch) {
            return refusal.into();
        }
        match Self::bound(&terms.secret, command) {
            Ok(key) => accept(Entry::Altered {
                patch: Box::new(patch.clone()),
                key,
            }),
            Err(refusal) => refusal.into(),
        }
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
        let mut new: Vec<&Arc<str>> = Vec::new();
        for sku in &patch.skus {
            self.check_sku_patch(sku).map_err(Refusal::Invalid)?;
            if !self.sku_places.contains_key(&sku.sku) {
                if new.contains(&&sku.sku) {
                    return Err(Refusal::Invalid(format!(
                        "SKU {} stands twice in the change",
                        sku.sku
                    )));
                }
                new.push(&sku.sku);
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
        match (
            self.sku_places.contains_key(&patch.sku),
            patch.stock,
            patch.price,
        ) {
            (true, Some(_), _) => Err(format!("SKU {} exists: add stock to it instead", patch.sku)),
            (false, _, None) => Err(format!("SKU {} is new and needs a price", patch.sku)),
            _ => Ok(()),
        }
    }

    pub(crate) fn decide_turn(
        &self,
        now: Time,
        terms: &Terms,
        command: &Command,
        turn: Turn,
    ) -> Verdict {
        let refuse = || {
            Verdict::from(Refusal::SaleState {
                state: terms.state,
                why: turn.verb(),
            })
        };
        let to = match (terms.state, turn) {
            (SaleState::Draft | SaleState::Scheduled | SaleState::Paused, Turn::Open) => {
                if terms.window.closes.is_some_and(|closes| now >= closes) {
                    return Refusal::SaleState {
                        state: terms.state,
                        why: "its window is over",
                    }
                    .into();
                }
                let early = terms.window.opens.is_some_and(|opens| now < opens);
                if early {
                    SaleState::Scheduled
                } else {
                    SaleState::Open
                }
            }
            (SaleState::Open | SaleState::Scheduled, Turn::Pause) => SaleState::Paused,
            (
                SaleState::Draft | SaleState::Scheduled | SaleState::Open | SaleState::Paused,
                Turn::Close,
            ) => SaleState::Closed,
            (SaleState::Closed, Turn::Retire) if self.tally.held > 0 && self.has_due(now) => {
                return Verdict::SweepFirst;
            }
            (SaleState::Closed, Turn::Retire)
                if self.tally.held == 0 && self.effects.is_empty() =>
            {
                SaleState::Retired
            }
            _ => return refuse(),
        };
        match Self::bound(&terms.secret, command) {
            Ok(key) => accept(Entry::Turned { to, key: Some(key) }),
            Err(refusal) => refusal.into(),
        }
    }

    pub(crate) fn decide_add_stock(
        &self,
        terms: &Terms,
        command: &Command,
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
        match Self::bound(&terms.secret, command) {
            Ok(key) => accept(Entry::StockAdded {
                sku: at,
                units,
                key,
            }),
            Err(refusal) => refusal.into(),
        }
    }

    pub(crate) fn decide_write_off(
        &self,
        now: Time,
        terms: &Terms,
        command: &Command,
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
        match Self::bound(&terms.secret, command) {
            Ok(key) => accept(Entry::WrittenOff {
                sku: at,
                units,
                reason: reason.map(Into::into),
                key,
            }),
            Err(refusal) => refusal.into(),
        }
    }

    pub(crate) fn apply_sale(&mut self, now: Time, entry: &Entry) -> Result<(), Violation> {
        match entry {
            Entry::Created { secret, plan, key } => {
                self.terms = Some(Terms {
                    secret: *secret,
                    title: plan.title.clone(),
                    currency: plan.currency,
                    state: SaleState::Draft,
                    hold_ms: plan.hold_ms,
                    window: plan.window,
                    limits: plan.limits,
                    rules: plan.rules.clone(),
                    created: now,
                });
                for sku in &plan.skus {
                    self.add_sku(
                        sku.sku.clone(),
                        sku.title.clone(),
                        sku.price,
                        sku.limits,
                        sku.stock,
                    )?;
                }
                self.keys.bind(key, Done::Sale);
            }
            Entry::Altered { patch, key } => {
                self.apply_patch(patch)?;
                self.keys.bind(key, Done::Sale);
            }
            Entry::Turned { to, key } => {
                self.terms_mut()?.state = *to;
                if let Some(key) = key {
                    self.keys.bind(key, Done::Sale);
                }
            }
            _ => {}
        }
        Ok(())
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
        patch
            .skus
            .iter()
            .try_for_each(|sku| self.apply_sku_patch(sku))
    }

    fn apply_sku_patch(&mut self, patch: &SkuPatch) -> Result<(), Violation> {
        let Some(&at) = self.sku_places.get(&patch.sku) else {
            let title = patch.title.clone().unwrap_or_default();
            let (limits, stock) = (
                patch.limits.unwrap_or_default(),
                patch.stock.unwrap_or_default(),
            );
            return self.add_sku(
                patch.sku.clone(),
                title,
                patch.price.unwrap_or_default(),
                limits,
                stock,
            );
        };
        let sku = self.sku_mut(at)?;
        if let Some(title) = &patch.title {
            sku.title.clone_from(title);
        }
        sku.price = patch.price.unwrap_or(sku.price);
        let was_limited = sku.limited();
        sku.limits = patch.limits.unwrap_or(sku.limits);
        if sku.limited() != was_limited {
            self.count_buyers_of(at);
        }
        Ok(())
    }

    /// Counts anew what each buyer has of a SKU, since it is only counted while a limit asks for it.
    pub(crate) fn count_buyers_of(&mut self, at: u32) {
        let Self {
            orders,
            buyers,
            skus,
            ..
        } = self;
        buyers.forget_sku(at);
        if skus
            .get(at as usize)
            .is_none_or(|sku| sku.limits.per_buyer.is_none())
        {
            return;
        }
        for order in orders
            .iter()
            .filter(|order| order.counts() && order.buyer != super::buyers::NOBODY)
        {
            for line in order.lines.as_slice().iter().filter(|line| line.sku == at) {
                buyers.count_sku(order.buyer, at, line.units.get() - line.returned);
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
                self.keys.bind(key, Done::Sale);
            }
            Entry::WrittenOff {
                sku, units, key, ..
            } => {
                let written_off = self.sku_mut(*sku)?.units.write_off(*units);
                written_off.map_err(|shortage| Violation::new("INV-1", shortage.to_string()))?;
                self.keys.bind(key, Done::Sale);
            }
            _ => {}
        }
        Ok(())
    }
}

pub(crate) fn accept(entry: Entry) -> Verdict {
    Verdict::Accept(Box::new(entry))
}

fn first_twice(plan: &Plan) -> Option<&str> {
    let mut skus: Vec<&str> = plan.skus.iter().map(|sku| &*sku.sku).collect();
    skus.sort_unstable();
    skus.windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
}
