//! What must happen when a history is replayed: a naive shop in a few lines, the oracle for the real one.
//!
//! It knows nothing of holds, keys or journals. It only counts units, so its answers are easy to believe.

use super::history::{History, Invoice, Line};
use std::collections::BTreeMap;

/// Units of one line of an earlier order that come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// Place of the invoice that sold them.
    pub invoice: u32,
    /// Place of the line in it.
    pub line: u16,
    /// Units.
    pub units: u32,
}

/// What becomes of one returned line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedLine {
    /// The line of the cancellation.
    pub line: Line,
    /// Where its units were sold, newest first.
    pub matches: Vec<Match>,
    /// Units that no earlier purchase explains.
    pub unmatched_units: u32,
}

/// The naive shop.
#[derive(Debug)]
pub struct Forecast {
    available: Vec<u64>,
    written_off: Vec<u64>,
    /// Lines of accepted orders by customer and item, newest last.
    purchases: BTreeMap<(u32, u32), Vec<(u32, u16)>>,
    /// Units of each line that have not come back, by invoice; empty for what was not accepted.
    kept: Vec<Box<[u32]>>,
}

impl Forecast {
    /// A shop that begins with this stock, item by item.
    #[must_use]
    pub fn new(history: &History, stock: &[u32]) -> Self {
        Self {
            available: stock.iter().map(|units| u64::from(*units)).collect(),
            written_off: vec![0; stock.len()],
            purchases: BTreeMap::new(),
            kept: vec![Box::default(); history.invoices.len()],
        }
    }

    /// Units that can be bought, item by item.
    #[must_use]
    pub fn available(&self) -> &[u64] {
        &self.available
    }

    /// Units that were lost unsold, item by item.
    #[must_use]
    pub fn written_off(&self) -> &[u64] {
        &self.written_off
    }

    /// Units of each line of an order that have not come back; empty when it was refused.
    #[must_use]
    pub fn kept(&self, invoice: u32) -> &[u32] {
        &self.kept[invoice as usize]
    }

    /// Sells all lines of the invoice or none. Says whether it did.
    pub fn sell(&mut self, place: u32, invoice: &Invoice) -> bool {
        if !self.has_all(&invoice.sold) {
            return false;
        }
        self.kept[place as usize] = invoice.sold.iter().map(|line| line.units).collect();
        for (nth, line) in invoice.sold.iter().enumerate() {
            self.available[line.item as usize] -= u64::from(line.units);
            if let Some(customer) = invoice.customer {
                let lines = self.purchases.entry((customer, line.item)).or_default();
                // An order has at most 2,000 lines.
                lines.push((place, u16::try_from(nth).unwrap_or(u16::MAX)));
            }
        }
        true
    }

    /// Takes a sale back that the real shop refused.
    pub fn unsell(&mut self, place: u32, invoice: &Invoice) {
        for line in &invoice.sold {
            self.available[line.item as usize] += u64::from(line.units);
            if let Some(customer) = invoice.customer
                && let Some(lines) = self.purchases.get_mut(&(customer, line.item))
            {
                lines.retain(|(sold, _)| *sold != place);
            }
        }
        self.kept[place as usize] = Box::default();
    }

    /// The same item in several lines counts together.
    fn has_all(&self, lines: &[Line]) -> bool {
        let mut wanted: BTreeMap<u32, u64> = BTreeMap::new();
        for line in lines {
            *wanted.entry(line.item).or_default() += u64::from(line.units);
        }
        wanted
            .iter()
            .all(|(item, units)| self.available[*item as usize] >= *units)
    }

    /// Takes units out unsold, when so many are available. Says whether it did.
    pub fn write_off(&mut self, line: &Line) -> bool {
        let available = &mut self.available[line.item as usize];
        let Some(left) = available.checked_sub(u64::from(line.units)) else {
            return false;
        };
        *available = left;
        self.written_off[line.item as usize] += u64::from(line.units);
        true
    }

