//! Rules as text, as an evaluator of risk.

use commerce::rules::{RuleSet, Verdict};

use super::{Reason, Risk, RiskEvaluator, RiskFacts};

/// Rules as text; see [`commerce::rules`].
#[derive(Debug, Clone, Default)]
pub struct TextRules(RuleSet);

impl TextRules {
    /// Rules that were compiled.
    pub fn new(rules: RuleSet) -> Self {
        Self(rules)
    }

    fn reason(&self, rule: usize, error: Option<&dyn std::fmt::Display>) -> Reason {
        let text = self.0.texts().nth(rule);
        let (name, why) = text.map_or(("", ""), |text| (&text.name, &text.reason));
        Reason {
            rule: name.into(),
            text: error.map_or_else(|| why.into(), |error| error.to_string().into()),
            broken: error.is_some(),
        }
    }
}

impl RiskEvaluator for TextRules {
    fn evaluate(&self, facts: &RiskFacts<'_>) -> Risk {
        match self.0.judge(&facts.ground) {
            Verdict::Admit => Risk::Allow,
            Verdict::Review { rule } => Risk::Review(self.reason(rule, None)),
            Verdict::Refuse { rule, error } => {
                let error = error.as_ref().map(|error| error as &dyn std::fmt::Display);
                Risk::Block(self.reason(rule, error))
            }
        }
    }
}
