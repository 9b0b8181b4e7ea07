//! The demo page: one sale, live.

use super::STYLE;
use super::words::{Language, Words};
use api::live::LiveSku;
use api::sale::{Sale, Sku};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

const SCRIPT: &str = include_str!("demo.js");

/// The mark as an icon, so that browsers do not ask for a file.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32' fill='none' \
    stroke='%230f6fae' stroke-width='3' stroke-linecap='round'%3E%3Cpath d='M3 11c4-5 9-5 13 0s9 5 13 0M3 20c4-5 \
    9-5 13 0s9 5 13 0M16 3v26'/%3E%3C/svg%3E";

/// SKUs that the page shows.
const SHOWN_SKUS: usize = 6;

/// What the script is given.
#[derive(Serialize)]
struct Given<'a> {
    sale: String,
    token: &'a str,
    language: &'static str,
    words: &'static Words,
    skus: Vec<LiveSku>,
}

/// The page of a sale, for a buyer with this token. The nonce allows the page's own style and script, and nothing else.
pub(crate) fn page(sale: &Sale, token: &str, language: Language, nonce: &str) -> String {
    let words = language.words();
    let given = Given {
        sale: sale.id.to_string(),
        token,
        language: language.tag(),
        words,
        skus: live(&sale.skus),
    };
    // `<` is the one character that could end the block.
    let given = serde_json::to_string(&given)
        .unwrap_or_default()
        .replace('<', "\\u003c");
    let page = html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (sale.name) " · Tidegate" }
                link rel="icon" href=(ICON);
                style nonce=(nonce) { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (header(language, words))
                    div class="title" {
                        h1 { (sale.name) }
                        span id="state" class={ "pill " (sale.state.name()) } { (sale.state.name()) }
                        span id="broken" class="quiet" hidden { (words.paused_stream) }
                    }
                    (stock_card(sale, words))
                    div class="actions" {
                        button id="crowd" class="main" { (words.crowd) }
                        button id="refill" { (words.refill) }
                    }
                    div class="grid" { (rate_card(words)) (reasons_card(words)) (mine_card(words)) (recent_card(words)) }
                    (footer(sale, words))
                }
                script id="given" type="application/json" nonce=(nonce) { (PreEscaped(given)) }
                script nonce=(nonce) { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn live(skus: &[Sku]) -> Vec<LiveSku> {
    let live = |sku: &Sku| LiveSku {
        sku: sku.sku.clone(),
        available: sku.available_count,
        held: sku.held_count,
        sold: sku.sold_count,
        stocked: sku.stocked_count,
    };
    skus.iter().take(SHOWN_SKUS).map(live).collect()
}

fn header(language: Language, words: &Words) -> Markup {
    let (other, name) = match language {
        Language::English => ("zh", "中文"),
        Language::Chinese => ("en", "English"),
    };
    html! {
        header {
            svg class="mark" viewBox="0 0 32 32" fill="none" stroke="currentColor" stroke-width="2.6" stroke-linecap="round" aria-hidden="true" {
                path d="M3 11c4-5 9-5 13 0s9 5 13 0" {}
                path d="M3 20c4-5 9-5 13 0s9 5 13 0" {}
                path d="M16 3v26" stroke-width="2.2" {}
            }
            span class="name" { "Tidegate" }
            span class="tagline" { (words.tagline) }
            nav { a href={ "/?lang=" (other) } lang=(other) { (name) } }
        }
    }
}

fn stock_card(sale: &Sale, words: &Words) -> Markup {
    html! {
        section class="card stock" {
            @for sku in sale.skus.iter().take(SHOWN_SKUS) {
                div class="sku" data-code=(sku.sku) {
                    div class="row" {
                        span class="what" { (sku.name) }
                        span class="quiet" { (sku.price.to_string()) " " (sale.currency.code()) }
                        span class="left" {
                            b data-part="available" { (sku.available_count) }
                            " " span class="quiet" { (words.units_left) }
                        }
                    }
                    div class="bar" { i class="sold" {} i class="held" {} i class="free" {} }
                    div class="below quiet" {
                        span class="key k-sold" { (words.sold) " " b data-part="sold" { (sku.sold_count) } }
                        span class="key k-held" { (words.held) " " b data-part="held" { (sku.held_count) } }
                        span class="key k-free" { (words.available) " " b data-part="available" { (sku.available_count) } }
                        button data-sku=(sku.sku) { (words.buy) }
                    }
                }
            }
        }
    }
}

fn rate_card(words: &Words) -> Markup {
    html! {
        section class="card wide rate" {
            div class="figures" {
                (figure("rate", words.orders_per_s))
                (figure("accepted", words.accepted))
                (figure("refused", words.refused))
            }
            svg class="spark" viewBox="0 0 119 60" preserveAspectRatio="none" aria-hidden="true" {
                path id="spark-area" class="area" {}
                path id="spark-line" class="line" {}
            }
        }
    }
}

fn figure(id: &str, word: &str) -> Markup {
    html! {
        div class="figure" {
            div class="number" id=(id) { "0" }
            div class="quiet" { (word) }
        }
    }
}

fn reasons_card(words: &Words) -> Markup {
    let reasons = [
        ("sold_out", words.sold_out),
        ("limit", words.limit),
        ("not_open", words.not_open),
        ("not_eligible", words.not_eligible),
        ("other", words.other),
    ];
    html! {
        section class="card side" {
            h2 { (words.why_refused) " · " span id="requests" { "0" } " " (words.requests) }
            div class="reasons" {
                @for (reason, word) in reasons {
                    span { (word) }
                    span class="track" { i id={ "track-" (reason) } {} }
                    span class="count" id={ "count-" (reason) } { "0" }
                }
            }
        }
    }
}

fn mine_card(words: &Words) -> Markup {
    html! {
        section class="card wide" {
            h2 { (words.yours) }
            p id="none" class="quiet" { (words.none_yet) }
            ul id="mine" class="list" aria-live="polite" {}
        }
    }
}

fn recent_card(words: &Words) -> Markup {
    html! {
        section class="card side" {
            h2 { (words.recent) }
            ul id="recent" class="list" {}
        }
    }
}

fn footer(sale: &Sale, words: &Words) -> Markup {
    html! {
        footer {
            span { (words.promise) }
            span { (words.position) " " code id="position" { (sale.position.to_string()) } }
            a href="/openapi.json" { (words.api) }
        }
    }
}
