//! What a life is made of, drawn from its seed: who comes, what breaks, and when.
//!
//! A plan is data: it is printed, taken apart by the shrinker, and run again. Each kind of trouble is on in about half
//! of all lives, so that two kinds meet without a third that would hide what they do together.

pub(crate) mod offer;

use std::time::Duration;

use api::offer::Offer;
use shop::provider::sandbox::{self, PerMille, UnknownCharge};

use crate::chance::Chance;
use crate::disk::{FaultKind, FaultPlan, Mix};
use crate::network::Way;

/// A whole life.
#[derive(Clone, Debug)]
pub struct LifePlan {
    /// The seed that it was drawn from; everything that happens is drawn from it too.
    pub seed: u64,
    /// The shop's settings: small segments and many snapshots, so that a short life meets them all.
    pub shop: shop::Settings,
    /// How the provider behaves.
    pub bank: sandbox::Settings,
    /// By how much the provider's clock is off, in milliseconds.
    pub bank_clock_ms: i64,
    /// How the network is when nothing is cut.
    pub way: Way,
    /// What the disk does.
    pub disk: FaultPlan,
    /// The sales.
    pub sales: Vec<SalePlan>,
    /// Who comes.
    pub guests: Vec<Guest>,
    /// What happens to machines, clocks and the network.
    pub incidents: Vec<Incident>,
}

/// A sale to be created.
#[derive(Clone, Debug)]
pub struct SalePlan {
    /// Stock of each SKU.
    pub stock: Vec<u32>,
    /// Prices, as they are written.
    pub prices: Vec<&'static str>,
    /// How long units are held.
    pub hold_ms: u64,
    /// Units of one buyer.
    pub units_per_buyer: Option<u32>,
    /// Units of one buyer, of the first SKU alone.
    pub first_sku_per_buyer: Option<u32>,
    /// When it is over, after the world began.
    pub closes: Option<Duration>,
    /// What it offers beyond plain orders.
    pub offer: Option<Offer>,
}

/// Somebody who comes.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its number, which is also its client's.
    pub number: u32,
    /// When it comes.
    pub at: Duration,
    /// Which sale it is after.
    pub sale: usize,
    /// What it does.
    pub habit: Habit,
}

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Habit {
    /// Buys and pays.
    Plain,
    /// Sends the same request twice at once, over two connections.
    DoubleClick,
    /// Gives up at once and comes back with the same key.
    Impatient,
    /// Places an order and is never seen again.
    Abandon,
    /// Pays when the hold is about over, or just after.
    PayLate,
    /// Cancels, before or after paying.
    Cancel,
    /// Takes as much as it can, again and again.
    Hoard,
    /// Clicks on pay several times, with several keys.
    PayTwice,
    /// Asks for lists, stock and its orders.
    Look,
    /// The merchant: gives money back, whole, in parts, twice.
    Refund,
    /// The merchant: ships and delivers.
    Ship,
    /// The merchant: alters prices and limits, pauses and opens, adds and writes off stock.
    Alter,
    /// The merchant: sells for money collected elsewhere, many orders at once.
    Batch,
    /// The merchant: reports that a bank took money back.
    ChargeBack,
    /// The merchant: makes keys and revokes them, opens further sales.
    Keys,
    /// Sends nonsense.
    Nonsense,
    /// Watches the live stream and reads slowly.
    Watch,
    /// Comes with forged tokens and callbacks, and asks for what is not its own.
    Forge,
    /// Opens a team, pays, shows the link, and may leave.
    Lead,
    /// Finds a team by a list or by its link and joins; pays, pays late, leaves, or is never seen again.
    Join,
    /// Waits in line for what is sold out.
    Wait,
    /// Pays a deposit, and the balance in its window, too early, too late, or not at all.
    Deposit,
    /// The merchant: changes what a sale offers while people buy.
    Rearrange,
}

