//! Sales and their stock.

use std::sync::atomic::Ordering;

use api::offer::AlterOffer;
use api::plan::{AlterSale, CreateSale};
use api::sale::{Sale, SalePage, SaleQuery, SaleState, Turn};
use api::service::{Answer, Call, Caller, LiveFeed, Reply, Sales, Watching};
use api::stock::{AddStock, Inventory, WriteOff};
use api::team::{Team, TeamPage, TeamQuery};
use api::{Code, Problem, SaleId, Scope, TeamId};
use commerce::{Action, Book, Command};
use ledger::Units;

use super::live::Feed;
use super::{Handle, actor};
use crate::desk::{DeskHandle, Durable};
use crate::house::HouseError;
use crate::wire;

impl Handle {
    async fn create_sale(&self, call: Call, body: CreateSale) -> Result<Answer<Sale>, Problem> {
        let Caller::Merchant { account, .. } = &call.caller else {
            return Err(Problem::new(Code::ScopeMissing));
        };
        let mut body = body;
        let offer = body.offer.take().map(wire::offer_in).map(Box::new);
        let plan = Box::new(wire::plan(body)?);
        let key = call
            .key
            .as_deref()
            .ok_or_else(|| Problem::new(Code::KeyMissing))?;
        // The same key asks for the same number, so a request that was cut off half-way goes on where it was.
        let number = self
            .registry
            .house()
            .register(account, key)
            .await
            .map_err(|error| house_problem(&error))?;
        let mut secret = [0; 16];
        self.registry.fill(&mut secret);
        let desk = self.registry.desk(number).await?;
        let action = match offer {
            None => Action::Create { secret, plan },
            Some(offer) => Action::CreateWith {
                secret,
                plan,
                offer,
            },
        };
        let caller = call.caller.clone();
        let answer = self.change(&desk, call, action).await?;
        self.note_sale(&caller, "sale.create", None, &answer.body)
            .await?;
        Ok(answer)
    }

    /// Changes a sale and shows it.
    async fn change(
        &self,
        desk: &DeskHandle,
        call: Call,
        action: Action,
    ) -> Result<Answer<Sale>, Problem> {
        let number = desk.sale();
        let command = Command {
            actor: actor(&call.caller),
            key: call.key,
            action,
        };
        let mut told = Self::tell(desk, command, move |book, _| wire::sale(number, book)).await?;
        told.value.position = wire::position(told.position);
        Ok(told.answer(wire::sale_id(number)))
    }

    /// Changes a sale, and puts on record what that changed. A repeat that finds the change made leaves the same in the
    /// sale, and is on record as an act that changed nothing.
    async fn change_of(
        &self,
        call: Call,
        sale: SaleId,
        what: &'static str,
        action: Action,
    ) -> Result<Answer<Sale>, Problem> {
        let desk = self.desk(&call.caller, sale).await?;
        let before = Self::ask(&desk, move |book| wire::sale(sale.get(), book)).await?;
        let caller = call.caller.clone();
        let mut answer = self.change(&desk, call, action).await?;
        self.note_sale(&caller, what, before.value.as_ref(), &answer.body)
            .await?;
        // A key that may only count units in is not the one that made the coupons.
        if !caller.may(Scope::SalesRead) && !caller.may(Scope::SalesWrite) {
            wire::keep_from_buyers(&mut answer.body);
        }
        Ok(answer)
    }

    async fn turn_sale(
        &self,
        call: Call,
        sale: SaleId,
        turn: Turn,
    ) -> Result<Answer<Sale>, Problem> {
        let answer = self
            .change_of(call, sale, turn_name(turn), Action::Turn(wire::turn(turn)))
            .await?;
        if answer.body.state == SaleState::Retired {
            self.registry
                .house()
                .retire(sale.get())
                .await
                .map_err(|error| house_problem(&error))?;
            self.registry.put_away(sale.get()).await;
        }
        Ok(answer)
    }

    async fn show_sale(&self, call: Call, sale: SaleId) -> Result<Answer<Sale>, Problem> {
        let desk = self.desk(&call.caller, sale).await?;
        let shown = Self::ask(&desk, move |book| wire::sale(sale.get(), book)).await?;
        let Durable {
            value: Some(mut body),
            position,
        } = shown
        else {
            return Err(Problem::new(Code::SaleNotFound));
        };
        if !call.caller.may(Scope::SalesRead) {
            // What is being prepared is nobody's business but the merchant's.
            if body.state == SaleState::Draft {
                return Err(Problem::new(Code::SaleNotFound));
            }
            wire::keep_from_buyers(&mut body);
        }
        body.position = wire::position(position);
        Ok(Answer {
            position: Some((sale, body.position)),
            body,
            repeated: false,
        })
    }

    async fn count(
        &self,
        call: Call,
        sku: Box<str>,
        sale: Option<SaleId>,
    ) -> Result<Answer<Inventory>, Problem> {
        let desks = match sale {
            Some(sale) => vec![self.desk(&call.caller, sale).await?],
            None => self.desks_of(&call.caller),
        };
        let mut inventory = Inventory {
            sku: sku.clone(),
            available_count: 0,
            sales: Vec::new(),
        };
        for desk in desks {
            let (number, sku) = (desk.sale(), sku.clone());
            let seen = Self::ask(&desk, move |book: &Book| wire::stock(number, book, &sku)).await?;
            let Some(mut stock) = seen.value else {
                continue;
            };
            stock.position = wire::position(seen.position);
            let shown = !matches!(
                (&call.caller, stock.state),
                (Caller::Buyer { .. }, SaleState::Draft)
            );
            if stock.state == SaleState::Open {
                inventory.available_count += stock.available_count;
            }
            inventory.sales.extend(shown.then_some(stock));
        }
        if inventory.sales.is_empty() {
            return Err(Problem::new(Code::SkuNotFound).with("sku", sku));
        }
        Ok(Answer::plain(inventory))
    }

