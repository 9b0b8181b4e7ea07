//! Whatever state an order is in, it settles by itself: once the provider has answered and the clock has run, nothing is
//! on its way, and whoever has no goods has his money.

use tidegate_commerce::command::{ChargeOutcome, RefundOutcome};
use tidegate_commerce::{EffectKind, OrderStatus};

use super::stage::{ORDER, Stage};
use super::walk::Walk;

/// Beyond every hold, window and team.
const LATER: u64 = 10_000_000;
/// Rounds of answers after which an order has to be settled; a refused refund is tried again, so there are some.
const ROUNDS: usize = 4;

/// Lets each state of the walk end, with charges captured and with charges failed, before and after the clock ran.
pub(crate) fn all_states_settle(walk: &Walk) -> usize {
    let mut ends = 0;
    for (state, (kept, _)) in &walk.states {
        for (captures, late) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut stage = Stage::of(kept);
            if late {
                stage.tick(LATER);
            }
            answer_all(&mut stage, captures);
            stage.tick(LATER);
            answer_all(&mut stage, captures);
            let told = format!("{}, captured: {captures}, late: {late}", state.row.words());
            is_settled(&stage, &told);
            ends += 1;
        }
    }
    ends
}

fn answer_all(stage: &mut Stage, captures: bool) {
    for _ in 0..ROUNDS {
        let open: Vec<_> = stage.book.open_effects().collect();
        for effect in open {
            match effect.kind {
                EffectKind::Charge { attempt } => {
                    let outcome = match captures {
                        true => ChargeOutcome::Captured(effect.amount),
                        false => ChargeOutcome::Failed,
                    };
                    stage.hear(effect.order, attempt, outcome);
                }
                EffectKind::Refund { number, .. } if effect.order == ORDER => {
                    stage.hear_refund(number, RefundOutcome::Refunded);
                }
                EffectKind::Refund { .. } => {}
            }
        }
    }
}

fn is_settled(stage: &Stage, told: &str) {
    let order = stage.book.order(ORDER).expect("the order");
    let open = stage.book.open_effects();
    let mine = open.filter(|effect| effect.order == ORDER).count();
    assert_eq!(mine, 0, "{told}: something is still on its way");
    let forfeited = order.dues().is_some_and(|(_, _, forfeited)| forfeited);
    match order.status() {
        OrderStatus::Cancelled | OrderStatus::Expired if !forfeited => {
            assert_eq!(order.funds().left().0, 0, "{told}: money without goods");
        }
        OrderStatus::Held | OrderStatus::Paying | OrderStatus::Deposited => {
            panic!("{told}: still {:?}", order.status())
        }
        _ => {}
    }
}