impl Habit {
    /// Those of any sale, from which a crowd has about half. The others come only to a sale that offers what they want.
    pub const ALL: [Self; 18] = [
        Self::Plain,
        Self::DoubleClick,
        Self::Impatient,
        Self::Abandon,
        Self::PayLate,
        Self::Cancel,
        Self::Hoard,
        Self::PayTwice,
        Self::Look,
        Self::Refund,
        Self::Ship,
        Self::Alter,
        Self::Batch,
        Self::ChargeBack,
        Self::Keys,
        Self::Nonsense,
        Self::Watch,
        Self::Forge,
    ];
}

/// Something that happens to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// When.
    pub at: Duration,
    /// What.
    pub what: Trouble,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server is asked to stop, and is started again.
    Restart,
    /// The process is killed after so many more polls of its tasks.
    KillAfterPolls(u64),
    /// The machine loses power after so many more polls.
    PowerOffAfterPolls(u64),
    /// The process is killed before (or after) so many more operations of the disk.
    KillAtDisk(u64, Moment),
    /// The machine loses power before (or after) so many more operations of the disk.
    PowerOffAtDisk(u64, Moment),
    /// The shop's wall clock is set by so many milliseconds.
    Clock(i64),
    /// The shop's wall clock drifts by so many parts in a million.
    Drift(i64),
    /// Nothing passes from the first to the second, for so long.
    Cut(Place, Place, Duration),
    /// Ways are slow and lossy for so long.
    Rough(Way, Duration),
    /// An operator throws the read models away while the shop is down, and starts it again.
    Rebuild,
    /// An operator makes a backup beside the running server.
    Backup,
}

/// On which side of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before it was done.
    Before,
    /// After it was done.
    After,
}

/// A machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The shop's.
    Shop,
    /// The provider's.
    Bank,
    /// The clients'.
    Street,
}

/// How large lives are.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Guests, at most.
    pub guests_max: u64,
    /// Incidents, at most.
    pub incidents_max: u64,
    /// How long guests keep coming.
    pub span: Duration,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            guests_max: 60,
            incidents_max: 8,
            span: Duration::from_secs(90),
        }
    }
}

const PRICES: [&str; 8] = [
    "12.50", "0.01", "3.3333", "100", "0.125", "9.99", "0.0050", "12.3450",
];

impl LifePlan {
    /// The life of a seed.
    #[must_use]
    pub fn draw(seed: u64, size: Size) -> Self {
        let mut chance = Chance::of(seed, "plan");
        let sales: Vec<SalePlan> = (0..chance.between(1, 3))
            .map(|_| sale(&mut chance))
            .collect();
        // In some lives nearly everybody comes at one moment, and that is when things break.
        let span_ms = u64::try_from(size.span.as_millis()).unwrap_or(u64::MAX);
        let rush = chance.hits(400).then(|| chance.below(span_ms / 2));
        let guests = guests(&mut chance, &size, sales.len(), rush);
        let mut plan = Self {
            seed,
            shop: guarded(seed, shop_settings(&mut chance)),
            bank: fickle(seed, bank(seed, &mut chance)),
            bank_clock_ms: if chance.hits(300) {
                chance.between(0, 240_000) as i64 - 120_000
            } else {
                0
            },
            way: way(&mut chance),
            disk: disk(seed, &mut chance),
            incidents: incidents(&mut chance, &size, rush),
            sales,
            guests,
        };
        offer::draw(&mut plan);
        plan
    }
}

fn sale(chance: &mut Chance) -> SalePlan {
    let skus = chance.between(1, 3);
    SalePlan {
        stock: (0..skus)
            .map(|_| u32::try_from(chance.between(0, 25)).unwrap_or(0))
            .collect(),
        prices: (0..skus).map(|_| *chance.pick(&PRICES)).collect(),
        hold_ms: *chance.pick(&[1_000, 5_000, 20_000, 120_000]),
        units_per_buyer: *chance.pick(&[None, Some(1), Some(4), Some(10)]),
        first_sku_per_buyer: *chance.pick(&[None, None, Some(1), Some(3)]),
        closes: chance
            .hits(250)
            .then(|| Duration::from_millis(chance.between(20_000, 80_000))),
        offer: None,
    }
}

