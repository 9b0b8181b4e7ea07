//! Teams at a desk: time, crashes, the draw.

use std::time::Duration;

use commerce::book::TeamState;
use commerce::command::ChargeOutcome;
use commerce::deal::{Commit, TeamAsk};
use commerce::offer::{GroupRule, Offer};
use commerce::{
    Action, Actor, Ask, Book, Command, DealAsk, Done, OrderStatus, Place, Report, Turn,
};
use ledger::Minor;
use sha2::Digest;
use tidegate_shop::desk::Settings;
use world::faults::{Crash, FaultyDisk, MemoryDisk};

use crate::stage::{NOON, Stage, create, seed_of};

const LIFETIME_MS: u32 = 60_000;

fn rule(size: u16, prizes: Option<u16>) -> GroupRule {
    GroupRule {
        sku: "cup".into(),
        size,
        least: size,
        lifetime_ms: LIFETIME_MS,
        stretch_ms: 0,
        tiers: Vec::new(),
        pays: commerce::offer::Pays::Reached,
        seats_per_buyer: 1,
        teams_per_buyer: None,
        open_to: Vec::new(),
        join_to: Vec::new(),
        leader: None,
        leave: commerce::offer::Leave::Free,
        after: commerce::offer::AfterFinish::Merchant,
        fill: 0,
        alone: commerce::offer::Alone::Sold,
        prizes,
    }
}

/// An open sale of cups to teams.
async fn selling(stock: u32, rule: GroupRule, settings: Settings) -> Stage {
    let stage = Stage::on(FaultyDisk::new(MemoryDisk::new()), settings);
    let Action::Create { secret, plan } = create(stock) else {
        unreachable!("it creates")
    };
    let offer = Box::new(Offer {
        groups: vec![rule],
        ..Offer::default()
    });
    let create = Action::CreateWith {
        secret,
        plan,
        offer,
    };
    stage.run("create", create).await;
    stage.run("open", Action::Turn(Turn::Open)).await;
    stage
}

fn promise() -> Commit {
    let nonce = [3; 16];
    let seed = seed_of(&nonce);
    Commit::of(nonce, &seed)
}

/// A seat that was paid elsewhere, so that a team fills without a bank.
fn seat(buyer: usize, team: TeamAsk, paid: bool) -> Command {
    let place = Place {
        buyer: Some(format!("b{buyer}").into()),
        tags: std::sync::Arc::from([]),
        lines: vec![Ask {
            sku: "cup".into(),
            units: 1,
            price: None,
        }],
        paid: paid.then(|| "till".into()),
        deal: Some(Box::new(DealAsk {
            team: Some(team),
            ..DealAsk::default()
        })),
    };
    Command {
        actor: Actor::Merchant("shop".into()),
        key: Some(format!("seat {buyer}").into()),
        action: Action::Place(place),
    }
}

/// Fills seats of team 0 in one batch, the first of which opens it; says whether all were taken.
async fn fill(stage: &Stage, seats: usize) {
    let commands = (0..seats).map(|nth| {
        let team = match nth {
            0 => TeamAsk::Open {
                commit: Some(promise()),
            },
            _ => TeamAsk::Join { team: 0 },
        };
        seat(nth, team, true)
    });
    let done = stage.desk.submit(commands.collect(), |_, done| done).await;
    for done in done.expect("the desk answers").value {
        assert!(matches!(done.decision, Ok(Done::Order(_))), "{done:?}");
    }
}

