//! Lists and histories: from the read models, with their lag stated.

use api::order::{OrderEvents, OrderPage, OrderQuery};
use api::sale::{SalePage, SaleQuery, SaleState};
use api::service::{Answer, Call, Caller};
use api::{Code, OrderId, Problem};

use super::Handle;
use crate::projector::ProjectorHandle;
use crate::projector::answers::{self, Sight};

impl Handle {
    /// Asks the read models off the tasks that serve requests.
    async fn look_up<T: Send + 'static>(
        &self,
        look: impl FnOnce(&ProjectorHandle) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let projector = self.projector.clone();
        self.tasks
            .blocking(move || look(&projector))
            .await
            .unwrap_or_else(|_| Err(Problem::new(Code::Internal)))
    }

    /// The sales of a merchant's own account; `None` for a buyer, who is held to its own orders instead.
    fn own_sales(&self, caller: &Caller) -> Option<Vec<u32>> {
        let Caller::Merchant { account, .. } = caller else {
            return None;
        };
        let house = self.registry.house().book();
        Some(
            house
                .sales()
                .filter(|(_, sale)| sale.account == *account)
                .map(|(number, _)| number)
                .collect(),
        )
    }

    pub(super) async fn list_orders(
        &self,
        call: Call,
        mut query: OrderQuery,
    ) -> Result<Answer<OrderPage>, Problem> {
        if let Caller::Buyer { id, .. } = &call.caller {
            if query.buyer.as_deref().is_some_and(|buyer| *buyer != **id) {
                return Err(Problem::because(
                    Code::ScopeMissing,
                    "a buyer lists only its own orders",
                ));
            }
            query.buyer = Some((**id).into());
        }
        let own = self.own_sales(&call.caller);
        let found = self.look_up(move |projector| {
            let sight = own.as_deref().map_or(Sight::All, Sight::Only);
            answers::orders(projector, &query, sight)
        });
        found.await.map(Answer::plain)
    }

    pub(super) async fn list_sales(
        &self,
        call: Call,
        query: SaleQuery,
    ) -> Result<Answer<SalePage>, Problem> {
        let own = self.own_sales(&call.caller);
        let buyer = own.is_none();
        let found = self.look_up(move |projector| {
            let sight = own.as_deref().map_or(Sight::All, Sight::Only);
            answers::sales(projector, &query, sight)
        });
        let mut page = found.await?;
        // What is being prepared is nobody's business but the merchant's.
        page.sales
            .retain(|sale| !buyer || sale.state != SaleState::Draft);
        Ok(Answer::plain(page))
    }

    pub(super) async fn list_events(
        &self,
        call: Call,
        order: OrderId,
    ) -> Result<Answer<OrderEvents>, Problem> {
        // The book says whether the caller may see the order at all; the history may lag behind it.
        let shown = self.show_order(call, order).await?;
        let found = self
            .look_up(move |projector| answers::events(projector, order))
            .await?;
        Ok(Answer {
            body: found.unwrap_or(OrderEvents {
                events: Vec::new(),
                read_model: None,
            }),
            repeated: false,
            position: shown.position,
        })
    }
}