fn guests(chance: &mut Chance, size: &Size, sales: usize, rush: Option<u64>) -> Vec<Guest> {
    // A crowd has a few habits, not all: swarm testing.
    let habits: Vec<Habit> = Habit::ALL
        .into_iter()
        .filter(|_| chance.hits(500))
        .collect();
    let count = chance.between(1, size.guests_max);
    let span = u64::try_from(size.span.as_millis()).unwrap_or(u64::MAX);
    let within_us = *chance.pick(&[500, 20_000]);
    (0..count)
        .map(|nth| Guest {
            number: u32::try_from(nth).unwrap_or(u32::MAX) + 100,
            at: match rush.filter(|_| chance.hits(800)) {
                Some(at_ms) => Duration::from_micros(at_ms * 1_000 + chance.below(within_us)),
                // Most come early.
                None => {
                    Duration::from_millis(chance.below(span) * chance.below(span) / span.max(1))
                }
            },
            sale: chance.index(sales),
            habit: match habits.is_empty() || chance.hits(300) {
                true => Habit::Plain,
                false => *chance.pick(&habits),
            },
        })
        .collect()
}

fn shop_settings(chance: &mut Chance) -> shop::Settings {
    let mut settings = shop::Settings::default();
    settings.desk.snapshot_entries = *chance.pick(&[5, 40, 50_000]);
    settings.desk.snapshot_idle_ms = *chance.pick(&[5, 200, 5_000]);
    settings.desk.queue_commands_max = *chance.pick(&[1, 2, 20, 65_536]);
    settings.desk.batch_commands_max = *chance.pick(&[1, 3, 8_192]);
    settings.desk.sweep_holds_max = *chance.pick(&[1, 5, 4_096]);
    settings.cashier.queue_effects_max = *chance.pick(&[2, 20, settings.cashier.queue_effects_max]);
    settings.sales.segment_bytes_first = *chance.pick(&[64 * 1024, 256 * 1024]);
    settings.sales.segment_bytes_max = settings.sales.segment_bytes_first;
    settings.projector.gather_ms = *chance.pick(&[1, 20, 2_000]);
    settings
}

fn bank(seed: u64, chance: &mut Chance) -> sandbox::Settings {
    let mut share = |most: u16| {
        let on = chance.hits(500);
        let share = u16::try_from(chance.between(1, most.into())).unwrap_or(most);
        PerMille::new(if on { share } else { 0 }).unwrap_or_default()
    };
    sandbox::Settings {
        seed,
        decline_per_mille: share(400),
        refund_decline_per_mille: share(300),
        pending_per_mille: share(500),
        pending_ms_max: 30_000,
        slow_per_mille: share(300),
        slow_ms: 4_000,
        lost_answer_per_mille: share(300),
        callback_per_mille: share(600),
        duplicate_callback_per_mille: share(600),
        callback_delay_ms_max: 20_000,
        unknown_charge: UnknownCharge::Decline,
        ..sandbox::Settings::default()
    }
}

/// Breakers that trip soon, bulkheads with one place, and a reconciler that comes often. Drawn from lots of their own,
/// so that a seed is otherwise the life that it was.
fn guarded(seed: u64, mut settings: shop::Settings) -> shop::Settings {
    let mut chance = Chance::of(seed, "guard");
    let cashier = &mut settings.cashier;
    cashier.breaker_failures_in_a_row_max = *chance.pick(&[0, 1, 3, 5]);
    cashier.breaker_open_ms = *chance.pick(&[500, 10_000, 30_000]);
    cashier.breaker_probes_max = *chance.pick(&[1, 3, 10]);
    cashier.bulkhead_calls_max = *chance.pick(&[1, 4, 48]);
    cashier.reconcile_every_ms = *chance.pick(&[20_000, 300_000]);
    settings.reconcile.page_orders = *chance.pick(&[1, 7, 256]);
    settings
}

/// A provider that changes its mind, and whose callbacks get lost.
fn fickle(seed: u64, mut bank: sandbox::Settings) -> sandbox::Settings {
    let mut chance = Chance::of(seed, "fickle");
    let share = |on: bool| PerMille::new(if on { 300 } else { 0 }).unwrap_or_default();
    let (changes, loses) = (chance.hits(500), chance.hits(500));
    bank.fickle_per_mille = share(changes);
    bank.fickle_ms_max = 60_000;
    bank.lost_callback_per_mille = share(loses);
    bank
}

