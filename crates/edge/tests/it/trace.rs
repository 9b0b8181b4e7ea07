//! Every answer leads to its log lines and to the trace of the caller.

use crate::client::{Client, merchant, page};
use crate::world_of_tests::{Open, run, settings};

#[test]
fn the_request_id_and_trace_of_the_caller_come_back() {
    run(async {
        let open = Open::start(settings());
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let head = format!(
            "GET /nowhere HTTP/1.1\r\nhost: d\r\nx-request-id: shop-17\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n\r\n"
        );
        let answer = Client::connect(open.public).await.ask(head).await;
        assert_eq!(answer.problem(), (404, "TG-1010".to_owned()));
        assert_eq!(answer.header("x-request-id"), Some("shop-17"));
        let told = answer.header("traceparent").unwrap();
        assert!(
            told.contains(trace) && told.ends_with("-01") && !told.contains("00f067aa0ba902b7")
        );
    });
}

#[test]
fn requests_without_an_id_get_one_each() {
    run(async {
        let open = Open::start(settings());
        let mut client = Client::connect(open.public).await;
        let mut ids = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let answer = client.ask("GET /health HTTP/1.1\r\nhost: d\r\n\r\n").await;
            let id = answer.header("x-request-id").unwrap().to_owned();
            assert!(id.len() == 11 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert!(ids.insert(id));
        }
    });
}

#[test]
fn requests_are_counted_by_template_and_problems_by_code() {
    run(async {
        let open = Open::start(settings());
        assert_eq!(
            merchant(open.public, "GET", "/v1/sales/sale_00001", "")
                .await
                .status,
            200
        );
        assert_eq!(
            merchant(open.public, "GET", "/v1/sales/sale_00002", "")
                .await
                .status,
            404
        );
        assert_eq!(
            merchant(open.public, "PUT", "/v1/sales/sale_00002", "")
                .await
                .problem(),
            (405, "TG-1011".to_owned())
        );
        let metrics = page(open.admin, "/metrics").await.text();
        for line in [
            "method=\"GET\",route=\"/v1/sales/{id}\",status_code=\"200\"} 1",
            "method=\"GET\",route=\"/v1/sales/{id}\",status_code=\"404\"} 1",
            "tidegate_problems_total{service=\"tidegate\",code=\"TG-2001\"} 1",
            "tidegate_invariant_violations_total{service=\"tidegate\",invariant=\"INV-1\"} 0",
            "process_resident_memory_bytes",
            "http_requests_in_flight{service=\"tidegate\"} 1",
        ] {
            assert!(metrics.contains(line), "{line} in {metrics}");
        }
        assert!(
            !metrics.contains("sale_00002\",status"),
            "a path must never become a label"
        );
        assert_eq!(open.telemetry.meters().door.in_flight.get(), 0);
    });
}
