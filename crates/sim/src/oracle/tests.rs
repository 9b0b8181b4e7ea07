//! A sound life gives no finding, and every kind of lie is found.

#![allow(clippy::unwrap_used)]

mod answers;
mod books;
mod clients;
mod company;
mod discounts;
mod life;
mod offers;
mod outside;
mod rare;

use super::judge;
use crate::record::Evidence;
use life::Life;

/// Whether a promise is found broken, with these words.
fn finds(evidence: &Evidence, promise: &str, words: &str) -> bool {
    let findings = judge(evidence);
    let found = findings
        .iter()
        .any(|finding| finding.promise == promise && finding.what.contains(words));
    assert!(found, "{promise} {words:?} is not among {findings:#?}");
    found
}

#[test]
fn a_sound_life_gives_no_finding() {
    let evidence = Life::busy().evidence();
    assert_eq!(judge(&evidence), []);
    assert!(evidence.calls.len() > 20 && evidence.charges.len() > 3 && evidence.refunds.len() > 2);
}

#[test]
fn a_life_in_which_nothing_happened_gives_no_finding() {
    assert_eq!(judge(&Evidence::default()), []);
}