fn way(chance: &mut Chance) -> Way {
    Way {
        delay_us_min: 20,
        delay_us_max: *chance.pick(&[100, 2_000, 80_000]),
        loss_per_mille: *chance.pick(&[0, 0, 5, 50]),
        cut: false,
    }
}

fn disk(seed: u64, chance: &mut Chance) -> FaultPlan {
    match chance.below(100) {
        // A disk that lies: nothing is expected of the shop but that it notices.
        0..8 => FaultPlan::draw(
            seed,
            &Mix {
                kinds: FaultKind::ALL.into_iter().collect(),
                ..Mix::default()
            },
        ),
        8..54 => FaultPlan::draw(seed, &Mix::default()),
        _ => FaultPlan::default(),
    }
}

fn incidents(chance: &mut Chance, size: &Size, rush: Option<u64>) -> Vec<Incident> {
    let count = match chance.hits(200) {
        true => 0,
        false => chance.between(1, size.incidents_max),
    };
    let kinds: Vec<u64> = (0..13).filter(|_| chance.hits(500)).collect();
    let span = u64::try_from(size.span.as_millis()).unwrap_or(u64::MAX) * 5 / 4;
    let mut incidents: Vec<Incident> = (0..count)
        .map(|_| Incident {
            at: match rush.filter(|_| chance.hits(400)) {
                Some(at_ms) => Duration::from_millis(at_ms + chance.below(20)),
                None => Duration::from_millis(chance.below(span)),
            },
            what: trouble(chance, &kinds),
        })
        .collect();
    strike_while_draining(chance, &mut incidents);
    incidents.sort_by_key(|incident| incident.at);
    incidents
}

/// A machine may fail while its server drains, and so in the middle of its snapshots.
fn strike_while_draining(chance: &mut Chance, incidents: &mut Vec<Incident>) {
    let cut =
        |what: &Trouble| matches!(what, Trouble::KillAtDisk(..) | Trouble::PowerOffAtDisk(..));
    for nth in 0..incidents.len() {
        let incident = incidents[nth];
        if cut(&incident.what) && chance.hits(300) {
            incidents.push(Incident {
                at: incident.at,
                what: Trouble::Restart,
            });
        }
    }
}

fn trouble(chance: &mut Chance, kinds: &[u64]) -> Trouble {
    let kind = match kinds.is_empty() {
        true => 2,
        false => *chance.pick(kinds),
    };
    let moment = *chance.pick(&[Moment::Before, Moment::After]);
    match kind {
        0 => Trouble::Restart,
        1 => Trouble::KillAfterPolls(chance.between(1, 400)),
        2 => Trouble::PowerOffAfterPolls(chance.between(1, 400)),
        3 => Trouble::KillAtDisk(chance.between(1, 40), moment),
        4 => Trouble::PowerOffAtDisk(chance.between(1, 40), moment),
        5 => Trouble::Clock(*chance.pick(&[-600_000, -7_000, -1_500, 1_500, 7_000, 600_000])),
        6 => Trouble::Drift(*chance.pick(&[-20_000, -200, 200, 20_000])),
        7 => cut(chance),
        8 => Trouble::Rough(
            Way {
                delay_us_min: 1_000,
                delay_us_max: 1_500_000,
                loss_per_mille: 100,
                cut: false,
            },
            Duration::from_millis(chance.between(100, 20_000)),
        ),
        9 => Trouble::Rebuild,
        12 => Trouble::Backup,
        // Few operations on: in the middle of what is being written.
        _ => Trouble::PowerOffAtDisk(chance.between(1, 8), moment),
    }
}

fn cut(chance: &mut Chance) -> Trouble {
    let (from, to) = *chance.pick(&[
        (Place::Shop, Place::Bank),
        (Place::Bank, Place::Shop),
        (Place::Shop, Place::Street),
        (Place::Street, Place::Shop),
    ]);
    Trouble::Cut(from, to, Duration::from_millis(chance.between(50, 40_000)))
}
