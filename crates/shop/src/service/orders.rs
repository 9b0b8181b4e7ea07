//! Orders and their money.

use std::sync::Arc;

use api::export::Format;
use api::line::{JoinLine, Ticket};
use api::order::SalePosition;
use api::order::{
    BatchOrder, BatchResult, BatchResults, Order, OrderEvents, OrderPage, OrderQuery, PaymentState,
    PlaceOrder,
};
use api::provider::{Knock, ProviderReport, ReportedCharge};
use api::refund::{Chargeback, Refund, RefundOrder};
use api::sending::{ShipOrder, ShippedLine};
use api::service::{Answer, Call, Caller, Orders, Reply};
use api::{Code, OrderId, Problem, SaleId, Scope, TicketId};
use commerce::{Action, Command, Done, Facts, OrderStatus, Place, Report};
use ledger::Minor;

use super::audit::MoneyOf;
use super::risk::{facts, question, tell_book};
use super::{Handle, actor};
use crate::cashier::{Desks, ReportError, book_report};
use crate::desk::Durable;
use crate::reconcile::{Fit, unmatched};
use crate::risk::Question;
use crate::wire;

/// An order's number in its sale. One that does not fit does not exist.
fn number(order: OrderId) -> Result<u32, Problem> {
    u32::try_from(order.number()).map_err(|_| Problem::new(Code::OrderNotFound))
}

/// What one item of a batch shows: number, state, total.
type Slim = Option<(u32, OrderStatus, Minor)>;

/// An order to place, as the caller may place it.
fn place(caller: &Caller, body: PlaceOrder) -> Result<Place, Problem> {
    let (buyer, tags) = match caller {
        Caller::Buyer { id, tags } => {
            let told = body.buyer.is_some() || body.tags.is_some() || body.facts.is_some();
            if told || body.paid.is_some() {
                let detail =
                    "a buyer orders for itself: buyer, tags, facts and paid belong to merchants";
                return Err(Problem::because(Code::ScopeMissing, detail));
            }
            (Some(id.clone()), tags.clone())
        }
        _ => (
            body.buyer.map(Arc::from),
            body.tags.unwrap_or_default().into(),
        ),
    };
    if body.lines.iter().any(|line| line.price.is_some()) && !caller.may(Scope::OrdersPrice) {
        return Err(Problem::because(
            Code::ScopeMissing,
            "setting a line's price needs the scope orders:price",
        ));
    }
    if body.paid.is_some() && !caller.may(Scope::OrdersPaid) {
        return Err(Problem::because(
            Code::ScopeMissing,
            "an order paid elsewhere needs the scope orders:paid",
        ));
    }
    let paid = body.paid.map(|paid| paid.reference);
    Ok(Place {
        buyer,
        tags,
        lines: wire::asked_lines(body.lines),
        paid,
        deal: super::teams::deal(body.team, body.coupons),
    })
}

/// Orders of one batch for one sale, with what risk is asked about them.
#[derive(Default)]
struct Group {
    commands: Vec<Command>,
    questions: Vec<Option<Question>>,
}

impl Handle {
    async fn place_order(&self, call: Call, body: PlaceOrder) -> Result<Answer<Order>, Problem> {
        let (sale, told) = (body.sale_id, body.facts.clone());
        let mut place = place(&call.caller, body)?;
        let facts = facts(&call, &place.tags, told);
        tell_book(&mut place, &facts);
        if place.deal.is_some() {
            let desk = self.desk(&call.caller, sale).await?;
            self.promise(&desk, &mut place).await?;
        }
        self.change_order(call, sale, Action::Place(place), facts)
            .await
    }

    /// Pays an order; whoever pays is judged as whoever orders.
    async fn pay_order(&self, call: Call, order: OrderId) -> Result<Answer<Order>, Problem> {
        let tags = match &call.caller {
            Caller::Buyer { tags, .. } => tags.clone(),
            Caller::Merchant { .. } | Caller::Provider => Arc::default(),
        };
        let facts = facts(&call, &tags, None);
        let (sale, order) = (order.sale(), number(order)?);
        let before = self.before(&call.caller, sale, order).await?;
        let caller = call.caller.clone();
        let paid = self.change_order(call, sale, Action::Pay { order }, facts);
        let paid = paid.await.map_err(no_order)?;
        self.note_order(&caller, "order.pay", before.as_ref(), &paid.body)
            .await?;
        Ok(paid)
    }

