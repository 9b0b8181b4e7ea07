//! What rules and risk may know of a book: to read before a decision, never instead of one.

use super::Book;
use crate::Command;
use crate::rules::{PastGround, RuleSet, SaleGround};

impl Book {
    /// Whether this command's key was used before, so that it is answered as it was, whatever rules say by now.
    pub fn knows(&self, command: &Command) -> bool {
        self.question(command)
            .is_ok_and(|(question, secret)| self.decide_repeat(&secret, &question).is_some())
    }

    /// What a buyer did in this sale; nothing for one who is not known.
    pub fn past_of(&self, buyer: Option<&str>) -> PastGround {
        let secret = self.terms.as_ref().map(|terms| terms.secret);
        let known = secret.zip(buyer);
        self.past_at(known.and_then(|(secret, buyer)| self.buyers.find(&secret, buyer)))
    }

    pub(crate) fn past_at(&self, at: Option<u32>) -> PastGround {
        let (_, lapses) = self.buyers.holds(at);
        PastGround {
            units: self.buyers.units(at),
            lapses: Some(lapses.into()),
            orders: None,
        }
    }

    /// The sale as these rules see it: its units are counted only where one asks for them, since that looks at each SKU.
    pub(crate) fn ground_for(&self, rules: &RuleSet) -> SaleGround<'_> {
        let asks = |path| rules.asking_for(path).is_some();
        if asks("sale.sold") || asks("sale.available") {
            return self.ground();
        }
        SaleGround {
            title: self.title(),
            state: self.state(),
            sold: 0,
            available: 0,
        }
    }

    /// The sale as rules see it.
    pub fn ground(&self) -> SaleGround<'_> {
        let (mut sold, mut available) = (0_u64, 0_u64);
        for sku in self.skus() {
            let units = sku.units();
            sold = sold.saturating_add(units.sold().0.into());
            available = available.saturating_add(units.available().0.into());
        }
        SaleGround {
            title: self.title(),
            state: self.state(),
            sold,
            available,
        }
    }
}
