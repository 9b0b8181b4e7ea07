//! INV-3 for the sale itself: it only takes the steps that exist, and is changed only while it may be.

use commerce::{Entry, SaleState};

use super::rows::{Attempt, Happening, Phase, Rows, Terms};

/// What stands in the way of an entry about the sale as a whole.
pub(super) fn in_the_way(rows: &Rows, at: &Happening) -> Option<String> {
    let over = matches!(rows.state(), SaleState::Closed | SaleState::Retired);
    match (&at.entry, &rows.terms) {
        (Entry::Created { .. } | Entry::CreatedWith { .. }, Some(_)) => {
            Some("the sale was created twice".into())
        }
        (Entry::Created { .. } | Entry::CreatedWith { .. }, None) => None,
        (_, None) => Some(format!(
            "something happened before the sale was created: {:?}",
            at.entry
        )),
        (Entry::Altered { .. } | Entry::OfferAltered { .. } | Entry::StockAdded { .. }, _)
            if over =>
        {
            Some(format!("the sale is {:?} and was changed", rows.state()))
        }
        (Entry::StockAdded { sku, units, .. } | Entry::WrittenOff { sku, units, .. }, _) => {
            let known = usize::try_from(*sku).is_ok_and(|sku| sku < rows.skus.len());
            (!known || units.0 == 0)
                .then(|| format!("stock moved that is not there: {:?}", at.entry))
        }
        (Entry::Turned { to, key }, Some(terms)) => {
            let asked = key.is_some();
            let may = if asked {
                asked_for(rows, terms, at.time, *to)
            } else {
                by_clock(terms, at.time, *to)
            };
            (!may).then(|| {
                format!(
                    "the sale was {:?} and became {to:?} (asked for: {asked})",
                    terms.state
                )
            })
        }
        _ => None,
    }
}

fn early(terms: &Terms, now: u64) -> bool {
    terms.window.opens.is_some_and(|opens| now < opens.0)
}

fn over(terms: &Terms, now: u64) -> bool {
    terms.window.closes.is_some_and(|closes| now >= closes.0)
}

fn asked_for(rows: &Rows, terms: &Terms, now: u64, to: SaleState) -> bool {
    use SaleState::{Closed, Draft, Open, Paused, Retired, Scheduled};
    match (terms.state, to) {
        (Draft | Scheduled | Paused, Open) => !early(terms, now) && !over(terms, now),
        (Draft | Scheduled | Paused, Scheduled) => early(terms, now) && !over(terms, now),
        (Open | Scheduled, Paused) | (Draft | Scheduled | Open | Paused, Closed) => true,
        (Closed, Retired) => is_quiet(rows),
        _ => false,
    }
}

fn by_clock(terms: &Terms, now: u64, to: SaleState) -> bool {
    use SaleState::{Closed, Open, Paused, Scheduled};
    match (terms.state, to) {
        (Scheduled | Open | Paused, Closed) => over(terms, now),
        (Scheduled, Open) => !early(terms, now) && !over(terms, now),
        (Open, Scheduled) => early(terms, now) && !over(terms, now),
        _ => false,
    }
}

/// Nothing is held, and nothing is under way at the provider.
fn is_quiet(rows: &Rows) -> bool {
    rows.orders.iter().all(|order| {
        order.phase != Phase::Held
            && order.pending == 0
            && !order.attempts.iter().any(Attempt::is_open)
    })
}
