//! The report of a stampede: one page, no script, nothing loaded from anywhere.

use super::outcome::{Outcome, grouped};
use super::tally::Sample;
use crate::machine::Machine;
use crate::plot::{Plot, Scale, Series};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The page.
pub(super) fn page(outcome: &Outcome, machine: &Machine) -> String {
    let sum = &outcome.summary;
    let title = format!("Tidegate drill, seed {}", outcome.settings.seed);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (headline(outcome))
                    section.tiles {
                        (tile("oversold", sum.oversold))
                        (tile("lost", sum.lost))
                        (tile("doubled", sum.doubled))
                        (tile("killed", sum.kills))
                    }
                    @for plot in plots(outcome) { (plot.draw()) }
                    (tables(outcome, machine))
                    (findings(outcome))
                    footer { "Shaded: the server was dead or in trouble. Times are those of the wire, waiting for a free connection not counted." }
                }
            }
        }
    };
    markup.into_string()
}

fn headline(outcome: &Outcome) -> Markup {
    let sum = &outcome.summary;
    html! {
        header {
            p.brand { "Tidegate drill" }
            h1.{ "verdict " (sum.verdict) } {
                @if outcome.is_ok() { "Every book agrees." } @else { "The books do not agree." }
            }
            p {
                (grouped(sum.buyers)) " buyers came for " (grouped(sum.stock)) " units. "
                (grouped(sum.requests)) " requests were answered in "
                (format!("{:.1}", outcome.elapsed.as_secs_f64())) "\u{a0}s; "
                (grouped(sum.sold)) " units were sold"
                @if sum.kills > 0 {
                    "; the server was killed " (sum.kills) " times and was back within "
                    (format!("{:.0}", sum.recovery_ms_max)) "\u{a0}ms"
                }
                "."
            }
        }
    }
}

fn tile(name: &str, value: u64) -> Markup {
    let class = match (name, value) {
        ("killed", _) => "plain",
        (_, 0) => "good",
        _ => "bad",
    };
    html! { div.{ "tile " (class) } { strong { (grouped(value)) } span { (name) } } }
}

fn plots(outcome: &Outcome) -> Vec<Plot> {
    let gaps: Vec<(f64, f64)> = outcome
        .outages
        .iter()
        .map(|gap| (gap.from.as_secs_f64(), gap.lasted.as_secs_f64()))
        .collect();
    let samples = &outcome.samples;
    let plot = |title, unit, scale, series| Plot {
        title,
        unit,
        series,
        gaps: gaps.clone(),
        scale,
    };
    let rate = |name, colour, filled, of: fn(&Sample) -> u64| {
        let per_second =
            move |sample: &Sample| Some(number(of(sample)) / sample.lasted.as_secs_f64().max(0.01));
        line(samples, name, colour, filled, per_second)
    };
    let time = |name, colour, of: fn(&Sample) -> u64| {
        let ms = move |sample: &Sample| (sample.requests > 0).then(|| number(of(sample)) / 1000.0);
        line(samples, name, colour, false, ms)
    };
    let units = |name, colour, filled, of: fn(&super::tally::Stock) -> u64| {
        let count = move |sample: &Sample| sample.stock.as_ref().map(|stock| number(of(stock)));
        line(samples, name, colour, filled, count)
    };
    vec![
        plot(
            "Orders accepted",
            "a second",
            Scale::Linear,
            vec![rate("accepted", 1, true, |sample| sample.accepted)],
        ),
        plot(
            "Requests",
            "a second",
            Scale::Linear,
            vec![
                rate("answered", 3, true, |sample| sample.requests),
                rate("orders refused", 2, false, |sample| sample.refused),
            ],
        ),
        plot(
            "Latency",
            "ms",
            Scale::Logarithmic,
            vec![
                time("half", 1, |sample| sample.latency.p50_us),
                time("99 of 100", 2, |sample| sample.latency.p99_us),
                time("slowest", 4, |sample| sample.latency.max_us),
            ],
        ),
        plot(
            "Stock",
            "units",
            Scale::Linear,
            vec![
                units("sold", 1, true, |stock| stock.sold),
                units("held", 2, false, |stock| stock.held),
                units("available", 3, false, |stock| stock.available),
            ],
        ),
    ]
}

fn line(
    samples: &[Sample],
    name: &'static str,
    colour: u8,
    filled: bool,
    value: impl Fn(&Sample) -> Option<f64>,
) -> Series {
    let points = samples
        .iter()
        .map(|sample| (sample.at.as_secs_f64(), value(sample)));
    Series {
        name,
        colour,
        filled,
        points: points.collect(),
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a plot has no use for the last bit"
)]
const fn number(count: u64) -> f64 {
    count as f64
}

