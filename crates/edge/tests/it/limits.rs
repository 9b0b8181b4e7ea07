//! Limits of requests over real sockets: who is told to come back later, and who is not.
//!
//! Nothing comes back within a test, as the limits here give one a day.

use crate::client::{Answer, Client, bearer, page, request};
use crate::shop::{MERCHANT, READER};
use crate::world_of_tests::{Open, run, settings};
use serde_json::json;
use tidegate_edge::{Limit, Settings};

const STRIPE: &str = "/v1/providers/stripe/callback";
const TOO_MANY: &str = "TG-3005";

fn limit(name: &str, route: &str, key: &str, burst: u32, statuses: &[&str]) -> Limit {
    let limit = json!({
        "name": name, "routes": [route], "key": key, "rate": 1, "per_s": 86_400, "burst": burst, "statuses": statuses,
    });
    serde_json::from_value(limit).unwrap()
}

fn limited(limits: &[Limit]) -> Settings {
    Settings {
        limits: limits.to_vec(),
        ..settings()
    }
}

fn behind_a_proxy(settings: Settings) -> Settings {
    Settings {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..settings
    }
}

/// A callback that is well signed as far as the shop of the tests looks.
async fn knock(client: &mut Client, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![("stripe-signature", "t=1,v1=00")];
    all.extend(headers);
    client.ask(request("POST", STRIPE, &all, "{}")).await
}

async fn ask(client: &mut Client, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let (name, token) = bearer(token);
    let headers = [(name, token.as_str()), ("idempotency-key", "k1")];
    client.ask(request(method, path, &headers, body)).await
}

fn is_refused(answer: &Answer) -> bool {
    let refused = answer.status == 429;
    if refused {
        assert_eq!(answer.problem(), (429, TOO_MANY.to_owned()));
    }
    refused
}

#[test]
fn over_the_limit_is_429_with_all_that_a_client_needs_and_the_shop_hears_nothing() {
    run(async {
        let open = Open::start(limited(&[limit("callbacks", STRIPE, "address", 2, &[])]));
        let mut client = Client::connect(open.public).await;
        for remaining in ["1", "0"] {
            let answer = knock(&mut client, &[]).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("ratelimit-limit"), Some("2"));
            assert_eq!(answer.header("ratelimit-remaining"), Some(remaining));
        }
        let answer = knock(&mut client, &[]).await;
        assert_eq!(answer.problem(), (429, TOO_MANY.to_owned()));
        assert_eq!(answer.json()["limit"], "callbacks");
        assert_eq!(answer.header("ratelimit-remaining"), Some("0"));
        let policy = "2;w=172800;name=\"callbacks\"";
        assert_eq!(answer.header("ratelimit-policy"), Some(policy));
        for name in ["retry-after", "ratelimit-reset"] {
            let seconds: u32 = answer.header(name).unwrap().parse().unwrap();
            assert!((86_000..=86_400).contains(&seconds), "{name}: {seconds}");
        }
        assert_eq!(open.shop.knocks.lock().unwrap().len(), 2);
        let other = page(open.public, "/health").await;
        assert_eq!((other.status, other.header("ratelimit-limit")), (200, None));
    });
}

#[test]
fn each_of_a_thousand_addresses_has_its_own_limit() {
    run(async {
        let limits = [limit("callbacks", "/v1/providers/*", "address", 2, &[])];
        let open = Open::start(behind_a_proxy(limited(&limits)));
        let mut client = Client::connect(open.public).await;
        for n in 0..1_000 {
            let address = format!("10.9.{}.{}", n / 250, n % 250);
            // What stands further left was said by the client itself.
            let list = format!("192.0.2.{}, {address}", n % 7);
            let mut refused = Vec::new();
            for _ in 0..3 {
                let answer = knock(&mut client, &[("x-forwarded-for", &list)]).await;
                refused.push(is_refused(&answer));
            }
            assert_eq!(refused, [false, false, true], "{address}");
        }
        assert_eq!(open.shop.knocks.lock().unwrap().len(), 2_000);
        assert_eq!(open.limits.states()[0].keys, 1_000);
    });
}

#[test]
fn one_customer_with_a_whole_ipv6_network_is_one() {
    run(async {
        let limits = [limit("callbacks", STRIPE, "address", 2, &[])];
        let open = Open::start(behind_a_proxy(limited(&limits)));
        let mut client = Client::connect(open.public).await;
        for (address, refused) in [
            ("2001:db8:0:1::1", false),
            ("2001:db8:0:1:2::2", false),
            ("2001:db8:0:1:ffff::3", true),
            ("2001:db8:0:2::1", false),
        ] {
            let answer = knock(&mut client, &[("x-forwarded-for", address)]).await;
            assert_eq!(is_refused(&answer), refused, "{address}");
        }
    });
}

