//! Bad connections: slow, half closed, too many, too talkative, and the good ones among them.

use crate::client::{Client, bearer, merchant, page, request};
use crate::shop::MERCHANT;
use crate::world_of_tests::{Open, run, settings};
use std::time::Duration;
use tidegate_edge::Settings;
use tokio::io::AsyncWriteExt;

#[test]
fn a_thousand_headers_are_too_many() {
    run(async {
        let open = Open::start(settings());
        let headers: String = (0..1_000)
            .map(|place| format!("x-{place}: y\r\n"))
            .collect();
        let mut client = Client::connect(open.public).await;
        let answer = client
            .ask(format!(
                "GET /health HTTP/1.1\r\nhost: door\r\n{headers}\r\n"
            ))
            .await;
        assert_eq!(answer.problem(), (431, "TG-1006".to_owned()));
        assert!(client.answer().await.is_none());
        let long = format!(
            "GET /health HTTP/1.1\r\nhost: door\r\nx: {}\r\n\r\n",
            "y".repeat(40_000)
        );
        let answer = Client::connect(open.public).await.ask(long).await;
        assert_eq!(answer.problem(), (431, "TG-1006".to_owned()));
    });
}

#[test]
fn what_is_no_http_is_told_so() {
    run(async {
        let open = Open::start(settings());
        for text in [
            "nonsense\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "GET /health HTTP/1.1\r\nbad header\r\n\r\n",
        ] {
            let answer = Client::connect(open.public).await.ask(text).await;
            assert_eq!(answer.problem(), (400, "TG-1001".to_owned()), "{text}");
        }
    });
}

#[test]
fn a_head_that_drips_is_cut_off() {
    run(async {
        let open = Open::start(Settings {
            header_ms: 50,
            ..settings()
        });
        let mut client = Client::connect(open.public).await;
        client.send("GET /health HTTP/1.1\r\nhost: ").await;
        let answer = client.answer().await.unwrap();
        assert_eq!(answer.problem(), (408, "TG-1007".to_owned()));
        assert!(client.answer().await.is_none());
    });
}

#[test]
fn a_body_that_does_not_come_is_cut_off() {
    run(async {
        let open = Open::start(Settings {
            body_ms: 50,
            ..settings()
        });
        let (name, token) = bearer(MERCHANT);
        let mut client = Client::connect(open.public).await;
        let head = format!(
            "POST /v1/orders HTTP/1.1\r\nhost: door\r\n{name}: {token}\r\ncontent-length: 10\r\n\r\n{{"
        );
        let answer = client.ask(head).await;
        assert_eq!(answer.problem(), (408, "TG-1007".to_owned()));
        assert!(client.answer().await.is_none());
    });
}

/// Asks for the same large document many times, and reads nothing of it.
async fn ask_and_read_nothing(open: &Open) -> Client {
    let mut client = Client::connect(open.public).await;
    let health = "GET /health HTTP/1.1\r\nhost: door\r\n\r\n";
    assert_eq!(client.ask(health).await.status, 200);
    let document = "GET /openapi.json HTTP/1.1\r\nhost: door\r\n\r\n";
    client.send(document.repeat(64)).await;
    client
}

// Others: a server whose timeouts end with the head of the answer is held for ever by readers that stop ("slow read").
#[test]
fn readers_that_stop_reading_give_their_connections_back() {
    for idle_ms in [60_000, 50] {
        run(async {
            let open = Open::start(Settings {
                connections_max: 3,
                write_ms: 1_000,
                idle_ms,
                ..settings()
            });
            let mut holding = Vec::new();
            for _ in 0..3 {
                holding.push(ask_and_read_nothing(&open).await);
            }
            let health = "GET /health HTTP/1.1\r\nhost: door\r\n\r\n";
            let connections = || open.telemetry.meters().door.connections.get();
            assert_eq!(connections(), 3, "all of them are taken");
            let all_back = async {
                while connections() > 0 {
                    tokio::task::yield_now().await;
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(20), all_back).await;
            assert!(waited.is_ok(), "idle for {idle_ms} ms");
            let next = Client::connect(open.public).await.ask(health).await;
            assert_eq!(next.status, 200);
            drop(holding);
        });
    }
}

#[test]
fn a_reader_that_takes_all_of_a_long_answer_hears_its_end() {
    run(async {
        let open = Open::start(Settings {
            write_ms: 5_000,
            ..settings()
        });
        let mut client = ask_and_read_nothing(&open).await;
        for _ in 0..64 {
            assert_eq!(client.answer().await.map(|answer| answer.status), Some(200));
        }
    });
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    run(async {
        let open = Open::start(Settings {
            header_ms: 40,
            idle_ms: 200,
            ..settings()
        });
        let mut client = Client::connect(open.public).await;
        assert!(client.answer().await.is_none());
    });
}

#[test]
fn a_half_closed_client_still_hears_its_answer() {
    run(async {
        let open = Open::start(settings());
        let mut client = Client::connect(open.public).await;
        client
            .send("GET /health HTTP/1.1\r\nhost: door\r\n\r\n")
            .await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.answer().await.unwrap().status, 200);
        assert!(client.answer().await.is_none());
    });
}

