//! What came of it: the money of every order, what does not agree with the rule, and the proof from the journal.

use super::cast::is_settled;
use super::drawing::{amount, drawn};
use super::script::{Played, PlayedTeam};
use crate::terminal::{bold, faint, green, red};
use api::order::Order;
use api::sale::Sale;
use api::team::{Team, TeamState};
use api::{OrderId, PriceText, SaleId, TeamId};
use serde::Serialize;
use shop::verify::{Report, Verdict};
use std::fmt;

/// Ten-thousandths of the major unit in a minor unit of the demo's currency.
const MINOR: i64 = 100;

/// How the demo came out.
#[derive(Debug, Serialize)]
pub(super) struct Ending {
    sale: SaleId,
    currency: Box<str>,
    teams_complete: u64,
    teams_failed: u64,
    teams: Vec<TeamEnding>,
    /// All that was captured.
    money_in_minor: i64,
    /// All that was given back.
    money_out_minor: i64,
    /// What the house keeps by the price that the teams reached.
    money_kept_minor: i64,
    /// Neither kept nor back: 0 once everything is settled.
    money_open_minor: i64,
    /// Batches that were read again from the first byte.
    verified_batches: u64,
    verify: Verdict,
    /// What did not come out as the rule says.
    wrong: Vec<String>,
    verdict: Verdict,
}

#[derive(Debug, Serialize)]
struct TeamEnding {
    id: TeamId,
    state: TeamState,
    #[serde(skip)]
    seats: String,
    price: PriceText,
    orders: Vec<Account>,
}

/// The money of one order, minor units.
#[derive(Debug, Serialize)]
struct Account {
    buyer: &'static str,
    order: OrderId,
    in_minor: i64,
    out_minor: i64,
    kept_minor: i64,
    open_minor: i64,
}

impl Ending {
    /// Holds the server's answers against the rule and against the journal.
    pub(super) fn new(played: &Played, proof: &Report) -> Self {
        let teams: Vec<TeamEnding> = played.teams.iter().map(TeamEnding::new).collect();
        let count = |state| teams.iter().filter(|team| team.state == state).count() as u64;
        let sum =
            |of: fn(&Account) -> i64| teams.iter().flat_map(|team| &team.orders).map(of).sum();
        let mut ending = Self {
            sale: played.sale.id,
            currency: played.sale.currency.code().into(),
            teams_complete: count(TeamState::Complete),
            teams_failed: count(TeamState::Failed),
            money_in_minor: sum(|account| account.in_minor),
            money_out_minor: sum(|account| account.out_minor),
            money_kept_minor: sum(|account| account.kept_minor),
            money_open_minor: sum(|account| account.open_minor),
            teams,
            verified_batches: proof.batches,
            verify: proof.verdict,
            wrong: Vec::new(),
            verdict: Verdict::Ok,
        };
        ending.wrong = ending.faults(played, proof);
        if !ending.wrong.is_empty() {
            ending.verdict = Verdict::Finding;
        }
        ending
    }

    /// Whether all came out as it should.
    pub(super) fn is_right(&self) -> bool {
        self.verdict == Verdict::Ok
    }

    fn faults(&self, played: &Played, proof: &Report) -> Vec<String> {
        let mut wrong = Vec::new();
        let states = played.teams.iter().map(|played| played.team.state);
        if !states.eq([TeamState::Complete, TeamState::Failed]) {
            wrong.push("the first team should be complete and the second one failed".to_owned());
        }
        for played in &played.teams {
            if !is_settled(&played.team) {
                wrong.push(format!("{} is not settled", played.team.id));
            }
        }
        let full = played.teams.first().map(|played| played.team.price);
        if full != best_price(&played.sale) {
            wrong.push("the full team did not reach the last price".to_owned());
        }
        for account in self.teams.iter().flat_map(|team| &team.orders) {
            if account.in_minor == 0 || account.open_minor != 0 {
                let open = amount(account.open_minor);
                wrong.push(format!("{}: {open} open, or nothing paid", account.buyer));
            }
        }
        let journal = proof.sales.iter().map(|sale| &sale.money);
        let journal = journal.map(|money| (money.money_in_minor, money.money_out_minor));
        if !journal.eq([(self.money_in_minor, self.money_out_minor)]) {
            wrong.push("the journal has other sums than the orders".to_owned());
        }
        if self.verify != Verdict::Ok {
            let findings = proof
                .findings
                .iter()
                .map(|finding| finding.detail.to_string());
            wrong.extend(findings);
        }
        wrong
    }
}

impl TeamEnding {
    fn new(played: &PlayedTeam) -> Self {
        let team = &played.team;
        let orders = played.orders.iter();
        let orders = orders.map(|(buyer, order)| Account::new(buyer, team, order));
        Self {
            id: team.id,
            state: team.state,
            seats: drawn(&team.seats),
            price: team.price,
            orders: orders.collect(),
        }
    }
}

impl Account {
    fn new(buyer: &'static str, team: &Team, order: &Order) -> Self {
        let off: i64 = order.off.iter().map(|off| off.amount_minor).sum();
        let kept_minor = match team.state {
            TeamState::Complete => team.price.ten_thousandths() / MINOR - off,
            TeamState::Open | TeamState::Failed => 0,
        };
        Self {
            buyer,
            order: order.id,
            in_minor: order.captured_minor,
            out_minor: order.refunded_minor,
            kept_minor,
            open_minor: order.captured_minor - order.refunded_minor - kept_minor,
        }
    }
}

/// The price of a full team, by the sale's own rule.
fn best_price(sale: &Sale) -> Option<PriceText> {
    let group = sale.offer.as_ref()?.groups.first()?;
    group.tiers.last().map(|tier| tier.price)
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = format!("Where the money went, {}", self.currency);
        writeln!(f, "\n{}\n", bold(&title))?;
        let head = row("", ["in", "back", "kept", "open"].map(str::to_owned));
        writeln!(f, "{}", faint(&head))?;
        for team in &self.teams {
            let (id, seats, price) = (team.id, &team.seats, team.price);
            writeln!(f, "  {id}  {seats}  {}, {price}", team.state.name())?;
            for of in &team.orders {
                let sums = [of.in_minor, of.out_minor, of.kept_minor, of.open_minor];
                writeln!(f, "{}", row(of.buyer, sums.map(amount)))?;
            }
        }
        let sums = [
            self.money_in_minor,
            self.money_out_minor,
            self.money_kept_minor,
            self.money_open_minor,
        ];
        writeln!(f, "{}\n", bold(&row("all", sums.map(amount))))?;
        let verdict = |verdict| match verdict {
            Verdict::Ok => green("ok"),
            Verdict::Finding => red("finding"),
        };
        let (batches, verify) = (self.verified_batches, verdict(self.verify));
        writeln!(
            f,
            "  verify   {verify}, {batches} batches read from the first byte"
        )?;
        for wrong in &self.wrong {
            writeln!(f, "  {}  {wrong}", red("wrong"))?;
        }
        writeln!(f, "  verdict  {}", verdict(self.verdict))
    }
}

/// A name and four columns.
fn row(name: &str, columns: [String; 4]) -> String {
    let columns = columns.map(|column| format!("{column:>10}"));
    format!("    {name:<12}{}", columns.concat())
}
