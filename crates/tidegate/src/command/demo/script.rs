//! What is played: three buyers fill a team; two others wait for a third who never comes.

use super::cast::{Cast, Member};
use anyhow::Context;
use api::TeamId;
use api::offer::AlterOffer;
use api::order::Order;
use api::plan::CreateSale;
use api::sale::Sale;
use api::team::Team;

/// The sale, as anybody could create it over HTTP. Its teams have a minute, which is long even on a slow machine.
const SALE: &str = r#"{
  "name": "Oolong for three", "currency": "CNY", "hold_ms": 120000,
  "skus": [{"sku": "OOLONG", "name": "Oolong, 100 g", "price": "20.00", "stock": 90}],
  "offer": {
    "groups": [{
      "sku": "OOLONG", "size": 3, "lifetime_ms": 60000, "stretch_ms": 2000,
      "tiers": [{"seats": 1, "price": "18.00"}, {"seats": 2, "price": "16.00"}, {"seats": 3, "price": "14.00"}],
      "leader": {"off_minor": 100}
    }],
    "holds": {"grace_ms": 2000}
  }
}"#;

/// How it came out, in the server's words.
pub(super) struct Played {
    pub(super) sale: Sale,
    pub(super) teams: Vec<PlayedTeam>,
}

/// A team at its end.
pub(super) struct PlayedTeam {
    pub(super) team: Team,
    /// Each buyer's name and order.
    pub(super) orders: Vec<(&'static str, Order)>,
}

/// Plays all of it; the second team has `lifetime_ms`.
///
/// # Errors
/// The server refuses something, or does not answer.
pub(super) async fn play(cast: &mut Cast, lifetime_ms: u64) -> anyhow::Result<Played> {
    let body: CreateSale = serde_json::from_str(SALE)?;
    let sale = cast.open_sale(&body).await?;
    cast.story.chapter("A team that fills", &rule(&sale)?)?;
    let first = fill(cast, &sale).await?;
    let mut offer = sale.offer.clone().context("the sale has no offer")?;
    for group in &mut offer.groups {
        group.lifetime_ms = lifetime_ms;
    }
    let body = AlterOffer {
        offer,
        idempotency_key: None,
    };
    let sale = cast.alter_offer(sale.id, &body).await?;
    cast.story
        .chapter("A team that does not fill", &rule(&sale)?)?;
    let second = fall_short(cast, &sale).await?;
    Ok(Played {
        sale,
        teams: vec![first, second],
    })
}

/// Three seats, three payments: the last one completes the team, and who paid more gets the difference back.
async fn fill(cast: &mut Cast, sale: &Sale) -> anyhow::Result<PlayedTeam> {
    let mut ann = cast.take_seat("ann", sale, None).await?;
    let team = ann.team()?;
    cast.pay(&mut ann).await?;
    let mut bob = cast.take_seat("bob", sale, Some(team)).await?;
    cast.pay(&mut bob).await?;
    let mut cyd = cast.take_seat("cyd", sale, Some(team)).await?;
    cast.pay(&mut cyd).await?;
    end(cast, team, vec![ann, bob, cyd]).await
}

/// Two of three seats: at the end of its time the team fails, and everybody has the money back without asking.
async fn fall_short(cast: &mut Cast, sale: &Sale) -> anyhow::Result<PlayedTeam> {
    let mut dan = cast.take_seat("dan", sale, None).await?;
    let team = dan.team()?;
    cast.pay(&mut dan).await?;
    let mut eve = cast.take_seat("eve", sale, Some(team)).await?;
    cast.pay(&mut eve).await?;
    cast.wait_for_end(team).await?;
    end(cast, team, vec![dan, eve]).await
}

async fn end(
    cast: &mut Cast,
    team: TeamId,
    mut members: Vec<Member>,
) -> anyhow::Result<PlayedTeam> {
    let team = cast.settle(team).await?;
    cast.look_again(&mut members).await?;
    let orders = members
        .into_iter()
        .map(|member| (member.name, member.order));
    Ok(PlayedTeam {
        team,
        orders: orders.collect(),
    })
}

/// The sale's rule in a line, from the sale as the server shows it.
fn rule(sale: &Sale) -> anyhow::Result<String> {
    let offer = sale.offer.as_ref().context("the sale has no offer")?;
    let group = offer.groups.first().context("the offer has no group")?;
    let tiers: Vec<String> = group
        .tiers
        .iter()
        .map(|tier| format!("{} ({} paid)", tier.price, tier.seats))
        .collect();
    Ok(format!(
        "{}, {}: {} seats, {} s; {} {}; the opener pays less",
        sale.name,
        sale.id,
        group.size,
        group.lifetime_ms / 1000,
        sale.currency.code(),
        tiers.join(", ")
    ))
}