#[test]
fn a_client_that_leaves_in_the_middle_harms_nobody() {
    run(async {
        let open = Open::start(settings());
        let (name, token) = bearer(MERCHANT);
        let mut client = Client::connect(open.public).await;
        client
            .send(format!(
                "POST /v1/orders HTTP/1.1\r\n{name}: {token}\r\ncontent-length: 99\r\n\r\n{{"
            ))
            .await;
        drop(client);
        assert_eq!(page(open.public, "/health").await.status, 200);
    });
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    run(async {
        let open = Open::start(settings());
        let (name, token) = bearer(MERCHANT);
        let mut all = String::new();
        for place in 0..50 {
            let body = format!(
                r#"{{"sale_id":"sale_00001","lines":[{{"sku":"CUP","quantity":{}}}]}}"#,
                1 + place % 3
            );
            let key = format!("p{place}");
            let headers = [
                (name, token.as_str()),
                ("idempotency-key", key.as_str()),
                ("x-request-id", key.as_str()),
            ];
            all.push_str(&request("POST", "/v1/orders", &headers, &body));
        }
        let mut client = Client::connect(open.public).await;
        client.send(all).await;
        for place in 0..50 {
            let answer = client.answer().await.unwrap();
            assert_eq!(answer.status, 201);
            assert_eq!(
                answer.header("x-request-id"),
                Some(format!("p{place}").as_str())
            );
            assert_eq!(answer.json()["lines"][0]["quantity"], 1 + place % 3);
        }
    });
}

#[test]
fn a_thousand_idle_connections_leave_room_for_the_next() {
    run(async {
        let open = Open::start(settings());
        let mut idle = Vec::new();
        for _ in 0..1_000 {
            idle.push(Client::connect(open.public).await);
        }
        assert_eq!(page(open.public, "/health").await.status, 200);
        for client in idle.iter_mut().step_by(100) {
            assert_eq!(
                client
                    .ask("GET /health HTTP/1.1\r\nhost: door\r\n\r\n")
                    .await
                    .status,
                200
            );
        }
    });
}

#[test]
fn one_connection_too_many_is_told_to_come_back() {
    run(async {
        let open = Open::start(Settings {
            connections_max: 1,
            ..settings()
        });
        let mut first = Client::connect(open.public).await;
        assert_eq!(
            first
                .ask("GET /health HTTP/1.1\r\nhost: door\r\n\r\n")
                .await
                .status,
            200
        );
        let mut second = Client::connect(open.public).await;
        let answer = second.answer().await.unwrap();
        assert_eq!(answer.problem(), (429, "TG-3005".to_owned()));
        assert_eq!(answer.header("retry-after"), Some("1"));
    });
}

#[test]
fn a_panic_is_one_requests_failure() {
    run(async {
        let open = Open::start(settings());
        let body = r#"{"sale_id":"sale_00001","lines":[{"sku":"PANIC","quantity":1}]}"#;
        let answer = merchant(open.public, "POST", "/v1/orders", body).await;
        assert_eq!(answer.problem(), (500, "TG-5001".to_owned()));
        let metrics = page(open.admin, "/metrics").await.text();
        assert!(metrics.contains("http_panics_total{service=\"tidegate\"} 1"));
        assert_eq!(page(open.public, "/health").await.status, 200);
    });
}

#[test]
fn an_answer_that_never_comes_is_an_unknown_outcome() {
    run(async {
        let open = Open::start(Settings {
            request_ms: 50,
            ..settings()
        });
        let body = r#"{"sale_id":"sale_00001","lines":[{"sku":"SLOW","quantity":1}]}"#;
        let answer = merchant(open.public, "POST", "/v1/orders", body).await;
        assert_eq!(answer.problem(), (503, "TG-3002".to_owned()));
        assert_eq!(answer.json()["retryable"], true);
    });
}

#[test]
fn stopping_lets_the_idle_go_and_ends() {
    run(async {
        let open = Open::start(settings());
        let mut client = Client::connect(open.public).await;
        assert_eq!(
            client
                .ask("GET /health HTTP/1.1\r\nhost: door\r\n\r\n")
                .await
                .status,
            200
        );
        open.stop.send(()).unwrap();
        assert!(client.answer().await.is_none());
        open.running.await.unwrap();
    });
}

#[test]
fn stopping_ends_the_streams_of_those_who_watch() {
    run(async {
        let open = Open::start(settings());
        let token = open.token("new", "ann");
        let mut client = Client::connect(open.public).await;
        let path = format!("/v1/sales/sale_00001/live?access_token={token}");
        open.shop
            .endless
            .store(true, std::sync::atomic::Ordering::SeqCst);
        client
            .send(format!("GET {path} HTTP/1.1\r\nhost: door\r\n\r\n"))
            .await;
        assert_eq!(client.answer().await.map(|head| head.status), Some(200));
        open.stop.send(()).unwrap();
        open.running.await.unwrap();
        assert!(client.rest().await.contains("event: tick"));
    });
}
