//! Who plays: a merchant and buyers, each with a connection and credentials of their own, over HTTP like everybody.

use super::drawing::{Story, amount};
use crate::demo;
use crate::outside::Outside;
use crate::remote::Remote;
use anyhow::Context;
use api::deal::AskedTeam;
use api::offer::AlterOffer;
use api::order::{AskedLine, Order, OrderState, PlaceOrder};
use api::plan::CreateSale;
use api::sale::Sale;
use api::team::{Team, TeamState};
use api::{SaleId, TeamId};
use edge::TokenSecret;
use std::time::Duration;

/// How often something is looked at that changes by itself.
const LOOK: Duration = Duration::from_millis(50);
/// How long the demo waits for something that a healthy server does within a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the server is, and what credentials are made with.
pub(super) struct Doors {
    pub(super) url: String,
    pub(super) secret: TokenSecret,
    pub(super) outside: Outside,
}

/// Everybody who plays.
pub(super) struct Cast {
    doors: Doors,
    merchant: Remote,
    /// What the audience is told.
    pub(super) story: Story,
}

/// A buyer, and the order that has the seat.
pub(super) struct Member {
    pub(super) name: &'static str,
    remote: Remote,
    /// As the server last showed it.
    pub(super) order: Order,
}

impl Cast {
    /// Lets the merchant in.
    ///
    /// # Errors
    /// Nobody listens.
    pub(super) async fn gather(doors: Doors, key: &str, story: Story) -> anyhow::Result<Self> {
        let merchant = Remote::connect(&doors.url, key.to_owned()).await?;
        Ok(Self {
            doors,
            merchant,
            story,
        })
    }

