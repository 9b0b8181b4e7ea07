//! Orders and payments pass the guard of risk before the book is asked.

use std::sync::Arc;

use api::service::{Call, Caller};
use api::{BuyerFacts, Problem, SaleId};
use commerce::{Action, Command, Facts};

use super::Handle;
use crate::desk::DeskHandle;
use crate::risk::{Question, Risk, Seen};

/// What is known of a buyer. A buyer's own request says where it comes from; the address of a merchant's server says
/// nothing of the buyer.
pub(super) fn facts(call: &Call, tags: &[Box<str>], told: Option<BuyerFacts>) -> Facts {
    let told = told.unwrap_or_default();
    let own = match call.caller {
        Caller::Buyer { .. } => call.address.map(|address| address.to_string().into()),
        Caller::Merchant { .. } | Caller::Provider => None,
    };
    Facts {
        tags: tags.to_vec(),
        level: told.level,
        points: told.points,
        region: told.region,
        new_customer: told.new_customer,
        device: told.device,
        address: told.address.or(own),
    }
}

/// The question that a command puts to risk, if it does.
pub(super) fn question(call: &Call, command: &Command, facts: Facts) -> Option<Question> {
    let buyer = match (&command.action, &call.caller) {
        // What was paid elsewhere is a report of the past: there is nothing left to keep from happening.
        (Action::Place(place), _) if place.paid.is_some() => return None,
        (Action::Place(place), _) => place.buyer.clone(),
        (Action::Pay { .. }, Caller::Buyer { id, .. }) => Some(id.clone()),
        (Action::Pay { .. }, _) => None,
        _ => return None,
    };
    Some(Question {
        command: command.clone(),
        buyer,
        facts,
    })
}

impl Handle {
    /// Whether risk is judged at all.
    pub(super) fn judges_risk(&self) -> bool {
        self.risk.policy().is_some()
    }

    /// Lets the guard judge questions about one sale; each is answered by itself.
    pub(super) async fn judge(
        &self,
        desk: &DeskHandle,
        sale: SaleId,
        questions: Vec<Option<Question>>,
    ) -> Result<Vec<Result<(), Problem>>, Problem> {
        let Some(policy) = self.risk.policy() else {
            return Ok(questions.iter().map(|_| Ok(())).collect());
        };
        let questions: Arc<[Option<Question>]> = questions.into();
        let mut seen: Vec<Option<Seen>> = questions.iter().map(|_| None).collect();
        if policy.asks_book() {
            let asked = questions.clone();
            let look = move |book: &commerce::Book| {
                let see = |question: &Option<Question>| {
                    question.as_ref().map(|question| Seen::of(book, question))
                };
                asked.iter().map(see).collect()
            };
            seen = Self::ask(desk, look).await?.value;
        }
        let judge = |(question, seen): (&Option<Question>, _)| {
            let question = question.as_ref()?;
            Some(self.risk.judge(&policy, sale, question, seen))
        };
        let said: Vec<Option<Risk>> = questions.iter().zip(seen).map(judge).collect();
        let known = Self::known(desk, &questions, &said).await?;
        let answers = questions.iter().zip(said).zip(known);
        let answer = |((question, risk), known): ((&Option<Question>, Option<Risk>), bool)| match (
            question, risk,
        ) {
            (Some(question), Some(risk)) if !known => self.risk.answer(sale, question, risk),
            _ => Ok(()),
        };
        Ok(answers.map(answer).collect())
    }

    /// Which of the blocked are repeats of what was answered before: a repeat hears what it heard.
    async fn known(
        desk: &DeskHandle,
        questions: &Arc<[Option<Question>]>,
        said: &[Option<Risk>],
    ) -> Result<Vec<bool>, Problem> {
        let blocked: Vec<bool> = said
            .iter()
            .map(|risk| matches!(risk, Some(Risk::Block(_))))
            .collect();
        if !blocked.contains(&true) {
            return Ok(blocked);
        }
        let asked = questions.clone();
        let look = move |book: &commerce::Book| {
            let known = |(question, blocked): (&Option<Question>, &bool)| {
                let question = question.as_ref().filter(|_| *blocked);
                question.is_some_and(|question| book.knows(&question.command))
            };
            asked.iter().zip(&blocked).map(known).collect()
        };
        Ok(Self::ask(desk, look).await?.value)
    }

    /// Judges one command.
    pub(super) async fn judge_one(
        &self,
        desk: &DeskHandle,
        sale: SaleId,
        question: Option<Question>,
    ) -> Result<(), Problem> {
        if question.is_none() {
            return Ok(());
        }
        let mut answers = self.judge(desk, sale, vec![question]).await?;
        answers.pop().unwrap_or(Ok(()))
    }
}
