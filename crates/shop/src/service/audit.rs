//! The record of administrative acts: what changed, and who reads it.

use std::sync::Arc;

use api::audit::{AuditEntry, AuditPage, AuditQuery};
use api::order::{Order, OrderState};
use api::sale::Sale;
use api::service::{Answer, Audits, Call, Caller, Reply};
use api::{Code, Problem, Time};
use commerce::house::Act;
use serde::Serialize;
use serde_json::{Map, Value};

use super::sales::house_problem;
use super::{Handle, by};

/// What differs from moment to moment without anybody's act.
const NO_CHANGE: [&str; 3] = ["now", "position", "orders"];

impl Handle {
    /// Puts on record what a caller changed in a sale. It follows the change, which its own journal holds with who asked;
    /// an answer waits for both.
    pub(super) async fn note_sale(
        &self,
        caller: &Caller,
        what: &str,
        before: Option<&Sale>,
        after: &Sale,
    ) -> Result<(), Problem> {
        let (before, after_change) = changes(before, after);
        let subject = after.id.to_string();
        self.note(
            caller,
            what,
            &subject,
            before.as_deref(),
            after_change.as_deref(),
        )
        .await
    }

    /// Puts on record what a merchant did with an order's money.
    pub(super) async fn note_money(
        &self,
        caller: &Caller,
        what: &str,
        subject: &str,
        after: &impl Serialize,
    ) -> Result<(), Problem> {
        let after = serde_json::to_string(after).ok();
        self.note(caller, what, subject, None, after.as_deref())
            .await
    }

    /// Puts on record what a merchant did to an order by hand. What buyers do with their own orders is no administrative
    /// act, and stands in the sale's journal.
    pub(super) async fn note_order(
        &self,
        caller: &Caller,
        what: &str,
        before: Option<&Order>,
        after: &Order,
    ) -> Result<(), Problem> {
        if !matches!(caller, Caller::Merchant { .. }) {
            return Ok(());
        }
        let says = |order: &Order| serde_json::to_string(&StateOf::of(order)).ok();
        let (before, now) = (before.and_then(says), says(after));
        let subject = after.id.to_string();
        self.note(caller, what, &subject, before.as_deref(), now.as_deref())
            .await
    }

    pub(super) async fn note(
        &self,
        caller: &Caller,
        what: &str,
        subject: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<(), Problem> {
        let act = by(caller).act(what, subject, before, after);
        let noted = self.registry.house().note(act).await;
        noted.map_err(|error| house_problem(&error))
    }

    async fn list_acts(&self, call: Call, query: AuditQuery) -> Result<Answer<AuditPage>, Problem> {
        let Caller::Merchant { account, .. } = &call.caller else {
            return Err(Problem::new(Code::ScopeMissing));
        };
        let after = match query.cursor.as_deref() {
            Some(cursor) => cursor.parse().map_err(|_| bad_cursor())?,
            None => 0,
        };
        if after > self.registry.house().position().await.sequence {
            return Err(bad_cursor());
        }
        let limit = query.limit.unwrap_or(api::limits::PAGE_DEFAULT) as usize;
        let page = self.read_page(account.clone(), query, after, limit).await?;
        Ok(Answer::plain(page))
    }

    /// An account that is empty is the house's own and sees everything.
    async fn read_page(
        &self,
        account: Arc<str>,
        query: AuditQuery,
        after: u64,
        limit: usize,
    ) -> Result<AuditPage, Problem> {
        let wanted = move |sequence: u64, time_ms: u64, act: &Act| {
            let mine = account.is_empty() || act.account == account;
            mine && query.wants(&shown(sequence, time_ms, act))
        };
        let read = self.registry.house().read_acts(after, limit, wanted).await;
        let acts = read.map_err(|error| house_problem(&error))?;
        Ok(AuditPage {
            acts: acts
                .found
                .iter()
                .map(|(sequence, time_ms, act)| shown(*sequence, *time_ms, act))
                .collect(),
            next_cursor: acts.next.map(|next| next.to_string().into()),
        })
    }
}

fn bad_cursor() -> Problem {
    Problem::of_field("cursor", "is not one that a page gave")
}

fn shown(sequence: u64, time_ms: u64, act: &Act) -> AuditEntry {
    let change =
        |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let trace = u128::from_be_bytes(act.trace);
    AuditEntry {
        sequence,
        at: Time::from_ms(time_ms),
        account: (&*act.account).into(),
        who: act.who.clone(),
        what: act.what.clone(),
        subject: act.subject.clone(),
        before: act.before.as_deref().map(change),
        after: act.after.as_deref().map(change),
        trace_id: (trace != 0).then(|| format!("{trace:032x}").into()),
    }
}

/// The members of a sale that an act changed, before and afterwards. Of a sale that is new: all of it.
fn changes(before: Option<&Sale>, after: &Sale) -> (Option<String>, Option<String>) {
    let members = |sale: &Sale| match serde_json::to_value(sale) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let mut new = members(after);
    new.retain(|name, _| !NO_CHANGE.contains(&name.as_str()));
    let Some(before) = before.map(members) else {
        return (None, Some(Value::Object(new).to_string()));
    };
    let mut old = Map::new();
    new.retain(|name, value| before.get(name) != Some(value));
    for name in new.keys() {
        old.insert(
            name.clone(),
            before.get(name).cloned().unwrap_or(Value::Null),
        );
    }
    if let (Some(Value::Array(one)), Some(Value::Array(other))) =
        (old.get_mut("skus"), new.get_mut("skus"))
    {
        // A sale may have thousands of SKUs; those that stayed as they were say nothing.
        let (then, now) = (one.clone(), other.clone());
        one.retain(|sku| !now.contains(sku));
        other.retain(|sku| !then.contains(sku));
    }
    (
        Some(Value::Object(old).to_string()),
        Some(Value::Object(new).to_string()),
    )
}

/// What the audit says of an order's money.
#[derive(Debug, Serialize)]
pub(super) struct MoneyOf {
    charged_back_minor: i64,
}

impl MoneyOf {
    pub(super) fn of(order: &Order) -> Self {
        Self {
            charged_back_minor: order.charged_back_minor,
        }
    }
}

/// What the audit says of where an order stands.
#[derive(Debug, Serialize)]
struct StateOf {
    state: OrderState,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<String>,
    refunds: usize,
}

impl StateOf {
    fn of(order: &Order) -> Self {
        Self {
            state: order.state,
            payment: order.payment.as_ref().map(|payment| payment.id.to_string()),
            refunds: order.refunds.len(),
        }
    }
}

impl Audits for Handle {
    fn acts(&self, call: Call, query: AuditQuery) -> Reply<'_, AuditPage> {
        Box::pin(self.list_acts(call, query))
    }
}
