//! Configuration files that went wrong: refused with a reason, or read as what they say.
#![allow(clippy::unwrap_used)]

use super::show::HIDDEN;
use super::{Layers, Loaded, Settings, as_toml, load};
use crate::failure::Failure;
use std::path::Path;
use world::mangle::Corpus;

const WORDS: &[&str] = &[
    "[edge]\n",
    "[shop.cashier]\n",
    "= ",
    "'",
    "\"\"\"",
    "\n",
    "true",
    "nan",
    "inf",
    "1979-05-27",
    "[[edge.token_secrets]]\n",
    "secret_file = 'missing'\n",
    "edge.listen = ",
    "{}",
    "[]",
    "\\u0000",
];

fn read(dir: &Path, bytes: &[u8]) -> Result<Loaded, Failure> {
    let path = dir.join("t.toml");
    std::fs::write(&path, bytes).unwrap();
    load(&Layers {
        file: Some(path),
        ..Layers::default()
    })
}

#[test]
fn configuration() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/configuration");
    let corpus = Corpus::read(corpus).unwrap().with_words(WORDS);
    let dir = tempfile::tempdir().unwrap();
    for trial in corpus.trials(600) {
        match read(dir.path(), &trial) {
            Ok(loaded) => {
                let shown = as_toml(&loaded).unwrap();
                if !shown.contains(HIDDEN) {
                    let again = read(dir.path(), shown.as_bytes()).unwrap();
                    assert_eq!(again.settings, loaded.settings);
                }
                assert!(trial.file() != "wrong.toml" || !trial.is_whole());
            }
            Err(failure) => {
                let text = format!("{failure:?}");
                assert!(text.contains("BadConfiguration") || text.contains("MissingFile"));
                assert!(trial.file() == "wrong.toml" || !trial.is_whole(), "{text}");
            }
        }
    }
}

#[test]
fn a_heading_without_options_sets_nothing() {
    // Found by the corpus: a group whose options were all commented out was refused as a value.
    let dir = tempfile::tempdir().unwrap();
    let loaded = read(dir.path(), b"[edge]\n# body_ms = 5000\n[shop.cashier]\n").unwrap();
    assert_eq!(loaded.settings, Settings::default());
    assert!(read(dir.path(), b"[edges]\n").is_err(), "no such group");
    assert!(read(dir.path(), b"[edge.listen]\n").is_err(), "no group");
}

#[test]
fn a_number_that_is_none_does_not_unset_an_option() {
    // Found by reading what `nan` became: nothing, which optional values took for not set.
    let dir = tempfile::tempdir().unwrap();
    for text in ["nan", "inf", "-inf"] {
        let file = format!("edge.callback_secret = {text}\n");
        assert!(read(dir.path(), file.as_bytes()).is_err(), "{text}");
    }
}
