//! The states of an order, told apart by whatever may change an answer, and the rows under which people find them.

use tidegate_commerce::book::{ChargeView, RefundState, TeamRef, TeamState};
use tidegate_commerce::{Entry, OrderRef, OrderStatus, SaleState};

use super::stage::{HOLD_MS, ORDER, Stage};

/// Where the order itself stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Held,
    Extended,
    Deposit,
    DepositExtended,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
    Expired,
}

/// How much of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Much {
    Nothing,
    Part,
    All,
}

/// What stands in the way of taking the units of an expired order again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Late {
    /// The order has not expired, or was paid.
    OutOfQuestion,
    Free,
    Gone,
    Awaited,
    Closed,
    /// The balance's window has ended.
    Past,
}

/// What was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Money {
    Nothing,
    /// Only what pays nothing and goes back.
    Astray,
    /// What pays its deposit.
    Deposit,
    /// What pays the order.
    Kept,
}

/// A row of the table: what people can see of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) phase: Phase,
    charge: u8,
    money: Money,
    /// The refund that a report would be about; told apart for plain orders only.
    refund: Option<u8>,
    late: Late,
    /// The balance may be paid.
    window: bool,
    forfeited: bool,
    team: Option<u8>,
    /// The other seat of the team is paid.
    companion: bool,
    stretched: bool,
}

/// A state: its row, and what else may change an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    pub(crate) row: Row,
    /// Whether there were earlier attempts.
    again: bool,
    /// Whether the attempt before the latest, and the latest, brought money.
    brought: (bool, bool),
    /// Of what was captured, what is left.
    left: Much,
    under_way: bool,
    charged_back: bool,
    loss: bool,
    /// The refund that a report would be about, and whether Tidegate began it itself.
    refund: Option<(u8, bool)>,
    cups_back: Much,
}

impl State {
    /// How the order on this stage stands.
    pub(crate) fn of(stage: &Stage, phase: Phase) -> Self {
        let order = stage.book.order(ORDER).expect("the order");
        let (attempt, _) = order.charge();
        let captured = order.captured();
        let funds = order.funds();
        let number = stage.refund_in_question();
        let refund = order.refunds().find(|refund| refund.number == number);
        Self {
            row: Row::of(stage, order, phase),
            again: attempt > 1,
            brought: (
                captured.contains(&attempt.saturating_sub(1)),
                captured.contains(&attempt),
            ),
            left: match funds.left().0 {
                0 => Much::Nothing,
                left if left < funds.captured().0 => Much::Part,
                _ => Much::All,
            },
            under_way: funds.held().is_positive(),
            charged_back: funds.charged_back().is_positive(),
            loss: funds.loss().is_positive(),
            refund: refund.map(|refund| (place_in(&REFUNDS, refund.state), refund.automatic)),
            cups_back: cups_back(order),
        }
    }
}

impl Row {
    fn of(stage: &Stage, order: OrderRef<'_>, phase: Phase) -> Self {
        let (_, charge) = order.charge();
        let number = stage.refund_in_question();
        let refund = order.refunds().find(|refund| refund.number == number);
        let dues = order.dues();
        let deposit = matches!(phase, Phase::Deposit | Phase::DepositExtended);
        let team = stage.book.team(0);
        let over = |team: TeamRef<'_>| stage.now >= team.times().1.0;
        let plain = dues.is_none() && team.is_none();
        Self {
            phase,
            charge: place_in(&CHARGES, charge),
            money: money(order, charge),
            refund: refund
                .filter(|_| plain)
                .map(|refund| place_in(&REFUNDS, refund.state)),
            late: late(stage, order, phase),
            window: deposit && dues.is_some_and(|(dues, ..)| stage.now >= dues.from.0),
            forfeited: dues.is_some_and(|(_, _, forfeited)| forfeited),
            team: team.map(|team| place_in(&TEAMS, team.state())),
            companion: team.is_some_and(|team| {
                team.state() == TeamState::Open
                    && team
                        .members()
                        .any(|member| member.paid && member.order != ORDER)
            }),
            stretched: team.is_some_and(|team| team.state() == TeamState::Open && over(team)),
        }
    }

    /// The row in words.
    pub(crate) fn words(&self) -> String {
        let mut words = vec![phase_words(self.phase), word_at(&CHARGES, self.charge)];
        words.push(match (self.money, self.phase) {
            (Money::Astray, _) => "money came that pays nothing",
            (Money::Deposit, Phase::Cancelled | Phase::Expired) => "its deposit was paid",
            (Money::Kept, Phase::Cancelled | Phase::Expired) => "it was paid",
            _ => "",
        });
        let refunds = self.refund.map(|at| word_at(&REFUNDS, at));
        words.push(refunds.unwrap_or_default());
        words.push(match self.late {
            Late::OutOfQuestion => "",
            Late::Free => "cups free",
            Late::Gone => "cups gone",
            Late::Awaited => "cups awaited in line",
            Late::Closed => "sale closed",
            Late::Past => "pre-sale over",
        });
        if self.window {
            words.push("balance window begun");
        }
        if self.forfeited {
            words.push("deposit forfeited");
        }
        words.push(self.team.map_or("", |at| word_at(&TEAMS, at)));
        if self.companion {
            words.push("the other seat paid");
        }
        if self.stretched {
            words.push("waiting for payments");
        }
        words.retain(|word| !word.is_empty());
        words.join(", ")
    }
}

