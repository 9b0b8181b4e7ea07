//! Files of rules: read, judged as a whole, and put in charge of risk.

use crate::failure::Failure;
use api::Code;
use commerce::rules::{Formula, Gives, RuleSet, RuleText, Then};
use serde::Deserialize;
use shop::risk::{Policy, Settings};
use std::path::Path;

/// A file of rules is written by people.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Formulas of one file, at most.
const FORMULAS_MAX: usize = 64;

const MEND: &str =
    "mend the places that are named; docs/howto/write-a-rule.md says how rules are written";

/// A file of rules as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    rule: Vec<WrittenRule>,
    formula: Vec<WrittenFormula>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    name: Box<str>,
    when: Box<str>,
    then: Then,
    #[serde(default)]
    reason: Box<str>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFormula {
    name: Box<str>,
    gives: WrittenGives,
    value: Box<str>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenGives {
    Bool,
    Int,
    Text,
}

/// Rules and formulas that are in order.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// What is asked in order.
    pub(crate) set: RuleSet,
    /// What is only computed, by name.
    pub(crate) formulas: Vec<(Box<str>, Formula)>,
    /// A digest of the file that they were read from.
    pub(crate) content: Option<Box<str>>,
}

impl Rules {
    /// Reads a file.
    ///
    /// # Errors
    /// `TG-4007`: it cannot be read. `TG-4004`: with every rule that is wrong.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let cannot = |error| {
            let what = format!("cannot read {}: {error}", path.display());
            Failure::new(
                Code::MissingFile,
                what,
                "give the path of a TOML file with rules",
            )
        };
        if std::fs::metadata(path).map_err(cannot)?.len() > FILE_BYTES_MAX {
            let what = format!("{} is larger than {FILE_BYTES_MAX} bytes", path.display());
            return Err(Failure::new(Code::BadConfiguration, what, MEND));
        }
        let text = std::fs::read_to_string(path).map_err(cannot)?;
        let content = Some(shop::risk::content_of(&text));
        let rules = Self::of(&text).map(|rules| Self { content, ..rules });
        rules.map_err(|faults| {
            let what = format!("the rules in {} are not valid", path.display());
            Failure::new(Code::BadConfiguration, what, MEND).with_details(faults)
        })
    }

    /// Judges a text.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn of(text: &str) -> Result<Self, Vec<String>> {
        let written: Written =
            toml::from_str(text).map_err(|error| vec![error.to_string().trim().to_owned()])?;
        let texts: Vec<RuleText> = written.rule.into_iter().map(RuleText::from).collect();
        let mut faults = Vec::new();
        let set = RuleSet::compile(&texts).unwrap_or_else(|wrong| {
            faults.extend(wrong.iter().map(ToString::to_string));
            RuleSet::default()
        });
        if written.formula.len() > FORMULAS_MAX {
            faults.push(format!("a file has at most {FORMULAS_MAX} formulas"));
        }
        let mut formulas = Vec::new();
        for formula in written.formula.into_iter().take(FORMULAS_MAX) {
            match Formula::compile(&formula.value, formula.gives.into()) {
                Ok(compiled) => formulas.push((formula.name, compiled)),
                Err(error) => faults.push(format!("formula {}: {error}", formula.name)),
            }
        }
        if faults.is_empty() {
            Ok(Self {
                set,
                formulas,
                content: None,
            })
        } else {
            Err(faults)
        }
    }
}

impl From<WrittenRule> for RuleText {
    fn from(rule: WrittenRule) -> Self {
        Self {
            name: rule.name,
            when: rule.when,
            then: rule.then,
            reason: rule.reason,
        }
    }
}

impl From<WrittenGives> for Gives {
    fn from(gives: WrittenGives) -> Self {
        match gives {
            WrittenGives::Bool => Self::Bool,
            WrittenGives::Int => Self::Int,
            WrittenGives::Text => Self::Text,
        }
    }
}

/// The policy of risk that settings ask for.
///
/// # Errors
/// The file of rules cannot be read or is not valid, or a rule asks for what is not known when risk is judged.
pub(crate) fn policy(settings: &Settings) -> Result<Policy, Failure> {
    let rules = match settings.rules.as_str() {
        "" => Rules::default(),
        path => Rules::read(Path::new(path))?,
    };
    Policy::new(settings, rules.set)
        .map(|policy| policy.read_from(rules.content))
        .map_err(|error| Failure::new(Code::BadConfiguration, error, MEND))
}

#[cfg(test)]
mod tests {
    use super::*;
    use commerce::rules::{Counters, Given, Ground, OrderGround, PastGround, RunError, SaleGround};
    use commerce::{Facts, SaleState, Time};

    const BADGE: &str = include_str!("../../../examples/rules/badge.toml");
    const GUARD: &str = include_str!("../../../examples/rules/guard.toml");

    fn badge(rules: &Rules, name: &str, level: u32, points: i64) -> Result<Given, RunError> {
        let facts = Facts {
            level,
            points,
            ..Facts::default()
        };
        let found = rules.formulas.iter().find(|(own, _)| **own == *name);
        let (_, formula) = found.expect("the formula");
        formula.run(&Ground {
            now: Time(0),
            buyer: None,
            facts: &facts,
            past: PastGround::default(),
            order: OrderGround::default(),
            sale: SaleGround {
                title: "",
                state: SaleState::Open,
                sold: 0,
                available: 0,
            },
            counters: Counters::default(),
        })
    }

    #[test]
    fn the_badge_follows_the_flow_chart_and_the_table_differs_in_one_row() {
        let rules = Rules::of(BADGE).expect("the example");
        let rows = [
            (3, 5_001, "gold", "gold"),
            (4, 6_000, "gold", "gold"),
            (3, 5_000, "silver", "silver"),
            (2, 5_000, "bronze", "bronze"),
            (0, 0, "bronze", "bronze"),
            (2, 6_000, "bronze", "silver"),
        ];
        for (level, points, chart, table) in rows {
            for (name, expected) in [("badge", chart), ("badge_by_table", table)] {
                let given = badge(&rules, name, level, points);
                let expected = Ok(Given::Text(expected.into()));
                assert_eq!(given, expected, "{name} of {level} and {points}");
            }
        }
    }

    #[test]
    fn the_example_of_a_guard_is_a_policy() {
        let rules = Rules::of(GUARD).expect("the example");
        assert!(rules.set.texts().len() > 2);
        assert!(Policy::new(&Settings::default(), rules.set).is_ok());
    }

    #[test]
    fn everything_that_is_wrong_with_a_file_is_told_at_once() {
        let wrong = "[[rule]]\nname = 'a'\nwhen = 'buyr'\nthen = 'block'\n\
            [[rule]]\nname = 'b'\nwhen = '1'\nthen = 'admit'\n\
            [[formula]]\nname = 'c'\ngives = 'text'\nvalue = '1'\n";
        let faults = Rules::of(wrong).expect_err("wrong");
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[0].starts_with("rule a: line 1, column 1: there is no variable `buyr`"));
        assert!(faults[2].starts_with("formula c: "));
        for text in [
            "[[rule]]\nname = 'a'\n",
            "rules = 1",
            "[[rule]]\nname = 'a'\nwhen = 'true'\nthen = 'maybe'",
        ] {
            assert!(Rules::of(text).is_err(), "{text}");
        }
    }
}
