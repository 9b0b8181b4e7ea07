//! What the book made of an event, in words.

use ledger::{Funds, Minor};
use tidegate_commerce::deal::{Settled, TeamEnd};
use tidegate_commerce::entry::{Fate, RefundBegun};
use tidegate_commerce::{EffectKind, Entry, Outcome, Refusal};

use super::stage::{ORDER, Stage};
use super::state::{Phase, phase_words};

/// What there was before an event.
pub(crate) struct Before {
    phase: Phase,
    funds: Funds,
}

impl Before {
    pub(crate) fn of(stage: &Stage, phase: Phase) -> Self {
        let funds = stage.funds();
        Self { phase, funds }
    }

    /// The answer in words: decision, entries, new state, money, calls to the outside.
    pub(crate) fn answer(&self, stage: &Stage, outcome: Option<&Outcome>, phase: Phase) -> String {
        let mut words = match outcome.map(|outcome| (&outcome.decision, outcome.repeated)) {
            Some((Err(refusal), _)) => vec![format!("refused: {}", refused(refusal))],
            Some((Ok(_), true)) if stage.entries.is_empty() => vec!["known already".to_owned()],
            _ => Vec::new(),
        };
        for entry in &stage.entries {
            if let Some(entry) = entry_words(entry)
                && !words.contains(&entry)
            {
                words.push(entry);
            }
        }
        if phase != self.phase {
            words.push(format!("**{}**", phase_words(phase)));
        }
        words.extend(self.money(stage.funds()));
        words.extend(calls(stage));
        if words.is_empty() {
            words.push("nothing".to_owned());
        }
        words.join("; ")
    }

    fn money(&self, now: Funds) -> Vec<String> {
        let was = self.funds;
        let moved = [
            (was.captured(), now.captured(), "money in"),
            (was.refunded(), now.refunded(), "money back"),
            (was.charged_back(), now.charged_back(), "taken by the bank"),
            (was.loss(), now.loss(), "a loss"),
        ];
        let rise = moved.iter().filter(|(was, now, _)| now > was);
        rise.map(|(.., word)| (*word).to_owned()).collect()
    }
}

/// Calls to the outside that were begun for the order.
fn calls(stage: &Stage) -> Option<String> {
    let mine = stage.begun.iter().filter(|effect| effect.order == ORDER);
    let mut kinds: Vec<&str> = mine
        .map(|effect| match effect.kind {
            EffectKind::Charge { .. } => "the provider is asked to charge",
            EffectKind::Refund { .. } => "the provider is asked to refund",
        })
        .collect();
    kinds.dedup();
    (!kinds.is_empty()).then(|| kinds.join(" and "))
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::OrderState { .. } => "the order's state forbids it".into(),
        Refusal::HoldExpired => "the hold has expired".into(),
        Refusal::PaymentInFlight => "a payment is in flight".into(),
        Refusal::OverRefund { .. } => "so much is not left".into(),
        Refusal::OverReturn { .. } => "so many cups are not left".into(),
        Refusal::NoOrder => "no such order".into(),
        Refusal::BalanceNotDue { .. } => "the balance is not due yet".into(),
        Refusal::TeamOver { .. } => "the team is over".into(),
        Refusal::SoldOut { .. } => "sold out".into(),
        Refusal::NotOpen { .. } | Refusal::SaleState { .. } => "the sale is not open".into(),
        Refusal::NothingToWaitFor { .. } => "there are cups".into(),
        other => other.to_string(),
    }
}

fn entry_words(entry: &Entry) -> Option<String> {
    let words = match entry {
        Entry::PayBegun { order: ORDER, .. } => "charge begun".into(),
        Entry::Captured {
            order: ORDER,
            amount,
            fate,
            ..
        } => fate_words(*fate, *amount).into(),
        Entry::ChargeFailed { order: ORDER, .. } => "charge failed".into(),
        Entry::ChargeUnknown { order: ORDER, .. } => "charge unknown: asked after".into(),
        Entry::ChargeAuthorised { order: ORDER, .. } => "charge authorised".into(),
        Entry::Noted { order: ORDER, .. } => "written down, nothing moves".into(),
        Entry::Expired { orders } if orders.contains(&ORDER) => "its cups are free".into(),
        Entry::HoldsExtended { orders, .. } if orders.contains(&ORDER) => {
            "the hold lives longer, once".into()
        }
        Entry::BalanceLapsed { orders } => {
            let mine = orders.iter().find(|lapsed| lapsed.order == ORDER)?;
            match mine.refund {
                Some(_) => "its cups are free, the deposit goes back".into(),
                None => "its cups are free, the deposit is forfeited or gone".into(),
            }
        }
        Entry::Cancelled {
            order: ORDER,
            refund,
            ..
        } => given_up(refund.as_slice()).into(),
        Entry::GivenUp {
            order: ORDER,
            refunds,
            ..
        } => given_up(refunds).into(),
        Entry::RefundBegun { refund, .. } if refund.amount == Minor::ZERO => {
            "cups come back, no money".into()
        }
        Entry::RefundBegun { .. } => "refund begun".into(),
        Entry::RefundsBegun { .. } => "refunds begun, one for each due".into(),
        Entry::Refunded { .. } => "refund arrived".into(),
        Entry::RefundFailed { again: None, .. } => "refund failed: its budget is free".into(),
        Entry::RefundFailed { .. } => "refund failed: tried again later".into(),
        Entry::ChargedBack { .. } => "chargeback booked".into(),
        Entry::Shipped { .. } => "the goods left".into(),
        Entry::Delivered { .. } => "the goods arrived".into(),
        other => return around(other),
    };
    Some(words)
}

/// What happens around the order: its team, other people, the sale.
fn around(entry: &Entry) -> Option<String> {
    let words = match entry {
        Entry::TeamEnded { how, .. } => match how {
            TeamEnd::Failed => "the team fails".into(),
            TeamEnd::Reached | TeamEnd::Filled { .. } => "the team completes".into(),
        },
        Entry::TeamSettled { orders, .. } => {
            let mine = orders.iter().find(|settled| settled.order() == ORDER)?;
            match mine {
                Settled::Nothing { .. } => "team settled: nothing to do".into(),
                Settled::Stands { .. } => "team settled: it came about".into(),
                Settled::Voided { .. } => "team settled: never paid, its cups are free".into(),
                Settled::GivenUp { refund: None, .. } => "team settled: given up".into(),
                Settled::GivenUp { .. } => "team settled: all goes back by itself".into(),
                Settled::Difference(_) => "team settled: the difference goes back by itself".into(),
                Settled::Won { .. } => "team settled: won".into(),
            }
        }
        Entry::Turned { .. } => "the sale turns".into(),
        Entry::LineOffered(_) => "the next in line gets cups".into(),
        _ => return None,
    };
    Some(words)
}

fn given_up(refunds: &[RefundBegun]) -> &'static str {
    match refunds.iter().any(|refund| refund.amount.is_positive()) {
        true => "given up, the money goes back by itself",
        false => "given up, nothing is left to go back",
    }
}

fn fate_words(fate: Fate, captured: Minor) -> &'static str {
    match fate {
        _ if captured == Minor::ZERO => "the attempt is over, nothing came",
        Fate::Kept => "it pays the order",
        Fate::KeptAgain => "its cups are taken again, it pays the order",
        Fate::Deposit => "it pays the deposit",
        Fate::DepositAgain => "its cups are taken again, it pays the deposit",
        Fate::GoesBack { amount, .. } if amount.is_positive() => "it goes back by itself",
        Fate::GoesBack { .. } => "it makes good for what the bank took",
    }
}
