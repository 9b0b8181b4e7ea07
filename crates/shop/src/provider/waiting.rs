//! What is known of charges that wait for their buyers: what the buyer's page needs, and how the provider calls them.
//!
//! It is in memory only and may be lost at any time: the provider, asked again under the same key, says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::order::PaymentAction;
use api::{OrderId, PaymentId};

/// Charges that are remembered, at most: the oldest go first.
const KEPT_MAX: usize = 200_000;

/// What is remembered of a charge.
#[derive(Debug, Clone)]
pub(super) struct Note {
    /// Since when it has been known here, by the monotonic clock.
    pub(super) since: Duration,
    /// What the buyer's page needs.
    pub(super) action: Option<PaymentAction>,
    /// The provider's own name for it.
    pub(super) foreign: Option<Box<str>>,
}

/// The charges that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    notes: BTreeMap<PaymentId, Note>,
    by_age: BTreeSet<(Duration, PaymentId)>,
}

impl Waiting {
    /// What is known of a charge.
    pub(super) fn find(&self, key: PaymentId) -> Option<Note> {
        self.inner().notes.get(&key).cloned()
    }

    /// The provider's own names for all charges of an order that are known.
    pub(super) fn foreign_of(&self, order: OrderId) -> Vec<Box<str>> {
        let at = |attempt| PaymentId { order, attempt };
        let inner = self.inner();
        let notes = inner.notes.range(at(0)..=at(u16::MAX));
        notes.filter_map(|(_, note)| note.foreign.clone()).collect()
    }

    /// Keeps what is new about a charge; what was known before and is not said now stays. Gives since when it is known.
    pub(super) fn note(
        &self,
        key: PaymentId,
        now: Duration,
        action: Option<PaymentAction>,
        foreign: Option<&str>,
    ) -> Duration {
        let mut inner = self.inner();
        if let Some(note) = inner.notes.get_mut(&key) {
            note.action = action.or_else(|| note.action.take());
            note.foreign = foreign.map(Into::into).or_else(|| note.foreign.take());
            return note.since;
        }
        if inner.notes.len() >= KEPT_MAX
            && let Some((_, oldest)) = inner.by_age.pop_first()
        {
            inner.notes.remove(&oldest);
        }
        let note = Note {
            since: now,
            action,
            foreign: foreign.map(Into::into),
        };
        inner.notes.insert(key, note);
        inner.by_age.insert((now, key));
        now
    }

    /// The charge does not wait for its buyer any more.
    pub(super) fn settled(&self, key: PaymentId) {
        if let Some(note) = self.inner().notes.get_mut(&key) {
            note.action = None;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in there panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use api::order::ActionKind;

    #[test]
    fn what_is_not_said_again_stays_and_an_end_takes_the_action_away() {
        let key: PaymentId = "pay_00000000001001".parse().unwrap();
        let (waiting, second) = (Waiting::default(), Duration::from_secs(1));
        let action = PaymentAction::new(ActionKind::WechatCodeUrl, "weixin://x");
        assert_eq!(waiting.note(key, second, action.clone(), None), second);
        assert_eq!(waiting.note(key, 2 * second, None, Some("pi_1")), second);
        let note = waiting.find(key).unwrap();
        assert_eq!(
            (note.action, note.foreign.as_deref()),
            (action, Some("pi_1"))
        );
        waiting.settled(key);
        let note = waiting.find(key).unwrap();
        assert_eq!((note.action, note.foreign.as_deref()), (None, Some("pi_1")));
    }
}
