//! A participant at a URL: signed requests with an idempotency key, and three words for an answer.

use std::sync::Arc;
use std::time::Duration;

use commerce::saga::{Op, Said};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use world::Clock;

use super::participant::{Asking, Heard, Participant, StepAsk};
use crate::provider::Line;
use crate::provider::client::UrlError;
use crate::provider::signature::Secret;
use crate::provider::signed::Signed;

/// Asks a participant over HTTP/1.1: `POST` to its URL, with `op` saying what is asked.
#[derive(Debug, Clone)]
pub struct HttpParticipant(Signed);

/// What is sent.
#[derive(Debug, Serialize)]
struct Request<'a> {
    key: &'a str,
    op: &'a str,
    saga: &'a str,
    step: &'a str,
    order_id: api::OrderId,
    attempt: u16,
}

/// What comes back.
#[derive(Debug, Deserialize)]
struct Answer {
    state: State,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Done,
    Failed,
    Pending,
}

impl HttpParticipant {
    /// A participant at this URL whose answers come within `timeout`.
    ///
    /// # Errors
    /// [`UrlError`] when the URL is none that can be called.
    pub fn new(
        url: &str,
        secret: Secret,
        clock: Arc<dyn Clock>,
        line: &Line,
        timeout: Duration,
    ) -> Result<Self, UrlError> {
        Signed::new(url, secret, clock, line, timeout).map(Self)
    }

    /// What is answered; `None` when nobody knows.
    async fn ask(&self, ask: &StepAsk, op: &str) -> Option<Heard> {
        // Doing and taking back are two operations of one step: each has its own key at the participant.
        let key = match ask.op {
            Op::Forward => ask.key.to_string(),
            Op::Undo => format!("{}_undo", ask.key),
        };
        let request = Request {
            key: &key,
            op,
            saga: ask.kind.name(),
            step: ask.step,
            order_id: ask.order,
            attempt: ask.attempt,
        };
        let (status, body) = self.0.send(&request, Some(&key)).await.ok()?;
        read(status, &body)
    }
}

/// Only what a participant says about the step itself counts; everything else may pass. One refusal is a refusal: 409 is
/// said while the first request of a key is under way, and 400 by a participant that knows no status questions.
fn read(status: StatusCode, body: &[u8]) -> Option<Heard> {
    match status {
        StatusCode::NOT_FOUND => Some(Heard::Nothing),
        StatusCode::UNPROCESSABLE_ENTITY => Some(Heard::Said(Said::Failed)),
        status if status.is_success() => {
            let answer: Answer = serde_json::from_slice(body).ok()?;
            Some(Heard::Said(match answer.state {
                State::Done => Said::Done,
                State::Failed => Said::Failed,
                State::Pending => Said::Unknown,
            }))
        }
        _ => None,
    }
}

impl Participant for HttpParticipant {
    fn act(&self, ask: StepAsk) -> Asking<'_, Said> {
        Box::pin(async move {
            let op = match ask.op {
                Op::Forward => "forward",
                Op::Undo => "undo",
            };
            match self.ask(&ask, op).await {
                Some(Heard::Said(said)) => said,
                // A page that is not there says nothing about the step.
                Some(Heard::Nothing) | None => Said::Unknown,
            }
        })
    }

    fn status(&self, ask: StepAsk) -> Asking<'_, Heard> {
        Box::pin(async move {
            let op = match ask.op {
                Op::Forward => "forward_status",
                Op::Undo => "undo_status",
            };
            let heard = self.ask(&ask, op).await;
            heard.unwrap_or(Heard::Said(Said::Unknown))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_about_the_step_is_an_end() {
        let done = read(StatusCode::OK, br#"{"state":"done"}"#);
        assert_eq!(done, Some(Heard::Said(Said::Done)));
        let pending = read(StatusCode::ACCEPTED, br#"{"state":"pending"}"#);
        assert_eq!(pending, Some(Heard::Said(Said::Unknown)));
        let refused = read(StatusCode::UNPROCESSABLE_ENTITY, b"");
        assert_eq!(refused, Some(Heard::Said(Said::Failed)));
        assert_eq!(read(StatusCode::NOT_FOUND, b""), Some(Heard::Nothing));
        for (status, body) in [
            (StatusCode::OK, &b"<html>"[..]),
            (StatusCode::OK, br#"{"state":"shipped"}"#),
            (StatusCode::BAD_GATEWAY, b""),
            (StatusCode::UNAUTHORIZED, b""),
            (StatusCode::BAD_REQUEST, b"unknown op forward_status"),
            (StatusCode::CONFLICT, b"in progress"),
        ] {
            assert_eq!(read(status, body), None, "{status}");
        }
    }
}
