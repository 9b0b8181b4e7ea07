//! The door against bytes that went wrong. Whatever comes in, what goes out is a whole answer with a
//! documented code, never an internal error; and nobody is taken for somebody else.

mod bodies;
mod callers;
mod requests;
mod texts;

use crate::client::Answer;
use std::collections::BTreeSet;
use std::path::Path;
use world::mangle::Corpus;

fn corpus(format: &str) -> Corpus {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    Corpus::read(dir.join(format)).unwrap()
}

/// The codes that have a page.
fn documented() -> BTreeSet<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let names = std::fs::read_dir(dir).unwrap();
    let names = names.map(|page| page.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| Some(name.strip_suffix(".md")?.to_owned()))
        .collect()
}

/// What every answer must be.
fn assert_told(answer: &Answer, codes: &BTreeSet<String>) {
    match answer.status {
        200..300 => assert!(answer.header("x-request-id").is_some(), "{answer:?}"),
        _ => {
            let (status, code) = answer.problem();
            assert!(status != 500 && code != "TG-5001", "{answer:?}");
            assert!(codes.contains(&code), "{code} has no page");
        }
    }
}
