//! The shop's door as a buyer meets it: it asks, and asks again with the same key until it knows.

use super::memory::Receipts;
use super::tally::{Tally, count};
use crate::chance::Chance;
use crate::client::{Answer, ClientError, Pool, Request};
use crate::problem::ProblemText;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use world::{Clock, SystemClock};

/// An answer that says what became of the request.
pub(super) type Heard = Answer;

/// How long a buyer goes on asking.
const INSIST_MAX: Duration = Duration::from_secs(90);
/// The first pause after no answer; it doubles each time.
const PAUSE_MS: u64 = 10;
/// The longest pause.
const PAUSE_MS_MAX: u64 = 400;

/// What all buyers share.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) pool: Pool,
    pub(super) tally: Tally,
    pub(super) receipts: Receipts,
    pub(super) clock: Arc<SystemClock>,
}

/// Nobody ever said what became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unanswered;

impl Door {
    /// Asks until there is an answer. Lost connections, 429 and 503 are none: the same key is tried again.
    pub(super) async fn insist(
        &self,
        request: &Request<'_>,
        chance: &Chance,
    ) -> Result<Heard, Unanswered> {
        self.insist_counting(request, chance, &mut 0).await
    }

    /// The same, and counts the requests that were sent and never answered: each may still be done later.
    pub(super) async fn insist_counting(
        &self,
        request: &Request<'_>,
        chance: &Chance,
        strays: &mut u32,
    ) -> Result<Heard, Unanswered> {
        let until = self.clock.monotonic() + INSIST_MAX;
        let mut pause_ms = PAUSE_MS;
        loop {
            match self.pool.ask(request).await {
                Ok(heard) => {
                    self.hear(&heard);
                    if !matches!(heard.status, 408 | 429 | 500..) {
                        return Ok(heard);
                    }
                }
                Err(error) => {
                    count(&self.tally.lost_connections);
                    *strays += u32::from(!matches!(error, ClientError::Connect(_)));
                }
            }
            if self.clock.monotonic() >= until {
                return Err(Unanswered);
            }
            // Half of the pause is drawn, so that those who lost together do not come back together.
            let pause = Duration::from_millis(chance.between(pause_ms / 2, pause_ms));
            tokio::time::sleep(pause).await;
            pause_ms = (pause_ms * 2).min(PAUSE_MS_MAX);
        }
    }

    fn hear(&self, heard: &Heard) {
        self.tally.answered(heard);
        if let Some(receipt) = &heard.position {
            self.receipts.keep(receipt);
        }
    }
}

/// The code of a refusal.
pub(super) fn code(heard: &Heard) -> Box<str> {
    ProblemText::read(&heard.body).code
}

/// The body of a 2xx, if it is what it should be.
pub(super) fn body<T: DeserializeOwned>(heard: &Heard) -> Option<T> {
    heard
        .is_success()
        .then(|| serde_json::from_slice(&heard.body).ok())
        .flatten()
}
