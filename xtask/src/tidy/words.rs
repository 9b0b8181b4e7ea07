//! Words that have no place in the repository. They are spelt here in two halves, so that this file
//! does not find itself.

use super::Finding;
use super::tree::Tree;

struct Word {
    text: &'static str,
    why: &'static str,
    /// Where it does belong.
    except: &'static [&'static str],
}

const PROMISE: &str = "do it, or leave it out: a promise in a comment is kept by nobody";
const MACHINE: &str = "a path of one machine; use a relative path or a temporary directory";
const REGISTRY: &str = "a registry's host; the registry is whatever the user's cargo is set to";
const TESTS: &str =
    "a test that is ignored, or expected to be flaky, is a failed test; mend or remove it";

const WORDS: &[Word] = &[
    Word {
        text: concat!("TO", "DO"),
        why: PROMISE,
        except: &[],
    },
    Word {
        text: concat!("FIX", "ME"),
        why: PROMISE,
        except: &[],
    },
    Word {
        text: concat!("to", "do!("),
        why: PROMISE,
        except: &[],
    },
    Word {
        text: concat!("unimple", "mented!("),
        why: PROMISE,
        except: &[],
    },
    Word {
        text: concat!("for ", "now,"),
        why: PROMISE,
        except: &[],
    },
    Word {
        text: concat!("for ", "now."),
        why: PROMISE,
        except: &[],
    },
    Word {
        text: concat!("#[ig", "nore"),
        why: TESTS,
        except: &[],
    },
    Word {
        text: concat!("/ro", "ot/"),
        why: MACHINE,
        except: &[],
    },
    Word {
        text: concat!("/tm", "p/"),
        why: MACHINE,
        except: &[],
    },
    Word {
        text: concat!("/wo", "rk/"),
        why: MACHINE,
        except: &[],
    },
    Word {
        text: concat!("/ho", "me/"),
        why: MACHINE,
        except: &["xtask/src/release.rs"],
    },
    Word {
        text: concat!("index.", "crates.io"),
        why: REGISTRY,
        except: &[],
    },
    Word {
        text: concat!("static.", "crates.io"),
        why: REGISTRY,
        except: &[],
    },
    Word {
        text: concat!("arti", "factory"),
        why: REGISTRY,
        except: &[],
    },
    Word {
        text: concat!("pypi", ".org"),
        why: REGISTRY,
        except: &[],
    },
    Word {
        text: concat!("registry.", "npmjs"),
        why: REGISTRY,
        except: &[],
    },
    Word {
        text: concat!("deb.", "debian.org"),
        why: REGISTRY,
        except: &[],
    },
];

/// The one source from which crates come.
const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Every text file, line by line; Cargo.lock also for where its crates come from.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree
        .files()
        .flat_map(|(path, text)| check_file(path, text))
        .collect();
    findings.extend(sources(tree.text("Cargo.lock").unwrap_or_default()));
    findings
}

fn check_file<'a>(path: &'a str, text: &'a str) -> impl Iterator<Item = Finding> + 'a {
    text.lines().enumerate().flat_map(move |(index, line)| {
        let words = WORDS.iter().filter(move |word| line.contains(word.text));
        words
            .filter(move |word| !word.except.contains(&path))
            .map(move |word| {
                Finding::new(
                    format!("{path}:{}", index + 1),
                    format!("`{}`", word.text),
                    word.why,
                )
            })
    })
}

fn sources(lock: &str) -> Vec<Finding> {
    let named = lock
        .lines()
        .filter_map(|line| line.strip_prefix("source = "));
    named
        .map(|source| source.trim_matches('"'))
        .filter(|source| *source != CRATES)
        .map(|source| {
            Finding::new(
                "Cargo.lock",
                format!("a crate comes from {source}"),
                "take it from crates.io",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_with_its_line() {
        for word in WORDS {
            let text = format!("fine\n// {}\n", word.text);
            let findings = check(&Tree::of(&[("crates/shop/src/desk.rs", &text)]));
            assert!(!findings.is_empty(), "{}", word.text);
            assert_eq!(findings[0].place, "crates/shop/src/desk.rs:2");
        }
    }

    #[test]
    fn plain_words_pass() {
        let text = "a path like data/journal, and network/workers\n";
        assert_eq!(check(&Tree::of(&[("README.md", text)])), []);
    }

    #[test]
    fn crates_come_from_one_place() {
        let good = format!("[[package]]\nsource = \"{CRATES}\"\n");
        assert_eq!(check(&Tree::of(&[("Cargo.lock", &good)])), []);
        let git = "[[package]]\nsource = \"git+https://example.org/x#1\"\n";
        assert_eq!(check(&Tree::of(&[("Cargo.lock", git)])).len(), 1);
    }
}