#[test]
fn what_an_untrusted_peer_says_about_its_address_changes_nothing() {
    run(async {
        let open = Open::start(limited(&[limit("callbacks", STRIPE, "address", 2, &[])]));
        let mut client = Client::connect(open.public).await;
        let mut refused = 0;
        for n in 0..10 {
            let address = format!("10.0.0.{n}");
            let claims = [
                ("x-forwarded-for", address.as_str()),
                ("x-real-ip", &address),
                ("forwarded", "for=10.0.0.1"),
            ];
            refused += usize::from(is_refused(&knock(&mut client, &claims).await));
        }
        assert_eq!(refused, 8);
    });
}

#[test]
fn a_guesser_of_credentials_is_stopped_and_good_answers_cost_nothing() {
    run(async {
        let limits = [limit("failed-sign-in", "/v1/*", "address", 5, &["401"])];
        let open = Open::start(behind_a_proxy(limited(&limits)));
        let mut client = Client::connect(open.public).await;
        for _ in 0..50 {
            let good = ask(&mut client, READER, "GET", "/v1/sales", "").await;
            assert_eq!(good.status, 200);
            assert_eq!(good.header("ratelimit-limit"), None, "nothing was taken");
        }
        for n in 0..5 {
            let guess = format!("tgk_00000000001_{n}");
            let answer = ask(&mut client, &guess, "GET", "/v1/sales", "").await;
            assert_eq!(answer.problem(), (401, "TG-1101".to_owned()));
        }
        // Whether the next guess would be right is not said any more.
        for token in ["tgk_00000000001_6", READER] {
            let answer = ask(&mut client, token, "GET", "/v1/orders", "").await;
            assert!(is_refused(&answer), "{answer:?}");
        }
        let (name, token) = bearer(READER);
        let elsewhere = [(name, token.as_str()), ("x-forwarded-for", "10.1.1.1")];
        let answer = client
            .ask(request("GET", "/v1/sales", &elsewhere, ""))
            .await;
        assert_eq!(answer.status, 200, "others are not hurt");
    });
}

#[test]
fn refusals_are_no_bad_answers_that_count() {
    run(async {
        let limits = [
            limit("bad", "/v1/*", "address", 3, &["4xx"]),
            limit("all", "/v1/sales", "all", 1, &[]),
        ];
        let open = Open::start(limited(&limits));
        let mut client = Client::connect(open.public).await;
        let mut statuses = Vec::new();
        for _ in 0..6 {
            let answer = ask(&mut client, READER, "GET", "/v1/sales", "").await;
            statuses.push(answer.status);
        }
        assert_eq!(statuses, [200, 429, 429, 429, 429, 429]);
        let answer = ask(&mut client, MERCHANT, "GET", "/v1/orders", "").await;
        assert_eq!(
            answer.status, 200,
            "the limit on bad answers has all of its own"
        );
    });
}

#[test]
fn buyers_and_keys_and_headers_are_counted_each_by_itself() {
    run(async {
        let limits = [
            limit("of-buyers", "GET /v1/sales", "buyer", 1, &[]),
            limit("of-keys", "/v1/sales/{id}", "key", 1, &[]),
            limit("of-tenants", "/health", "header:X-Tenant", 1, &[]),
        ];
        let open = Open::start(limited(&limits));
        let mut client = Client::connect(open.public).await;
        let (ann, bob) = (open.token("new", "ann"), open.token("new", "bob"));
        let sales: [(&str, bool); 7] = [
            (&ann, false),
            (&ann, true),
            (&open.token("old", "ann"), true),
            (&bob, false),
            (READER, false),
            (READER, false),
            (&bob, true),
        ];
        for (token, refused) in sales {
            let answer = ask(&mut client, token, "GET", "/v1/sales", "").await;
            assert_eq!(is_refused(&answer), refused);
        }
        let keys = [(MERCHANT, false), (READER, false), (MERCHANT, true)];
        for (token, refused) in keys.into_iter().chain([(ann.as_str(), false); 2]) {
            let answer = ask(&mut client, token, "GET", "/v1/sales/sale_00001", "").await;
            assert_eq!(is_refused(&answer), refused);
        }
        let tenants = [("a", false), ("b", false), ("a", true)];
        for (tenant, refused) in tenants {
            let asked = request("GET", "/health", &[("x-tenant", tenant)], "");
            assert_eq!(is_refused(&client.ask(asked).await), refused);
        }
        for refused in [false, true] {
            let answer = client.ask(request("GET", "/health", &[], "")).await;
            assert_eq!(is_refused(&answer), refused, "without it all are one");
        }
    });
}