fn tables(outcome: &Outcome, machine: &Machine) -> Markup {
    let settings = &outcome.settings;
    html! {
        section.tables {
            table {
                caption { "Figures" }
                @for (name, value) in outcome.rows() { (row(name, &value)) }
            }
            div {
                table {
                    caption { "Orders in the end" }
                    @for (state, count) in &outcome.states { (row(state, &grouped(*count))) }
                }
                table {
                    caption { "Recoveries" }
                    @for gap in &outcome.outages {
                        (row(&format!("at {:.2} s", gap.from.as_secs_f64()), &format!("{} ms", gap.lasted.as_millis())))
                    }
                    @if outcome.outages.is_empty() { (row("nobody was killed", "")) }
                }
                table {
                    caption { "Run on" }
                    (row("processor", &machine.processor))
                    (row("cores", &machine.cores.to_string()))
                    (row("memory, MiB", &grouped(machine.memory_mib)))
                    (row("kernel", &machine.kernel))
                    (row("program", &machine.commit))
                    (row("connections", &grouped(settings.connections.into())))
                    (row("seed", &settings.seed.to_string()))
                }
            }
        }
    }
}

fn row(name: &str, value: &str) -> Markup {
    html! { tr { th scope="row" { (name) } td { (value) } } }
}

fn findings(outcome: &Outcome) -> Markup {
    html! {
        @if !outcome.findings.is_empty() {
            section.findings {
                h2 { "What does not add up" }
                ul { @for finding in &outcome.findings { li { (finding) } } }
            }
        }
    }
}

const STYLE: &str = r"
:root{--paper:#fbfaf7;--ink:#1d2430;--soft:#667080;--rule:#e3e0d8;--card:#ffffff;--good:#1b7f5c;--bad:#c2352b;
--c1:#0f6fae;--c2:#d9822b;--c3:#2a9d78;--c4:#9a7fb8;--gap:#c2352b22}
@media(prefers-color-scheme:dark){:root{--paper:#12161d;--ink:#e6e9ee;--soft:#97a1b0;--rule:#2a313c;--card:#191f28;
--good:#4cc79b;--bad:#ff7a6e;--c1:#58b2ee;--c2:#f2a65a;--c3:#54d3a6;--c4:#bda4da;--gap:#ff7a6e2e}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:880px;margin:0 auto;padding:40px 20px 60px}
.brand{margin:0;color:var(--soft);letter-spacing:.08em;text-transform:uppercase;font-size:12px}
h1{margin:4px 0 8px;font-size:34px;line-height:1.2;font-weight:650}
h1.ok{color:var(--good)}h1.failed{color:var(--bad)}
header p{margin:0;max-width:62ch}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:28px 0}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:14px 18px}
.tile strong{display:block;font-size:30px;line-height:1.15}.tile span{color:var(--soft);font-size:14px}
.tile.good strong{color:var(--good)}.tile.bad strong{color:var(--bad)}
figure{margin:0 0 16px;background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:14px 16px 8px}
figcaption{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 14px;margin-bottom:6px}
.unit,.key{color:var(--soft);font-size:14px}.unit{margin-right:auto}
.dot{display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:6px}
.dot.c1{background:var(--c1)}.dot.c2{background:var(--c2)}.dot.c3{background:var(--c3)}.dot.c4{background:var(--c4)}
svg{display:block;width:100%;height:auto}
.grid{stroke:var(--rule);stroke-width:1}
text{fill:var(--soft);font-size:11px}.left{text-anchor:end}.below{text-anchor:middle}
.gap{fill:var(--gap)}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.area{stroke:none;opacity:.14}
.line.c1{stroke:var(--c1)}.line.c2{stroke:var(--c2)}.line.c3{stroke:var(--c3)}.line.c4{stroke:var(--c4)}
.area.c1{fill:var(--c1)}.area.c2{fill:var(--c2)}.area.c3{fill:var(--c3)}.area.c4{fill:var(--c4)}
.tables{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:16px;margin-top:24px;align-items:start}
table{width:100%;border-collapse:collapse;margin-bottom:16px;font-size:14px}
caption{text-align:left;font-weight:650;padding:0 0 6px;font-size:16px}
th{text-align:left;font-weight:400;color:var(--soft)}td{text-align:right;overflow-wrap:anywhere}
th,td{padding:5px 0;border-bottom:1px solid var(--rule);vertical-align:top}
.findings li{color:var(--bad);overflow-wrap:anywhere}
footer{margin-top:28px;color:var(--soft);font-size:13px}
";

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
