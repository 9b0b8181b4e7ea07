//! What a desk's sale offers beyond plain orders: data, drawn from a seed.

use commerce::offer::{
    AfterFinish, Alone, Cut, GroupRule, HoldPolicy, Lapse, Leave, LinePolicy, Offer, Pays, Presale,
    Shrink, Tier,
};
use commerce::price::{Coupon, CouponKind, Discounts, LevelDiscount};
use commerce::rules::{RuleText, Then};
use commerce::{Facts, Rule, Test, Time};
use ledger::{Minor, UnitPrice};

use super::wish::{NAMES, PRICES};
use crate::chance::Chance;
use crate::clock::DAWN_MS;

/// The tag of buyers whom some rules let in.
pub(super) const NEW: &str = "new";

/// An offer of a seed: teams or a pre-sale or neither, and a line and a hold policy beside them or not. The windows of a
/// pre-sale lie in the first minute after `now_ms` of the world.
pub(super) fn draw(chance: &mut Chance, now_ms: u64) -> Offer {
    let mut offer = Offer::default();
    match chance.below(8) {
        0..=4 => {
            let skus = chance.between(1, 2);
            offer.groups = (0..usize::try_from(skus).unwrap_or(1))
                .map(|sku| group(chance, sku))
                .collect();
        }
        5 | 6 => offer.presale = Some(presale(chance, now_ms)),
        _ => {}
    }
    if offer.groups.is_empty() || chance.hits(400) {
        offer.line = Some(LinePolicy {
            hold_ms: small(chance, &[1_000, 3_000]),
            units_most: small(chance, &[1, 3]),
            places_most: small(chance, &[3, 100]),
        });
    }
    if chance.hits(600) {
        offer.holds = holds(chance);
    }
    offer
}

/// Rules that an offer may have: what each asks, and what follows. Some have no answer for some buyers.
const RULES: [(&str, Then); 9] = [
    ("buyer.level >= 4", Then::Allow),
    ("buyer.level >= 1 || 'new' in buyer.tags", Then::Admit),
    ("buyer.units + order.units <= 4", Then::Admit),
    ("order.units <= 1 || buyer.level >= 3", Then::Admit),
    (
        "order.team && !order.opens && buyer.level == 2",
        Then::Block,
    ),
    ("buyer.lapses >= 3", Then::Block),
    ("order.total_minor > 2400", Then::Block),
    ("buyer.region == 'north'", Then::Admit),
    (
        "12 / (buyer.level - 2) >= 100 || sale.sold < 0",
        Then::Block,
    ),
];

/// Puts discounts and rules on an offer: of a seed's own kind, or of the kind that the sale has `before`. Coupons that are
/// known keep their places and their codes, whatever else becomes of them.
pub(super) fn add_discounts(chance: &mut Chance, offer: &mut Offer, before: &Offer, now_ms: u64) {
    let discounted = before.discounts != Discounts::default();
    if discounted || (before == &Offer::default() && chance.hits(500)) {
        offer.discounts = discounts(chance, &before.discounts.coupons, now_ms);
    }
    let ruled = !before.rules.is_empty() || discounted;
    if ruled || (before == &Offer::default() && chance.hits(250)) {
        offer.rules = rules(chance);
    }
}

fn discounts(chance: &mut Chance, known: &[Coupon], now_ms: u64) -> Discounts {
    let more = match known.is_empty() {
        true => chance.between(1, 4),
        false => chance.below(2),
    };
    let new = (known.len()..).take(usize::try_from(more).unwrap_or(1));
    let mut coupons: Vec<Coupon> = Vec::new();
    for old in known {
        let same = chance.hits(500);
        coupons.push(match same {
            true => old.clone(),
            false => Coupon {
                code: old.code.clone(),
                ..coupon(chance, 0, now_ms)
            },
        });
    }
    coupons.extend(new.map(|place| coupon(chance, place, now_ms)));
    let level = |least, share_bp| LevelDiscount { least, share_bp };
    let levels = match chance.below(3) {
        0 => Vec::new(),
        1 => vec![level(2, 5_000)],
        _ => vec![level(4, 1_250), level(1, 333)],
    };
    Discounts { coupons, levels }
}

/// The code of a coupon by its place in the offer.
pub(super) fn code(place: usize) -> Box<str> {
    format!("code {place}").into()
}

fn coupon(chance: &mut Chance, place: usize, now_ms: u64) -> Coupon {
    let amount = |of: i64| Some(Minor(of));
    let windowed = chance.hits(200);
    let from = DAWN_MS + now_ms + chance.below(10_000);
    let until = from + chance.between(5_000, 30_000);
    Coupon {
        code: code(place),
        kind: *chance.pick(&[
            CouponKind::Off(Minor(250)),
            CouponKind::Off(Minor(1_001)),
            CouponKind::Share(5_000, None),
            CouponKind::Share(1_250, None),
            CouponKind::Share(3_333, Some(Minor(700))),
        ]),
        threshold: Minor(*chance.pick(&[0, 0, 1_000, 1_250, 2_000])),
        per_buyer: *chance.pick(&[None, Some(1), Some(1), Some(2)]),
        budget: *chance.pick(&[
            None,
            amount(500),
            amount(1_002),
            amount(2_500),
            amount(7_000),
        ]),
        tags: match chance.hits(150) {
            true => vec![NEW.into()],
            false => Vec::new(),
        },
        level: small(chance, &[0, 0, 0, 0, 2]),
        from: windowed.then_some(Time(from)),
        until: windowed.then_some(Time(until)),
        combines: chance.hits(650),
    }
}

