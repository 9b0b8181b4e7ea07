//! Rules as text: a typed part of CEL over what is known of a buyer, an order and a sale.
//!
//! ```text
//!   text ──lex──▶ tokens ──parse──▶ nodes ──check──▶ code        all that can be wrong is said here, with its place
//!                                                     │
//!   ground (facts at one moment) ─────────────────────┴─run──▶ a value, or a reason why there is none
//! ```
//!
//! A rule is compiled once and run often. Checking knows every variable, every field and every type, so a misspelt
//! name is found when the rule is saved, and not by a buyer. The cost is bounded twice: by a count before anything
//! runs (nodes, and loops by the length that their list can have), and by a budget of steps while it runs. What goes
//! wrong in a run (overflow, division by zero, a fact that is missing) is a refusal with that reason: never a panic,
//! and never an admission.
//!
//! The language is CEL without what a book cannot use: no floats (money is an integer), no maps, bytes, timestamps,
//! `dyn` or regular expressions. What is here means what it means there; a test holds it against another
//! implementation. It is our own because that one reaches the operating system through its parser, knows no types
//! before it runs and no bound on its cost, and this room has to be pure.

mod check;
mod code;
mod fault;
mod ground;
mod lex;
mod parse;
mod run;
mod syntax;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::plan::{NAME_BYTES_MOST, check_name, check_reason};

pub use fault::{Place, RuleError, RunError};
pub use ground::{Counters, Ground, OrderGround, PastGround, SaleGround};

/// Bytes of a rule's text, at most.
pub const TEXT_BYTES_MOST: usize = 2_048;
/// Nodes of a rule, at most.
pub const NODES_MOST: usize = 512;
/// How deep a rule may be nested.
pub const DEPTH_MOST: usize = 48;
/// Loops inside one another, at most.
pub const LOOPS_MOST: usize = 4;
/// Steps that one run may take, at most; what could take more is refused when it is saved.
pub const STEPS_MOST: u64 = 10_000;
/// Bytes of a text that a rule builds while it runs, at most.
pub const BUILT_BYTES_MOST: usize = 4_096;
/// Rules of one set, at most.
pub const SET_MOST: usize = 64;

/// What an expression has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A text.
    Text,
}

/// What an expression gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(Box<str>),
}

/// An expression that was read, checked and costed.
#[derive(Debug, Clone)]
pub struct Formula {
    code: code::Code,
    locals: usize,
    steps: u64,
    facts: Vec<ground::Fact>,
}

impl Formula {
    /// Reads and checks a text.
    ///
    /// # Errors
    /// [`RuleError`] says what is wrong and in which line and column.
    pub fn compile(text: &str, gives: Gives) -> Result<Self, RuleError> {
        if text.len() > TEXT_BYTES_MOST {
            return Err(RuleError::Long);
        }
        let tokens = lex::tokens(text)?;
        let node = parse::parse(text, tokens)?;
        let checked = check::check(text, &node, gives)?;
        if checked.steps > STEPS_MOST {
            return Err(RuleError::Cost {
                steps: checked.steps,
            });
        }
        Ok(Self {
            code: checked.code,
            locals: checked.locals,
            steps: checked.steps,
            facts: checked.facts,
        })
    }

    /// Whether it asks for this fact, as in `buyer.lapses`, other than by `has()`.
    pub fn asks_for(&self, path: &str) -> bool {
        self.facts.iter().any(|fact| fact.path() == path)
    }

    /// The most steps that a run takes, but for texts that are long.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`RunError`] when there is no value: overflow, division by zero, a missing fact, too many steps.
    pub fn run(&self, ground: &Ground<'_>) -> Result<Given, RunError> {
        run::run(&self.code, self.locals, ground)
    }
}

/// What follows when a rule's `when` is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The order may go on; when it is false the order is refused. This is what an eligibility rule says.
    Admit,
    /// The order is refused.
    Block,
    /// The order goes on and a person looks at it.
    Review,
    /// The order goes on, and the rules after this one are not asked.
    Allow,
}

impl Then {
    /// The word in files and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Block => "block",
            Self::Review => "review",
            Self::Allow => "allow",
        }
    }
}

/// A rule as its author writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleText {
    /// Its name, 1 to 64 bytes, different from those of the others in its set.
    pub name: Box<str>,
    /// An expression that gives true or false, at most 2,048 bytes.
    pub when: Box<str>,
    /// What follows.
    pub then: Then,
    /// Why, for the buyer: at most 200 bytes.
    pub reason: Box<str>,
}

