//! INV-6: no team has more members than seats, the full one is complete in the very entry that pays its last seat, an end
//! is final, and what it means is done for every member to the last minor unit.

use commerce::Entry;
use commerce::deal::{Dealt, Opening, Settled, TeamEnd};
use commerce::entry::{By, RefundBegun};
use commerce::offer::{AfterFinish, Alone, GroupRule, Leave};
use commerce::plan::{Rule, Test};

use super::fold::{order_of, place};
use super::gather::{SeatIs, TeamIs, TeamRow};
use super::rows::{Happening, OrderRow, Phase, Rows};
use super::{draw, net, tiers};
use crate::record::Finding;

/// Before each entry.
pub(super) fn before(rows: &Rows, at: &Happening, findings: &mut Vec<Finding>) {
    let wrong = match &at.entry {
        Entry::Dealt(dealt) => not_seated(rows, at.time, dealt),
        Entry::Placed(placed) => placed
            .lines
            .as_slice()
            .iter()
            .find_map(|line| teams_only(rows, place(line.sku))),
        Entry::TeamEnded { team, how } => not_ended(rows, at.time, place(*team), *how),
        Entry::TeamSettled { team, orders } => not_settled(rows, place(*team), orders),
        Entry::Drawn {
            team,
            seed,
            entries,
            winners,
        } => draw::differs(rows, place(*team), (seed, entries, winners)),
        entry => order_of(entry)
            .and_then(|order| rows.order(order))
            .and_then(|order| not_allowed(rows, at, order)),
    };
    if let Some(what) = wrong {
        let what = format!(
            "sale {} batch {}: {what}: {:?}",
            rows.sale, at.sequence, at.entry
        );
        findings.push(Finding::new("INV-6", what));
    }
}

pub(super) type Wrong = Option<String>;

/// A SKU that is sold to teams only is not sold to anybody alone.
pub(super) fn teams_only(rows: &Rows, sku: usize) -> Wrong {
    let offer = rows.gathered.offer.as_ref()?;
    let code = &rows.skus.get(sku)?.code;
    let mut rules = offer.groups.iter();
    let rule = rules.find(|rule| *rule.sku == **code)?;
    (rule.alone == Alone::TeamsOnly).then(|| format!("{code} is sold to teams only"))
}

fn not_seated(rows: &Rows, now: u64, dealt: &Dealt) -> Wrong {
    let mut lines = dealt.placed.lines.as_slice().iter();
    let Some(seat) = &dealt.deal.seat else {
        return lines.find_map(|line| teams_only(rows, place(line.sku)));
    };
    let Some(rule) = rows.gathered.rule_of(seat) else {
        return Some("a seat in a team that is not there".into());
    };
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Some("a seat is taken with one line".into());
    };
    if rows
        .skus
        .get(place(line.sku))
        .is_none_or(|sku| *sku.code != *rule.sku)
    {
        return Some("the team buys another SKU".into());
    }
    if rule.prizes.is_some() && line.units != 1 {
        return Some("a seat of a lottery is for 1 unit".into());
    }
    let team = rows.gathered.teams.get(place(seat.team));
    let wrong = match &seat.opens {
        Some(opening) => not_opened(rows, now, rule, (place(seat.team), opening)),
        None => team.and_then(|team| not_joined(rule, team, now)),
    };
    let Some(buyer) = dealt.placed.buyer() else {
        return Some("nobody has the seat".into());
    };
    wrong
        .or_else(|| too_many(rows, rule, buyer, place(seat.team)))
        .or_else(|| {
            let rules = if seat.opens.is_some() {
                &rule.open_to
            } else {
                &rule.join_to
            };
            let tags = &dealt.placed.tags;
            let keeps_out = rules.iter().any(|rule| !passes(rule, now, tags));
            keeps_out.then(|| "the team's rule keeps this buyer out".into())
        })
}

fn not_opened(
    rows: &Rows,
    now: u64,
    rule: &GroupRule,
    (team, opening): (usize, &Opening),
) -> Wrong {
    let offer = rows.gathered.offer.as_ref();
    let offered = offer.is_some_and(|offer| offer.groups.contains(rule));
    if !offered {
        return Some("a team is opened under a rule that is not offered".into());
    }
    if team != rows.gathered.teams.len() {
        return Some("its team is not the next".into());
    }
    if opening.ends.0 != now + u64::from(rule.lifetime_ms) {
        return Some("the team does not live as long as its rule says".into());
    }
    let promised = opening.commit.is_some() == rule.prizes.is_some();
    (!promised).then(|| "a lottery is promised before its first seat, and only then".into())
}

