//! Chaos with bounds: a starved scheduler, blocked work, a wounded HTTP stack. Each trouble has its measure, is counted
//! where it struck, and those whom it did not meet are served as before.

use std::time::Duration;

use tidegate_sim::crowd::Market;
use tidegate_sim::disk::{Fault, FaultKind};
use tidegate_sim::life::{Act, Lived};
use tidegate_sim::plan::{Incident, Place, Trouble};
use tidegate_sim::record::Call;
use tidegate_sim::stage::SHOP;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::plans::{Actor, Notes, act, heard, lived, ms, orders, owned, quiet, unheard, units};

/// So many buyers, one every so many milliseconds, who buy one unit each and insist.
fn crowd(buyers: u32, every_ms: u64) -> impl Iterator<Item = Act> {
    (0..buyers).map(move |nth| {
        act(move |market| async move {
            let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
            buyer.wait(ms(u64::from(nth) * every_ms)).await;
            buyer.buy(&format!("k{nth}"), 1).await;
        })
    })
}

/// How long the slowest call took that was sent within these times.
fn slowest(lived: &Lived, within: std::ops::Range<Duration>) -> Duration {
    let calls = lived.evidence.calls.iter();
    let calls = calls.filter(|call| within.contains(&call.asked_at));
    let took = calls.map(|call| call.ended_at - call.asked_at);
    took.max().unwrap_or_default()
}

fn places(lived: &Lived) -> Vec<&Call> {
    let calls = lived.evidence.calls.iter();
    calls.filter(|call| call.path == "/v1/orders").collect()
}

