//! What a member of a team has to pay, worked out anew: the tier that paid seats have reached, and what comes off it.

use commerce::offer::{Cut, GroupRule, Pays};

use super::gather::TeamRow;
use super::rows::Rows;

/// The unit price with so many paid seats; `plain` without tiers.
pub(super) fn price_at(rule: &GroupRule, filled: i64, plain: i64) -> i64 {
    let mut tiers = rule.tiers.iter().rev();
    let reached = tiers.find(|tier| filled >= i64::from(tier.seats));
    let first = rule.tiers.first().map_or(plain, |tier| tier.price.0);
    reached.map_or(first, |tier| tier.price.0)
}

/// What a new member pays for a unit.
pub(super) fn price_now(rule: &GroupRule, team: Option<&TeamRow>, plain: i64) -> i64 {
    let filled = match rule.pays {
        Pays::Reached => team.map_or(0, TeamRow::filled),
        Pays::Top => 0,
    };
    price_at(rule, filled, plain)
}

/// The unit price of the tier at a team's end. A team that the house fills is full, from the first settled member on.
pub(super) fn last_price(rows: &Rows, team: usize) -> Option<i64> {
    let team = rows.gathered.teams.get(team)?;
    let rule = rows.gathered.rule(team)?;
    let first = rule.tiers.first()?;
    let filled = match team.fills {
        true => i64::from(rule.size),
        false => team.filled(),
    };
    Some(price_at(rule, filled, first.price.0))
}

/// What comes off a price: an amount, or a share in ten thousandths, halves to the even number; never more than all.
pub(super) fn off(cut: Cut, price: i64) -> i64 {
    let off = match cut {
        Cut::Off(amount) => amount.0,
        Cut::Share(share) => {
            let fine = i128::from(price) * i128::from(share);
            let (whole, twice) = (fine / 10_000, fine % 10_000 * 2);
            let up = twice > 10_000 || (twice == 10_000 && whole % 2 == 1);
            i64::try_from(whole + i128::from(up)).unwrap_or(i64::MAX)
        }
    };
    off.clamp(0, price)
}