    /// Takes units back: from this customer's purchases of the item, newest first.
    pub fn take_back(&mut self, customer: Option<u32>, line: &Line) -> ReturnedLine {
        let mut returned = ReturnedLine {
            line: *line,
            matches: Vec::new(),
            unmatched_units: line.units,
        };
        let Some(customer) = customer else {
            return returned;
        };
        let Some(purchases) = self.purchases.get_mut(&(customer, line.item)) else {
            return returned;
        };
        while returned.unmatched_units > 0
            && let Some((invoice, nth)) = purchases.last().copied()
        {
            let kept = &mut self.kept[invoice as usize][usize::from(nth)];
            let units = returned.unmatched_units.min(*kept);
            *kept -= units;
            if *kept == 0 {
                purchases.pop();
            }
            if units > 0 {
                returned.unmatched_units -= units;
                self.available[line.item as usize] += u64::from(units);
                returned.matches.push(Match {
                    invoice,
                    line: nth,
                    units,
                });
            }
        }
        returned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::PriceText;

    fn line(item: u32, units: u32) -> Line {
        Line {
            row: 1,
            item,
            units,
            price: PriceText::new(10_000).unwrap_or_else(|_| unreachable!()),
        }
    }

    fn invoice(customer: u32, sold: &[Line]) -> Invoice {
        Invoice {
            number: "1".into(),
            customer: Some(customer),
            at: jiff::civil::date(2010, 12, 1).at(8, 26, 0, 0),
            sold: sold.to_vec(),
            returned: Vec::new(),
            written_off: Vec::new(),
        }
    }

    fn shop(stock: &[u32], invoices: usize) -> Forecast {
        let history = History {
            invoices: vec![invoice(0, &[]); invoices],
            items: Vec::new(),
            customers: Vec::new(),
            rows: 0,
            rejections: Vec::new(),
            digest: blake3::hash(b""),
        };
        Forecast::new(&history, stock)
    }

    #[test]
    fn the_same_item_in_two_lines_counts_together() {
        let mut shop = shop(&[3], 1);
        assert!(!shop.sell(0, &invoice(7, &[line(0, 2), line(0, 2)])));
        assert_eq!(shop.available(), [3]);
        assert!(shop.sell(0, &invoice(7, &[line(0, 2), line(0, 1)])));
        assert_eq!(shop.available(), [0]);
    }

    #[test]
    fn returns_are_matched_newest_first_and_unit_by_unit() {
        let mut shop = shop(&[100], 3);
        assert!(shop.sell(0, &invoice(7, &[line(0, 5)])));
        assert!(shop.sell(1, &invoice(7, &[line(0, 2), line(0, 3)])));
        assert!(shop.sell(2, &invoice(8, &[line(0, 50)])));
        let back = shop.take_back(Some(7), &line(0, 7));
        let expected = [(1, 1, 3), (1, 0, 2), (0, 0, 2)];
        let expected = expected.map(|(invoice, line, units)| Match {
            invoice,
            line,
            units,
        });
        assert_eq!(back.matches, expected);
        assert_eq!((back.unmatched_units, shop.available()), (0, &[47][..]));
        let rest = shop.take_back(Some(7), &line(0, 9));
        assert_eq!((rest.unmatched_units, rest.matches.len()), (6, 1));
        assert_eq!(shop.take_back(None, &line(0, 1)).unmatched_units, 1);
    }

    #[test]
    fn nothing_is_written_off_that_is_not_there() {
        let mut shop = shop(&[3], 0);
        assert!(!shop.write_off(&line(0, 4)));
        assert!(shop.write_off(&line(0, 3)));
        assert_eq!((shop.available(), shop.written_off()), (&[0][..], &[3][..]));
    }

    #[test]
    fn an_unsold_order_leaves_no_trace() {
        let mut shop = shop(&[5], 1);
        let order = invoice(7, &[line(0, 5)]);
        assert!(shop.sell(0, &order));
        shop.unsell(0, &order);
        assert_eq!((shop.available(), shop.kept(0)), (&[5][..], &[][..]));
        assert_eq!(shop.take_back(Some(7), &line(0, 1)).unmatched_units, 1);
    }
}