/// Always ready, never done before its time: a task that takes turns from others.
async fn spin(market: Market, until: Duration, turns: Notes<()>) {
    std::future::poll_fn(move |context| {
        turns.add(());
        if market.stage.world.now() >= until {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// C16: forced yields and less parallelism. Thirty tasks that are always ready take turns from the shop's, which run in
/// any order.
#[test]
fn a_starved_shop_sells_each_unit_once_and_answers_everybody() {
    for seed in 1..=2 {
        let turns = Notes::new();
        let spun = turns.clone();
        let hogs = act(move |market| async move {
            let until = market.stage.world.now() + ms(40);
            for _ in 0..30 {
                let hog = spin(market.clone(), until, spun.clone());
                drop(market.stage.shop.tasks().spawn(hog));
            }
        });
        let lived = lived(&quiet(seed, 8), crowd(8, 3).chain([hogs]).collect());
        assert_eq!(units(&owned(&lived)), 8, "seed {seed}");
        assert!(turns.all().len() > 2_000, "the hogs had their turns");
        assert!(places(&lived).iter().all(|call| heard(call).is_some()));
    }
}

/// C16: a processor that is blocked for more than 200 ms. C18: the fault is counted, and calls after it are quick.
#[test]
fn a_sync_that_blocks_for_250_ms_delays_buyers_and_loses_none() {
    for seed in 1..=3 {
        let mut plan = quiet(seed, 20);
        plan.disk = Fault {
            amount: 250,
            ..Fault::during(FaultKind::SlowSync, 60..100)
        }
        .into();
        let lived = lived(&plan, crowd(20, 40).collect());
        let struck = lived.disk.met[&FaultKind::SlowSync];
        assert!((1..=40).contains(&struck), "seed {seed}: {struck}");
        assert!(slowest(&lived, ms(0)..ms(60_000)) >= ms(250));
        assert!(slowest(&lived, ms(0)..ms(60_000)) < ms(8_000));
        let last = lived.evidence.calls.iter().map(|call| call.asked_at).max();
        let calm = last.unwrap() - ms(1);
        assert!(slowest(&lived, calm..last.unwrap() + ms(1)) < ms(100));
        assert_eq!(units(&owned(&lived)), 20, "seed {seed}");
    }
}

/// Writes these pieces with pauses between, then reads what comes until the end or for twenty seconds.
async fn raw(market: &Market, pieces: &[String], pause: Duration) -> String {
    let tasks = market.stage.street.tasks();
    let net = market.stage.net.of(&market.stage.street);
    let mut stream = net.connect(SHOP.0, SHOP.1).await.unwrap();
    for piece in pieces {
        if stream.write_all(piece.as_bytes()).await.is_err() {
            break;
        }
        tasks.sleep(pause).await;
    }
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    // A connection that is reset, or stays open, has said what it had to say.
    let _ = tasks.timeout(Duration::from_secs(20), reading).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The head of an order's request, with the body's length.
fn head(market: &Market, key: &str, length: usize) -> String {
    let token = market.stage.token("raw");
    format!(
        "POST /v1/orders HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// What a client does to a connection, by a name: the pieces that it writes.
type Wound = (&'static str, fn(&Market) -> Vec<String>);

/// C17: timeouts before and after the head, resets in the middle of a body, connections that say nothing, and a door
/// that cannot accept. Honest buyers come at the same time.
#[test]
fn a_wounded_http_stack_serves_honest_buyers_and_decides_nothing_half_heard() {
    for seed in 1..=3 {
        let told: Notes<(&str, String)> = Notes::new();
        let wounds: [Wound; 4] = [
            ("slow head", |market| {
                let head = head(market, "slow", 2);
                head.chars().map(|letter| letter.to_string()).collect()
            }),
            ("half a body", |market| {
                vec![head(market, "half", 500), "{\"sale_id\":".to_owned()]
            }),
            ("silence", |_| Vec::new()),
            ("noise", |_| vec!["\u{0}\u{1}?? HTTP/9\r\n\r\n".to_owned()]),
        ];
        let mut acts: Vec<Act> = crowd(12, 400).collect();
        for (name, pieces) in wounds {
            let told = told.clone();
            acts.push(act(move |market| async move {
                let pieces = pieces(&market);
                told.add((name, raw(&market, &pieces, ms(100)).await));
            }));
        }
        acts.push(act(|market| async move {
            let shop = &market.stage.shop;
            assert!(market.stage.net.fail_accepts(shop, SHOP.1, 5));
        }));
        let lived = lived(&quiet(seed, 30), acts);
        assert_eq!(units(&orders(&lived)), 12, "seed {seed}");
        assert!(places(&lived).iter().all(|call| heard(call).is_some()));
        let status = |name: &str| {
            let all = told.all();
            let (_, answer) = all.iter().find(|(told, _)| *told == name).unwrap().clone();
            answer.get(9..12).unwrap_or_default().to_owned()
        };
        assert_eq!(status("slow head"), "408", "seed {seed}: {:?}", told.all());
        assert_eq!(status("half a body"), "408", "seed {seed}");
        assert_eq!(status("noise"), "400", "seed {seed}");
        assert_eq!(told.all().len(), 4);
    }
}

/// C17: clients that reset in the middle of a body, and clients that hang up between request and answer. What was
/// heard whole is decided and is there for its key; what was not is nothing.
#[test]
fn who_hangs_up_between_request_and_answer_finds_the_order_by_its_key() {
    let mut hung_up = 0;
    for seed in 1..=4 {
        let lived = lived(
            &quiet(seed, 30),
            (0..6)
                .map(|nth: u32| {
                    act(move |market| async move {
                        let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
                        buyer.available().await;
                        let ask = buyer.order("order", &[1]);
                        let patience = Duration::from_micros(200 + 150 * u64::from(nth));
                        let _ = buyer.client.ask(&ask, patience).await;
                        let half = [head(&market, "half", 400), "{\"sale_id\"".to_owned()];
                        let net = market.stage.net.of(&market.stage.street);
                        let mut stream = net.connect(SHOP.0, SHOP.1).await.unwrap();
                        for piece in &half {
                            stream.write_all(piece.as_bytes()).await.unwrap();
                        }
                        drop(stream);
                        assert!(buyer.insist(&ask).await.is_yes());
                    })
                })
                .collect(),
        );
        assert_eq!(units(&orders(&lived)), 6, "seed {seed}");
        hung_up += places(&lived).iter().filter(|call| unheard(call)).count();
    }
    assert!(hung_up >= 8, "{hung_up} hung up");
}

/// C18: each injection has its bound. A way is cut for five seconds: who asks within them waits or hears nothing, who
/// asks before and after is served, and the share of all calls that fail stays below the bound.
#[test]
fn a_cut_of_five_seconds_hurts_for_five_seconds() {
    for seed in 1..=3 {
        let mut plan = quiet(seed, 400);
        let (begins, lasts) = (ms(10_000), ms(5_000));
        plan.incidents = vec![Incident {
            at: begins,
            what: Trouble::Cut(Place::Street, Place::Shop, lasts),
        }];
        let acts = (0..40).map(|nth| {
            act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
                for at in 0..10 {
                    let ask = buyer.order(&format!("k{nth}-{at}"), &[1]);
                    let _ = buyer.client.ask(&ask, ms(1_000)).await;
                    buyer.wait(ms(3_000 + u64::from(nth) * 7)).await;
                }
            })
        });
        let lived = lived(&plan, acts.collect());
        let told = lived.story.iter().find(|(_, what)| what.contains("passes"));
        let cut_at = told.unwrap().0;
        let hurt = (cut_at - ms(1_000))..(cut_at + lasts + ms(1_000));
        let (inside, outside): (Vec<_>, Vec<_>) = places(&lived)
            .into_iter()
            .partition(|call| hurt.contains(&call.asked_at));
        let failed = inside.iter().filter(|call| unheard(call)).count();
        assert!(failed > 0, "seed {seed}: the cut met nobody");
        let served = outside.iter().filter(|call| heard(call).is_some()).count();
        assert_eq!(served, outside.len(), "seed {seed}");
        assert!(
            failed * 100 <= places(&lived).len() * 30,
            "seed {seed}: {failed}"
        );
    }
}

/// D22, D23 as far as they are built: a full queue is an answer at once, and nothing was decided for who got it.
#[test]
fn a_full_queue_is_an_answer_at_once_and_decides_nothing() {
    let mut busy = 0;
    for seed in 1..=3 {
        let mut plan = quiet(seed, 60);
        plan.shop.desk.queue_commands_max = 1;
        plan.shop.desk.batch_commands_max = 1;
        let acts = (0..40).map(|nth| {
            act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
                buyer.available().await;
                buyer.wait(ms(200).saturating_sub(buyer.client.now())).await;
                let ask = buyer.order(&format!("k{nth}"), &[1]);
                let _ = buyer.once(&ask).await;
            })
        });
        let lived = lived(&plan, acts.collect());
        let (mut yes, mut no) = (0, 0);
        for call in places(&lived) {
            let said = heard(call).unwrap();
            match said.is_yes() {
                true => yes += 1,
                false => {
                    no += 1;
                    assert_eq!(
                        (said.status, said.code().as_deref()),
                        (503, Some("TG-3001"))
                    );
                    assert!(call.ended_at - call.asked_at < ms(100), "at once");
                }
            }
        }
        assert_eq!(orders(&lived).len(), yes, "seed {seed}");
        busy += no;
    }
    assert!(busy > 0, "the queue was never full");
}
