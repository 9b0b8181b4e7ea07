//! A merchant's clerk who writes small changes into the sale, one after the other: the witness of what a fault does to
//! writes, and of when they go through again.

use super::door::{Door, code};
use crate::client::{Answer, ClientError, Patience, Pool, Request};
use api::SaleId;
use api::plan::AlterSale;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use world::Clock;

/// How long the clerk waits for one answer: shorter than a fault that makes writes hang.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// Digits of the number in the sale's name, which makes the name nearly as long as it may be.
const NAME_PADDING: usize = 160;
/// Pause between two tries of the same change.
const PAUSE: Duration = Duration::from_millis(50);
/// What the server says while its disk takes no writes.
const READ_ONLY: &str = "TG-3003";

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Try {
    /// The change is made, and durable.
    Written,
    /// The server says that its disk takes no writes, and when to come again.
    ReadOnly,
    /// It asks for patience for another reason, or does not know.
    Later,
    /// No answer in time.
    Silence,
    /// An answer that no fault excuses.
    Wrong(String),
}

/// The clerk.
#[derive(Debug)]
pub(super) struct Probe {
    pool: Pool,
    door: Arc<Door>,
    path: String,
    bearer: Arc<str>,
    /// Changes made so far; the next one keeps its key until it is known to be made.
    written: u64,
}

impl Probe {
    pub(super) fn new(
        door: &Arc<Door>,
        public: SocketAddr,
        sale: SaleId,
        bearer: &Arc<str>,
    ) -> Self {
        let patience = Patience {
            answer: ANSWER_MAX,
            ..Patience::default()
        };
        Self {
            // A connection of its own: the clerk does not wait in line with the crowd.
            pool: Pool::new(public, 1, patience, Arc::clone(&door.clock)),
            door: Arc::clone(door),
            path: format!("/v1/sales/{sale}"),
            bearer: Arc::clone(bearer),
            written: 0,
        }
    }

    /// Tries once to make the next change.
    pub(super) async fn try_once(&mut self) -> Try {
        let key = format!("drill-probe-{}", self.written);
        // As long as a name may be: what is written is what is felt.
        let name = format!("Drill, after {:0>NAME_PADDING$} changes", self.written);
        let change = AlterSale {
            name: Some(name.into()),
            ..AlterSale::default()
        };
        // Plain texts can always be written.
        let asked = serde_json::to_vec(&change).unwrap_or_default();
        let request = Request {
            method: "PATCH",
            ..Request::post(&self.path, &self.bearer, &key, &asked)
        };
        let told = judge(self.pool.ask(&request).await);
        match told {
            (Try::Written, receipt) => {
                self.written += 1;
                if let Some(receipt) = receipt {
                    self.door.receipts.keep(&receipt);
                }
                Try::Written
            }
            (other, _) => other,
        }
    }

    /// Whether the sale can be seen.
    pub(super) async fn reads(&self) -> bool {
        let request = Request::get(&self.path, &self.bearer);
        let heard = self.pool.ask(&request).await;
        heard.is_ok_and(|answer| answer.is_success())
    }

    /// Tries until `enough` says so of an answer; the last one, whatever it was, when the time is over.
    pub(super) async fn until(&mut self, most: Duration, enough: impl Fn(&Try) -> bool) -> Try {
        let until = self.door.clock.monotonic() + most;
        loop {
            let tried = self.try_once().await;
            if enough(&tried)
                || matches!(tried, Try::Wrong(_))
                || self.door.clock.monotonic() >= until
            {
                return tried;
            }
            if tried != Try::Written {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn judge(heard: Result<Answer, ClientError>) -> (Try, Option<Box<str>>) {
    let Ok(answer) = heard else {
        return (Try::Silence, None);
    };
    let code = code(&answer);
    let tried = match answer.status {
        200..300 => return (Try::Written, answer.position),
        503 if &*code == READ_ONLY && answer.retry_after_s.is_some() => Try::ReadOnly,
        503 if code.starts_with("TG-") && answer.retry_after_s.is_some() => Try::Later,
        408 if code.starts_with("TG-") => Try::Later,
        status => Try::Wrong(format!(
            "{status} {code}, with Retry-After {:?}",
            answer.retry_after_s
        )),
    };
    (tried, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str, retry_after_s: Option<u32>) -> Try {
        let answer = Answer {
            status,
            repeated: false,
            retry_after_s,
            position: None,
            body: format!("{{\"code\":\"{code}\"}}").into_bytes(),
            took: Duration::ZERO,
        };
        judge(Ok(answer)).0
    }

    #[test]
    fn a_refusal_must_have_its_code_and_say_when_to_come_again() {
        assert_eq!(answer(503, "TG-3003", Some(1)), Try::ReadOnly);
        assert_eq!(answer(503, "TG-3002", Some(1)), Try::Later);
        assert_eq!(answer(408, "TG-1007", None), Try::Later);
        for (status, code, again) in [
            (503, "TG-3003", None),
            (503, "", Some(1)),
            (500, "TG-5001", Some(1)),
            (404, "TG-2001", None),
        ] {
            assert!(
                matches!(answer(status, code, again), Try::Wrong(_)),
                "{status} {code}"
            );
        }
    }

    #[test]
    fn no_answer_is_silence_and_a_2xx_is_written() {
        assert_eq!(judge(Err(ClientError::TimedOut)).0, Try::Silence);
        assert_eq!(answer(200, "", None), Try::Written);
    }
}
