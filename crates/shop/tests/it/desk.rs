//! The desk: answers only what is durable, whatever the disk does.

use std::future::Future;
use std::io;
use std::time::Duration;

use commerce::{Action, EffectKind, Refusal};
use tidegate_shop::desk::{DeskError, Settings, Trouble};
use world::faults::{Crash, Effect, Fault, FaultyDisk, Lasting, Operation};

use crate::stage::{Stage, command, order};

fn full_disk(effect: Effect) -> Fault {
    Fault {
        operation: Operation::Any,
        after: 0,
        error: io::ErrorKind::StorageFull,
        effect,
        lasting: Lasting::UntilHealed,
    }
}

fn failed_sync() -> Fault {
    Fault {
        operation: Operation::Sync,
        after: 0,
        error: io::ErrorKind::Other,
        effect: Effect::None,
        lasting: Lasting::Once,
    }
}

#[tokio::test]
async fn what_a_buyer_was_told_survives_the_loss_of_everything_unsynced() {
    let stage = Stage::selling(5, Settings::default()).await;
    let told = stage.buy("ann", "k").await.expect("the desk answers");
    assert!(told.done.decision.is_ok());
    let after = FaultyDisk::new(stage.disk.inner().crashed(Crash::Forgets));
    let stage = Stage::on(after, Settings::default());
    assert_eq!(stage.available().await, 4);
    let again = stage.buy("ann", "k").await.expect("the desk answers");
    assert_eq!(
        (again.done.decision, again.done.repeated),
        (told.done.decision, true)
    );
}

#[tokio::test]
async fn a_thousand_callers_share_few_syncs_and_the_last_cup_goes_once() {
    let stage = Stage::selling(100, Settings::default()).await;
    let before = *stage.durable.0.lock().expect("sound");
    let buyers: Vec<_> = (0..1_000)
        .map(|n| {
            let desk = stage.desk.clone();
            tokio::spawn(async move {
                desk.submit(vec![order(&format!("b{n}"), "k")], |_, done| done)
                    .await
            })
        })
        .collect();
    let mut sold = 0;
    for buyer in buyers {
        let answer = buyer.await.expect("no panic").expect("the desk answers");
        match &answer.value[0].decision {
            Ok(_) => sold += 1,
            Err(refusal) => assert!(matches!(refusal, Refusal::SoldOut { .. }), "{refusal}"),
        }
    }
    assert_eq!((sold, stage.available().await), (100, 0));
    let batches = *stage.durable.0.lock().expect("sound") - before;
    assert!(batches <= 100, "{batches} batches for 100 orders");
}

#[tokio::test]
async fn a_failed_sync_tells_nobody_yes_and_the_same_key_finds_out() {
    let stage = Stage::selling(5, Settings::default()).await;
    stage.disk.plan(failed_sync());
    let answer = stage.buy("ann", "k").await;
    assert_eq!(answer.err(), Some(DeskError::Unknown));
    assert_eq!(
        stage.available().await,
        5,
        "the book is built anew from the durable part"
    );
    // It goes on in a new segment.
    stage
        .desk
        .troubles()
        .wait_for(|trouble| *trouble == Trouble::None)
        .await
        .expect("the desk lives");
    let again = stage.buy("ann", "k").await.expect("the desk answers");
    assert!(again.done.decision.is_ok() && !again.done.repeated);
    let disk = stage.close().await;
    assert_eq!(Stage::on(disk, Settings::default()).available().await, 4);
}

