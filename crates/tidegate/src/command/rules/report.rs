//! What rules would have done to past orders.

use crate::rules::Rules;
use commerce::rules::{Given, Then, Verdict};
use serde::Serialize;
use shop::risk::{NOT_JOURNALLED, NOT_OF_PLAIN_ORDERS, PastOrder};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Values of a formula that are counted apart.
const VALUES_MAX: usize = 32;

/// What the rules of a file say about all orders.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    orders: u64,
    admitted: u64,
    reviewed: u64,
    refused: u64,
    rules: Vec<OfRule>,
    formulas: Vec<OfFormula>,
    /// Facts that rules ask for and no order has.
    unknown: Vec<Box<str>>,
    /// Orders of which only the buyer's name and tags are on record.
    plain: u64,
    /// Facts that rules ask for and those orders do not have.
    unknown_of_plain: Vec<Box<str>>,
    #[serde(skip)]
    examples_max: usize,
}

/// What one rule says by itself, whatever the others say.
#[derive(Debug, Serialize)]
struct OfRule {
    name: Box<str>,
    then: Then,
    /// Orders for which `when` is true.
    holds: u64,
    /// Orders for which it is false.
    fails: u64,
    /// Orders that it refuses by itself, errors among them.
    refuses: u64,
    /// Orders on which it could not be run, by reason.
    errors: BTreeMap<String, u64>,
    /// The first orders that it refuses or wants looked at.
    examples: Vec<Box<str>>,
}

#[derive(Debug, Serialize)]
struct OfFormula {
    name: Box<str>,
    /// Orders by value.
    values: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
}

impl Report {
    pub(super) fn of(rules: &Rules, examples_max: usize) -> Self {
        let of_rule = |text: &commerce::rules::RuleText| OfRule {
            name: text.name.clone(),
            then: text.then,
            holds: 0,
            fails: 0,
            refuses: 0,
            errors: BTreeMap::new(),
            examples: Vec::new(),
        };
        let of_formula = |(name, _): &(Box<str>, _)| OfFormula {
            name: name.clone(),
            values: BTreeMap::new(),
            errors: BTreeMap::new(),
        };
        Self {
            orders: 0,
            admitted: 0,
            reviewed: 0,
            refused: 0,
            rules: rules.set.texts().map(of_rule).collect(),
            formulas: rules.formulas.iter().map(of_formula).collect(),
            unknown: Vec::new(),
            plain: 0,
            unknown_of_plain: Vec::new(),
            examples_max,
        }
    }

    /// Tries the rules on one order.
    pub(super) fn see(&mut self, rules: &Rules, order: &PastOrder) {
        let ground = order.ground();
        self.orders += 1;
        self.plain += u64::from(!order.on_record);
        match rules.set.judge(&ground) {
            Verdict::Admit => self.admitted += 1,
            Verdict::Review { .. } => self.reviewed += 1,
            Verdict::Refuse { .. } => self.refused += 1,
        }
        for (own, said) in self.rules.iter_mut().zip(rules.set.each(&ground)) {
            own.see(
                said.map_err(|error| error.to_string()),
                &order.id,
                self.examples_max,
            );
        }
        for (own, (_, formula)) in self.formulas.iter_mut().zip(&rules.formulas) {
            match formula.run(&ground) {
                Ok(given) => own.see(&given),
                Err(error) => *own.errors.entry(error.to_string()).or_default() += 1,
            }
        }
    }

    /// Names the facts that the rules ask for and the orders do not have.
    pub(super) fn warn_of_unknown(&mut self, rules: &Rules) {
        let asked = |path: &&&str| {
            let formula = rules.formulas.iter().any(|(_, own)| own.asks_for(path));
            formula || rules.set.asking_for(path).is_some()
        };
        let unknown = |facts: &[&str]| {
            let asked = facts.iter().filter(asked);
            asked.map(|path| (*path).into()).collect()
        };
        self.unknown = unknown(&NOT_JOURNALLED);
        if self.plain > 0 {
            self.unknown_of_plain = unknown(&NOT_OF_PLAIN_ORDERS);
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        let rules = self.rules.iter().any(|rule| !rule.errors.is_empty());
        rules
            || self
                .formulas
                .iter()
                .any(|formula| !formula.errors.is_empty())
    }

    /// The report for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{} orders: {} admitted, {} for review, {} refused\n",
            self.orders, self.admitted, self.reviewed, self.refused
        );
        for rule in &self.rules {
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "\n{} ({}): true {}, false {}, refuses {}",
                rule.name,
                rule.then.as_str(),
                rule.holds,
                rule.fails,
                rule.refuses
            );
            write_counts(&mut text, "could not be run", &rule.errors);
            if !rule.examples.is_empty() {
                let _ = writeln!(text, "  for example {}", rule.examples.join(", "));
            }
        }
        for formula in &self.formulas {
            let _ = writeln!(text, "\n{} (formula)", formula.name);
            write_counts(&mut text, "gives", &formula.values);
            write_counts(&mut text, "could not be run", &formula.errors);
        }
        if !self.unknown.is_empty() {
            let facts = self.unknown.join(", ");
            let _ = writeln!(
                text,
                "\nJournals do not hold {facts}: the rules saw them empty."
            );
        }
        if !self.unknown_of_plain.is_empty() {
            let (plain, facts) = (self.plain, self.unknown_of_plain.join(", "));
            let _ = writeln!(
                text,
                "\nOf {plain} orders the journals do not hold {facts}: their sale did not ask, and the rules saw them empty."
            );
        }
        text
    }
}

fn write_counts(text: &mut String, what: &str, counts: &BTreeMap<String, u64>) {
    for (value, count) in counts {
        let _ = writeln!(text, "  {what}: {value}: {count}");
    }
}

impl OfRule {
    fn see(&mut self, said: Result<bool, String>, order: &str, examples_max: usize) {
        let speaks_up = match said {
            Ok(true) => {
                self.holds += 1;
                matches!(self.then, Then::Block | Then::Review)
            }
            Ok(false) => {
                self.fails += 1;
                self.then == Then::Admit
            }
            Err(error) => {
                *self.errors.entry(error).or_default() += 1;
                self.refuses += 1;
                self.name_example(order, examples_max);
                return;
            }
        };
        if speaks_up {
            self.refuses += u64::from(self.then != Then::Review);
            self.name_example(order, examples_max);
        }
    }

    fn name_example(&mut self, order: &str, examples_max: usize) {
        if self.examples.len() < examples_max {
            self.examples.push(order.into());
        }
    }
}

impl OfFormula {
    fn see(&mut self, given: &Given) {
        let value = match given {
            Given::Bool(is) => is.to_string(),
            Given::Int(number) => number.to_string(),
            Given::Text(text) => text.to_string(),
        };
        let full = self.values.len() >= VALUES_MAX && !self.values.contains_key(&value);
        let value = if full { "(other values)".into() } else { value };
        *self.values.entry(value).or_default() += 1;
    }
}