    /// An order before a merchant changes it by hand, for the record of the act.
    async fn before(
        &self,
        caller: &Caller,
        sale: SaleId,
        order: u32,
    ) -> Result<Option<Order>, Problem> {
        if !matches!(caller, Caller::Merchant { .. }) {
            return Ok(None);
        }
        let desk = self.desk(caller, sale).await.map_err(no_order)?;
        let seen = Self::ask(&desk, move |book| wire::order(sale.get(), book, order));
        Ok(seen.await?.value)
    }

    /// Changes an order by hand, and puts on record who did it.
    async fn change_by_hand(
        &self,
        call: Call,
        id: OrderId,
        what: &'static str,
        action: impl FnOnce(u32) -> Action + Send,
    ) -> Result<Answer<Order>, Problem> {
        let before = self.before(&call.caller, id.sale(), number(id)?).await?;
        let caller = call.caller.clone();
        let changed = self.change_of_order(call, id, action).await?;
        self.note_order(&caller, what, before.as_ref(), &changed.body)
            .await?;
        Ok(changed)
    }

    /// Puts on record that all orders of a sale leave as a file, before the first of them does.
    async fn note_export(
        &self,
        call: Call,
        sale: SaleId,
        format: Format,
    ) -> Result<Answer<()>, Problem> {
        self.desk(&call.caller, sale).await?;
        let after = serde_json::json!({ "format": format.name() }).to_string();
        let subject = sale.to_string();
        self.note(&call.caller, "orders.export", &subject, None, Some(&after))
            .await?;
        Ok(Answer::plain(()))
    }

    /// Changes an order and shows it.
    async fn change_order(
        &self,
        call: Call,
        sale: SaleId,
        action: Action,
        facts: Facts,
    ) -> Result<Answer<Order>, Problem> {
        let desk = self.desk(&call.caller, sale).await?;
        let command = Command {
            actor: actor(&call.caller),
            key: call.key.clone(),
            action,
        };
        if self.judges_risk() {
            let question = question(&call, &command, facts);
            self.judge_one(&desk, sale, question).await?;
        }
        let told = Self::tell(&desk, command, move |book, done| match done {
            Done::Order(order) | Done::Refund { order, .. } => wire::order(sale.get(), book, order),
            Done::Sale | Done::Team(_) | Done::Ticket(_) => None,
        });
        let mut answer = told.await?.answer(sale);
        self.note_delay(&mut answer.body);
        Ok(answer)
    }

    /// Says of a payment that it waits for a provider that is left alone: nobody has asked it yet, and nothing is lost.
    fn note_delay(&self, order: &mut Order) {
        let payment = order.payment.as_mut();
        let waiting = payment.filter(|payment| payment.state == PaymentState::Charging);
        if let Some(payment) = waiting
            && self.registry.charges_wait().is_some()
        {
            payment.state = PaymentState::Delayed;
        }
    }

    async fn change_of_order(
        &self,
        call: Call,
        order: OrderId,
        action: impl FnOnce(u32) -> Action,
    ) -> Result<Answer<Order>, Problem> {
        let action = action(number(order)?);
        self.change_order(call, order.sale(), action, Facts::default())
            .await
            .map_err(no_order)
    }

    pub(super) async fn show_order(
        &self,
        call: Call,
        id: OrderId,
    ) -> Result<Answer<Order>, Problem> {
        let (sale, number) = (id.sale(), number(id)?);
        let desk = self.desk(&call.caller, sale).await.map_err(no_order)?;
        let seen = Self::ask(&desk, move |book| wire::order(sale.get(), book, number)).await?;
        let Durable {
            value: Some(mut body),
            position,
        } = seen
        else {
            return Err(Problem::new(Code::OrderNotFound));
        };
        let others = matches!(&call.caller, Caller::Buyer { id, .. } if body.buyer.as_deref() != Some(&**id));
        if others && !stdx::mutants::is("order-shown-to-anybody") {
            return Err(Problem::new(Code::OrderNotFound));
        }
        if let Some(payment) = &mut body.payment
            && matches!(
                payment.state,
                PaymentState::Charging | PaymentState::Unknown
            )
        {
            payment.action = self.provider.action(payment.id);
        }
        self.note_delay(&mut body);
        Ok(Answer {
            body,
            repeated: false,
            position: Some((sale, wire::position(position))),
        })
    }

