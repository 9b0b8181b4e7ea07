//! Lies of the provider, the read models, the chain, and what does not heal.

use std::time::Duration;

use api::PaymentId;
use api::order::OrderState;
use api::provider::{ChargeOutcome, RefundOutcome};

use super::life::{Life, entries, forged, order_id, seal};
use super::{finds, judge};
use crate::record::{Ended, Evidence, Restart};

fn busy(change: impl FnOnce(&mut Evidence)) -> Evidence {
    let mut evidence = Life::busy().evidence();
    change(&mut evidence);
    evidence
}

#[test]
fn the_provider_and_the_book_agree_on_charges() {
    let unknown = busy(|life| {
        let mut charge = life.charges[0].clone();
        charge.request.order = order_id(70);
        charge.request.key = PaymentId {
            order: order_id(70),
            attempt: 1,
        };
        charge.outcome = ChargeOutcome::Declined;
        life.charges.push(charge);
    });
    finds(&unknown, "INV-4", "before the journal knew");
    let twice = busy(|life| life.charges.push(life.charges[0].clone()));
    finds(&twice, "INV-4", "has charge");
    let amount = busy(|life| life.charges[0].request.amount_minor += 1);
    finds(&amount, "INV-4", "was asked for");
    finds(&amount, "INV-10", "the provider has");
    let currency = busy(|life| life.charges[0].request.currency = "USD".parse().unwrap());
    finds(&currency, "INV-4", "was asked for");
    let declined = busy(|life| life.charges[0].outcome = ChargeOutcome::Declined);
    finds(
        &declined,
        "INV-10",
        "the provider says Declined, the book says Captured",
    );
    finds(&declined, "INV-10", "captured, the provider has not");
    let missing = busy(|life| life.charges.truncate(life.charges.len() - 1));
    finds(&missing, "INV-10", "captured, the provider has not");
}

#[test]
fn the_provider_and_the_book_agree_on_refunds() {
    let unknown = busy(|life| life.refunds[0].request.key.number = 9);
    finds(&unknown, "INV-4", "before the journal knew");
    let twice = busy(|life| life.refunds.push(life.refunds[0].clone()));
    finds(&twice, "INV-4", "has refund");
    let amount = busy(|life| life.refunds[0].request.amount_minor = 1);
    finds(&amount, "INV-4", "the provider was asked for");
    let declined = busy(|life| life.refunds[0].outcome = RefundOutcome::Declined);
    finds(
        &declined,
        "INV-10",
        "the provider says Declined, the book says Refunded",
    );
    finds(&declined, "INV-10", "paid, the provider has not");
    let over = busy(|life| life.charges[0].request.amount_minor = 1);
    finds(&over, "INV-2", "more than was captured went back");
}

#[test]
fn one_charge_pays_and_the_others_go_back() {
    use commerce::Entry;
    use commerce::entry::Fate;
    let twice = forged(|story| {
        let second = |(_, entry): &&mut (u64, Entry)| {
            matches!(
                entry,
                Entry::Captured {
                    order: 1,
                    fate: Fate::GoesBack { .. },
                    ..
                }
            )
        };
        let (_, entry) = story.iter_mut().find(second).unwrap();
        let Entry::Captured { fate, .. } = entry else {
            panic!("captured")
        };
        *fate = Fate::Kept;
    });
    finds(&twice, "INV-4", "was paid more than once");
    let stuck = forged(|story| {
        let failed = story
            .iter()
            .position(|(_, entry)| matches!(entry, Entry::RefundFailed { .. }));
        let Entry::RefundFailed { again, .. } = &mut story[failed.unwrap()].1 else {
            panic!("failed")
        };
        *again = None;
    });
    finds(&stuck, "INV-10", "pays nothing and does not go back");
    finds(&stuck, "INV-10", "of its money stays");
    let negative = forged(|story| {
        for (_, entry) in story {
            if let Entry::Captured { amount, .. } = entry {
                amount.0 = -1;
            }
        }
    });
    finds(&negative, "INV-10", "has a negative part");
}

#[test]
fn the_chain_has_no_gap_and_no_forged_link() {
    let gap = busy(|life| drop(life.journals.get_mut(&1).unwrap().remove(3)));
    finds(&gap, "INV-8", "stands where");
    let first = busy(|life| life.journals.get_mut(&1).unwrap()[0].time_ms += 1);
    finds(&first, "INV-8", "the hash of batch 1 does not fit");
    let later = busy(|life| life.journals.get_mut(&1).unwrap()[4].chain[0] ^= 1);
    finds(&later, "INV-8", "the hash of batch 5 does not fit");
    let back = busy(|life| {
        let story = entries(life);
        let first = seal(None, 2_000, &[story[0].1.clone()]);
        let second = seal(Some(&first), 1_999, &[story[1].1.clone()]);
        life.journals.insert(1, vec![first, second]);
    });
    finds(&back, "INV-8", "time goes back");
    let house = busy(|life| life.house = vec![life.journals[&1][3].clone()]);
    finds(&house, "INV-8", "the house journal");
}

