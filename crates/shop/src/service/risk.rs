//! Orders and payments pass the guard of risk before the book is asked.

use std::sync::Arc;

use api::service::{Call, Caller};
use api::{BuyerFacts, Problem, SaleId};
use commerce::facts::{LEVEL_MOST, POINTS_MOST};
use commerce::{Action, Command, Facts, Place};

use super::Handle;
use crate::desk::DeskHandle;
use crate::risk::{Question, Risk, Seen};

/// What is known of a buyer: a merchant tells it with the order, and of a buyer who comes himself the token says it, in
/// its tags. A buyer's own request says where it comes from; the address of a merchant's server says nothing of the buyer.
pub(super) fn facts(call: &Call, tags: &[Box<str>], told: Option<BuyerFacts>) -> Facts {
    let told = match call.caller {
        Caller::Buyer { .. } => of_token(tags),
        Caller::Merchant { .. } | Caller::Provider => told.unwrap_or_default(),
    };
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

/// What the tags of a token say beside their names: `level:3`, `points:1200`, `region:eu`, `new_customer`. Tags are signed
/// as all of the token is. What cannot be a level or points stays a tag and nothing more.
fn of_token(tags: &[Box<str>]) -> BuyerFacts {
    let mut told = BuyerFacts::default();
    for tag in tags {
        match tag.split_once(':') {
            Some(("level", level)) => {
                let level = level.parse().ok().filter(|&level| level <= LEVEL_MOST);
                told.level = told.level.max(level.unwrap_or(0));
            }
            Some(("points", points)) => {
                let points = points.parse::<i64>().ok();
                let points = points.filter(|points| (-POINTS_MOST..=POINTS_MOST).contains(points));
                told.points = points.unwrap_or(told.points);
            }
            Some(("region", region)) if !region.is_empty() => told.region = Some(region.into()),
            None if **tag == *"new_customer" => told.new_customer = true,
            _ => {}
        }
    }
    told
}

/// What is known of the buyer goes to the book, whose discounts and rules may ask for it.
pub(super) fn tell_book(place: &mut Place, facts: &Facts) {
    if says_more(facts) {
        let deal = place.deal.get_or_insert_default();
        deal.facts = Some(Box::new(facts.clone()));
    }
}

/// Whether more is known of a buyer than tags. Only then the book is told, so that a plain order stays plain.
pub(super) fn says_more(facts: &Facts) -> bool {
    facts.level != 0 || facts.points != 0 || facts.region.is_some() || facts.new_customer
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tags_of_a_token_are_facts_where_they_can_be() {
        let told = |tags: &[&str]| {
            let tags: Vec<Box<str>> = tags.iter().map(|&tag| tag.into()).collect();
            of_token(&tags)
        };
        let all = told(&["level:2", "new_customer", "points:-12", "region:eu", "vip"]);
        assert_eq!((all.level, all.points, all.new_customer), (2, -12, true));
        assert_eq!(all.region.as_deref(), Some("eu"));
        let none = [
            "level:gold",
            "level:1001",
            "points:",
            "region:",
            "new_customer:no",
        ];
        assert_eq!(told(&none), BuyerFacts::default());
    }
}
