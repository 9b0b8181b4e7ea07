//! Offers, from the wire into the book and back.

use api::offer::{self, GroupRule};
use api::sale::Sale;
use commerce::Time;
use commerce::offer as book;
use ledger::{Minor, UnitPrice};

use super::discounts::{discounts_in, discounts_out, text_in, text_out};
use super::plan::rule as rule_in;
use super::sale::{price, rule as rule_out};
use super::time;

/// A number that was checked; one that is too large for the field is its maximum.
fn short(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn ms(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn cut_in(cut: offer::Cut) -> book::Cut {
    match cut {
        offer::Cut::OffMinor(amount) => {
            book::Cut::Off(Minor(i64::try_from(amount).unwrap_or(i64::MAX)))
        }
        offer::Cut::ShareBp(share) => book::Cut::Share(share),
    }
}

fn cut_out(cut: book::Cut) -> offer::Cut {
    match cut {
        book::Cut::Off(amount) => offer::Cut::OffMinor(u64::try_from(amount.0).unwrap_or(0)),
        book::Cut::Share(share) => offer::Cut::ShareBp(share),
    }
}

/// An offer for the book.
pub(crate) fn offer_in(offer: offer::Offer) -> book::Offer {
    book::Offer {
        groups: offer.groups.into_iter().map(group_in).collect(),
        presale: offer.presale.map(|presale| book::Presale {
            deposit: cut_in(presale.deposit),
            from: Time(presale.from.ms()),
            until: Time(presale.until.ms()),
            lapse: match presale.lapse {
                offer::Lapse::Refund => book::Lapse::Refund,
                offer::Lapse::Forfeit => book::Lapse::Forfeit,
            },
            grace_ms: ms(presale.grace_ms),
        }),
        line: offer.line.map(|line| book::LinePolicy {
            hold_ms: ms(line.hold_ms),
            units_most: line.units_most,
            places_most: line.places_most,
        }),
        holds: offer.holds.map(holds_in).unwrap_or_default(),
        discounts: offer.discounts.map(discounts_in).unwrap_or_default(),
        rules: offer.rules.into_iter().map(text_in).collect(),
    }
}

fn group_in(group: GroupRule) -> book::GroupRule {
    let tier = |tier: offer::Tier| book::Tier {
        seats: short(tier.seats),
        price: UnitPrice(tier.price.ten_thousandths()),
    };
    book::GroupRule {
        sku: group.sku.into(),
        size: short(group.size),
        least: short(group.least.unwrap_or(group.size)),
        lifetime_ms: ms(group.lifetime_ms),
        stretch_ms: ms(group.stretch_ms),
        tiers: group.tiers.into_iter().map(tier).collect(),
        pays: match group.pays {
            offer::Pays::Reached => book::Pays::Reached,
            offer::Pays::Top => book::Pays::Top,
        },
        seats_per_buyer: short(group.seats_per_buyer),
        teams_per_buyer: group.teams_per_buyer.map(short),
        open_to: group.open_to.into_iter().map(rule_in).collect(),
        join_to: group.join_to.into_iter().map(rule_in).collect(),
        leader: group.leader.map(cut_in),
        leave: match group.leave {
            offer::Leave::Free => book::Leave::Free,
            offer::Leave::Bound => book::Leave::Bound,
        },
        after: match group.after {
            offer::AfterFinish::Merchant => book::AfterFinish::Merchant,
            offer::AfterFinish::Buyer => book::AfterFinish::Buyer,
            offer::AfterFinish::Nobody => book::AfterFinish::Nobody,
        },
        fill: short(group.fill),
        alone: match group.alone {
            offer::Alone::Sold => book::Alone::Sold,
            offer::Alone::TeamsOnly => book::Alone::TeamsOnly,
        },
        prizes: group.prizes.map(short),
    }
}

fn holds_in(holds: offer::HoldPolicy) -> book::HoldPolicy {
    let step = |step: offer::Shrink| book::Shrink {
        lapses: short(step.lapses),
        hold_ms: ms(step.hold_ms),
        open_most: short(step.open_most),
    };
    book::HoldPolicy {
        grace_ms: ms(holds.grace_ms),
        open_most: holds.open_most.map(short),
        steps: holds.steps.into_iter().map(step).collect(),
    }
}

/// An offer of the book.
pub(crate) fn offer_out(offer: &book::Offer) -> offer::Offer {
    let holds = &offer.holds;
    let step = |step: &book::Shrink| offer::Shrink {
        lapses: step.lapses.into(),
        hold_ms: step.hold_ms.into(),
        open_most: step.open_most.into(),
    };
    offer::Offer {
        groups: offer.groups.iter().map(group_out).collect(),
        presale: offer.presale.as_ref().map(|presale| offer::Presale {
            deposit: cut_out(presale.deposit),
            from: time(presale.from),
            until: time(presale.until),
            lapse: match presale.lapse {
                book::Lapse::Refund => offer::Lapse::Refund,
                book::Lapse::Forfeit => offer::Lapse::Forfeit,
            },
            grace_ms: presale.grace_ms.into(),
        }),
        line: offer.line.as_ref().map(|line| offer::LinePolicy {
            hold_ms: line.hold_ms.into(),
            units_most: line.units_most,
            places_most: line.places_most,
        }),
        holds: (*holds != book::HoldPolicy::default()).then(|| offer::HoldPolicy {
            grace_ms: holds.grace_ms.into(),
            open_most: holds.open_most.map(Into::into),
            steps: holds.steps.iter().map(step).collect(),
        }),
        discounts: (offer.discounts != commerce::price::Discounts::default())
            .then(|| discounts_out(&offer.discounts)),
        rules: offer.rules.iter().filter_map(text_out).collect(),
    }
}

/// Takes out of a sale what its buyers could turn to their own use: codes of coupons and what they may still give, what
/// other levels pay, and the text of rules, below which who knows it may stay. Who is refused by a rule is told its reason.
pub(crate) fn keep_from_buyers(sale: &mut Sale) {
    if let Some(offer) = &mut sale.offer {
        offer.discounts = None;
        offer.rules.clear();
    }
    // An offer of nothing else looks as if there were none.
    sale.offer = sale
        .offer
        .take()
        .filter(|offer| *offer != offer::Offer::default());
}

fn group_out(group: &book::GroupRule) -> GroupRule {
    let tier = |tier: &book::Tier| offer::Tier {
        seats: tier.seats.into(),
        price: price(tier.price),
    };
    GroupRule {
        sku: (&*group.sku).into(),
        size: group.size.into(),
        least: Some(group.least.into()),
        lifetime_ms: group.lifetime_ms.into(),
        stretch_ms: group.stretch_ms.into(),
        tiers: group.tiers.iter().map(tier).collect(),
        pays: match group.pays {
            book::Pays::Reached => offer::Pays::Reached,
            book::Pays::Top => offer::Pays::Top,
        },
        seats_per_buyer: group.seats_per_buyer.into(),
        teams_per_buyer: group.teams_per_buyer.map(Into::into),
        open_to: group.open_to.iter().map(rule_out).collect(),
        join_to: group.join_to.iter().map(rule_out).collect(),
        leader: group.leader.map(cut_out),
        leave: match group.leave {
            book::Leave::Free => offer::Leave::Free,
            book::Leave::Bound => offer::Leave::Bound,
        },
        after: match group.after {
            book::AfterFinish::Merchant => offer::AfterFinish::Merchant,
            book::AfterFinish::Buyer => offer::AfterFinish::Buyer,
            book::AfterFinish::Nobody => offer::AfterFinish::Nobody,
        },
        fill: group.fill.into(),
        alone: match group.alone {
            book::Alone::Sold => offer::Alone::Sold,
            book::Alone::TeamsOnly => offer::Alone::TeamsOnly,
        },
        prizes: group.prizes.map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_comes_back_from_the_book_as_it_was() {
        let json = r#"{"groups":[{"sku":"CUP","size":5,"least":3,"lifetime_ms":60000,"stretch_ms":1000,
            "tiers":[{"seats":1,"price":"9.5"},{"seats":5,"price":"8"}],"pays":"top","seats_per_buyer":2,
            "teams_per_buyer":3,"open_to":[{"test":"named"}],"join_to":[{"test":"any_tag","tags":["new"]}],
            "leader":{"share_bp":1000},"leave":"bound","after":"nobody","fill":2,"alone":"teams_only"},
            {"sku":"PEN","size":3,"least":3,"lifetime_ms":60000,"leader":{"off_minor":5},"after":"buyer","prizes":1}],
            "presale":{"deposit":{"off_minor":500},"from":"2026-11-11T00:00:00Z","until":"2026-11-12T00:00:00Z",
            "lapse":"forfeit","grace_ms":7},"line":{"hold_ms":60000,"units_most":2,"places_most":9},
            "holds":{"grace_ms":5,"open_most":2,"steps":[{"lapses":1,"hold_ms":1000,"open_most":1}]}}"#;
        let offer: offer::Offer = serde_json::from_str(json).expect("an offer");
        assert_eq!(offer_out(&offer_in(offer.clone())), offer);
    }
}