fn rules(chance: &mut Chance) -> Vec<RuleText> {
    let count = usize::try_from(chance.below(3)).unwrap_or(0);
    let first = chance.index(RULES.len());
    let chosen = RULES.iter().cycle().skip(first).step_by(2).take(count);
    let text = |(place, (when, then)): (usize, &(&str, Then))| RuleText {
        name: format!("rule {place}").into(),
        when: (*when).into(),
        then: *then,
        reason: "not today".into(),
    };
    chosen.enumerate().map(text).collect()
}

/// What the shop knows of a buyer, by his number.
pub(super) fn facts(number: u64, tags: &[Box<str>]) -> Facts {
    let region = match number % 7 {
        0 => None,
        1 => Some("south".into()),
        _ => Some("north".into()),
    };
    Facts {
        tags: tags.to_vec(),
        level: u32::try_from(number % 6).unwrap_or(0),
        points: 100,
        region,
        new_customer: number.is_multiple_of(2),
        device: Some("a device".into()),
        address: None,
    }
}

fn small(chance: &mut Chance, from: &[u32]) -> u32 {
    *chance.pick(from)
}

fn group(chance: &mut Chance, sku: usize) -> GroupRule {
    let size = *chance.pick(&[2_u16, 2, 2, 3, 3, 5]);
    let lottery = chance.hits(350);
    let plain = PRICES[sku];
    let tier = |seats, off: i64| Tier {
        seats,
        price: UnitPrice(plain - off),
    };
    let tiers = match chance.below(3) {
        0 => Vec::new(),
        1 => vec![tier(1, 0), tier(2, 10_000)],
        _ => vec![tier(1, 333), tier(2.max(size / 2 + 1), 12_345)],
    };
    let orderly = tiers.windows(2).all(|pair| pair[0].seats < pair[1].seats);
    let rules = |chance: &mut Chance| match chance.hits(250) {
        true => vec![Rule {
            test: Test::AnyTag(vec![NEW.into()]),
            until: None,
        }],
        false => Vec::new(),
    };
    let fits = !lottery && orderly;
    GroupRule {
        sku: NAMES[sku].into(),
        size,
        least: match lottery || chance.hits(600) {
            true => size,
            false => size.div_ceil(2),
        },
        lifetime_ms: small(chance, &[1_000, 5_000, 15_000, 30_000]),
        stretch_ms: small(chance, &[0, 2_000, 10_000]),
        tiers: if fits { tiers } else { Vec::new() },
        pays: *chance.pick(&[Pays::Reached, Pays::Top]),
        seats_per_buyer: *chance.pick(&[1, 1, 2]),
        teams_per_buyer: *chance.pick(&[None, Some(1), Some(2)]),
        open_to: rules(chance),
        join_to: rules(chance),
        leader: *chance.pick(&[None, Some(Cut::Off(Minor(150))), Some(Cut::Share(1_250))]),
        leave: *chance.pick(&[Leave::Free, Leave::Bound]),
        after: *chance.pick(&[
            AfterFinish::Merchant,
            AfterFinish::Buyer,
            AfterFinish::Nobody,
        ]),
        fill: match !lottery && chance.hits(500) {
            true => size / 2,
            false => 0,
        },
        alone: *chance.pick(&[Alone::Sold, Alone::TeamsOnly]),
        prizes: lottery.then(|| 1 + u16::try_from(chance.below(u64::from(size) - 1)).unwrap_or(0)),
    }
}

fn presale(chance: &mut Chance, now_ms: u64) -> Presale {
    let from = DAWN_MS + now_ms + chance.between(1, 15_000);
    let until = from + chance.between(2_000, 30_000);
    Presale {
        deposit: *chance.pick(&[Cut::Off(Minor(500)), Cut::Share(3_333), Cut::Share(5_000)]),
        from: Time(from),
        until: Time(until),
        lapse: *chance.pick(&[Lapse::Refund, Lapse::Forfeit]),
        grace_ms: small(chance, &[0, 1_500, 20_000]),
    }
}

fn holds(chance: &mut Chance) -> HoldPolicy {
    let step = |lapses, hold_ms, open_most| Shrink {
        lapses,
        hold_ms,
        open_most,
    };
    HoldPolicy {
        grace_ms: small(chance, &[0, 800, 10_000]),
        open_most: *chance.pick(&[None, Some(2), Some(4)]),
        steps: match chance.hits(700) {
            true => vec![step(1, 2_000, 2), step(3, 1_000, 1)],
            false => Vec::new(),
        },
    }
}