    async fn refund_order(
        &self,
        call: Call,
        id: OrderId,
        body: RefundOrder,
    ) -> Result<Answer<Refund>, Problem> {
        let (sale, order) = (id.sale(), number(id)?);
        let desk = self.desk(&call.caller, sale).await.map_err(no_order)?;
        let action = Action::Refund {
            order,
            ask: wire::refund_ask(body),
        };
        let command = Command {
            actor: actor(&call.caller),
            key: call.key,
            action,
        };
        let caller = call.caller;
        let told = Self::tell(&desk, command, move |book, done| {
            let Done::Refund { order, number } = done else {
                return None;
            };
            let refund = book
                .order(order)?
                .refunds()
                .find(|refund| refund.number == number)?;
            Some(wire::refund(sale.get(), order, refund))
        });
        let told = told.await?;
        self.note_money(&caller, "order.refund", &id.to_string(), &told.value)
            .await?;
        Ok(told.answer(sale))
    }

    async fn take_chargeback(
        &self,
        call: Call,
        id: OrderId,
        body: Chargeback,
    ) -> Result<Answer<Order>, Problem> {
        let amount = Minor(i64::try_from(body.amount_minor).unwrap_or(i64::MAX));
        let reference = body.reference;
        let caller = call.caller.clone();
        let taken = self.change_of_order(call, id, move |order| {
            Action::Report(Report::Chargeback {
                order,
                amount,
                reference,
            })
        });
        let answer = taken.await?;
        let money = MoneyOf::of(&answer.body);
        self.note_money(&caller, "order.chargeback", &id.to_string(), &money)
            .await?;
        Ok(answer)
    }

    /// Places many orders: those of one sale go to its desk together, and each is decided by itself.
    async fn place_many(
        &self,
        call: Call,
        orders: Vec<BatchOrder>,
    ) -> Result<Answer<BatchResults>, Problem> {
        let mut results: Vec<Option<BatchResult>> = vec![None; orders.len()];
        let mut by_sale: Vec<(SaleId, Vec<usize>, Group)> = Vec::new();
        let judges = self.judges_risk();
        for (at, order) in orders.into_iter().enumerate() {
            let (sale, key) = (order.sale_id, order.idempotency_key);
            let BatchOrder {
                lines,
                buyer,
                tags,
                facts: told,
                paid,
                team,
                coupons,
                ..
            } = order;
            let body = PlaceOrder {
                sale_id: sale,
                lines,
                buyer,
                tags,
                facts: told.clone(),
                paid,
                team,
                coupons,
                idempotency_key: None,
            };
            match place(&call.caller, body) {
                Ok(mut place) => {
                    let asked = judges || told.is_some() || !place.tags.is_empty();
                    let known = asked.then(|| facts(&call, &place.tags, told));
                    if let Some(known) = &known {
                        tell_book(&mut place, known);
                    }
                    let command = Command {
                        actor: actor(&call.caller),
                        key: Some(key),
                        action: Action::Place(place),
                    };
                    let group = by_sale.iter().position(|(other, ..)| *other == sale);
                    let group = group.unwrap_or_else(|| {
                        by_sale.push((sale, Vec::new(), Group::default()));
                        by_sale.len() - 1
                    });
                    let known = known.filter(|_| judges);
                    let asked = known.and_then(|known| question(&call, &command, known));
                    by_sale[group].1.push(at);
                    by_sale[group].2.questions.push(asked);
                    by_sale[group].2.commands.push(command);
                }
                Err(problem) => results[at] = Some(refused(&problem)),
            }
        }
        let mut positions = Vec::with_capacity(by_sale.len());
        for (sale, places, group) in by_sale {
            let (found, position) = self.place_group(&call.caller, sale, group).await;
            for (at, result) in places.into_iter().zip(found) {
                results[at] = Some(result);
            }
            positions.extend(position);
        }
        let results = results
            .into_iter()
            .map(|result| result.unwrap_or_else(unanswered))
            .collect();
        Ok(Answer::plain(BatchResults { results, positions }))
    }

