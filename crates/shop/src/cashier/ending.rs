//! What the end of a step means: done, again later, or left to the reconciler.

use std::time::Duration;

use stdx::backoff::Backoff;
use telemetry::PaymentOutcome;
use telemetry::fact::{EffectDone, EffectDropped, EffectRetried, PaymentEnded, ReconcileGap};
use world::ErrorKind;
use world::tasks;

use super::job::{Job, Name, Origin};
use super::run::Cashier;
use super::step::{Ended, Spoke, Stepped};
use crate::provider::ProviderError;

/// Waits between tries to bring a report to a desk that takes none.
const TELL_AGAIN: Backoff = Backoff {
    base: Duration::from_millis(50),
    most: Duration::from_secs(2),
};

/// Reports in a row that a desk may refuse before a crowded board lets go of them: about half a minute.
const TELLS_MAX: u32 = 20;

impl Cashier {
    /// A step came to its end, or to a panic.
    pub(super) fn end(&mut self, name: Name, stepped: Result<Stepped, tasks::Ended>) {
        match stepped {
            Ok(stepped) => self.judge(stepped),
            Err(tasks::Ended) => {
                // A step that panicked is a bug, and the panic is in the log; its effect is open in the book still.
                self.board.forget(name);
                self.rested = true;
            }
        }
    }

    /// What the end of a step means for its effect.
    fn judge(&mut self, stepped: Stepped) {
        let Stepped {
            mut job,
            ended,
            spoke,
        } = stepped;
        let paid = std::mem::take(&mut job.paid);
        if spoke == Spoke::Answered {
            self.provider_is_well(paid);
        }
        match ended {
            Ended::Recorded(outcome) => self.done(&job, outcome),
            Ended::Gone => {
                // The book has nothing that could be a gap.
                job.origin = Origin::Found;
                self.done(&job, "gone");
            }
            Ended::Untold => self.tell_again(job),
            Ended::Pending => self.again(job, None),
            // People take minutes: asking after each of them every second would use up what the provider allows.
            Ended::Waiting => self.leave(&job, None),
            Ended::Silent(error) => self.again(job, Some(&error)),
            Ended::Held(wait) => {
                if paid {
                    // The retry was not made.
                    self.budget.answered();
                }
                self.hold(job, wait);
            }
        }
    }

    /// The provider is left alone: the effect waits, which is no failure of it. Only when so many wait that fresh ones
    /// find no room is it left to the next scan.
    fn hold(&mut self, job: Job, wait: Duration) {
        if self.board.is_crowded() {
            self.board.forget(job.name());
            let (effect, key) = (job.key.kind(), job.key.to_string());
            let telemetry = &self.shared.telemetry;
            telemetry.tell(&EffectDropped { effect, key: &key });
            self.rested = true;
            return;
        }
        // Scattered, so that what was held together does not come back in step.
        let spread = wait + self.settings.backoff().wait(1, self.chance());
        self.board.put_back(job, self.clock.monotonic(), spread);
    }

    /// The desk took no report: again until it does. Only when a desk that is out of order for long would take the room
    /// of others is the report left: the provider knows the outcome, and the effect is open in its book.
    fn tell_again(&mut self, mut job: Job) {
        job.refusals += 1;
        if job.refusals > TELLS_MAX && self.board.is_crowded() {
            self.board.forget(job.name());
            let key = job.key.to_string();
            let effect = job.key.kind();
            self.shared
                .telemetry
                .tell(&EffectDropped { effect, key: &key });
            return self.look_again();
        }
        let wait = TELL_AGAIN.wait(job.refusals, self.chance());
        self.board.put_back(job, self.clock.monotonic(), wait);
    }

    /// Another scan shall follow: soon at first, then less and less often until the next regular one.
    pub(super) fn look_again(&mut self) {
        if self.heal_at.is_none() {
            let most = Duration::from_millis(self.settings.reconcile_every_ms);
            self.heal_at = Some(self.clock.monotonic() + self.heal_wait);
            self.heal_wait = (self.heal_wait * 2).min(most);
        }
    }

    /// A retry that was answered gives its token back, and what was left to the reconciler is worth another look.
    fn provider_is_well(&mut self, paid: bool) {
        if paid {
            self.budget.answered();
        }
        if std::mem::take(&mut self.rested) {
            self.look_again();
        }
    }

    fn done(&mut self, job: &Job, outcome: &str) {
        self.board.forget(job.name());
        self.waiters.gone(job.name());
        let telemetry = &self.shared.telemetry;
        let key = job.key.to_string();
        telemetry.tell(&EffectDone {
            effect: job.key.kind(),
            key: &key,
            outcome,
        });
        if let (telemetry::EffectKind::Charge, "captured" | "failed") = (job.key.kind(), outcome) {
            let outcome = match outcome {
                "captured" => PaymentOutcome::Success,
                _ => PaymentOutcome::Declined,
            };
            telemetry.tell(&PaymentEnded { outcome });
        }
        if job.origin == Origin::Overdue {
            let detail = format!("{key} was {outcome} at the provider and open in the book");
            telemetry.tell(&ReconcileGap { detail: &detail });
        }
    }

    /// No outcome yet: later again, or, after too many tries or with too many others waiting, left to the reconciler.
    fn again(&mut self, mut job: Job, error: Option<&ProviderError>) {
        job.failures += 1;
        if job.failures > self.settings.retries_max || self.board.is_crowded() {
            return self.leave(&job, error);
        }
        let wait = self.settings.backoff().wait(job.failures, self.chance());
        if let Some(error) = error {
            self.shared.telemetry.tell(&EffectRetried {
                effect: job.key.kind(),
                key: &job.key.to_string(),
                attempts: job.failures,
                wait,
                reason: &error.to_string(),
            });
        }
        self.board.put_back(job, self.clock.monotonic(), wait);
    }

    /// Leaves an effect to the reconciler. What is pending waits for its callback; what was not answered is looked at
    /// again once the provider answers anybody; an answer without sense is for people.
    fn leave(&mut self, job: &Job, error: Option<&ProviderError>) {
        self.board.forget(job.name());
        let Some(error) = error else {
            return self.waiters.waits(job.name(), self.clock.monotonic());
        };
        let key = job.key.to_string();
        let telemetry = &self.shared.telemetry;
        let effect = job.key.kind();
        telemetry.tell(&EffectDropped { effect, key: &key });
        if effect == telemetry::EffectKind::Charge {
            let outcome = PaymentOutcome::Failure;
            telemetry.tell(&PaymentEnded { outcome });
        }
        match error.kind() {
            ErrorKind::Retry | ErrorKind::Wait => self.rested = true,
            _ => {
                let detail = format!("{key}: {error}");
                telemetry.tell(&ReconcileGap { detail: &detail });
            }
        }
    }

    fn chance(&self) -> u64 {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