    /// The merchant creates a sale and opens it.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) async fn open_sale(&mut self, body: &CreateSale) -> anyhow::Result<Sale> {
        let body = serde_json::to_vec(body)?;
        let sale = self.merchant.change("POST", "/v1/sales", "sale", &body);
        let sale: Sale = sale.await?;
        let path = format!("/v1/sales/{}/open", sale.id);
        self.merchant.change("POST", &path, "open", b"{}").await
    }

    /// The merchant changes the rule for the teams to come.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) async fn alter_offer(
        &mut self,
        sale: SaleId,
        body: &AlterOffer,
    ) -> anyhow::Result<Sale> {
        let body = serde_json::to_vec(body)?;
        let path = format!("/v1/sales/{sale}/offer");
        self.merchant.change("PUT", &path, "offer", &body).await
    }

    /// A buyer takes a seat: of a new team, or of the one that is named.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) async fn take_seat(
        &mut self,
        name: &'static str,
        sale: &Sale,
        team: Option<TeamId>,
    ) -> anyhow::Result<Member> {
        let sku = sale.skus.first().context("the sale sells nothing")?;
        let line = AskedLine {
            sku: sku.sku.clone(),
            quantity: 1,
            price: None,
        };
        let body = serde_json::to_vec(&PlaceOrder {
            sale_id: sale.id,
            lines: vec![line],
            buyer: None,
            tags: None,
            facts: None,
            paid: None,
            team: Some(team.map_or(AskedTeam::Open(true), AskedTeam::Join)),
            coupons: Vec::new(),
            idempotency_key: None,
        })?;
        let token = demo::buyer_token(&self.doors.secret, name, &self.doors.outside)?;
        let mut remote = Remote::connect(&self.doors.url, token).await?;
        let order = remote.change("POST", "/v1/orders", "seat", &body).await?;
        let member = Member {
            name,
            remote,
            order,
        };
        let team = self.team(member.team()?).await?;
        let deed = if team.seats.held + team.seats.paid == 1 {
            "opens a team"
        } else {
            "joins"
        };
        let due = amount(member.order.due_minor);
        let told = format!("{name} {deed}: the seat is held, {due} to pay");
        self.story.seats(&team, &told)?;
        Ok(member)
    }

    /// A buyer pays and waits until the payment is through.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) async fn pay(&mut self, member: &mut Member) -> anyhow::Result<Team> {
        let path = format!("/v1/orders/{}", member.order.id);
        let pay = format!("{path}/pay");
        member.order = member.remote.change("POST", &pay, "pay", b"{}").await?;
        let until = self.until(PATIENCE);
        while member.is_unpaid() && !self.is_past(until) {
            self.doors.outside.tasks.sleep(LOOK).await;
            member.order = member.remote.get(&path).await?;
        }
        let team = self.team(member.team()?).await?;
        let (name, paid) = (member.name, amount(member.order.captured_minor));
        let then = after_payment(&team);
        self.story
            .seats(&team, &format!("{name} has paid {paid}{then}"))?;
        Ok(team)
    }

    /// Shows the time of a team go by until it has ended.
    ///
    /// # Errors
    /// The server does not answer.
    pub(super) async fn wait_for_end(&mut self, id: TeamId) -> anyhow::Result<Team> {
        let mut team = self.team(id).await?;
        let clock = self.doors.outside.clock.clone();
        let left = team.ends_at.ms().saturating_sub(clock.wall_ms());
        let until = self.until(Duration::from_millis(left) + PATIENCE);
        let mut told = None;
        while team.state == TeamState::Open && !self.is_past(until) {
            let left = team.ends_at.ms().saturating_sub(clock.wall_ms());
            let seconds = left.div_ceil(1000);
            if told.replace(seconds) != Some(seconds) {
                let what = match seconds {
                    0 => "its time is over".to_owned(),
                    _ => format!("{seconds} s left, free seats: {}", team.seats.free),
                };
                self.story.seats(&team, &what)?;
            }
            self.doors.outside.tasks.sleep(LOOK).await;
            team = self.team(id).await?;
        }
        let told = match team.state {
            TeamState::Open => "the team should have ended by now",
            TeamState::Complete => "the team is complete",
            TeamState::Failed => "the team has failed: everybody gets the money back",
        };
        self.story.seats(&team, told)?;
        Ok(team)
    }

    /// Shows money go back until the team is settled.
    ///
    /// # Errors
    /// The server does not answer.
    pub(super) async fn settle(&mut self, id: TeamId) -> anyhow::Result<Team> {
        let until = self.until(PATIENCE);
        let mut told = None;
        loop {
            let team = self.team(id).await?;
            if let Some(settlement) = team.settlement
                && told.replace(settlement) != Some(settlement)
            {
                self.story.settlement(&team, &settlement)?;
            }
            if is_settled(&team) || self.is_past(until) {
                return Ok(team);
            }
            self.doors.outside.tasks.sleep(LOOK).await;
        }
    }

    /// What has become of each member's order, from the merchant's view.
    ///
    /// # Errors
    /// The server does not answer.
    pub(super) async fn look_again(&mut self, members: &mut [Member]) -> anyhow::Result<()> {
        for member in members {
            let path = format!("/v1/orders/{}", member.order.id);
            member.order = self.merchant.get(&path).await?;
        }
        Ok(())
    }

    async fn team(&mut self, id: TeamId) -> anyhow::Result<Team> {
        self.merchant.get(&format!("/v1/teams/{id}")).await
    }

    fn until(&self, most: Duration) -> Duration {
        self.doors.outside.clock.monotonic() + most
    }

    fn is_past(&self, moment: Duration) -> bool {
        self.doors.outside.clock.monotonic() > moment
    }
}

impl Member {
    /// The team in which the seat is.
    ///
    /// # Errors
    /// The server gave the order no seat.
    pub(super) fn team(&self) -> anyhow::Result<TeamId> {
        let seat = self.order.team.context("the order has no seat")?;
        Ok(seat.id)
    }

    fn is_unpaid(&self) -> bool {
        matches!(self.order.state, OrderState::Held | OrderState::Paying)
    }
}

/// Whether a team has ended and all its money is where it belongs.
pub(super) fn is_settled(team: &Team) -> bool {
    team.settlement
        .is_some_and(|done| done.settled == done.orders && done.refunds_pending == 0)
}

fn after_payment(team: &Team) -> String {
    match (team.state, team.next_tier) {
        (TeamState::Complete, _) => format!(": the team is complete, at {} each", team.price),
        (TeamState::Failed, _) => ": too late for the team".to_owned(),
        (TeamState::Open, Some(next)) => {
            format!("; {} from {} paid seats on", next.price, next.seats)
        }
        (TeamState::Open, None) => String::new(),
    }
}
