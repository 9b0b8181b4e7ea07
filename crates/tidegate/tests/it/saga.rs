//! Sagas of a real server that is killed in the middle of a step.

use crate::outsider::{Answer, Outsider};
use crate::process::{Ended, Server, ask, ended, run, tidegate};
use crate::server::{key, sale};
use serde_json::Value as Json;
use std::path::Path;
use std::time::Duration;
use world::{Clock, SystemClock};

fn config(dir: &Path, carrier: &Outsider) {
    let text = format!(
        "[shop.fulfilment]\nkind = 'fulfilment'\ncarrier_url = '{}'\nsecret_file = 'carrier'\n",
        carrier.url
    );
    let secret = "0123456789abcdef0123456789abcdef";
    std::fs::write(dir.join("carrier"), secret).unwrap();
    std::fs::write(dir.join("shop.toml"), text).unwrap();
}

fn start(dir: &Path) -> Server {
    Server::start(dir, &["--data", "data", "--config", "shop.toml"])
}

fn paid(server: &Server, bearer: &str, sale: &str) -> String {
    let body = format!(
        r#"{{"sale_id": "{sale}", "buyer": "ann", "paid": {{"reference": "till"}},
            "lines": [{{"sku": "CUP", "quantity": 3}}]}}"#
    );
    let keyed = [bearer, "Idempotency-Key: cart"];
    let (status, order) = ask(&server.public, "POST /v1/orders", &keyed, &body);
    assert_eq!(status, 201, "{order}");
    order["id"].as_str().unwrap().to_owned()
}

fn stage(server: &Server, bearer: &str, order: &str) -> String {
    let (_, saga) = ask(
        &server.public,
        &format!("GET /v1/sagas/{order}"),
        &[bearer],
        "",
    );
    saga["stage"].as_str().unwrap_or_default().to_owned()
}

/// Until the saga is done; how long that took.
fn done(server: &Server, bearer: &str, order: &str, since: &SystemClock) -> Duration {
    let took = || since.monotonic();
    while stage(server, bearer, order) != "done" {
        // Not a bar but an end, where otherwise there would be none.
        let stuck = took() > Duration::from_secs(120);
        assert!(!stuck, "{}", stage(server, bearer, order));
        std::thread::yield_now();
    }
    took()
}

/// Kills a server while a step is at this point, starts another, and measures until the saga is done.
fn converges_after(first: Answer) -> Duration {
    let carrier = Outsider::new(move |_, before| if before == 0 { first } else { Answer::Done });
    let dir = tempfile::tempdir().unwrap();
    config(dir.path(), &carrier);
    let bearer = key(dir.path());
    let server = start(dir.path());
    let sale = sale(&server, &bearer);
    let order = paid(&server, &bearer, &sale);
    while carrier.requests().is_empty() {
        std::thread::yield_now();
    }
    server.signal("KILL");
    assert_eq!(server.wait(), None);
    let begun = SystemClock::new();
    let server = start(dir.path());
    let took = done(&server, &bearer, &order, &begun);
    assert_eq!(
        carrier.done().into_values().collect::<Vec<_>>(),
        [1],
        "it is booked once"
    );
    took
}

#[test]
fn a_saga_converges_after_sigkill_before_the_carrier_has_done_anything() {
    let took = converges_after(Answer::Silent);
    println!("converged {took:?} after the new start");
}

#[test]
fn a_saga_converges_after_sigkill_between_what_the_carrier_did_and_its_record() {
    let took = converges_after(Answer::Lost);
    println!("converged {took:?} after the new start");
}

#[test]
fn a_saga_converges_after_sigkill_right_after_the_order_was_paid() {
    let carrier = Outsider::new(|_, _| Answer::Done);
    let dir = tempfile::tempdir().unwrap();
    config(dir.path(), &carrier);
    let bearer = key(dir.path());
    let server = start(dir.path());
    let sale = sale(&server, &bearer);
    let order = paid(&server, &bearer, &sale);
    server.signal("KILL");
    assert_eq!(server.wait(), None);
    let begun = SystemClock::new();
    let server = start(dir.path());
    let took = done(&server, &bearer, &order, &begun);
    println!("converged {took:?} after the new start");
    assert_eq!(carrier.done().len(), 1);
}

fn online(dir: &Path, server: &Server, bearer: &str, words: &[&str]) -> Ended {
    let url = format!("http://{}", server.public);
    let mut command = tidegate(dir, words);
    let secret = bearer.rsplit(' ').next().unwrap();
    command
        .args(["--url", &url, "--json"])
        .env("TIDEGATE_API_KEY", secret);
    ended(&command.output().unwrap())
}

#[test]
fn an_operator_sees_sagas_and_decides_about_them_on_the_command_line() {
    let carrier = Outsider::new(|_, _| Answer::Done);
    let dir = tempfile::tempdir().unwrap();
    config(dir.path(), &carrier);
    let bearer = key(dir.path());
    let server = start(dir.path());
    let sale = sale(&server, &bearer);
    let order = paid(&server, &bearer, &sale);
    done(&server, &bearer, &order, &SystemClock::new());
    let listed = online(
        dir.path(),
        &server,
        &bearer,
        &["saga", "list", &sale, "--stage", "done"],
    );
    let page: Json = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(
        page["sagas"][0]["order_id"],
        order.as_str(),
        "{}",
        listed.err
    );
    let shown = online(dir.path(), &server, &bearer, &["saga", "show", &order]);
    let saga: Json = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(saga["steps"][1]["state"], "done");
    let late = online(dir.path(), &server, &bearer, &["saga", "skip", &order]);
    assert!(
        late.code == 2 && late.err.contains("TG-2121"),
        "{}",
        late.err
    );
    let dead = online(dir.path(), &server, &bearer, &["notices", "dead"]);
    let dead: Json = serde_json::from_str(&dead.out).unwrap();
    assert_eq!(dead["notices"], serde_json::json!([]));
    let help = run(dir.path(), &["saga", "--help"]);
    assert!(
        help.out.contains("tidegate saga retry ord_"),
        "{}",
        help.out
    );
}