/// Where the order stands, after what the stage has journalled.
pub(crate) fn phase_of(stage: &Stage, before: Phase) -> Phase {
    let order = stage.book.order(ORDER).expect("the order");
    let goods = stage.entries.iter().rev().find_map(|entry| match entry {
        Entry::Shipped { order: ORDER, .. } => Some(Phase::Shipped),
        Entry::Delivered { order: ORDER, .. } => Some(Phase::Delivered),
        _ => None,
    });
    if let Some(goods) = goods {
        return goods;
    }
    match (order.status(), before) {
        (OrderStatus::Held | OrderStatus::Paying | OrderStatus::Deposited, _) => held(order),
        (OrderStatus::Refunded, Phase::Shipped | Phase::Delivered) => before,
        (OrderStatus::Paid | OrderStatus::Refunded, _) => Phase::Paid,
        (OrderStatus::Shipped, _) => Phase::Shipped,
        (OrderStatus::Delivered, _) => Phase::Delivered,
        (OrderStatus::Cancelled, _) => Phase::Cancelled,
        (OrderStatus::Expired, _) => Phase::Expired,
    }
}

fn held(order: OrderRef<'_>) -> Phase {
    let deposit = order.dues().filter(|(_, paid, _)| *paid);
    let due = deposit.map_or(order.placed().0 + u64::from(HOLD_MS), |(dues, ..)| {
        dues.until.0
    });
    match (deposit.is_some(), order.deadline().0 > due) {
        (false, false) => Phase::Held,
        (false, true) => Phase::Extended,
        (true, false) => Phase::Deposit,
        (true, true) => Phase::DepositExtended,
    }
}

fn cups_back(order: OrderRef<'_>) -> Much {
    match order.lines().map(|line| line.returned()).sum() {
        0_u32 => Much::Nothing,
        1 => Much::Part,
        _ => Much::All,
    }
}

fn money(order: OrderRef<'_>, charge: ChargeView) -> Money {
    let deposit = order.dues().is_some_and(|(_, paid, _)| paid);
    match (order.kept(), order.funds().captured().0, charge) {
        (_, _, ChargeView::Elsewhere) => Money::Kept,
        (0, 0, _) => Money::Nothing,
        (0, ..) if deposit => Money::Deposit,
        (0, ..) => Money::Astray,
        _ => Money::Kept,
    }
}

fn late(stage: &Stage, order: OrderRef<'_>, phase: Phase) -> Late {
    let deposit = order.dues().is_some_and(|(_, paid, _)| paid);
    if phase != Phase::Expired || order.kept() != 0 || deposit {
        return Late::OutOfQuestion;
    }
    if order
        .dues()
        .is_some_and(|(dues, ..)| stage.now >= dues.until.0)
    {
        return Late::Past;
    }
    match (
        stage.book.state(),
        stage.book.line_length(0),
        stage.cups()[0],
    ) {
        (SaleState::Open, 0, 2..) => Late::Free,
        (SaleState::Open, 0, _) => Late::Gone,
        (SaleState::Open, ..) => Late::Awaited,
        _ => Late::Closed,
    }
}

pub(crate) fn phase_words(phase: Phase) -> &'static str {
    match phase {
        Phase::Held => "held",
        Phase::Extended => "held, extended",
        Phase::Deposit => "deposit paid",
        Phase::DepositExtended => "deposit paid, extended",
        Phase::Paid => "paid",
        Phase::Shipped => "shipped",
        Phase::Delivered => "delivered",
        Phase::Cancelled => "cancelled",
        Phase::Expired => "expired",
    }
}

const CHARGES: [(ChargeView, &str); 8] = [
    (ChargeView::None, "no charge"),
    (ChargeView::Charging, "charge in flight"),
    (ChargeView::Authorised, "charge authorised"),
    (ChargeView::Unknown, "charge unknown"),
    (ChargeView::Failed, "charge failed"),
    (ChargeView::Captured, "charge captured"),
    (ChargeView::Elsewhere, "collected elsewhere"),
    (ChargeView::Free, "nothing to pay"),
];

const REFUNDS: [(RefundState, &str); 3] = [
    (RefundState::Pending, "refund on its way"),
    (RefundState::Refunded, "refund arrived"),
    (RefundState::Failed, "refund failed"),
];

const TEAMS: [(TeamState, &str); 3] = [
    (TeamState::Open, "team open"),
    (TeamState::Complete, "team complete"),
    (TeamState::Failed, "team failed"),
];

fn place_in<T: PartialEq>(list: &[(T, &str)], item: T) -> u8 {
    let at = list.iter().position(|(known, _)| *known == item);
    u8::try_from(at.expect("every kind has a word")).expect("few kinds")
}

fn word_at<T>(list: &[(T, &'static str)], at: u8) -> &'static str {
    list[usize::from(at)].1
}