    async fn place_group(
        &self,
        caller: &Caller,
        sale: SaleId,
        mut group: Group,
    ) -> (Vec<BatchResult>, Option<SalePosition>) {
        let count = group.commands.len();
        let all = |problem: &Problem| (vec![refused(problem); count], None);
        let desk = match self.desk(caller, sale).await {
            Ok(desk) => desk,
            Err(problem) => return all(&problem),
        };
        for command in &mut group.commands {
            if let Action::Place(place) = &mut command.action
                && let Err(problem) = self.promise(&desk, place).await
            {
                return all(&problem);
            }
        }
        let said = match self.judge(&desk, sale, group.questions).await {
            Ok(said) => said,
            Err(problem) => return all(&problem),
        };
        let commands = group.commands.into_iter().zip(&said);
        let commands: Vec<_> = commands
            .filter(|(_, said)| said.is_ok())
            .map(|(command, _)| command)
            .collect();
        if commands.is_empty() {
            return (said.iter().map(blocked_or_not).collect(), None);
        }
        let show = |book: &commerce::Book, done| match done {
            Done::Order(number) => book
                .order(number)
                .map(|order| (number, order.status(), order.total())),
            Done::Sale | Done::Refund { .. } | Done::Team(_) | Done::Ticket(_) => None,
        };
        match desk.submit(commands, show).await {
            Ok(Durable { value, position }) => {
                let mut decided = value.into_iter().map(|done| batch_result(sale, done));
                let result = |said: &Result<(), Problem>| match said {
                    Ok(()) => decided.next().unwrap_or_else(unanswered),
                    Err(problem) => refused(problem),
                };
                (
                    said.iter().map(result).collect(),
                    Some(SalePosition {
                        sale_id: sale,
                        position: wire::position(position),
                    }),
                )
            }
            Err(error) => all(&wire::desk_problem(&error)),
        }
    }

    pub(super) async fn take_report(&self, outside: ProviderReport) -> Result<Answer<()>, Problem> {
        let said = unmatched::words(&outside);
        let Some((sale, report)) = book_report(&outside) else {
            return self.keep_unmatched(&said).await;
        };
        if let ProviderReport::Charge(_, ReportedCharge::Captured(..)) = outside
            && let Fit::Currency(_) = self.registry.fit(&outside).await?
        {
            // Money in another currency pays nothing here and cannot be sent back by its amount: a person decides.
            return self
                .keep_unmatched(&format!("in another currency than the sale's: {said}"))
                .await;
        }
        match self.registry.report(sale, report).await {
            Ok(()) => Ok(Answer::plain(())),
            Err(ReportError::Retry) => Err(Problem::new(Code::Busy)),
            // A report is never lost: what belongs to no order is kept in the house journal.
            Err(ReportError::Gone) => self.keep_unmatched(&said).await,
        }
    }

    pub(super) async fn keep_unmatched(&self, report: &str) -> Result<Answer<()>, Problem> {
        let kept = self.registry.house().unmatched("provider", report).await;
        kept.map(|()| Answer::plain(()))
            .map_err(|error| super::sales::house_problem(&error))
    }
}

/// A sale that is unknown makes its orders unknown.
fn no_order(problem: Problem) -> Problem {
    if problem.code() == Code::SaleNotFound {
        Problem::new(Code::OrderNotFound)
    } else {
        problem
    }
}

fn batch_result(sale: SaleId, done: crate::desk::Done<Slim>) -> BatchResult {
    match done.decision {
        Ok(Some((number, status, total))) => BatchResult {
            status: if done.repeated { 200 } else { 201 },
            id: Some(wire::order_id(sale.get(), number)),
            state: Some(wire::order_state(status)),
            total_minor: Some(total.0),
            repeated: done.repeated,
            code: None,
            detail: None,
            units_left: None,
        },
        Ok(None) => unanswered(),
        Err(refusal) => refused(&wire::problem(sale.get(), &refusal)),
    }
}

