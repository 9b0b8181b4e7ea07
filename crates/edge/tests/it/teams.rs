//! Offers, teams and places in the line, at the door.

use crate::client::{Client, bearer, merchant, request};
use crate::shop::READER;
use crate::world_of_tests::{Open, run, settings};

const TEAM: &str = "team_0001zj4XwJw";

/// The identifier of a ticket of the only sale, as the shop of these tests gives it away.
async fn ticket(open: &Open) -> String {
    let body = r#"{"sku":"CUP","buyer":"ann"}"#;
    let joined = merchant(open.public, "POST", "/v1/sales/sale_00001/line", body).await;
    assert_eq!(joined.status, 201, "{joined:?}");
    joined.json()["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_offer_is_put_as_a_whole_and_every_bad_field_has_its_path() {
    run(async {
        let open = Open::start(settings());
        let path = "/v1/sales/sale_00001/offer";
        let good = r#"{"offer":{"groups":[{"sku":"CUP","size":3,"lifetime_ms":60000}]}}"#;
        let put = merchant(open.public, "PUT", path, good).await;
        assert_eq!(put.status, 200, "{put:?}");
        assert_eq!(put.json()["offer"]["groups"][0]["size"], 3);
        let bad = r#"{"offer":{"groups":[{"sku":"CUP","size":1,"lifetime_ms":1}]}}"#;
        let refused = merchant(open.public, "PUT", path, bad).await;
        assert_eq!(refused.problem(), (400, "TG-1002".to_owned()));
        let json = refused.json();
        let fields: Vec<&str> = json["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        assert_eq!(
            fields,
            ["offer.groups[0].size", "offer.groups[0].lifetime_ms"]
        );
    });
}

#[test]
fn teams_are_listed_shown_and_missed() {
    run(async {
        let open = Open::start(settings());
        let path = "/v1/sales/sale_00001/teams?state=failed&joinable=false&limit=1";
        let list = merchant(open.public, "GET", path, "").await;
        assert_eq!(list.status, 200, "{list:?}");
        assert_eq!(list.json()["teams"][0]["state"], "failed");
        let id = list.json()["teams"][0]["id"].as_str().unwrap().to_owned();
        let one = merchant(open.public, "GET", &format!("/v1/teams/{id}"), "").await;
        assert_eq!(
            (one.status, one.json()["seats"]["total"].as_u64()),
            (200, Some(3))
        );
        for missing in [TEAM, "team_1", "ord_00000000001"] {
            let path = format!("/v1/teams/{missing}");
            let shown = merchant(open.public, "GET", &path, "").await;
            assert_eq!(shown.problem(), (404, "TG-2005".to_owned()), "{missing}");
        }
        let wrong = merchant(
            open.public,
            "GET",
            "/v1/sales/sale_00001/teams?state=ripe",
            "",
        )
        .await;
        assert_eq!(wrong.problem().0, 400);
    });
}

#[test]
fn an_order_asks_for_a_seat_of_its_own_sale_only() {
    run(async {
        let open = Open::start(settings());
        for (team, field) in [
            (r#"{"open":false}"#, "team.open"),
            (r#"{"join":"team_00000000001"}"#, "team.join"),
        ] {
            let body = format!(
                r#"{{"sale_id":"sale_00001","lines":[{{"sku":"CUP","quantity":1}}],"team":{team}}}"#
            );
            let refused = merchant(open.public, "POST", "/v1/orders", &body).await;
            assert_eq!(refused.problem(), (400, "TG-1002".to_owned()));
            assert_eq!(refused.json()["errors"][0]["field"], field);
        }
    });
}

#[test]
fn a_buyer_waits_for_itself_and_leaves_with_a_key() {
    run(async {
        let open = Open::start(settings());
        let id = ticket(&open).await;
        let path = format!("/v1/tickets/{id}");
        let token = open.token("new", "bob");
        let (name, token) = bearer(&token);
        let headers = [(name, token.as_str()), ("idempotency-key", "k")];
        let mut client = Client::connect(open.public).await;
        let body = r#"{"sku":"CUP","buyer":"ann"}"#;
        let other = client
            .ask(&request(
                "POST",
                "/v1/sales/sale_00001/line",
                &headers,
                body,
            ))
            .await;
        assert_eq!(other.problem(), (403, "TG-1102".to_owned()));
        let shown = client.ask(&request("GET", &path, &headers, "")).await;
        assert_eq!(shown.json()["buyer"], "bob");
        let left = client.ask(&request("DELETE", &path, &headers, "")).await;
        assert_eq!(
            (left.status, left.json()["state"].as_str()),
            (200, Some("left"))
        );
        let keyless = client
            .ask(&request("DELETE", &path, &headers[..1], ""))
            .await;
        assert_eq!(keyless.problem(), (400, "TG-1003".to_owned()));
        let nowhere = client
            .ask(&request("GET", "/v1/tickets/tic_1", &headers, ""))
            .await;
        assert_eq!(nowhere.problem(), (404, "TG-2006".to_owned()));
    });
}

#[test]
fn a_reader_changes_no_offer() {
    run(async {
        let open = Open::start(settings());
        let (name, token) = bearer(READER);
        let headers = [(name, token.as_str()), ("idempotency-key", "k")];
        let mut client = Client::connect(open.public).await;
        let path = "/v1/sales/sale_00001/offer";
        let put = client
            .ask(&request("PUT", path, &headers, r#"{"offer":{}}"#))
            .await;
        assert_eq!(put.problem(), (403, "TG-1102".to_owned()));
    });
}
