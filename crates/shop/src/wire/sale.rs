//! Sales and their stock, from the book onto the wire.

use api::live::{LiveOrder, LiveRefusals, LiveSku, LiveTick};
use api::plan::{Limits, Rule, RuleTest, SkuLimits, Window};
use api::sale::{OrderCounts, Sale, SaleState, Sku, TeamCounts};
use api::stock::SaleStock;
use api::{Currency, Position, PriceText};
use commerce::{Book, SkuRef, Test};
use ledger::Units;

use super::offer::offer_out;
use super::team::live_team;
use super::{order_id, order_state, sale_id, time};
use crate::desk::LiveView;

/// The state of a sale.
pub(crate) fn sale_state(state: commerce::SaleState) -> SaleState {
    match state {
        commerce::SaleState::Draft => SaleState::Draft,
        commerce::SaleState::Scheduled => SaleState::Scheduled,
        commerce::SaleState::Open => SaleState::Open,
        commerce::SaleState::Paused => SaleState::Paused,
        commerce::SaleState::Closed => SaleState::Closed,
        commerce::SaleState::Retired => SaleState::Retired,
    }
}

/// A currency; the book knows only those that the wire knows.
pub(super) fn currency(currency: ledger::Currency) -> Currency {
    currency
        .code()
        .parse()
        .unwrap_or_else(|_| unreachable!("both lists are ISO 4217"))
}

pub(super) fn price(price: ledger::UnitPrice) -> PriceText {
    PriceText::new(price.0.clamp(0, PriceText::MAX)).unwrap_or_else(|_| unreachable!("clamped"))
}

fn units(units: Option<Units>) -> Option<u32> {
    units.map(|units| units.0)
}

pub(super) fn rule(rule: &commerce::Rule) -> Rule {
    let (test, tags) = match &rule.test {
        Test::Named => (RuleTest::Named, &[][..]),
        Test::AnyTag(tags) => (RuleTest::AnyTag, &tags[..]),
        Test::AllTags(tags) => (RuleTest::AllTags, &tags[..]),
        Test::NoTag(tags) => (RuleTest::NoTag, &tags[..]),
    };
    Rule {
        test,
        tags: tags.to_vec(),
        until: rule.until.map(time),
    }
}

fn sku(sku: SkuRef<'_>, waiting: u32) -> Sku {
    let (account, limits) = (sku.units(), sku.limits());
    Sku {
        sku: (&**sku.sku()).into(),
        name: sku.title().into(),
        price: price(sku.price()),
        limits: SkuLimits {
            units_per_order: units(limits.per_order),
            units_per_buyer: units(limits.per_buyer),
        },
        stocked_count: account.stocked().0.into(),
        available_count: account.available().0.into(),
        held_count: account.held().0.into(),
        sold_count: account.sold().0.into(),
        written_off_count: account.written_off().0.into(),
        waiting_count: waiting.into(),
    }
}

/// A sale; its position is filled in once it is known. `None` for a book without a sale.
pub(crate) fn sale(number: u32, book: &Book) -> Option<Sale> {
    let (tally, limits, window) = (book.tally(), book.limits(), book.window());
    Some(Sale {
        id: sale_id(number),
        name: book.title().into(),
        state: sale_state(book.state()),
        currency: currency(book.currency()?),
        hold_ms: book.hold_ms().into(),
        window: Window {
            opens_at: window.opens.map(time),
            closes_at: window.closes.map(time),
        },
        limits: Limits {
            units_per_order: units(limits.per_order),
            units_per_buyer: units(limits.per_buyer),
        },
        rules: book.rules().iter().map(rule).collect(),
        skus: book
            .skus()
            .zip(0..)
            .map(|(found, at)| sku(found, book.line_length(at)))
            .collect(),
        orders: OrderCounts {
            placed: tally.placed.into(),
            held: tally.held.into(),
            paid: tally.paid.into(),
            cancelled: tally.cancelled.into(),
            expired: tally.expired.into(),
        },
        offer: book.offered().map(offer_out),
        teams: teams(book),
        now: time(book.time()),
        position: Position {
            sequence: 0,
            chain: [0; 16],
        },
    })
}

/// Counts of teams, of a sale that has or had any.
fn teams(book: &Book) -> Option<TeamCounts> {
    let (opened, open) = book.team_counts();
    let offers = book.offered().is_some_and(|offer| !offer.groups.is_empty());
    (offers || opened > 0).then_some(TeamCounts {
        opened: opened.into(),
        open: open.into(),
    })
}

/// What a sale has of a SKU; its position is filled in once it is known.
pub(crate) fn stock(number: u32, book: &Book, sku: &str) -> Option<SaleStock> {
    let found = book.find_sku(sku)?;
    Some(SaleStock {
        sale_id: sale_id(number),
        state: sale_state(book.state()),
        available_count: found.units().available().0.into(),
        position: Position {
            sequence: 0,
            chain: [0; 16],
        },
    })
}

/// A view for watchers.
pub(crate) fn live_tick(number: u32, view: &LiveView) -> LiveTick {
    let skus = view.skus.iter().map(|(sku, account)| LiveSku {
        sku: (&**sku).into(),
        available: account.available().0.into(),
        held: account.held().0.into(),
        sold: account.sold().0.into(),
        stocked: account.stocked().0.into(),
    });
    let recent = view.recent.iter().map(|recent| LiveOrder {
        id: order_id(number, recent.order),
        state: order_state(recent.status),
        units: u32::try_from(recent.units).unwrap_or(u32::MAX),
    });
    let refused = view.refused;
    LiveTick {
        now: time(view.now),
        state: sale_state(view.state),
        skus: skus.collect(),
        orders_per_s: view.orders_per_s,
        accepted: view.accepted,
        refused: LiveRefusals {
            sold_out: refused.sold_out,
            limit: refused.limit,
            not_open: refused.not_open,
            not_eligible: refused.not_eligible,
            other: refused.other,
        },
        requests_total: view.accepted + refused.sum(),
        recent: recent.collect(),
        teams: view
            .teams
            .iter()
            .map(|team| live_team(number, team))
            .collect(),
    }
}
