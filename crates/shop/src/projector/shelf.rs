//! A sale and the units of its SKUs, as rows.

use std::collections::BTreeSet;

use api::sale::SaleState;
use commerce::offer::{GroupRule, Offer};
use commerce::plan::{Patch, Plan, SkuPatch};
use storage::models::{GroupRuleRow, ModelsError, SaleRow, StockRow, Writer};

use super::words::{SALE_STATES, number};

/// Where units are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    Available,
    Held,
    Sold,
    WrittenOff,
}

/// The rows of a sale and its SKUs, kept in memory: they change with almost every entry.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) sale: SaleRow,
    stock: Vec<StockRow>,
    touched: BTreeSet<usize>,
    /// Every group rule that the sale ever had, with its SKU's place.
    rules: Vec<(GroupRule, u32)>,
    /// Rules that are not written yet, from this one on.
    rules_written: usize,
}

impl Shelf {
    /// The rows as they were last committed; empty ones for a sale that is new.
    pub(super) fn load(writer: &Writer, sale: u32) -> Result<Self, ModelsError> {
        let row = writer.sale(sale)?.unwrap_or_else(|| SaleRow {
            sale,
            ..SaleRow::default()
        });
        let mut shelf = Self {
            sale: row,
            stock: writer.stock(sale)?,
            touched: BTreeSet::new(),
            rules: Vec::new(),
            rules_written: 0,
        };
        for row in writer.group_rules(sale)? {
            let rule = serde_json::from_str(&row.rule);
            let rule: GroupRule =
                rule.map_err(|error| ModelsError::Damaged(format!("a group rule: {error}")))?;
            shelf.add_rule(&rule).map_err(ModelsError::Damaged)?;
        }
        shelf.rules_written = shelf.rules.len();
        Ok(shelf)
    }

    /// The rules of an offer; one that did not change keeps its place, as in the book.
    pub(super) fn set_offer(&mut self, offer: &Offer) -> Result<(), String> {
        for rule in &offer.groups {
            if !self.rules.iter().any(|(known, _)| known == rule) {
                self.add_rule(rule)?;
            }
        }
        Ok(())
    }

    fn add_rule(&mut self, rule: &GroupRule) -> Result<(), String> {
        let place = self.stock.iter().position(|row| *row.sku == *rule.sku);
        let place = place.and_then(|place| u32::try_from(place).ok());
        let place = place.ok_or_else(|| format!("a group rule for {}, unknown", rule.sku))?;
        self.rules.push((rule.clone(), place));
        Ok(())
    }

    /// A group rule and the place of its SKU.
    pub(super) fn rule(&self, number: u32) -> Result<(&GroupRule, u32), String> {
        let found = self.rules.get(number as usize);
        let (rule, place) = found.ok_or_else(|| format!("there is no group rule {number}"))?;
        Ok((rule, *place))
    }

    /// Writes what has changed; nothing for a sale that was not created yet.
    pub(super) fn write(&self, writer: &Writer) -> Result<(), ModelsError> {
        for row in self.touched.iter().filter_map(|&at| self.stock.get(at)) {
            writer.put_stock(row)?;
        }
        for (number, (rule, _)) in (0..).zip(&self.rules).skip(self.rules_written) {
            let rule = serde_json::to_string(rule);
            let rule = rule.map_err(|error| ModelsError::Damaged(error.to_string()))?;
            writer.put_group_rule(&GroupRuleRow {
                sale: self.sale.sale,
                number,
                rule: rule.into(),
            })?;
        }
        if self.sale.currency.is_empty() {
            Ok(())
        } else {
            writer.put_sale(&self.sale)
        }
    }

    /// What was written is committed.
    pub(super) fn settle(&mut self) {
        self.touched.clear();
        self.rules_written = self.rules.len();
    }

    pub(super) fn create(&mut self, plan: &Plan, now_ms: u64) -> Result<(), String> {
        self.sale.title.clone_from(&plan.title);
        self.sale.currency = plan.currency.code().into();
        self.sale.opens_ms = plan.window.opens.map(|time| time.0);
        self.sale.closes_ms = plan.window.closes.map(|time| time.0);
        self.sale.created_ms = now_ms;
        self.turn(commerce::SaleState::Draft);
        plan.skus
            .iter()
            .try_for_each(|sku| self.add_sku(&sku.sku, &sku.title, sku.price.0, sku.stock.0.into()))
    }

