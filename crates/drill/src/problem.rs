//! The parts of a problem document that a client acts on.

use serde::Deserialize;

/// Code and sentence of a refusal; empty when the body is no problem document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct ProblemText {
    /// The stable code, like `TG-2102`.
    #[serde(default)]
    pub(crate) code: Box<str>,
    /// The sentence.
    #[serde(default)]
    pub(crate) detail: Box<str>,
}

impl ProblemText {
    /// Reads a body.
    pub(crate) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }
}
