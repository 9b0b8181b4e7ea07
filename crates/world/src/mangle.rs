//! Bytes that went wrong on purpose, for the tests of everything that reads bytes from outside.
//!
//! ```text
//!   tests/corpus/<format>/*  ──▶  Corpus  ──▶  Trials: each file as it is, then mutations of them
//! ```
//!
//! Each trial is made from the seed and its own number alone, so a failure is replayed by naming the
//! two: the trial prints the command when it is dropped by a panic. How long a test goes on is its own
//! bound in the gate; [`VARIABLE`] stretches it at the desk.
//!
//! It stands beside [`crate::SeededEntropy`], from which it draws, since the rooms that read bytes
//! all see this one; `stdx` may read no file and no environment, and the pure rooms are tested from
//! the room that hands them the bytes. For tests only: nothing here belongs into a running shop.

mod budget;
mod mutation;

use std::fs;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use budget::Budget;
pub use budget::VARIABLE;
use mutation::Mutator;

/// Longest input that is made, in bytes; corpus files may be longer.
pub const INPUT_BYTES_MAX: usize = 64 * 1024;

/// Name of the file in a corpus that explains it, and is no input.
const README: &str = "README.md";

/// The seed of the gate. A night at the desk takes another.
const SEED: u64 = 3;

/// The inputs of one format, and the words that mean something in it.
#[derive(Clone, Debug)]
pub struct Corpus {
    dir: PathBuf,
    files: Vec<(String, Vec<u8>)>,
    words: Vec<Vec<u8>>,
}

impl Corpus {
    /// Reads every file in `dir` but its `README.md`, in the order of their names.
    ///
    /// # Errors
    /// The directory cannot be read, or holds no input: a test of nothing would always pass.
    pub fn read(dir: impl AsRef<Path>) -> io::Result<Self> {
        let dir = dir.as_ref();
        let mut files = Vec::new();
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != README {
                let bytes = fs::read(dir.join(&name))?;
                files.push((name, bytes));
            }
        }
        if files.is_empty() {
            let empty = format!("{} holds no input", dir.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, empty));
        }
        files.sort();
        Ok(Self {
            dir: dir.to_owned(),
            files,
            words: Vec::new(),
        })
    }

    /// The same with words that mutations put in.
    #[must_use]
    pub fn with_words<W: AsRef<[u8]>>(mut self, words: &[W]) -> Self {
        let words = words.iter().map(|word| word.as_ref().to_vec());
        self.words.extend(words);
        self
    }

    /// Names and bytes of the inputs as they are.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// Every file as it is, then `steps` mutations, or as [`VARIABLE`] says.
    ///
    /// # Panics
    /// [`VARIABLE`] is set and cannot be read.
    #[must_use]
    pub fn trials(&self, steps: u64) -> Trials<'_> {
        self.trials_within(Budget::of_the_environment(SEED, steps))
    }

    fn trials_within(&self, budget: Budget) -> Trials<'_> {
        Trials {
            corpus: self,
            whole: if budget.only.is_some() {
                self.files.len()
            } else {
                0
            },
            step: budget.only.unwrap_or(0),
            budget,
        }
    }

    fn name(&self) -> &str {
        let name = self.dir.file_name().and_then(|name| name.to_str());
        name.unwrap_or("corpus")
    }

    /// The mutation that belongs to `seed` and `step`.
    fn mutated(&self, seed: u64, step: u64) -> Trial<'_> {
        let mutator = Mutator::new(seed, step, &self.files, &self.words);
        let (file, bytes) = mutator.mutate();
        Trial {
            corpus: self,
            file,
            mutation: Some((seed, step)),
            bytes,
        }
    }
}

/// The inputs of one test.
#[derive(Debug)]
pub struct Trials<'a> {
    corpus: &'a Corpus,
    budget: Budget,
    /// How many files were given as they are.
    whole: usize,
    step: u64,
}

impl<'a> Iterator for Trials<'a> {
    type Item = Trial<'a>;

    fn next(&mut self) -> Option<Trial<'a>> {
        let corpus = self.corpus;
        if !self.budget.wants(corpus.name()) {
            return None;
        }
        if let Some((_, bytes)) = corpus.files.get(self.whole) {
            self.whole += 1;
            return Some(Trial {
                corpus,
                file: self.whole - 1,
                mutation: None,
                bytes: bytes.clone(),
            });
        }
        if self.budget.is_over(self.step) {
            self.budget.tell(corpus.name(), self.step);
            return None;
        }
        self.step += 1;
        Some(corpus.mutated(self.budget.seed, self.step - 1))
    }
}

/// One input; dropped by a panic, it says how to get it again.
#[derive(Debug)]
pub struct Trial<'a> {
    corpus: &'a Corpus,
    file: usize,
    /// Seed and step; `None` for a file as it is.
    mutation: Option<(u64, u64)>,
    bytes: Vec<u8>,
}

impl Trial<'_> {
    /// Name of the corpus file that it is or was made from.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.corpus.files[self.file].0
    }

    /// Whether it is a corpus file as it stands there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.mutation.is_none()
    }

    /// A number that belongs to this trial, for choices of the test that must be replayed with it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.mutation
            .map_or(0, |(seed, step)| mutation::mixed(seed ^ 0x5eed, step))
    }

    /// How to get this input again, in one line.
    #[must_use]
    pub fn replay(&self) -> String {
        let (name, file) = (self.corpus.name(), self.file());
        match self.mutation {
            None => format!("corpus {name}: {file} as it is"),
            Some((seed, step)) => format!(
                "corpus {name}: {file} mutated; replay: cargo xtask fuzz --only {name} --seed {seed} --step {step}"
            ),
        }
    }
}

impl Deref for Trial<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.replay());
            eprintln!("input: {}", self.bytes.escape_ascii());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> Corpus {
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        Corpus {
            dir: PathBuf::from("corpus/letters"),
            files: vec![file("a", "price 12.50, units 3"), file("b", "{\"c\":[1]}")],
            words: vec![b"tide".to_vec()],
        }
    }

    fn inputs(budget: Budget) -> Vec<Vec<u8>> {
        let corpus = corpus();
        let trials = corpus.trials_within(budget);
        trials.map(|trial| trial.to_vec()).collect()
    }

    #[test]
    fn the_files_come_first_and_as_they_are() {
        let found = inputs(Budget::steps(7, 20));
        assert_eq!(found.len(), 22);
        assert_eq!(found[0], b"price 12.50, units 3");
        assert_eq!(found[1], b"{\"c\":[1]}");
    }

    #[test]
    fn the_same_seed_gives_the_same_inputs_and_another_seed_others() {
        assert_eq!(inputs(Budget::steps(7, 200)), inputs(Budget::steps(7, 200)));
        assert_ne!(inputs(Budget::steps(7, 200)), inputs(Budget::steps(8, 200)));
    }

    #[test]
    fn one_step_alone_is_the_step_of_the_whole_run() {
        let whole = inputs(Budget::steps(7, 100));
        let mut only = Budget::steps(7, 100);
        only.only = Some(63);
        assert_eq!(inputs(only), [whole[2 + 63].clone()]);
    }

    #[test]
    fn the_line_of_a_failure_is_the_command_that_replays_it() {
        let corpus = corpus();
        let line = corpus.mutated(7, 63).replay();
        let command = "cargo xtask fuzz --only letters --seed 7 --step 63";
        assert!(line.ends_with(command), "{line}");
    }

    #[test]
    fn a_corpus_without_an_input_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join(README), "How it was made.").expect("a file");
        assert!(Corpus::read(dir.path()).is_err());
    }
}