    pub(super) fn alter(&mut self, patch: &Patch) -> Result<(), String> {
        if let Some(title) = &patch.title {
            self.sale.title.clone_from(title);
        }
        if let Some(window) = patch.window {
            self.sale.opens_ms = window.opens.map(|time| time.0);
            self.sale.closes_ms = window.closes.map(|time| time.0);
        }
        patch.skus.iter().try_for_each(|sku| self.alter_sku(sku))
    }

    fn alter_sku(&mut self, patch: &SkuPatch) -> Result<(), String> {
        let place = self.stock.iter().position(|row| *row.sku == *patch.sku);
        let Some((at, row)) = place.and_then(|at| Some((at, self.stock.get_mut(at)?))) else {
            let stock = patch.stock.unwrap_or_default();
            let (title, price) = (
                patch.title.as_deref().unwrap_or_default(),
                patch.price.unwrap_or_default(),
            );
            return self.add_sku(&patch.sku, title, price.0, stock.0.into());
        };
        if let Some(title) = &patch.title {
            row.title.clone_from(title);
        }
        row.price = patch.price.map_or(row.price, |price| price.0);
        self.touched.insert(at);
        Ok(())
    }

    fn add_sku(&mut self, sku: &str, title: &str, price: i64, units: u64) -> Result<(), String> {
        let place = u32::try_from(self.stock.len()).map_err(|_| "too many SKUs".to_owned())?;
        self.stock.push(StockRow {
            sale: self.sale.sale,
            place,
            sku: sku.into(),
            title: title.into(),
            price,
            stocked: 0,
            available: 0,
            held: 0,
            sold: 0,
            written_off: 0,
        });
        self.sale.skus += 1;
        self.bring_in(place, units)
    }

    pub(super) fn turn(&mut self, to: commerce::SaleState) {
        let state = match to {
            commerce::SaleState::Draft => SaleState::Draft,
            commerce::SaleState::Scheduled => SaleState::Scheduled,
            commerce::SaleState::Open => SaleState::Open,
            commerce::SaleState::Paused => SaleState::Paused,
            commerce::SaleState::Closed => SaleState::Closed,
            commerce::SaleState::Retired => SaleState::Retired,
        };
        self.sale.state = number(SALE_STATES, &state);
    }

    /// Units come in from outside.
    pub(super) fn bring_in(&mut self, sku: u32, units: u64) -> Result<(), String> {
        let row = row_mut(&mut self.stock, &mut self.touched, sku)?;
        row.stocked += units;
        row.available += units;
        self.sale.stocked += units;
        self.sale.available += units;
        Ok(())
    }

    /// Units go from one spot to another.
    pub(super) fn shift(
        &mut self,
        sku: u32,
        units: u64,
        from: Spot,
        to: Spot,
    ) -> Result<(), String> {
        let row = row_mut(&mut self.stock, &mut self.touched, sku)?;
        let left = stock_at(row, from).checked_sub(units);
        *stock_at(row, from) =
            left.ok_or_else(|| format!("SKU {}: {units} units are not there", row.sku))?;
        *stock_at(row, to) += units;
        let sum = sale_at(&mut self.sale, from);
        *sum = sum.saturating_sub(units);
        *sale_at(&mut self.sale, to) += units;
        Ok(())
    }
}

fn row_mut<'a>(
    stock: &'a mut [StockRow],
    touched: &mut BTreeSet<usize>,
    sku: u32,
) -> Result<&'a mut StockRow, String> {
    let at = sku as usize;
    let row = stock
        .get_mut(at)
        .ok_or_else(|| format!("there is no SKU at {sku}"))?;
    touched.insert(at);
    Ok(row)
}

fn stock_at(row: &mut StockRow, spot: Spot) -> &mut u64 {
    match spot {
        Spot::Available => &mut row.available,
        Spot::Held => &mut row.held,
        Spot::Sold => &mut row.sold,
        Spot::WrittenOff => &mut row.written_off,
    }
}

fn sale_at(row: &mut SaleRow, spot: Spot) -> &mut u64 {
    match spot {
        Spot::Available => &mut row.available,
        Spot::Held => &mut row.held,
        Spot::Sold => &mut row.sold,
        Spot::WrittenOff => &mut row.written_off,
    }
}
