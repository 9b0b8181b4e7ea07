//! Sagas, carriers and notices, as operators and carriers reach them.

use api::sending::{
    CarrierWord, DeadNotice, DeadNotices, NoticesRetried, SAGAS_MAX, Saga, SagaPage, SagaQuery,
    SagaVerb,
};
use api::service::{Answer, Call, Caller, Reply, Sending};
use api::{Code, OrderId, Problem, SaleId};
use commerce::saga::{SagaAsk, Stage, Verb};
use commerce::{Action, Book, Command};

use super::{Handle, actor};
use crate::wire;

fn number(order: OrderId) -> Result<u32, Problem> {
    u32::try_from(order.number()).map_err(|_| Problem::new(Code::OrderNotFound))
}

fn show(book: &Book, sale: SaleId, order: u32) -> Option<Saga> {
    book.saga_of(order)
        .and_then(|found| wire::saga(sale.get(), found))
}

/// The sagas of a book that a query means, the first of them, and whether there are more.
fn page(book: &Book, sale: SaleId, stage: Option<Stage>) -> SagaPage {
    let all = book.sagas_from(0);
    let mut found: Vec<Saga> = match stage {
        None => book
            .open_sagas()
            .take(SAGAS_MAX + 1)
            .filter_map(|found| wire::saga(sale.get(), found))
            .collect(),
        Some(stage) => all
            .filter(|found| found.saga.at.stage == stage)
            .take(SAGAS_MAX + 1)
            .filter_map(|found| wire::saga(sale.get(), found))
            .collect(),
    };
    let more = found.len() > SAGAS_MAX;
    found.truncate(SAGAS_MAX);
    let since = book.open_sagas().map(|found| found.saga.since).min();
    SagaPage {
        sagas: found,
        more,
        oldest_unfinished_ms: since.map_or(0, |since| book.time().0.saturating_sub(since.0)),
    }
}

fn stage(name: Option<&str>) -> Result<Option<Stage>, Problem> {
    let known = |name: &str| {
        Stage::ALL
            .iter()
            .copied()
            .find(|stage| stage.name() == name)
    };
    match name {
        None | Some("open") => Ok(None),
        Some(name) => known(name)
            .map(Some)
            .ok_or_else(|| Problem::of_field("stage", "names no stage of a saga")),
    }
}

impl Handle {
    async fn list_sagas(&self, call: Call, query: SagaQuery) -> Result<Answer<SagaPage>, Problem> {
        let (sale, stage) = (query.sale_id, stage(query.stage.as_deref())?);
        let desk = self.desk(&call.caller, sale).await?;
        let seen = Self::ask(&desk, move |book| page(book, sale, stage)).await?;
        Ok(Answer {
            body: seen.value,
            repeated: false,
            position: Some((sale, wire::position(seen.position))),
        })
    }

    async fn show_saga(&self, call: Call, id: OrderId) -> Result<Answer<Saga>, Problem> {
        let (sale, order) = (id.sale(), number(id)?);
        let desk = self.desk(&call.caller, sale).await?;
        let seen = Self::ask(&desk, move |book| show(book, sale, order)).await?;
        Ok(Answer {
            body: seen.value.ok_or_else(|| Problem::new(Code::SagaNotFound))?,
            repeated: false,
            position: Some((sale, wire::position(seen.position))),
        })
    }

    async fn order_saga(
        &self,
        call: Call,
        id: OrderId,
        verb: SagaVerb,
    ) -> Result<Answer<Saga>, Problem> {
        let (sale, order) = (id.sale(), number(id)?);
        let desk = self.desk(&call.caller, sale).await?;
        let found = Self::ask(&desk, move |book| {
            let saga = book.saga_of(order)?;
            Some((saga.number, wire::saga(sale.get(), saga)))
        });
        let (saga, before) = found
            .await?
            .value
            .ok_or_else(|| Problem::new(Code::SagaNotFound))?;
        let (verb, what) = match verb {
            SagaVerb::Retry => (Verb::Retry, "saga.retry"),
            SagaVerb::Skip => (Verb::Skip, "saga.skip"),
            SagaVerb::Compensate => (Verb::Compensate, "saga.compensate"),
        };
        let caller = call.caller.clone();
        let command = Command {
            actor: actor(&call.caller),
            key: call.key,
            action: Action::Saga(SagaAsk::Verb { saga, verb }),
        };
        let told = Self::tell(&desk, command, move |book, _| show(book, sale, order));
        let told = told.await?;
        let stands = |saga: &Saga| serde_json::to_string(saga).ok();
        let (before, after) = (before.as_ref().and_then(stands), stands(&told.value));
        let subject = id.to_string();
        self.note(&caller, what, &subject, before.as_deref(), after.as_deref())
            .await?;
        Ok(told.answer(sale))
    }
}

impl Handle {
    /// Whether a sale belongs to the caller's account.
    fn owns(&self, caller: &Caller, sale: u32) -> bool {
        let house = self.registry.house().book();
        let Caller::Merchant { account, .. } = caller else {
            return false;
        };
        house
            .sale(sale)
            .is_some_and(|sale| sale.account == *account)
    }

    fn dead_of(&self, caller: &Caller) -> DeadNotices {
        let dead = self.notices.dead().into_iter();
        let mine = dead.filter(|(_, letter)| self.owns(caller, letter.sale));
        let notices = mine.map(|(key, letter)| DeadNotice {
            key: key.into(),
            event: letter.event.name().into(),
            order_id: wire::order_id(letter.sale, letter.order),
            channel: letter.channel.unwrap_or_default().into(),
            attempts: letter.attempts,
            reason: letter.reason.unwrap_or_default().into(),
            at: wire::time(commerce::Time(letter.dead_ms.unwrap_or_default())),
        });
        DeadNotices {
            notices: notices.collect(),
        }
    }

    fn retry_of(&self, caller: &Caller) -> u64 {
        self.notices.retry(|letter| self.owns(caller, letter.sale))
    }
}

impl Sending for Handle {
    fn sagas(&self, call: Call, query: SagaQuery) -> Reply<'_, SagaPage> {
        Box::pin(self.list_sagas(call, query))
    }

    fn saga(&self, call: Call, order: OrderId) -> Reply<'_, Saga> {
        Box::pin(self.show_saga(call, order))
    }

    fn order_saga(&self, call: Call, order: OrderId, verb: SagaVerb) -> Reply<'_, Saga> {
        Box::pin(self.order_saga(call, order, verb))
    }

    fn carrier(&self, _call: Call, carrier: Box<str>, word: CarrierWord) -> Reply<'_, ()> {
        Box::pin(async move {
            self.delivery.hear(&carrier, &word).await?;
            Ok(Answer::plain(()))
        })
    }

    fn dead_notices(&self, call: Call) -> Reply<'_, DeadNotices> {
        Box::pin(async move { Ok(Answer::plain(self.dead_of(&call.caller))) })
    }

    fn retry_notices(&self, call: Call) -> Reply<'_, NoticesRetried> {
        Box::pin(async move {
            let before = self.dead_of(&call.caller).notices.len();
            let before = serde_json::json!({ "dead": before }).to_string();
            let notices = self.retry_of(&call.caller);
            let after = serde_json::json!({ "tried_again": notices }).to_string();
            let (what, subject) = ("notices.retry", "notices");
            self.note(&call.caller, what, subject, Some(&before), Some(&after))
                .await?;
            Ok(Answer::plain(NoticesRetried { notices }))
        })
    }
}
