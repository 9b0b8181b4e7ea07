//! Limits of requests in the file of a real server, and what happens to them while it runs.

use crate::process::{Server, ask};
use serde_json::json;
use std::path::Path;

/// One a day, so that nothing comes back within the test.
fn write(dir: &Path, burst: u32) {
    let file = format!(
        "[edge]\ntrusted_proxies = ['127.0.0.0/8']\n\n[[edge.limits]]\nname = 'health'\nroutes = ['GET /health']\n\
         key = 'address'\nrate = 1\nper_s = 86400\nburst = {burst}\n"
    );
    std::fs::write(dir.join("t.toml"), file).unwrap();
}

fn health(server: &Server, client: &str) -> u16 {
    let from = format!("X-Forwarded-For: {client}");
    ask(&server.public, "GET /health", &[&from], "").0
}

#[test]
fn a_limit_in_the_file_counts_from_sighup_on() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1);
    let mut server = Server::start(dir.path(), &["--config", "t.toml", "--data", "data"]);
    assert_eq!(
        (health(&server, "10.0.0.1"), health(&server, "10.0.0.1")),
        (200, 429)
    );
    assert_eq!(health(&server, "10.0.0.2"), 200);

    write(dir.path(), 3);
    server.signal("HUP");
    let told = server.told("setting changed");
    assert_eq!(told["option"], "edge.limits");
    let statuses: Vec<u16> = (0..4).map(|_| health(&server, "10.0.0.1")).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);

    write(dir.path(), 0);
    server.signal("HUP");
    let refused = server.told("the new configuration is not valid; the old one stays");
    let reason = refused["reason"].as_str().unwrap();
    assert!(
        reason.contains("edge.limits[0].burst: must be from 1"),
        "{reason}"
    );
    assert_eq!(
        health(&server, "10.0.0.1"),
        429,
        "what counted before still counts"
    );
    let (status, shown) = ask(&server.admin, "GET /limits", &[], "");
    assert_eq!(status, 200);
    assert_eq!(
        (&shown[0]["name"], &shown[0]["burst"]),
        (&json!("health"), &json!(3))
    );
}
