//! Flags.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use tidegate_sim::disk::FaultPlan;
use tidegate_sim::life::STEPS_MAX;
use tidegate_sim::search::{LIVES_FOR_ALL_MARKS, Search};
use tidegate_sim::trim::{self, BankHabit, Kind, Trim, TrimError};

/// Lives whole lives of a shop in a simulated world, looks for broken promises, and makes small what breaks one.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "tidegate-sim",
    version,
    after_help = "\
Examples:
  tidegate-sim                                200 lives, as the gate lives more of them
  tidegate-sim --seed 17                      one life again
  tidegate-sim --seed 17 --faults disk,power  the same with no other trouble
  tidegate-sim --hours 8                      for a night

Exit code 0: nothing was found; 1: a promise was broken, or a rare path was not reached."
)]
pub(crate) struct Options {
    /// The seed of the first life; alone, of the only one.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How many lives, each from the next seed [default: 1 with --seed, else 200].
    #[arg(long, conflicts_with = "hours")]
    pub(crate) seeds: Option<u64>,
    /// Lives for so many hours, with a running summary; Ctrl-C ends it before.
    #[arg(long, value_parser = hours)]
    pub(crate) hours: Option<Duration>,
    /// Threads [default: one for each core].
    #[arg(long)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Steps of the scheduler before a life counts as running in circles.
    #[arg(long, default_value_t = STEPS_MAX)]
    pub(crate) steps: u64,
    /// Leaves only these kinds of trouble: disk, power, kill, restart, clock, network, bank, or none.
    #[arg(long, value_parser = kinds)]
    pub(crate) faults: Option<Kinds>,
    /// Leaves only these incidents of the plan, by their places in it, or none.
    #[arg(long, value_parser = incidents)]
    pub(crate) keep_incidents: Option<Incidents>,
    /// Leaves only these guests, by their numbers, or none.
    #[arg(long, value_parser = guests)]
    pub(crate) keep_guests: Option<Guests>,
    /// What the disk does instead, as `kind[=amount]@from..to[/one_in][:files]` with commas between, or none.
    #[arg(long, value_parser = trim::disk)]
    pub(crate) disk: Option<FaultPlan>,
    /// Leaves only these habits of the payment provider, or none.
    #[arg(long, value_parser = bank)]
    pub(crate) bank: Option<Bank>,
    /// The network has its usual way, without loss.
    #[arg(long)]
    pub(crate) plain_network: bool,
    /// Leaves only the first so many sales, with their guests.
    #[arg(long)]
    pub(crate) sales: Option<usize>,
    /// Prints the summary as one JSON object; the story of a failure goes to standard error.
    #[arg(long)]
    pub(crate) json: bool,
}

// Lists have names of their own, since a bare set would be taken for a flag that may be given often.
type Kinds = BTreeSet<Kind>;
type Incidents = BTreeSet<usize>;
type Guests = BTreeSet<u32>;
type Bank = BTreeSet<BankHabit>;

fn kinds(text: &str) -> Result<Kinds, TrimError> {
    trim::list(text, Kind::from_str)
}

fn incidents(text: &str) -> Result<Incidents, TrimError> {
    trim::list(text, trim::number)
}

fn guests(text: &str) -> Result<Guests, TrimError> {
    trim::list(text, trim::number)
}

fn bank(text: &str) -> Result<Bank, TrimError> {
    trim::list(text, BankHabit::from_str)
}

fn hours(text: &str) -> Result<Duration, String> {
    let hours: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    Duration::try_from_secs_f64(hours * 3_600.0).map_err(|error| error.to_string())
}

impl Options {
    /// What is to be searched.
    ///
    /// # Errors
    /// Flags that do not fit together.
    pub(crate) fn search(&self) -> anyhow::Result<Search> {
        let lives = match (self.hours, self.seeds, self.seed) {
            (Some(_), _, _) => None,
            (None, Some(seeds), _) => Some(seeds),
            (None, None, Some(_)) => Some(1),
            (None, None, None) => Some(LIVES_FOR_ALL_MARKS),
        };
        anyhow::ensure!(self.sales != Some(0), "a life has one sale at least");
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Search {
            first: self.seed.unwrap_or(1),
            lives,
            jobs: self.jobs.map_or(cores, NonZeroUsize::get),
            trim: self.trim(),
            steps_max: self.steps,
        })
    }

    fn trim(&self) -> Trim {
        Trim {
            kinds: self.faults.clone(),
            incidents: self.keep_incidents.clone(),
            guests: self.keep_guests.clone(),
            disk: self.disk.clone(),
            bank: self.bank.clone(),
            plain_network: self.plain_network,
            sales: self.sales,
        }
    }

    /// When it is to stop.
    pub(crate) fn until(&self) -> Option<Duration> {
        self.hours
    }
}

/// The line that replays a life.
pub(crate) fn command(seed: u64, trim: &Trim, steps_max: u64) -> String {
    let steps = match steps_max == STEPS_MAX {
        true => String::new(),
        false => format!(" --steps {steps_max}"),
    };
    format!("cargo run --release -p tidegate-sim -- --seed {seed}{trim}{steps}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits as a shell does, as far as our lines need it.
    fn words(line: &str) -> Vec<String> {
        let quoted = line.split('\'').enumerate();
        let words = quoted.flat_map(|(nth, part)| match nth % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        });
        words.skip_while(|word| word != "--").skip(1).collect()
    }

    #[test]
    fn a_line_that_replays_a_life_is_read_back_as_the_same_life() {
        let trims = [
            Trim::default(),
            Trim {
                kinds: Some(BTreeSet::from([Kind::Disk, Kind::Clock])),
                incidents: Some(BTreeSet::from([0, 3])),
                guests: Some(BTreeSet::from([101, 104])),
                disk: Some(
                    "torn-write=77@120..121:house,sync-error@3..9/2"
                        .parse()
                        .expect("a plan"),
                ),
                bank: Some(BankHabit::ALL.iter().copied().collect()),
                plain_network: true,
                sales: Some(2),
            },
            Trim {
                kinds: Some(BTreeSet::new()),
                incidents: Some(BTreeSet::new()),
                guests: Some(BTreeSet::new()),
                disk: Some(FaultPlan::default()),
                bank: Some(BTreeSet::new()),
                ..Trim::default()
            },
        ];
        for trim in trims {
            let line = command(17, &trim, 5_000);
            let flags = ["tidegate-sim".to_owned()].into_iter().chain(words(&line));
            let search = Options::parse_from(flags).search().expect("a search");
            assert_eq!(search.trim, trim, "{line}");
            assert_eq!(
                (search.first, search.lives, search.steps_max),
                (17, Some(1), 5_000)
            );
        }
    }

    #[test]
    fn without_flags_the_gate_is_run() {
        let search = Options::parse_from(["tidegate-sim"])
            .search()
            .expect("a search");
        assert_eq!((search.first, search.lives), (1, Some(LIVES_FOR_ALL_MARKS)));
        assert!(search.trim.is_nothing());
    }

    #[test]
    fn a_wrong_flag_is_refused() {
        for wrong in [
            ["--faults", "gremlins"],
            ["--hours", "-1"],
            ["--disk", "x"],
            ["--jobs", "0"],
        ] {
            let flags = ["tidegate-sim"].into_iter().chain(wrong);
            assert!(Options::try_parse_from(flags).is_err(), "{wrong:?}");
        }
    }
}