#[test]
fn limits_are_swapped_while_requests_run() {
    run(async {
        let kept = limit("kept", "/v1/sales", "address", 2, &[]);
        let open = Open::start(limited(std::slice::from_ref(&kept)));
        let mut client = Client::connect(open.public).await;
        let sales = async |client: &mut Client| {
            is_refused(&ask(client, READER, "GET", "/v1/sales", "").await)
        };
        let health = async |client: &mut Client| {
            is_refused(&client.ask(request("GET", "/health", &[], "")).await)
        };
        assert!(!sales(&mut client).await && !health(&mut client).await);
        let closed = limit("closed", "/health", "all", 1, &[]);
        open.limits.swap(&[closed, kept.clone()]);
        assert!(!health(&mut client).await && health(&mut client).await);
        assert!(!sales(&mut client).await, "one was taken before");
        assert!(sales(&mut client).await, "what did not change goes on");
        let wider = Limit { burst: 3, ..kept };
        open.limits.swap(std::slice::from_ref(&wider));
        assert!(!sales(&mut client).await, "what changed begins anew");
        assert!(!health(&mut client).await, "what is gone stops nobody");
        open.limits.swap(&[]);
        for _ in 0..20 {
            assert!(!sales(&mut client).await);
        }
    });
}

#[test]
fn a_crowd_that_runs_through_swaps_sees_nothing_but_answers_and_refusals() {
    run(async {
        let open = Open::start(limited(&[]));
        let crowd = (0..4).map(|_| {
            let address = open.public;
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let mut served = 0;
                for _ in 0..300 {
                    let answer = client.ask(request("GET", "/health", &[], "")).await;
                    assert!(matches!(answer.status, 200 | 429), "{answer:?}");
                    served += u32::from(answer.status == 200);
                }
                served
            })
        });
        let crowd: Vec<_> = crowd.collect();
        for round in 0..50 {
            let next = limit("crowd", "/health", "all", 1 + round % 3, &[]);
            open.limits.swap(&[next]);
            tokio::task::yield_now().await;
        }
        for one in crowd {
            assert!(one.await.unwrap() <= 300);
        }
        // Three at most from the last of the limits.
        open.limits.swap(&[limit("last", "/health", "all", 3, &[])]);
        let mut client = Client::connect(open.public).await;
        let mut served = 0;
        for _ in 0..10 {
            let answer = client.ask(request("GET", "/health", &[], "")).await;
            served += u32::from(answer.status == 200);
        }
        assert_eq!(served, 3);
    });
}

#[test]
fn by_default_a_source_of_forged_callbacks_is_stopped_and_the_provider_is_not() {
    run(async {
        let open = Open::start(behind_a_proxy(settings()));
        let mut client = Client::connect(open.public).await;
        let forged = [("x-forwarded-for", "10.6.6.6")];
        let mut refused = 0;
        for _ in 0..2_000 {
            let answer = client.ask(request("POST", STRIPE, &forged, "")).await;
            assert!(matches!(answer.status, 401 | 429));
            refused += usize::from(is_refused(&answer));
        }
        assert!(refused > 0, "two thousand in a moment are too many");
        for _ in 0..2_000 {
            let answer = knock(&mut client, &[("x-forwarded-for", "10.1.1.1")]).await;
            assert_eq!(answer.status, 200);
        }
    });
}

#[test]
fn operators_see_the_limits_and_what_they_refused_and_are_not_limited() {
    run(async {
        let open = Open::start(limited(&[limit("everything", "*", "all", 2, &[])]));
        let mut client = Client::connect(open.public).await;
        for path in ["/health", "/nowhere", "/v1/sales"] {
            drop(client.ask(request("GET", path, &[], "")).await);
        }
        for _ in 0..5 {
            let shown = page(open.admin, "/limits").await;
            assert_eq!(shown.status, 200);
            let shown = &shown.json()[0];
            assert_eq!(
                (&shown["name"], &shown["key"]),
                (&json!("everything"), &json!("all"))
            );
            assert_eq!((&shown["keys"], &shown["refused"]), (&json!(1), &json!(1)));
        }
        let metrics = page(open.admin, "/metrics").await.text();
        let line = "http_requests_limited_total{service=\"tidegate\",limit=\"everything\"} 1";
        assert!(metrics.contains(line), "{metrics}");
    });
}