fn refused(problem: &Problem) -> BatchResult {
    let units_left = match problem.datum("units_left") {
        Some(api::problem::Datum::Number(left)) => u32::try_from(*left).ok(),
        _ => None,
    };
    BatchResult {
        status: problem.status(),
        id: None,
        state: None,
        total_minor: None,
        repeated: false,
        code: Some(problem.code().as_str().into()),
        detail: Some(problem.detail().to_owned().into()),
        units_left,
    }
}

/// Where nothing of a group reaches the desk, each was blocked.
fn blocked_or_not(said: &Result<(), Problem>) -> BatchResult {
    said.as_ref().map_or_else(refused, |()| unanswered())
}

fn unanswered() -> BatchResult {
    refused(&Problem::new(Code::Internal))
}

impl Orders for Handle {
    fn place(&self, call: Call, body: PlaceOrder) -> Reply<'_, Order> {
        Box::pin(self.place_order(call, body))
    }

    fn place_batch(&self, call: Call, orders: Vec<BatchOrder>) -> Reply<'_, BatchResults> {
        Box::pin(self.place_many(call, orders))
    }

    fn order(&self, call: Call, order: OrderId) -> Reply<'_, Order> {
        Box::pin(self.show_order(call, order))
    }

    fn events(&self, call: Call, order: OrderId) -> Reply<'_, OrderEvents> {
        Box::pin(self.list_events(call, order))
    }

    fn orders(&self, call: Call, query: OrderQuery) -> Reply<'_, OrderPage> {
        Box::pin(self.list_orders(call, query))
    }

    fn pay(&self, call: Call, order: OrderId) -> Reply<'_, Order> {
        Box::pin(self.pay_order(call, order))
    }

    fn cancel(&self, call: Call, order: OrderId) -> Reply<'_, Order> {
        let cancel = |order| Action::Cancel { order };
        Box::pin(self.change_by_hand(call, order, "order.cancel", cancel))
    }

    fn refund(&self, call: Call, order: OrderId, body: RefundOrder) -> Reply<'_, Refund> {
        Box::pin(self.refund_order(call, order, body))
    }

    fn join_line(&self, call: Call, sale: SaleId, body: JoinLine) -> Reply<'_, Ticket> {
        Box::pin(self.join_a_line(call, sale, body))
    }

    fn ticket(&self, call: Call, ticket: TicketId) -> Reply<'_, Ticket> {
        Box::pin(self.show_ticket(call, ticket))
    }

    fn leave_line(&self, call: Call, ticket: TicketId) -> Reply<'_, Ticket> {
        Box::pin(self.leave_a_line(call, ticket))
    }

    fn ship(&self, call: Call, order: OrderId, body: ShipOrder) -> Reply<'_, Order> {
        let lines = body.lines.map(|lines| {
            let line = |line: ShippedLine| (line.line, line.quantity);
            lines.into_iter().map(line).collect()
        });
        Box::pin(
            self.change_by_hand(call, order, "order.ship", |order| match lines {
                Some(lines) => Action::ShipPart { order, lines },
                None => Action::Ship { order },
            }),
        )
    }

    fn deliver(&self, call: Call, order: OrderId) -> Reply<'_, Order> {
        let deliver = |order| Action::Deliver { order };
        Box::pin(self.change_by_hand(call, order, "order.deliver", deliver))
    }

    fn export(&self, call: Call, sale: SaleId, format: Format) -> Reply<'_, ()> {
        Box::pin(self.note_export(call, sale, format))
    }

    fn chargeback(&self, call: Call, order: OrderId, body: Chargeback) -> Reply<'_, Order> {
        Box::pin(self.take_chargeback(call, order, body))
    }

    fn report(&self, _call: Call, report: ProviderReport) -> Reply<'_, ()> {
        Box::pin(async move {
            if !self.provider.speaks_our_words() {
                let nobody =
                    "the payment provider that is connected here does not report in this way";
                return Err(Problem::because(Code::NoRoute, nobody));
            }
            self.take_report(report).await
        })
    }

    fn knock(&self, _call: Call, knock: Knock) -> Reply<'_, ()> {
        Box::pin(self.take_knock(knock))
    }
}