#[test]
fn a_batch_holds_the_entries_that_it_says() {
    let count = busy(|life| life.journals.get_mut(&1).unwrap()[2].entries = 7);
    finds(&count, "INV-8", "entries and says 7");
    let garbled = busy(|life| life.journals.get_mut(&1).unwrap()[2].payload.truncate(3));
    finds(&garbled, "INV-8", "cut off");
}

#[test]
fn the_lists_say_what_the_journal_says() {
    let list = |change: fn(&mut Vec<api::order::Order>)| {
        busy(|life| change(life.listed.get_mut(&1).unwrap()))
    };
    finds(
        &list(|orders| drop(orders.pop())),
        "INV-11",
        "is not listed",
    );
    finds(
        &list(|orders| orders.push(orders[0].clone())),
        "INV-11",
        "is listed twice",
    );
    finds(
        &list(|orders| orders[0].id = order_id(50)),
        "INV-11",
        "in no journal",
    );
    finds(
        &list(|orders| orders[0].state = OrderState::Shipped),
        "INV-11",
        "is listed as",
    );
    finds(
        &list(|orders| orders[0].refunded_minor += 1),
        "INV-11",
        "is listed as",
    );
    finds(
        &list(|orders| orders[0].payment = None),
        "INV-11",
        "is listed as",
    );
    finds(
        &list(|orders| orders[0].lines[0].returned_quantity = 0),
        "INV-11",
        "is listed as",
    );
    finds(
        &list(|orders| orders[0].buyer = None),
        "INV-11",
        "another buyer",
    );
    finds(
        &list(|orders| orders[0].total_minor += 1),
        "INV-11",
        "another price",
    );
    finds(
        &list(|orders| orders[0].lines[0].quantity = 9),
        "INV-11",
        "other lines",
    );
    finds(
        &list(|orders| orders[0].placed_at = api::Time::from_ms(1)),
        "INV-11",
        "another date",
    );
    finds(
        &list(|orders| orders[0].sale_id = api::SaleId::new(2).unwrap()),
        "INV-11",
        "another sale",
    );
    finds(
        &list(|orders| orders[0].refunds[0].amount_minor = 1),
        "INV-11",
        "is another",
    );
    let other = busy(|life| drop(life.listed.insert(9, Vec::new())));
    finds(&other, "INV-11", "there is no journal");
}

#[test]
fn everything_comes_to_its_end() {
    finds(
        &busy(|life| life.unhealed.push("a backlog".into())),
        "healing",
        "a backlog",
    );
    finds(
        &busy(|life| life.open_effects = [(1, 2)].into()),
        "healing",
        "has 2 calls under way",
    );
    finds(
        &busy(|life| life.verify.push("a gap".into())),
        "verify",
        "a gap",
    );
    finds(
        &busy(|life| life.panics.push("oh".into())),
        "no panic",
        "oh",
    );
    let refused = busy(|life| life.restarts.push(restart(Some("damage"))));
    finds(&refused, "start", "damage");
    let mut held = Life::open(3);
    let order = held.place("ann", "a", 1).unwrap();
    held.pay("ann", "p", order);
    let held = held.evidence();
    finds(&held, "healing", "is still paying");
    finds(&held, "healing", "a charge that nobody knows the end of");
    let mut back = Life::open(3);
    let order = back.place("ann", "a", 1).unwrap();
    back.pay("ann", "p", order);
    back.cancel("ann", "x", order);
    back.charge(order, 1, true);
    finds(&back.evidence(), "healing", "has a refund under way");
}

fn restart(refused: Option<&str>) -> Restart {
    Restart {
        at: Duration::from_secs(1),
        ended: Ended::PowerLost,
        refused: refused.map(Into::into),
    }
}

#[test]
fn a_disk_that_lied_is_forgiven_where_somebody_noticed() {
    let lied = |change: fn(&mut Evidence)| {
        busy(|life| {
            life.disk_lied = true;
            life.journals.get_mut(&1).unwrap().truncate(5);
            change(life);
        })
    };
    finds(&lied(|_| {}), "loss is noticed", "the receipt");
    finds(
        &lied(|life| life.calls.clear()),
        "loss is noticed",
        "is listed",
    );
    assert_eq!(
        judge(&lied(|life| life.restarts.push(restart(Some("loss"))))),
        []
    );
    assert_eq!(
        judge(&lied(|life| life.verify.push("a receipt is gone".into()))),
        []
    );
    let unseen = lied(|life| {
        life.calls.clear();
        life.listed.clear();
    });
    assert_eq!(judge(&unseen), []);
    finds(
        &lied(|life| life.panics.push("oh".into())),
        "no panic",
        "oh",
    );
}