/// Looks at the book until something holds.
async fn until(stage: &Stage, holds: fn(&Book) -> bool) {
    let wait = async {
        while !stage.desk.ask(holds).await.expect("reads go on").value {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
    waited.expect("it comes about");
}

fn has_ended(book: &Book) -> bool {
    book.team(0)
        .is_some_and(|team| team.state() != TeamState::Open)
}

fn is_settled(book: &Book) -> bool {
    let team = book.team(0).map(|team| team.settlement());
    has_ended(book) && team.is_some_and(|team| team.settled == team.orders)
}

#[tokio::test]
async fn a_team_whose_time_ran_out_while_the_shop_was_down_is_given_back_at_the_start() {
    let stage = selling(5, rule(3, None), Settings::default()).await;
    let open = TeamAsk::Open { commit: None };
    let commands = vec![
        seat(0, open, true),
        seat(1, TeamAsk::Join { team: 0 }, false),
    ];
    stage
        .desk
        .submit(commands, |_, _| ())
        .await
        .expect("the desk answers");
    // The machine is gone at once: nothing is left but what was synced.
    let after = FaultyDisk::new(stage.disk.inner().crashed(Crash::Forgets));
    let later = NOON + u64::from(LIFETIME_MS) + 1;
    let stage = Stage::at(later, after, Settings::default());
    until(&stage, is_settled).await;
    let look = |book: &Book| {
        let states: Vec<_> = book.orders().map(|order| order.status()).collect();
        let back = book.order(0).map(|order| order.funds().refunded());
        let free = book.find_sku("cup").map(|sku| sku.units().available().0);
        (book.team(0).map(|team| team.state()), states, back, free)
    };
    let seen = stage.desk.ask(look).await.expect("reads go on").value;
    let (team, states, back, free) = seen;
    assert_eq!(team, Some(TeamState::Failed));
    assert_eq!(
        states,
        [OrderStatus::Cancelled, OrderStatus::Expired],
        "the hold of the second had run out before"
    );
    assert_eq!((back, free), (Some(Minor(1_250)), Some(5)));
}

#[tokio::test]
async fn a_team_that_ends_while_nobody_asks_is_settled_by_the_desks_own_timer() {
    let stage = selling(5, rule(3, None), Settings::default()).await;
    let commands = vec![seat(0, TeamAsk::Open { commit: None }, true)];
    stage
        .desk
        .submit(commands, |_, _| ())
        .await
        .expect("the desk answers");
    let before = *stage.durable.0.lock().expect("sound");
    stage
        .clock
        .advance(Duration::from_millis(LIFETIME_MS.into()));
    // Nobody asks the desk anything: only its own timer can wake it.
    let woken = async {
        while *stage.durable.0.lock().expect("sound") == before {
            tokio::task::yield_now().await;
        }
    };
    let woken = tokio::time::timeout(Duration::from_secs(30), woken).await;
    woken.expect("the desk wakes by itself");
    until(&stage, is_settled).await;
}

#[tokio::test]
async fn a_team_of_a_thousand_is_settled_over_several_batches_without_waiting() {
    let settings = Settings {
        sweep_holds_max: 100,
        ..Settings::default()
    };
    let mut rule = rule(1_000, None);
    rule.least = 1_000;
    let stage = selling(1_000, rule, settings).await;
    fill(&stage, 999).await;
    let before = *stage.durable.0.lock().expect("sound");
    let disk = FaultyDisk::new(stage.disk.inner().crashed(Crash::Forgets));
    let settings = Settings {
        sweep_holds_max: 100,
        ..Settings::default()
    };
    let later = NOON + u64::from(LIFETIME_MS);
    let stage = Stage::at(later, disk, settings);
    until(&stage, is_settled).await;
    let batches = *stage.durable.0.lock().expect("sound") - before;
    assert!((10..=12).contains(&batches), "{batches} batches");
    let back = |book: &Book| {
        book.orders()
            .map(|order| order.funds().refunded().0)
            .sum::<i64>()
    };
    let back = stage.desk.ask(back).await.expect("reads go on").value;
    assert_eq!(back, 999 * 1_250, "everybody has everything back");
}

#[tokio::test]
async fn a_full_lottery_team_is_drawn_by_the_desk_and_the_draw_can_be_repeated() {
    let stage = selling(2, rule(5, Some(2)), Settings::default()).await;
    fill(&stage, 5).await;
    until(&stage, is_settled).await;
    let look = |book: &Book| {
        let draw = book.team(0)?.draw()?;
        let (seed, entries, winners) = draw.opened?;
        let sold = book.find_sku("cup")?.units().sold().0;
        Some((draw.commit, *seed, *entries, winners.to_vec(), sold))
    };
    let seen = stage.desk.ask(look).await.expect("reads go on").value;
    let (commit, seed, entries, winners, sold) = seen.expect("it was drawn");
    assert_eq!((commit.hash, sold), (promise().hash, 2));
    assert_eq!(sha2::Sha256::digest(seed)[..], commit.hash);
    let list: String = (0..5).map(|nth| format!("{nth},b{nth}\n")).collect();
    assert_eq!(sha2::Sha256::digest(list)[..], entries);
    assert_eq!(winners.len(), 2);
    let states = |book: &Book| {
        let paid = |order: &commerce::OrderRef<'_>| order.status() == OrderStatus::Paid;
        let winners = book.orders().filter(paid);
        winners.map(|order| order.number()).collect::<Vec<_>>()
    };
    let paid = stage.desk.ask(states).await.expect("reads go on").value;
    assert_eq!(paid, winners);
}

#[tokio::test]
async fn a_lottery_team_that_filled_before_a_crash_is_drawn_after_it() {
    // The first desk has no seeds, as if it had died before it came to them.
    let stage = Stage::seedless(FaultyDisk::new(MemoryDisk::new()));
    let Action::Create { secret, plan } = create(2) else {
        unreachable!("it creates")
    };
    let offer = Box::new(Offer {
        groups: vec![rule(5, Some(2))],
        ..Offer::default()
    });
    let create = Action::CreateWith {
        secret,
        plan,
        offer,
    };
    stage.run("create", create).await;
    stage.run("open", Action::Turn(Turn::Open)).await;
    fill(&stage, 5).await;
    let drawn = |book: &Book| book.draws_due().count();
    assert_eq!(stage.desk.ask(drawn).await.expect("reads").value, 1);
    let after = FaultyDisk::new(stage.disk.inner().crashed(Crash::Forgets));
    let stage = Stage::on(after, Settings::default());
    until(&stage, is_settled).await;
}

#[tokio::test]
async fn the_last_seat_completes_its_team_and_watchers_see_it() {
    let stage = selling(5, rule(2, None), Settings::default()).await;
    let open = TeamAsk::Open { commit: None };
    let commands = vec![
        seat(0, open, true),
        seat(1, TeamAsk::Join { team: 0 }, false),
    ];
    stage
        .desk
        .submit(commands, |_, _| ())
        .await
        .expect("the desk answers");
    let pay = Command {
        actor: Actor::Buyer("b1".into()),
        key: Some("pay".into()),
        action: Action::Pay { order: 1 },
    };
    let captured = Command {
        actor: Actor::House,
        key: None,
        action: Action::Report(Report::Charge {
            order: 1,
            attempt: 1,
            outcome: ChargeOutcome::Captured(Minor(1_250)),
        }),
    };
    let mut live = stage.desk.live();
    let commands = vec![pay, captured];
    stage
        .desk
        .submit(commands, |_, _| ())
        .await
        .expect("the desk answers");
    until(&stage, has_ended).await;
    let seen = async {
        loop {
            let view = live.borrow_and_update().clone();
            let team = view.teams.first().copied();
            if let Some(team) = team.filter(|team| team.state == TeamState::Complete) {
                return team;
            }
            live.changed().await.expect("the desk runs");
        }
    };
    let team = tokio::time::timeout(Duration::from_secs(30), seen).await;
    let team = team.expect("it is shown");
    assert_eq!((team.team, team.filled, team.seats), (0, 2, 2));
}
