//! Callbacks of real providers: proven by the provider, held against the book, then reported.

use api::provider::{Knock, ProviderReport};
use api::service::Answer;
use api::{Code, Problem};

use super::Handle;
use crate::reconcile::{Fit, unmatched};

impl Handle {
    /// Takes what knocked. What is proven and does not fit is kept for people and does not count: the cashier asks the
    /// provider itself about everything that is open.
    pub(super) async fn take_knock(&self, knock: Knock) -> Result<Answer<()>, Problem> {
        let read = self.provider.read(knock.clone()).await;
        let taken = match read.map_err(|error| error.problem())? {
            Some(report) => self.take_proven(report).await,
            // True, and about nothing that a book holds: another part of the account, or a step on the way.
            None => Ok(Answer::plain(())),
        };
        // Whoever was told to come later brings the same bytes again; what was kept for people was kept once.
        let kept = |problem: &Problem| problem.code() == Code::CallbackMismatch;
        if taken.as_ref().map_or_else(kept, |_| true) {
            self.provider.booked(&knock);
        }
        taken
    }

    async fn take_proven(&self, report: ProviderReport) -> Result<Answer<()>, Problem> {
        match self.registry.fit(&report).await? {
            Fit::Fits => self.take_report(report).await,
            Fit::Nothing | Fit::NotBegun | Fit::NoWord => {
                // It is taken, since the provider can do nothing about it, and kept.
                let said = unmatched::words(&report);
                if self.is_kept(&said) {
                    return Ok(Answer::plain(()));
                }
                let gap = format!("a provider reports what a book has no place for: {said}");
                self.registry.tell_gap(&gap);
                self.keep_unmatched(&said).await
            }
            Fit::Currency(why) | Fit::Amount(why) => {
                let said = format!("{why}: {report:?}");
                self.registry.tell_gap(&said);
                self.keep_unmatched(&said).await?;
                Err(Problem::because(Code::CallbackMismatch, why))
            }
        }
    }

    /// Whether the same words are kept already: a provider says them again until it is answered.
    fn is_kept(&self, said: &str) -> bool {
        let house = self.registry.house().book();
        house.unmatched_newest().any(|kept| *kept.report == *said)
    }
}