fn not_joined(rule: &GroupRule, team: &TeamRow, now: u64) -> Wrong {
    if team.is != TeamIs::Open || now >= team.ends {
        return Some(format!("the team is {:?} and over", team.is));
    }
    let taken = team.held() + team.filled();
    (taken >= i64::from(rule.size)).then(|| format!("{taken} of {} seats were taken", rule.size))
}

/// Seats and teams of one buyer; a seat that is gone does not count.
pub(super) fn too_many(rows: &Rows, rule: &GroupRule, buyer: &str, team: usize) -> Wrong {
    let own = rows
        .of_buyer
        .get(buyer)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut seats: Vec<usize> = Vec::new();
    for order in own {
        let Some(at) = rows.orders.get(*order).and_then(|row| row.seat) else {
            continue;
        };
        let seat = rows
            .gathered
            .teams
            .get(at)
            .and_then(|team| team.seats.get(order));
        if seat.is_some_and(|seat| *seat != SeatIs::Gone) {
            seats.push(at);
        }
    }
    let here = seats.iter().filter(|at| **at == team).count();
    if here >= usize::from(rule.seats_per_buyer) {
        return Some(format!("{buyer} has {here} seats in the team"));
    }
    seats.sort_unstable();
    seats.dedup();
    let most = rule
        .teams_per_buyer
        .map(usize::from)
        .filter(|_| here == 0)?;
    (seats.len() >= most).then(|| format!("{buyer} has a seat in {} teams", seats.len()))
}

fn passes(rule: &Rule, now: u64, tags: &[Box<str>]) -> bool {
    let has = |tag: &str| tags.iter().any(|own| **own == *tag);
    rule.until.is_some_and(|until| until.0 <= now)
        || match &rule.test {
            Test::Named => true,
            Test::AnyTag(wanted) => wanted.iter().any(|tag| has(tag)),
            Test::AllTags(wanted) => wanted.iter().all(|tag| has(tag)),
            Test::NoTag(not) => !not.iter().any(|tag| has(tag)),
        }
}

fn not_ended(rows: &Rows, now: u64, team: usize, how: TeamEnd) -> Wrong {
    let Some(team) = rows.gathered.teams.get(team) else {
        return Some("no such team ends".into());
    };
    let rule = rows.gathered.rule(team)?;
    if team.is != TeamIs::Open {
        return Some(format!("the team was {:?} and ends again", team.is));
    }
    let last = team.ends + u64::from(rule.stretch_ms);
    let mut members = team
        .seats
        .keys()
        .filter_map(|order| rows.orders.get(*order));
    let paying = members.any(|order| order.phase == Phase::Held && order.is_charging());
    if now < team.ends || (paying && now < last) {
        return Some(format!(
            "the team ends early: a payment is in flight: {paying}"
        ));
    }
    let (filled, size) = (team.filled(), i64::from(rule.size));
    let missing = size - filled;
    let expected = if filled >= i64::from(rule.least) {
        TeamEnd::Reached
    } else if filled > 0 && missing <= i64::from(rule.fill) {
        let free = size - filled - team.held();
        TeamEnd::Filled {
            seats: u16::try_from(free).unwrap_or(u16::MAX),
        }
    } else {
        TeamEnd::Failed
    };
    (how != expected)
        .then(|| format!("{filled} of {size} seats are paid: it should be {expected:?}"))
}

fn not_settled(rows: &Rows, at: usize, orders: &[Settled]) -> Wrong {
    let Some(team) = rows.gathered.teams.get(at) else {
        return Some("no such team is settled".into());
    };
    if team.is == TeamIs::Open {
        return Some("an open team is settled".into());
    }
    let next: Vec<usize> = team.seats.keys().skip(team.settled).copied().collect();
    let named: Vec<usize> = orders
        .iter()
        .map(|settled| place(settled.order()))
        .collect();
    if named.is_empty() || next.get(..named.len()) != Some(&named[..]) {
        return Some("not the next members of the team are settled".into());
    }
    orders.iter().find_map(|settled| {
        let order = rows.order(settled.order())?;
        let expected = due_to(rows, at, order);
        let found = (
            kind(settled),
            settled.refund().map(|refund| refund.amount.0),
        );
        if let Some(refund) = settled.refund()
            && !own(order, refund)
        {
            return Some("the refund is of another charge, or not the next".into());
        }
        (found != expected).then(|| {
            let of = rows.name(settled.order());
            format!("{of} is settled as {found:?}, it should be {expected:?}")
        })
    })
}

