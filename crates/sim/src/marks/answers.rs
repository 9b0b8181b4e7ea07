//! Marks that the calls show: what was answered.

use super::signs::{Signs, answer, changed};
use super::{Mark, mark};
use crate::record::{Call, Ended, Outcome, Who};

pub(super) const MARKS: &[Mark] = &[
    mark!(
        "sold-out-refused",
        "somebody came too late, and was told so",
        |signs| signs.said("TG-2102")
    ),
    mark!(
        "limit-refused",
        "somebody wanted more than a buyer may have",
        |signs| signs.said("TG-2103")
    ),
    mark!(
        "paused-refused",
        "somebody came while the sale did not sell",
        |signs| signs.said("TG-2101")
    ),
    mark!(
        "key-with-another-body-refused",
        "the same key came with another body",
        |signs| signs.said("TG-2105")
    ),
    mark!(
        "state-refused",
        "the state of an order forbade a step",
        |signs| signs.said("TG-2106")
    ),
    mark!(
        "expired-hold-refused",
        "somebody wanted to pay when the time to pay was over",
        |signs| signs.said("TG-2107")
    ),
    mark!(
        "refund-refused",
        "more was asked back than was left",
        |signs| signs.said("TG-2108")
    ),
    mark!(
        "write-off-refused",
        "more was to be written off than was there",
        |signs| signs.said("TG-2109")
    ),
    mark!(
        "charge-under-way-refused",
        "somebody clicked on pay while a charge was under way",
        |signs| signs.said("TG-2111")
    ),
    mark!(
        "revoked-key-refused",
        "a revoked API key was used, and was known no more",
        |signs| signs
            .refused("TG-1101")
            .any(|call| call.who == Who::Anybody)
    ),
    mark!(
        "queue-full",
        "the queue of a desk was full, and somebody was told to come again",
        |signs| signs.said("TG-3001")
    ),
    mark!(
        "outcome-unknown",
        "the shop did not know whether it was done, and said so",
        |signs| signs.said("TG-3002")
    ),
    mark!(
        "read-only-answered",
        "the disk took no writes, and somebody was told so",
        |signs| signs.said("TG-3003")
    ),
    mark!(
        "resumed-without-a-restart",
        "the same process that could not write took changes again",
        resumed
    ),
    mark!(
        "double-click-repeated",
        "two clicks at once, one order, and one of the answers a repeat",
        |signs| repeats(signs, |first, repeat| first.ended_at > repeat.asked_at)
    ),
    mark!(
        "repeat-after-a-crash",
        "a key that was used before a crash was answered after it, as a repeat",
        repeat_after_a_crash
    ),
    mark!(
        "patience-lost-then-repeated",
        "somebody hung up, came back with the same key, and heard that it was done",
        |signs| repeats(signs, |first, _| matches!(
            first.outcome,
            Outcome::Unheard("no patience left")
        ))
    ),
    mark!(
        "half-open-connection",
        "the power went while somebody waited, who heard nothing until the patience was gone",
        half_open
    ),
    mark!(
        "answer-lost-to-a-kill",
        "the process died while somebody waited for its answer",
        |signs| signs.deaths().any(|death| {
            let waited = |call: &&Call| call.asked_at < death.at && death.at <= call.ended_at;
            let mut waited = signs.calls().iter().filter(waited);
            death.ended == Ended::Killed
                && waited.any(|call| matches!(call.outcome, Outcome::Unheard(_)))
        })
    ),
    mark!(
        "hold-outlives-a-clock-step",
        "the clock was set far ahead, and an order from before was paid after",
        hold_outlives_a_step
    ),
];

/// Whether a call was answered as a repeat, and an earlier call with the same key is like this.
fn repeats(signs: &Signs<'_>, like: impl Fn(&Call, &Call) -> bool) -> bool {
    let repeated = |call: &&Call| answer(call).is_some_and(|said| said.repeated);
    signs.calls().iter().filter(repeated).any(|repeat| {
        let earlier = signs.calls().iter().filter(|call| {
            call.key.is_some()
                && call.key == repeat.key
                && call.path == repeat.path
                && call.asked_at < repeat.asked_at
        });
        earlier.into_iter().any(|first| like(first, repeat))
    })
}

fn repeat_after_a_crash(signs: &Signs<'_>) -> bool {
    repeats(signs, |first, repeat| {
        let mut deaths = signs.deaths();
        deaths.any(|death| first.asked_at < death.at && death.at < repeat.asked_at)
    })
}

fn resumed(signs: &Signs<'_>) -> bool {
    signs.refused("TG-3003").any(|refused| {
        let later = |call: &&Call| call.asked_at > refused.ended_at && changed(call);
        let first = signs.calls().iter().find(later);
        first.is_some_and(|call| !signs.ended_between(refused.asked_at, call.ended_at))
    })
}

fn half_open(signs: &Signs<'_>) -> bool {
    let dark = |death: &&crate::record::Restart| death.ended == Ended::PowerLost;
    signs.deaths().filter(dark).any(|death| {
        signs.calls().iter().any(|call| {
            call.asked_at < death.at
                && death.at < call.ended_at
                && call.outcome == Outcome::Unheard("no patience left")
        })
    })
}

fn hold_outlives_a_step(signs: &Signs<'_>) -> bool {
    let steps = signs
        .lived
        .seen
        .struck
        .iter()
        .filter_map(|(at, what)| match what {
            crate::plan::Trouble::Clock(7_000..) => Some(*at),
            _ => None,
        });
    steps.into_iter().any(|step| {
        let paid =
            |call: &&Call| call.asked_at > step && call.path.ends_with("/pay") && changed(call);
        signs.calls().iter().filter(paid).any(|pay| {
            let order = pay
                .path
                .trim_end_matches("/pay")
                .rsplit('/')
                .next()
                .unwrap_or("");
            signs.calls().iter().any(|call| {
                call.path == "/v1/orders"
                    && call.ended_at < step
                    && answer(call).is_some_and(|said| said.is_yes() && said.body.contains(order))
            })
        })
    })
}
