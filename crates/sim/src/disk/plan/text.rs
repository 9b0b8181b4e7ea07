//! Plans as text, for the one line that replays a life.

use std::fmt;
use std::str::FromStr;

use world::ErrorKind;

use super::{Fault, FaultKind, FaultPlan};

/// Why a text is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No fault has this name.
    #[error("there is no fault of kind {0:?}")]
    Kind(String),
    /// The rest of the fault cannot be read.
    #[error("{0:?} is not of the form kind[=amount]@from..to[/one_in][:files]")]
    Form(String),
}

impl PlanError {
    /// What the caller can do: write it differently.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Fix
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if self.kind.has_amount() {
            write!(f, "={}", self.amount)?;
        }
        write!(f, "@{}..{}", self.at.start, self.at.end)?;
        if self.one_in != 1 {
            write!(f, "/{}", self.one_in)?;
        }
        if !self.files.is_empty() {
            write!(f, ":{}", self.files)?;
        }
        Ok(())
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{fault}")?;
        }
        Ok(())
    }
}

impl FromStr for FaultKind {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| PlanError::Kind(text.to_owned()))
    }
}

impl FromStr for Fault {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let form = || PlanError::Form(text.to_owned());
        let (head, files) = text.split_once(':').unwrap_or((text, ""));
        let (what, when) = head.split_once('@').ok_or_else(form)?;
        let (kind, amount) = match what.split_once('=') {
            Some((kind, amount)) => (kind, amount.parse().map_err(|_| form())?),
            None => (what, 0),
        };
        let (range, one_in) = match when.split_once('/') {
            Some((range, one_in)) => (range, one_in.parse().map_err(|_| form())?),
            None => (when, 1),
        };
        let (from, to) = range.split_once("..").ok_or_else(form)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| form());
        Ok(Self {
            kind: kind.parse()?,
            amount,
            at: number(from)?..number(to)?,
            one_in,
            files: files.to_owned(),
        })
    }
}

impl FromStr for FaultPlan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let faults = text.split(',').filter(|fault| !fault.is_empty());
        Ok(Self {
            faults: faults.map(str::parse).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FaultKind, FaultPlan, Mix};
    use super::PlanError;

    #[test]
    fn a_plan_is_read_back_from_its_text() {
        let mix = Mix {
            per_thousand: 20,
            kinds: FaultKind::ALL.into(),
            damaged: vec!["house".to_owned(), "sales".to_owned()],
            ..Mix::default()
        };
        for seed in 0..200 {
            let plan = FaultPlan::draw(seed, &mix);
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
    }

    #[test]
    fn what_is_no_plan_is_refused_with_the_part_that_is_wrong() {
        let parse = |text: &str| text.parse::<FaultPlan>();
        assert_eq!(
            parse("gremlin@1..2"),
            Err(PlanError::Kind("gremlin".to_owned()))
        );
        for wrong in [
            "bit-flip",
            "bit-flip@1",
            "bit-flip@1..x",
            "torn-write=@1..2",
            "bit-flip@1..2/",
        ] {
            assert_eq!(parse(wrong), Err(PlanError::Form(wrong.to_owned())));
        }
    }

    #[test]
    fn a_plan_without_a_fault_has_all_the_others() {
        let plan: FaultPlan = "bit-flip@1..2,no-space@3..9,slow-sync=7@1..4/2"
            .parse()
            .expect("a plan");
        assert_eq!(
            plan.without(1).to_string(),
            "bit-flip@1..2,slow-sync=7@1..4/2"
        );
        assert_eq!(plan.without(7), plan);
    }
}