fn kind(settled: &Settled) -> &'static str {
    match settled {
        Settled::Nothing { .. } => "nothing",
        Settled::Voided { .. } => "voided",
        Settled::GivenUp { .. } => "given up",
        Settled::Difference(_) => "difference",
        Settled::Won { .. } => "won",
        Settled::Stands { .. } => "stands",
    }
}

fn own(order: &OrderRow, refund: &RefundBegun) -> bool {
    usize::from(refund.number) == order.refunds.len() + 1
        && refund.charge == order.kept()
        && refund.elsewhere == order.elsewhere
        && refund.lines.is_empty()
}

/// What a team's end means for an order: which way, and how much goes back.
fn due_to(rows: &Rows, at: usize, order: &OrderRow) -> (&'static str, Option<i64>) {
    let Some(team) = rows.gathered.teams.get(at) else {
        return ("nothing", None);
    };
    let all = || ("given up", Some(order.left()).filter(|left| *left > 0));
    let lottery = rows
        .gathered
        .rule(team)
        .is_some_and(|rule| rule.prizes.is_some());
    match order.phase {
        Phase::Held => ("voided", None),
        Phase::Paid if team.is == TeamIs::Failed => all(),
        Phase::Paid if lottery => {
            let number = rows.orders.iter().position(|row| std::ptr::eq(row, order));
            let won = team
                .winners
                .as_ref()
                .is_some_and(|winners| winners.iter().any(|winner| Some(place(*winner)) == number));
            if won { ("won", None) } else { all() }
        }
        Phase::Paid | Phase::Shipped | Phase::Delivered => difference(rows, at, order),
        Phase::Cancelled | Phase::Expired => ("nothing", None),
    }
}

fn difference(rows: &Rows, at: usize, order: &OrderRow) -> (&'static str, Option<i64>) {
    let stays = order.units_left() > 0 && (order.left() > 0 || order.total == 0);
    let nothing = (if stays { "stands" } else { "nothing" }, None);
    let last = tiers::last_price(rows, at);
    let better = |last: &i64| order.lines.first().is_some_and(|line| *last < line.price);
    let Some((paid, due)) = last
        .filter(better)
        .and_then(|last| net::at_end(rows, at, order, last))
    else {
        return nothing;
    };
    let back = (paid - due).min(order.left());
    match back {
        1.. => ("difference", Some(back)),
        _ => nothing,
    }
}

/// What a team's rule does not allow its members or the merchant.
fn not_allowed(rows: &Rows, at: &Happening, order: &OrderRow) -> Wrong {
    let team = rows.team_of(order)?;
    let rule = rows.gathered.rule(team)?;
    let is_final = team.is == TeamIs::Complete && rule.after == AfterFinish::Nobody;
    match &at.entry {
        Entry::PayBegun { .. } if team.is != TeamIs::Open || at.time >= team.ends => {
            Some("a seat is paid for in a team that is over".into())
        }
        Entry::Shipped { .. } if team.is != TeamIs::Complete || order.bare => {
            Some("goods leave before their team has come about".into())
        }
        Entry::RefundBegun { .. } if is_final => Some("a final seat is refunded".into()),
        Entry::Cancelled { key, .. } if order.phase == Phase::Paid => {
            let buyer = matches!(key.by, By::Buyer(_));
            let open = team.is != TeamIs::Complete;
            let bound = buyer && open && rule.leave == Leave::Bound;
            let kept = buyer && !open && rule.after == AfterFinish::Merchant;
            (is_final || bound || kept).then(|| "a seat is given up against the rule".into())
        }
        _ => None,
    }
}

/// At the end: every team has ended and is settled, and a failed one has kept nothing.
pub(super) fn end(rows: &Rows, findings: &mut Vec<Finding>) {
    for (number, team) in rows.gathered.teams.iter().enumerate() {
        let mut found = |what: String| {
            let what = format!("sale {} team {number}: {what}", rows.sale);
            findings.push(Finding::new("INV-6", what));
        };
        if team.is == TeamIs::Open {
            found("it has no end".into());
        } else if team.settled < team.seats.len() {
            found(format!(
                "{} of {} are settled",
                team.settled,
                team.seats.len()
            ));
        }
        if team.prizes != 0 {
            found(format!("it holds {} prizes for ever", team.prizes));
        }
        for order in team.seats.keys().filter_map(|at| rows.orders.get(*at)) {
            let left = order.captured - order.refunded - order.charged_back;
            if team.is == TeamIs::Failed && left > 0 {
                found(format!("it failed, and {left} of a member's money stays"));
            }
        }
    }
}
