//! The judges: they share no code with what they judge.

use crate::record::{Evidence, Finding};

/// Everything that is wrong with a life.
#[must_use]
pub fn judge(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(
        evidence
            .panics
            .iter()
            .map(|panic| Finding::new("no panic", panic.as_str())),
    );
    findings
}