    fn desks_of(&self, caller: &Caller) -> Vec<DeskHandle> {
        let house = self.registry.house().book();
        let mine = |desk: &DeskHandle| match caller {
            Caller::Merchant { account, .. } => house
                .sale(desk.sale())
                .is_some_and(|sale| sale.account == *account),
            Caller::Buyer { .. } | Caller::Provider => true,
        };
        self.registry.desks().into_iter().filter(mine).collect()
    }
}

const fn turn_name(turn: Turn) -> &'static str {
    match turn {
        Turn::Open => "sale.open",
        Turn::Pause => "sale.pause",
        Turn::Close => "sale.close",
        Turn::Retire => "sale.retire",
    }
}

/// A change of the house that was not made.
pub(crate) fn house_problem(error: &HouseError) -> Problem {
    match error {
        HouseError::Journal(_) | HouseError::CutOff(_) => Problem::new(Code::OutcomeUnknown),
        HouseError::Full(_) => Problem::because(Code::BookFull, error.to_string()),
        HouseError::NoKey => Problem::new(Code::ApiKeyNotFound),
        HouseError::Behind(_) | HouseError::Record(_) | HouseError::Violation(_) => {
            Problem::new(Code::Internal)
        }
    }
}

impl Sales for Handle {
    fn create(&self, call: Call, body: CreateSale) -> Reply<'_, Sale> {
        Box::pin(self.create_sale(call, body))
    }

    fn alter(&self, call: Call, sale: SaleId, body: AlterSale) -> Reply<'_, Sale> {
        let action = Action::Alter(Box::new(wire::patch(body)));
        Box::pin(self.change_of(call, sale, "sale.alter", action))
    }

    fn alter_offer(&self, call: Call, sale: SaleId, body: AlterOffer) -> Reply<'_, Sale> {
        let offer = Box::new(wire::offer_in(body.offer));
        Box::pin(self.change_of(call, sale, "sale.offer", Action::AlterOffer(offer)))
    }

    fn teams(&self, call: Call, sale: SaleId, query: TeamQuery) -> Reply<'_, TeamPage> {
        Box::pin(self.list_teams(call, sale, query))
    }

    fn team(&self, call: Call, team: TeamId) -> Reply<'_, Team> {
        Box::pin(self.show_team(call, team))
    }

    fn turn(&self, call: Call, sale: SaleId, turn: Turn) -> Reply<'_, Sale> {
        Box::pin(self.turn_sale(call, sale, turn))
    }

    fn add_stock(&self, call: Call, sale: SaleId, body: AddStock) -> Reply<'_, Sale> {
        let action = Action::AddStock {
            sku: body.sku.into(),
            units: Units(body.units),
        };
        Box::pin(self.change_of(call, sale, "stock.add", action))
    }

    fn write_off(&self, call: Call, sale: SaleId, body: WriteOff) -> Reply<'_, Sale> {
        let action = Action::WriteOff {
            sku: body.sku.into(),
            units: Units(body.units),
            reason: body.reason,
        };
        Box::pin(self.change_of(call, sale, "stock.write_off", action))
    }

    fn sale(&self, call: Call, sale: SaleId) -> Reply<'_, Sale> {
        Box::pin(self.show_sale(call, sale))
    }

    fn sales(&self, call: Call, query: SaleQuery) -> Reply<'_, SalePage> {
        Box::pin(self.list_sales(call, query))
    }

    fn inventory(&self, call: Call, sku: Box<str>, sale: Option<SaleId>) -> Reply<'_, Inventory> {
        Box::pin(self.count(call, sku, sale))
    }

    fn watch(&self, call: Call, sale: SaleId) -> Watching<'_> {
        Box::pin(self.watch_sale(call, sale))
    }
}

impl Handle {
    async fn watch_sale(&self, call: Call, sale: SaleId) -> Result<Box<dyn LiveFeed>, Problem> {
        self.may_know_of(&call.caller, sale)?;
        let desk = self
            .registry
            .seated(sale.get())
            .ok_or_else(|| Problem::new(Code::SaleNotFound))?;
        let state = Self::ask(&desk, |book| wire::sale_state(book.state())).await?;
        if !call.caller.may(Scope::SalesRead) && state.value == SaleState::Draft {
            return Err(Problem::new(Code::SaleNotFound));
        }
        if self.watchers.fetch_add(1, Ordering::Relaxed) >= self.watchers_max {
            self.watchers.fetch_sub(1, Ordering::Relaxed);
            return Err(
                Problem::because(Code::TooManyRequests, "too many live streams are open")
                    .retry_after(5),
            );
        }
        Ok(Box::new(Feed::new(
            sale.get(),
            desk.live(),
            self.watchers.clone(),
            self.tasks.clone(),
        )))
    }
}
