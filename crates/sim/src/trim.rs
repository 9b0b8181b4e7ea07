//! What is taken out of the life that a seed draws, as flags of the command line: restricted by hand, or by the
//! shrinker, whose result is a line that anybody can type.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use shop::provider::sandbox::PerMille;
use world::ErrorKind;

use crate::disk::{FaultPlan, PlanError};
use crate::network::Way;
use crate::plan::{Incident, LifePlan, Trouble};

/// Why a text does not say what to take out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrimError {
    /// A word that is none of those that may stand there.
    #[error("{0:?} is none of {1}")]
    Word(String, String),
    /// A number was expected.
    #[error("{0:?} is no number")]
    Number(String),
    /// The faults of the disk cannot be read.
    #[error(transparent)]
    Disk(#[from] PlanError),
}

impl TrimError {
    /// What the caller can do: write it differently.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Fix
    }
}

macro_rules! words {
    ($(#[$of:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident $word:literal),* $(,)? }) => {
        $(#[$of])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant),* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it on the command line.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl FromStr for $name {
            type Err = TrimError;

            fn from_str(text: &str) -> Result<Self, TrimError> {
                let mut all = Self::ALL.iter().copied();
                all.find(|one| one.word() == text).ok_or_else(|| {
                    TrimError::Word(text.to_owned(), [$($word),*].join(", "))
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// A kind of trouble, as `--faults` names it.
    Kind {
        /// Faults of the disk.
        Disk "disk",
        /// The machine loses power.
        Power "power",
        /// The process is killed.
        Kill "kill",
        /// An operator restarts the server.
        Restart "restart",
        /// Clocks step and drift.
        Clock "clock",
        /// Ways are cut, slow and lossy.
        Network "network",
        /// The provider has habits.
        Bank "bank",
    }
}

words! {
    /// A habit of the provider.
    BankHabit {
        /// It declines charges.
        Decline "decline",
        /// It declines refunds.
        DeclineRefund "decline-refund",
        /// It decides later.
        Pending "pending",
        /// It answers late.
        Slow "slow",
        /// It loses answers.
        Lost "lost",
        /// It calls back although it has answered.
        Callback "callback",
        /// It calls back twice.
        Twice "twice",
        /// It changes its mind.
        Fickle "fickle",
        /// It loses callbacks.
        Deaf "lost-callback",
        /// Its clock is wrong.
        Clock "clock",
    }
}

/// What is left of a life; `None` leaves everything of that sort.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trim {
    /// Kinds of trouble.
    pub kinds: Option<BTreeSet<Kind>>,
    /// Incidents, by their place in the plan.
    pub incidents: Option<BTreeSet<usize>>,
    /// Guests, by their number.
    pub guests: Option<BTreeSet<u32>>,
    /// What the disk does.
    pub disk: Option<FaultPlan>,
    /// Habits of the provider.
    pub bank: Option<BTreeSet<BankHabit>>,
    /// The network has its usual way, without loss, instead of the drawn one.
    pub plain_network: bool,
    /// The first so many sales, with their guests.
    pub sales: Option<usize>,
}

impl Trim {
    /// Whether it leaves everything.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The life without what is taken out.
    #[must_use]
    pub fn apply(&self, plan: &LifePlan) -> LifePlan {
        let mut plan = plan.clone();
        self.trim_lists(&mut plan);
        if let Some(disk) = &self.disk {
            plan.disk = disk.clone();
        } else if !self.has(Kind::Disk) {
            plan.disk = FaultPlan::default();
        }
        if self.plain_network || !self.has(Kind::Network) {
            plan.way = Way::default();
        }
        for habit in BankHabit::ALL {
            let listed = self.bank.as_ref();
            let kept = listed.map_or(self.has(Kind::Bank), |kept| kept.contains(habit));
            if !kept {
                drop_habit(&mut plan, *habit);
            }
        }
        plan
    }

    fn trim_lists(&self, plan: &mut LifePlan) {
        let incidents = plan.incidents.iter().copied().enumerate();
        plan.incidents = incidents
            .filter(|(nth, incident)| match &self.incidents {
                Some(kept) => kept.contains(nth),
                None => self.has(kind_of(incident)),
            })
            .map(|(_, incident)| incident)
            .collect();
        plan.sales.truncate(self.sales.unwrap_or(usize::MAX));
        let sales = plan.sales.len();
        plan.guests.retain(|guest| {
            let kept = self.guests.as_ref();
            guest.sale < sales && kept.is_none_or(|kept| kept.contains(&guest.number))
        });
    }

    fn has(&self, kind: Kind) -> bool {
        let kinds = self.kinds.as_ref();
        kinds.is_none_or(|kinds| kinds.contains(&kind))
    }
}

/// To which kind an incident belongs.
#[must_use]
pub const fn kind_of(incident: &Incident) -> Kind {
    match incident.what {
        Trouble::Restart | Trouble::Rebuild | Trouble::Backup => Kind::Restart,
        Trouble::KillAfterPolls(_) | Trouble::KillAtDisk(..) => Kind::Kill,
        Trouble::PowerOffAfterPolls(_) | Trouble::PowerOffAtDisk(..) => Kind::Power,
        Trouble::Clock(_) | Trouble::Drift(_) => Kind::Clock,
        Trouble::Cut(..) | Trouble::Rough(..) => Kind::Network,
    }
}

fn drop_habit(plan: &mut LifePlan, habit: BankHabit) {
    let (bank, never) = (&mut plan.bank, PerMille::default());
    match habit {
        BankHabit::Decline => bank.decline_per_mille = never,
        BankHabit::DeclineRefund => bank.refund_decline_per_mille = never,
        BankHabit::Pending => bank.pending_per_mille = never,
        BankHabit::Slow => bank.slow_per_mille = never,
        BankHabit::Lost => bank.lost_answer_per_mille = never,
        BankHabit::Callback => bank.callback_per_mille = never,
        BankHabit::Twice => bank.duplicate_callback_per_mille = never,
        BankHabit::Fickle => bank.fickle_per_mille = never,
        BankHabit::Deaf => bank.lost_callback_per_mille = never,
        BankHabit::Clock => plan.bank_clock_ms = 0,
    }
}

/// Whether the plan has it at all.
#[must_use]
pub fn has_habit(plan: &LifePlan, habit: BankHabit) -> bool {
    let mut without = plan.clone();
    drop_habit(&mut without, habit);
    without.bank != plan.bank || without.bank_clock_ms != plan.bank_clock_ms
}

/// Reads a list with commas or semicolons between; `none` is the empty one.
///
/// # Errors
/// [`TrimError`], with the item that cannot be read.
pub fn list<T: Ord>(
    text: &str,
    item: impl Fn(&str) -> Result<T, TrimError>,
) -> Result<BTreeSet<T>, TrimError> {
    let items = text.split([',', ';']).map(str::trim);
    items
        .filter(|text| !text.is_empty() && *text != "none")
        .map(item)
        .collect()
}

/// Reads a number.
///
/// # Errors
/// [`TrimError::Number`].
pub fn number<T: FromStr>(text: &str) -> Result<T, TrimError> {
    text.parse().map_err(|_| TrimError::Number(text.to_owned()))
}

/// Reads what the disk does; `none` is nothing.
///
/// # Errors
/// [`TrimError::Disk`].
pub fn disk(text: &str) -> Result<FaultPlan, TrimError> {
    match text {
        "none" => Ok(FaultPlan::default()),
        text => Ok(text.parse()?),
    }
}

impl fmt::Display for Trim {
    /// As flags, each with a blank before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written(f, "faults", self.kinds.as_ref())?;
        written(f, "keep-incidents", self.incidents.as_ref())?;
        written(f, "keep-guests", self.guests.as_ref())?;
        if let Some(disk) = &self.disk {
            match disk.faults.is_empty() {
                true => f.write_str(" --disk none")?,
                false => write!(f, " --disk '{disk}'")?,
            }
        }
        written(f, "bank", self.bank.as_ref())?;
        if self.plain_network {
            f.write_str(" --plain-network")?;
        }
        match self.sales {
            Some(sales) => write!(f, " --sales {sales}"),
            None => Ok(()),
        }
    }
}

fn written<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    flag: &str,
    items: Option<&BTreeSet<T>>,
) -> fmt::Result {
    let Some(items) = items else {
        return Ok(());
    };
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    let items = match items.is_empty() {
        true => "none".to_owned(),
        false => items.join(","),
    };
    write!(f, " --{flag} {items}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Size;

    #[test]
    fn no_trouble_at_all_leaves_the_crowd_alone_with_a_sound_world() {
        let trim = Trim {
            kinds: Some(BTreeSet::new()),
            ..Trim::default()
        };
        for seed in 0..50 {
            let drawn = LifePlan::draw(seed, Size::default());
            let plan = trim.apply(&drawn);
            assert!(plan.incidents.is_empty() && plan.disk.faults.is_empty());
            assert!(BankHabit::ALL.iter().all(|habit| !has_habit(&plan, *habit)));
            assert_eq!(plan.guests.len(), drawn.guests.len());
        }
    }

    #[test]
    fn a_list_is_read_with_commas_and_semicolons_and_a_wrong_word_is_named() {
        let read = |text| list(text, Kind::from_str);
        assert_eq!(read("disk; kill"), read("kill,disk"));
        assert_eq!(read("none"), Ok(BTreeSet::new()));
        let wrong = read("disk,gremlins").expect_err("no kind");
        assert!(wrong.to_string().contains("gremlins"), "{wrong}");
    }

    #[test]
    fn guests_of_sales_that_are_taken_out_do_not_come() {
        let trim = Trim {
            sales: Some(1),
            ..Trim::default()
        };
        for seed in 0..50 {
            let plan = trim.apply(&LifePlan::draw(seed, Size::default()));
            assert_eq!(plan.sales.len(), 1);
            assert!(plan.guests.iter().all(|guest| guest.sale == 0));
        }
    }
}
