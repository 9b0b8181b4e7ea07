//! The record of administrative acts on the wire.

use crate::check::{Check, Faults};
use crate::order::check_page;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Longest text of a filter, bytes.
const FILTER_MAX: usize = 128;

/// Filters of `GET /v1/audit`. Acts come oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Acts of this key, like `key_…`; `house` for commands on the machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Box<str>>,
    /// Acts of this kind: a whole name like `sale.pause`, or a group like `sale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<Box<str>>,
    /// Acts on this, like `sale_00001`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Box<str>>,
    /// Acts at or after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Time>,
    /// Acts before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Time>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Box<str>>,
    /// Acts of a page, 1 to 200; 50 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl Check for AuditQuery {
    fn check(&self, faults: &mut Faults) {
        faults.maybe_text("who", self.who.as_deref(), FILTER_MAX);
        faults.maybe_text("what", self.what.as_deref(), FILTER_MAX);
        faults.maybe_text("subject", self.subject.as_deref(), FILTER_MAX);
        check_page(faults, self.cursor.as_deref(), self.limit);
    }
}

impl AuditQuery {
    /// Whether an act belongs to the answer, as far as names go.
    #[must_use]
    pub fn wants(&self, entry: &AuditEntry) -> bool {
        let same = |wanted: &Option<Box<str>>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let of_kind = self.what.as_deref().is_none_or(|what| {
            let rest = entry.what.strip_prefix(what);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        of_kind
            && same(&self.who, &entry.who)
            && same(&self.subject, &entry.subject)
            && self.after.is_none_or(|after| entry.at >= after)
            && self.before.is_none_or(|before| entry.at < before)
    }
}

/// One administrative act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Number of its batch in the house journal.
    pub sequence: u64,
    /// When it was done.
    pub at: Time,
    /// The account that it belongs to; empty for the house itself.
    pub account: Box<str>,
    /// Who did it: an API key, or `house` for a command on the machine itself.
    pub who: Box<str>,
    /// What was done, like `sale.pause`.
    pub what: Box<str>,
    /// To what, like `sale_00001`; a person is a digest of its pseudonym.
    pub subject: Box<str>,
    /// What changed, as it was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<serde_json::Value>,
    /// The same as it was afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<serde_json::Value>,
    /// The trace of the request, 32 hexadecimal digits, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Box<str>>,
}

/// Answer of `GET /v1/audit`, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The acts. May be fewer than asked for, or none, when there are more pages: a page looks at a bounded part of
    /// the journal.
    pub acts: Vec<AuditEntry>,
    /// Where the next page begins; missing on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<Box<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_acts_is_no_prefix_of_letters() {
        let entry = AuditEntry {
            sequence: 1,
            at: Time::from_ms(10),
            account: "a".into(),
            who: "house".into(),
            what: "sale.open".into(),
            subject: "sale_00001".into(),
            before: None,
            after: None,
            trace_id: None,
        };
        let wants = |what: &str| {
            let what = Some(what.into());
            AuditQuery {
                what,
                ..AuditQuery::default()
            }
            .wants(&entry)
        };
        assert!(wants("sale") && wants("sale.open"));
        assert!(!wants("sal") && !wants("sale.opened") && !wants("key"));
        let after = Some(Time::from_ms(10));
        assert!(
            AuditQuery {
                after,
                ..AuditQuery::default()
            }
            .wants(&entry)
        );
        assert!(
            !AuditQuery {
                before: after,
                ..AuditQuery::default()
            }
            .wants(&entry)
        );
    }
}
