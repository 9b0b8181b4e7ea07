//! Joiners: they find a team in a list or by its link, and take a seat of it.

use api::team::{Team, TeamPage};
use serde_json::json;

use super::{PATIENCE, Visit, seen};
use crate::client::{Ask, Client};

impl Visit {
    pub(super) async fn join(mut self, client: &mut Client) {
        for nth in 0..self.chance.between(1, 4) {
            if let Some(team) = self.find_team(client).await {
                let body =
                    self.for_a_seat(&team.sku, team.draw.is_some(), &json!({"join": team.id}));
                // A team that was open a moment ago may be full by now: then it is another one.
                if let Some(seat) = self.take_seat(client, &format!("join-{nth}"), &body).await {
                    return self.go_on_with(client, &seat).await;
                }
            }
            self.pause(client, 4_000).await;
        }
        // Who finds none opens one.
        if self.chance.hits(600)
            && let Some(seat) = self.open_team(client, "own").await
        {
            self.go_on_with(client, &seat).await;
        }
    }

    /// A team to join: by a link that somebody showed, or from the list.
    async fn find_team(&mut self, client: &mut Client) -> Option<Team> {
        if self.chance.hits(400)
            && let Some(link) = self.market.some_link(self.guest.sale, &mut self.chance)
        {
            // Some join without looking whether it can be joined.
            let outcome = client.ask(&Ask::get(link), PATIENCE).await;
            let team: Team = serde_json::from_str(seen(&outcome)?).ok()?;
            return (team.joinable || self.chance.hits(200)).then_some(team);
        }
        let filter = *self.chance.pick(&[
            "?joinable=true&limit=3",
            "?joinable=true",
            "?state=open",
            "",
        ]);
        let list = Ask::get(format!("/v1/sales/{}/teams{filter}", self.sale));
        let outcome = client.ask(&list, PATIENCE).await;
        let page: TeamPage = serde_json::from_str(seen(&outcome)?).ok()?;
        let mut open: Vec<Team> = page.teams;
        open.retain(|team| team.joinable);
        let newest = open.len().min(3);
        (newest > 0).then(|| open.swap_remove(self.chance.index(newest)))
    }
}
