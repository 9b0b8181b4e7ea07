//! What is known of one issuer: its keys, and the one fetch of them that is under way at most.
//!
//! A fetch runs beside the requests. Whoever has a key that still counts never waits for it, however long it takes.

use super::fetch::{Fetch, FetchError};
use super::jwk::KeySet;
use super::settings::Issuer;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use world::{Clock, Tasks};

/// After a fetch that brought keys the next one begins no sooner.
const REFRESH_AT_MOST: Duration = Duration::from_secs(60);
/// After a fetch that failed the next one begins no sooner.
const RETRY_AT_MOST: Duration = Duration::from_secs(5);
/// Time for one fetch.
const FETCH_TIME: Duration = Duration::from_secs(5);

/// What a fetch needs.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) fetch: Arc<dyn Fetch>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tasks: Tasks,
}

/// What is known of one issuer.
pub(super) struct Known {
    pub(super) settings: Issuer,
    keys: RwLock<Arc<KeySet>>,
    turn: Mutex<Turn>,
    /// How many fetches have ended.
    ended: watch::Sender<u64>,
}

/// Whose turn it is to fetch.
#[derive(Default)]
struct Turn {
    under_way: bool,
    /// The next fetch begins no sooner.
    next: Duration,
    /// Why the last one failed, if it did.
    failed: Option<FetchError>,
}

impl Known {
    pub(super) fn new(settings: &Issuer) -> Self {
        Self {
            settings: settings.clone(),
            keys: RwLock::default(),
            turn: Mutex::default(),
            ended: watch::Sender::new(0),
        }
    }

    pub(super) fn keys(&self) -> Arc<KeySet> {
        self.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Begins a fetch beside the caller, unless one is under way or has ended a moment ago.
    pub(super) fn refresh(self: &Arc<Self>, around: &Around) {
        let now = around.clock.monotonic();
        {
            let mut turn = self.turn();
            if turn.under_way || now < turn.next {
                return;
            }
            turn.under_way = true;
        }
        let ending = Ending {
            known: Arc::clone(self),
            clock: Arc::clone(&around.clock),
            outcome: Err(FetchError::Refused("it was cut off".into())),
        };
        let fetching = around.clone();
        drop(around.tasks.spawn(async move {
            let outcome = ending.known.fetch(&fetching, now).await;
            ending.with(outcome);
        }));
    }

    async fn fetch(&self, around: &Around, now: Duration) -> Result<KeySet, FetchError> {
        let fetch = around.fetch.fetch(&self.settings.jwks);
        let fetched = around.tasks.timeout(FETCH_TIME, fetch).await;
        let bytes = fetched.unwrap_or(Err(FetchError::TooSlow))?;
        KeySet::read(&bytes, self.keys().generation + 1, now)
    }

    /// Waits for the end of the fetch that is under way, if there is one: no longer than a fetch may take.
    pub(super) async fn settled(&self) {
        // Asked before it is looked at: an end in between is then not missed.
        let mut ended = self.ended.subscribe();
        if self.turn().under_way {
            let _ = ended.changed().await;
        }
    }

    /// Why the last fetch failed, if it did.
    pub(super) fn failure(&self) -> Option<FetchError> {
        self.turn().failed.clone()
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a fetch, whichever way it comes: one that is cut off must not leave the next one waiting for ever.
struct Ending {
    known: Arc<Known>,
    clock: Arc<dyn Clock>,
    outcome: Result<KeySet, FetchError>,
}

impl Ending {
    fn with(mut self, outcome: Result<KeySet, FetchError>) {
        self.outcome = outcome;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let cut_off = Err(FetchError::Refused("it is over".into()));
        let (pause, failed) = match std::mem::replace(&mut self.outcome, cut_off) {
            Ok(keys) => {
                let mut shown = self
                    .known
                    .keys
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                *shown = Arc::new(keys);
                (REFRESH_AT_MOST, None)
            }
            Err(error) => (RETRY_AT_MOST, Some(error)),
        };
        {
            let mut turn = self.known.turn();
            turn.under_way = false;
            turn.next = self.clock.monotonic() + pause;
            turn.failed = failed;
        }
        self.known.ended.send_modify(|ended| *ended += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::ManualClock;

    #[tokio::test]
    async fn a_fetch_that_is_cut_off_makes_room_for_the_next() {
        let issuer = serde_json::from_value(serde_json::json!({
            "issuer": "https://issuer.test", "jwks": "http://issuer.test/keys", "audience": "tidegate",
        }));
        let known = Arc::new(Known::new(&issuer.unwrap()));
        known.turn().under_way = true;
        let ending = Ending {
            known: Arc::clone(&known),
            clock: Arc::new(ManualClock::new(0)),
            outcome: Err(FetchError::TooSlow),
        };
        tokio::join!(known.settled(), async { drop(ending) });
        let turn = known.turn();
        assert_eq!((turn.under_way, turn.next), (false, RETRY_AT_MOST));
    }
}