#[tokio::test]
async fn a_full_disk_is_read_only_until_there_is_space() {
    for effect in [Effect::None, Effect::First(100), Effect::Whole] {
        let stage = Stage::selling(5, Settings::default()).await;
        stage.disk.plan(full_disk(effect));
        assert_eq!(stage.buy("ann", "k").await.err(), Some(DeskError::Unknown));
        assert!(matches!(
            stage.buy("bob", "k").await.err(),
            Some(DeskError::ReadOnly(_))
        ));
        assert!(matches!(stage.desk.trouble(), Trouble::ReadOnly(_)));
        assert_eq!(stage.available().await, 5, "reads go on");
        stage.disk.heal();
        stage
            .desk
            .troubles()
            .wait_for(|trouble| *trouble == Trouble::None)
            .await
            .expect("the desk lives");
        assert!(
            stage
                .buy("bob", "k")
                .await
                .expect("it sells again")
                .done
                .decision
                .is_ok()
        );
        let disk = stage.close().await;
        let stage = Stage::on(disk, Settings::default());
        assert_eq!(stage.available().await, 4, "{effect:?}");
        let late = stage.buy("ann", "k").await.expect("it sells");
        assert!(
            !late.done.repeated,
            "ann was never told yes, and the dead batch stays dead"
        );
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let stage = Stage::selling(
        5,
        Settings {
            queue_commands_max: 2,
            ..Settings::default()
        },
    )
    .await;
    let answers: Vec<_> = (0..5)
        .map(|n| {
            stage
                .desk
                .submit(vec![order(&format!("b{n}"), "k")], |_, _| ())
        })
        .collect();
    let mut busy = 0;
    let mut pending = Vec::new();
    for mut answer in answers.into_iter().map(Box::pin) {
        // The first poll puts the order into the queue; the desk has not run yet.
        let mut idle = std::task::Context::from_waker(std::task::Waker::noop());
        match answer.as_mut().poll(&mut idle) {
            std::task::Poll::Ready(result) => {
                assert_eq!(result.err(), Some(DeskError::Busy));
                busy += 1;
            }
            std::task::Poll::Pending => pending.push(answer),
        }
    }
    assert_eq!((busy, pending.len()), (3, 2));
    for answer in pending {
        assert!(
            answer.await.expect("the desk answers").value[0]
                .decision
                .is_ok()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_expires_by_itself_and_its_effects_wait_for_the_disk() {
    let stage = Stage::selling(1, Settings::default()).await;
    stage
        .buy("ann", "k")
        .await
        .expect("the desk answers")
        .done
        .decision
        .expect("there is one");
    let pay = command("shop", "pay", Action::Pay { order: 0 });
    stage
        .desk
        .submit(vec![pay], |_, _| ())
        .await
        .expect("the desk answers");
    let charge = stage
        .effects
        .0
        .lock()
        .expect("sound")
        .first()
        .copied()
        .expect("a charge was handed out");
    assert_eq!(
        (charge.kind, charge.amount.0),
        (EffectKind::Charge { attempt: 1 }, 1250)
    );
    stage.clock.advance(Duration::from_secs(10));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.available().await, 1);
    let journalled = *stage.durable.0.lock().expect("sound");
    assert_eq!(
        stage
            .buy("bob", "k")
            .await
            .expect("the desk answers")
            .sequence,
        journalled + 1
    );
}

#[tokio::test(start_paused = true)]
async fn a_stepped_clock_expires_nothing() {
    let stage = Stage::selling(1, Settings::default()).await;
    stage
        .buy("ann", "k")
        .await
        .expect("the desk answers")
        .done
        .decision
        .expect("there is one");
    stage.clock.set_wall_ms(crate::stage::NOON + 3_600_000);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stage.available().await, 0, "an hour did not pass");
}

#[tokio::test]
async fn a_closed_desk_finishes_what_waits_and_its_snapshot_starts_the_next() {
    let settings = Settings {
        snapshot_entries: 1,
        ..Settings::default()
    };
    let stage = Stage::selling(50, settings.clone()).await;
    let waiting: Vec<_> = (0..20)
        .map(|n| {
            let desk = stage.desk.clone();
            tokio::spawn(async move {
                desk.submit(vec![order(&format!("b{n}"), "k")], |_, _| ())
                    .await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let handle = stage.desk.clone();
    let disk = stage.close().await;
    let mut taken = 0;
    for order in waiting {
        match order.await.expect("no panic") {
            Ok(answer) => taken += u32::from(answer.value[0].decision.is_ok()),
            Err(error) => assert_eq!(error, DeskError::Closing),
        }
    }
    assert_eq!(handle.ask(|_| ()).await.err(), Some(DeskError::Closing));
    let (_, findings) = crate::stage::place(
        std::sync::Arc::new(disk.clone()),
        std::sync::Arc::new(world::ManualClock::new(crate::stage::NOON)),
    )
    .open(storage::journal::JournalSettings::default())
    .expect("it opens");
    assert!(
        findings.snapshot.is_some() && findings.batches == 0,
        "{findings:?}"
    );
    assert_eq!(Stage::on(disk, settings).available().await, 50 - taken);
}
