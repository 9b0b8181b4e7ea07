//! The report from made-up figures: it stands alone and says what happened.

use super::page;
use crate::machine::Machine;
use crate::stampede::fault::Fault;
use crate::stampede::outcome::{Outage, Outcome, StormSummary, Summary};
use crate::stampede::settings::Settings;
use crate::stampede::tally::{Latency, Sample, Stock};
use std::time::Duration;

fn outcome(verdict: &'static str, findings: &[&str]) -> Outcome {
    let settings = Settings {
        kills: 1,
        ..Settings::default()
    };
    let sample = |nth: u64| Sample {
        at: Duration::from_millis(250 * nth),
        lasted: Duration::from_millis(250),
        requests: if nth == 5 { 0 } else { 4_000 + nth * 90 },
        accepted: 90 / (nth + 1),
        refused: 700,
        latency: Latency {
            p50_us: 900,
            p99_us: 7_000 + nth * 400,
            max_us: 21_000,
        },
        stock: (nth != 5).then(|| Stock {
            available: 1_000 - nth * 40,
            held: 100,
            sold: nth * 40,
        }),
    };
    Outcome {
        summary: Summary {
            buyers: 20_000,
            stock: 1_000,
            requests: 71_234,
            accepted: 1_210,
            sold: 1_000,
            refused_sold_out: 52_000,
            refused_limit: 310,
            repeated_answers: 4_100,
            expired: 140,
            refunded: 61,
            oversold: 0,
            lost: 0,
            doubled: 0,
            requests_per_second: 14_000.0,
            p50_ms: 0.9,
            p99_ms: 9.5,
            kills: 1,
            recovery_ms_max: 130.0,
            storm: StormSummary::default(),
            teams_complete: 0,
            teams_refunded: 0,
            money_in_minor: 1_210_000,
            money_out_minor: 61_000,
            money_open_minor: 0,
            unsettled: 0,
            verdict,
        },
        settings,
        findings: findings.iter().map(ToString::to_string).collect(),
        outages: vec![Outage {
            fault: Fault::Kill,
            from: Duration::from_millis(1_250),
            lasted: Duration::from_millis(130),
            healed: Duration::from_millis(130),
        }],
        elapsed: Duration::from_secs(5),
        lost_connections: 256,
        turned_away: 12,
        batches: 9_000,
        receipts: 8_500,
        states: vec![("paid", 950), ("expired", 140)],
        samples: (0..20).map(sample).collect(),
    }
}

fn machine() -> Machine {
    Machine {
        processor: "A <fast> one".into(),
        cores: 2,
        memory_mib: 16_000,
        kernel: "6.1".into(),
        commit: "abc".into(),
    }
}

#[test]
fn the_page_stands_alone_and_says_what_happened() {
    let page = page(&outcome("ok", &[]), &machine());
    for part in [
        "Every book agrees.",
        "20,000 buyers",
        "seed",
        "A &lt;fast&gt; one",
        "at 1.25 s",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<svg").count(), 4);
    for part in ["<script", "http://", "https://", "NaN", "<link"] {
        assert!(!page.contains(part), "{part}");
    }
}

#[test]
fn findings_are_on_the_page_and_escaped() {
    let page = page(&outcome("failed", &["<b> is lost"]), &machine());
    assert!(page.contains("The books do not agree."));
    assert!(page.contains("&lt;b&gt; is lost"));
}

#[test]
fn the_keys_of_the_figures_are_a_contract() {
    let json = serde_json::to_value(&outcome("ok", &[]).summary);
    let keys: Vec<String> = json
        .ok()
        .and_then(|json| Some(json.as_object()?.keys().cloned().collect()))
        .unwrap_or_default();
    let mut expected = vec![
        "buyers",
        "stock",
        "requests",
        "accepted",
        "sold",
        "refused_sold_out",
        "refused_limit",
        "repeated_answers",
        "expired",
        "refunded",
        "oversold",
        "lost",
        "doubled",
        "requests_per_second",
        "p50_ms",
        "p99_ms",
        "kills",
        "recovery_ms_max",
        "storm",
        "teams_complete",
        "teams_refunded",
        "money_in_minor",
        "money_out_minor",
        "money_open_minor",
        "unsettled",
        "verdict",
    ];
    expected.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, expected);
}
