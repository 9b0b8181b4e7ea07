//! One step of one effect: a question to the provider, and its answer to the desk.

use std::sync::Arc;
use std::time::Duration;

use api::PaymentId;
use api::provider::ChargeReply;
use commerce::Report;

use super::job::{Job, Key, Next, Origin};
use super::report::{Heard, of_charge, of_refund, outcome_name};
use super::{Desks, ReportError};
use crate::provider::{Provider, ProviderError};

/// How a step ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The outcome of this name is on record.
    Recorded(&'static str),
    /// The book knows nothing of it.
    Gone,
    /// The provider is still at it.
    Pending,
    /// The provider waits for the buyer, whose page has what it needs; a callback tells the end.
    Waiting,
    /// The provider gave no answer.
    Silent(ProviderError),
    /// It was not asked, and shall not be for so long.
    Held(Duration),
    /// The outcome is known, but the desk did not take it.
    Untold,
}

/// Whether the provider spoke during a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoke {
    /// It was not asked.
    NotAsked,
    /// It answered.
    Answered,
    /// It was asked and did not answer.
    Silent,
}

/// A step that was made.
#[derive(Debug)]
pub(super) struct Stepped {
    pub(super) job: Job,
    pub(super) ended: Ended,
    pub(super) spoke: Spoke,
}

/// How long a call waits for a desk that cannot say now whether it is still wanted.
const BUSY: Duration = Duration::from_secs(1);

fn not_asked(job: Job, ended: Ended) -> Stepped {
    let spoke = Spoke::NotAsked;
    Stepped { job, ended, spoke }
}

/// Makes steps; cheap to clone.
#[derive(Clone)]
pub(super) struct Stepper {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) desks: Arc<dyn Desks>,
}

impl Stepper {
    /// Makes the next step of a job.
    pub(super) async fn step(self, mut job: Job) -> Stepped {
        if let Next::Tell(report) = &job.next {
            let report = report.clone();
            return self.tell(job, report, Spoke::NotAsked).await;
        }
        if job.waited() {
            match self.desks.is_open(job.sale, job.effect).await {
                Ok(true) => {}
                Ok(false) | Err(ReportError::Gone) => return not_asked(job, Ended::Gone),
                Err(ReportError::Retry) => return not_asked(job, Ended::Held(BUSY)),
            }
        }
        match self.hear(&mut job).await {
            Ok(Some(report)) => self.tell(job, report, Spoke::Answered).await,
            Ok(None) => {
                job.next = Next::Ask;
                let waits = match job.key {
                    Key::Payment(key) => self.provider.action(key).is_some(),
                    Key::Refund(..) => false,
                };
                let ended = if waits {
                    Ended::Waiting
                } else {
                    Ended::Pending
                };
                let spoke = Spoke::Answered;
                Stepped { job, ended, spoke }
            }
            // Nobody was asked, so nothing has become unknown.
            Err(ProviderError::Held(wait)) => not_asked(job, Ended::Held(wait)),
            Err(_) if stdx::mutants::is("silence-is-failure") => {
                let report = job.failed();
                self.tell(job, report, Spoke::Silent).await
            }
            Err(error) => self.silent(job, error).await,
        }
    }

    async fn tell(&self, mut job: Job, report: Report, spoke: Spoke) -> Stepped {
        let ended = match self.desks.report(job.sale, report.clone()).await {
            Ok(()) => Ended::Recorded(outcome_name(&report)),
            Err(ReportError::Gone) => Ended::Gone,
            Err(ReportError::Retry) => {
                job.next = Next::Tell(report);
                Ended::Untold
            }
        };
        Stepped { job, ended, spoke }
    }

    /// No answer: whoever looks at the order shall see that nobody knows, once.
    async fn silent(&self, mut job: Job, error: ProviderError) -> Stepped {
        if let Some(report) = job.unknown().filter(|_| !job.unknown_told) {
            // A desk that does not take it now hears it after the next try; it changes nothing about the money.
            job.unknown_told = self.desks.report(job.sale, report).await.is_ok();
        }
        let (ended, spoke) = (Ended::Silent(error), Spoke::Silent);
        Stepped { job, ended, spoke }
    }

    /// Asks until there is an answer to tell; `None` while the provider works on it. On an error the job knows how to
    /// go on: with a question.
    async fn hear(&self, job: &mut Job) -> Result<Option<Report>, ProviderError> {
        let mut heard = match job.next {
            Next::Act => self.act(job).await,
            _ => self.ask(job).await,
        };
        if matches!((&heard, &job.next), (Ok(Heard::Nothing), Next::Ask)) {
            // Nobody had asked the provider, so there is nothing that it should have told.
            job.origin = Origin::Found;
            heard = self.act(job).await;
        }
        if matches!((&heard, &job.next), (Ok(Heard::Pending), Next::Ask))
            && let Key::Payment(key) = job.key
            && self.provider.lacks_action(key)
        {
            // An earlier run knew what the buyer's page needs; the same key says it again and charges nobody twice.
            heard = self.act(job).await;
        }
        if matches!(heard, Err(ProviderError::Refused(_))) && !matches!(job.next, Next::AskRefused)
        {
            job.next = Next::AskRefused;
            heard = self.ask(job).await;
        }
        match heard {
            Ok(Heard::Final(report)) => Ok(Some(report)),
            Ok(Heard::Pending) => Ok(None),
            // It refused the request and holds nothing under that key: no money moved, and none will.
            Ok(Heard::Nothing) => Ok(Some(job.failed())),
            Err(error) => {
                if matches!(job.next, Next::Act) && !matches!(error, ProviderError::Held(_)) {
                    job.next = Next::Ask;
                }
                Err(error)
            }
        }
    }

    async fn act(&self, job: &Job) -> Result<Heard, ProviderError> {
        match job.key {
            Key::Payment(mut key) => {
                if job.failures > 0 && stdx::mutants::is("retry-under-new-key") {
                    key.attempt = key.attempt.saturating_add(500);
                }
                let reply = self.charge(job, key).await?;
                of_charge(job, &reply)
            }
            Key::Refund(key, charge) => {
                let reply = self.provider.refund(job.refund(key, charge)).await?;
                of_refund(job, &reply)
            }
        }
    }

    async fn charge(&self, job: &Job, key: PaymentId) -> Result<ChargeReply, ProviderError> {
        let request = job.charge(key);
        if !self.provider.wants_payer() {
            return self.provider.charge(request).await;
        }
        let payer = self.desks.payer(job.sale, job.effect.order).await;
        // A desk that does not say whom is asked again; nothing was sent to the provider meanwhile.
        let payer = payer.map_err(|error| ProviderError::Unreachable(error.to_string()))?;
        self.provider.charge_for(request, payer).await
    }

    async fn ask(&self, job: &Job) -> Result<Heard, ProviderError> {
        match job.key {
            Key::Payment(key) => match self.provider.charge_status(key).await? {
                Some(reply) => of_charge(job, &reply),
                None => Ok(Heard::Nothing),
            },
            Key::Refund(key, _) => match self.provider.refund_status(key).await? {
                Some(reply) => of_refund(job, &reply),
                None => Ok(Heard::Nothing),
            },
        }
    }
}