/// A rule of a set that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {name}: {error}")]
pub struct SetFault {
    /// The rule's name.
    pub name: Box<str>,
    /// What is wrong.
    pub error: RuleError,
}

/// What a set of rules says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing stands against the order.
    Admit,
    /// The order is refused.
    Refuse {
        /// By which rule of the set, from 0.
        rule: usize,
        /// The run went wrong; `None` when the rule just said so.
        error: Option<RunError>,
    },
    /// The order goes on and a person looks at it.
    Review {
        /// For which rule of the set, from 0.
        rule: usize,
    },
}

/// Rules that were compiled together and are asked in order.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// No formula where an older program took a text that this one does not understand.
    rules: Vec<(RuleText, Option<Formula>)>,
}

impl RuleSet {
    /// Compiles all rules.
    ///
    /// # Errors
    /// Every rule that is wrong, at once.
    pub fn compile(texts: &[RuleText]) -> Result<Self, Vec<SetFault>> {
        let mut rules = Vec::with_capacity(texts.len());
        let mut faults = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let taken = texts[..index].iter().any(|other| other.name == text.name);
            match compile(text, index, taken) {
                Ok(formula) => rules.push((text.clone(), Some(formula))),
                Err(error) => faults.push(SetFault {
                    name: text.name.chars().take(NAME_BYTES_MOST).collect(),
                    error,
                }),
            }
        }
        if faults.is_empty() {
            Ok(Self { rules })
        } else {
            Err(faults)
        }
    }

    /// The rules of a journal. Whatever an older program accepted is kept; a text that this one does not understand
    /// refuses everybody from now on, and undoes nothing that was decided by it.
    pub(crate) fn recovered(texts: &[RuleText]) -> Self {
        let compiled = |(index, text): (usize, &RuleText)| {
            let formula = compile(text, index, false).ok();
            (text.clone(), formula)
        };
        let rules = texts.iter().enumerate().map(compiled).collect();
        Self { rules }
    }

    /// The rules as they were written.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &RuleText> {
        self.rules.iter().map(|(text, _)| text)
    }

    /// The first rule that asks for this fact, as in `buyer.lapses`.
    pub fn asking_for(&self, path: &str) -> Option<&RuleText> {
        let mut rules = self.rules.iter();
        let asks = |formula: &Formula| formula.asks_for(path);
        let found = rules.find(|(_, formula)| formula.as_ref().is_some_and(asks))?;
        Some(&found.0)
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Asks the rules in order. A run that goes wrong refuses.
    pub fn judge(&self, ground: &Ground<'_>) -> Verdict {
        let mut review = None;
        for (rule, (text, formula)) in self.rules.iter().enumerate() {
            match (answer(formula.as_ref(), ground), text.then) {
                (Err(_), _) if stdx::mutants::is("broken-rule-admits") => {}
                (Err(error), _) => {
                    let error = Some(error);
                    return Verdict::Refuse { rule, error };
                }
                (Ok(false), Then::Admit) | (Ok(true), Then::Block) => {
                    return Verdict::Refuse { rule, error: None };
                }
                (Ok(true), Then::Allow) => break,
                (Ok(true), Then::Review) => review = review.or(Some(rule)),
                (Ok(true), Then::Admit) | (Ok(false), _) => {}
            }
        }
        review.map_or(Verdict::Admit, |rule| Verdict::Review { rule })
    }

    /// What each rule by itself says, whatever the others say: for dry runs.
    pub fn each(&self, ground: &Ground<'_>) -> Vec<Result<bool, RunError>> {
        let formulas = self.rules.iter().map(|(_, formula)| formula.as_ref());
        formulas.map(|formula| answer(formula, ground)).collect()
    }
}

fn compile(text: &RuleText, index: usize, taken: bool) -> Result<Formula, RuleError> {
    if index >= SET_MOST {
        let said = format!("a set has at most {SET_MOST} rules");
        return Err(RuleError::Bounds(said));
    }
    if taken {
        return Err(RuleError::Bounds("another rule has this name".into()));
    }
    check_name("rule's name", &text.name).map_err(RuleError::Bounds)?;
    check_reason("rule's reason", &text.reason).map_err(RuleError::Bounds)?;
    Formula::compile(&text.when, Gives::Bool)
}

/// Checking made sure that the formula gives a bool; anything else is no admission either.
fn answer(formula: Option<&Formula>, ground: &Ground<'_>) -> Result<bool, RunError> {
    match formula.ok_or(RunError::Unreadable)?.run(ground)? {
        Given::Bool(answer) => Ok(answer),
        Given::Int(_) | Given::Text(_) => Err(RunError::Shape),
    }
}
