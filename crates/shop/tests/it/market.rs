//! A sale that trades at random on a real disk: book and journal, without a desk.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use commerce::book::TicketState;
use commerce::command::{ChargeOutcome, RefundOutcome, UnitsBack};
use commerce::deal::Commit;
use commerce::house::HouseEntry;
use commerce::plan::{Patch, SkuPatch};
use commerce::{
    Action, Actor, Ask, Book, Command, DealAsk, Entry, Limits, Offer, Place, Plan, RefundAsk,
    Report, SkuPlan, TeamAsk, Time, Turn, Window, record,
};
use ledger::{Currency, Minor, UnitPrice, Units};
use storage::journal::{Doors, InlineJournal, JournalSettings, Log, recover};
use storage::{DataDir, snapshot};
use tempfile::TempDir;
use world::journal::{Journal, NewBatch, Position};
use world::{Disk, Entropy, OsDisk, SeededEntropy, SystemClock};

pub(crate) const NOON: u64 = 1_800_000_000_000;
pub(crate) const SKUS: [&str; 3] = ["CUP", "POT", "TEA"];
/// How long the sale holds units.
const HOLD_MS: u32 = 1_000;

/// A data directory with one sale that trades.
pub(crate) struct Market {
    _dir: TempDir,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) data: DataDir,
    pub(crate) sale: u32,
    pub(crate) book: Book,
    pub(crate) journal: InlineJournal,
    pub(crate) now: u64,
    dice: SeededEntropy,
    keys: u64,
    entries: Vec<Entry>,
}

impl Market {
    /// A sale of three SKUs that has just opened.
    pub(crate) fn open(seed: u64) -> Self {
        let (secret, plan) = ([7; 16], Box::new(plan()));
        Self::begin(seed, Action::Create { secret, plan })
    }

    /// The same with an offer.
    pub(crate) fn offering(seed: u64, offer: Offer) -> Self {
        let (secret, plan, offer) = ([7; 16], Box::new(plan()), Box::new(offer));
        Self::begin(
            seed,
            Action::CreateWith {
                secret,
                plan,
                offer,
            },
        )
    }

    fn begin(seed: u64, create: Action) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        let data = DataDir::open(&disk, &dir.path().join("data"), 1).expect("a data directory");
        let mut house = journal(&disk, &data.house());
        let entry = HouseEntry::SaleRegistered {
            sale: 1,
            account: "shop".into(),
            key: [1; 16],
        };
        append(&mut house, NOON, &[entry]);
        let journal = journal(&disk, &data.sale(1));
        let mut market = Self {
            _dir: dir,
            disk,
            data,
            sale: 1,
            book: Book::new(),
            journal,
            now: NOON,
            dice: SeededEntropy::new(seed),
            keys: 0,
            entries: Vec::new(),
        };
        market.merchant(create);
        market.merchant(Action::Turn(Turn::Open));
        market.flush();
        market
    }

    /// Carries out so many random commands, in batches of a few.
    pub(crate) fn trade(&mut self, commands: usize) {
        for _ in 0..commands {
            if self.roll(3) == 0 {
                self.pass_time();
            }
            self.command();
            if self.book.offered().is_some() {
                self.offer_command();
            }
        }
        self.flush();
    }

    /// Time goes on; the entries of a batch have one time, so what was decided goes into a batch first.
    fn pass_time(&mut self) {
        let ms = self.roll(120);
        self.wait(ms);
    }

    /// So much time goes on.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.flush();
        self.now += ms;
        self.book
            .tick(Time(self.now), 10, &mut self.entries)
            .expect("the invariants hold");
    }

    /// One command at random.
    fn command(&mut self) {
        let order = self.some_order();
        match self.roll(20) {
            0..6 => self.place(),
            6..9 => self.buyer(order, Action::Pay { order }),
            9..12 => self.charge_report(order),
            12 => self.merchant(Action::Cancel { order }),
            13 => self.buyer(order, Action::Cancel { order }),
            14 => self.refund(order),
            15 => self.refund_report(order),
            16 => self.merchant(Action::Ship { order }),
            17 => self.merchant(Action::Deliver { order }),
            18 => self.chargeback(order),
            _ => self.stock(),
        }
    }

    /// Any order, and half the time one of the newest, which are under way.
    fn some_order(&self) -> u32 {
        let placed = u64::from(self.book.tally().placed.max(1));
        let back = self.roll(placed.min([12, placed][usize::from(self.roll(2) == 0)]));
        u32::try_from(placed - 1 - back).expect("numbers are small")
    }

    fn place(&mut self) {
        let lines = (0..=self.roll(3)).map(|_| self.ask()).collect();
        let buyer: Option<Arc<str>> = match self.roll(9) {
            8 => None,
            nth => Some(format!("buyer-{nth}").into()),
        };
        let paid = (self.roll(10) == 0).then(|| "till 7".into());
        self.merchant(Action::Place(Place {
            buyer,
            tags: Arc::from([]),
            lines,
            paid,
            deal: None,
        }));
    }

    fn ask(&mut self) -> Ask {
        let sku = usize::try_from(self.roll(3)).expect("small");
        let price =
            (self.roll(6) == 0).then(|| UnitPrice(i64::try_from(self.roll(5)).expect("small")));
        Ask {
            sku: SKUS[sku].into(),
            units: 1 + u32::try_from(self.roll(3)).expect("small"),
            price,
        }
    }

    /// One command at random that only a sale with an offer takes.
    fn offer_command(&mut self) {
        match self.roll(9) {
            0 | 1 => {
                let mut nonce = [0; 16];
                self.dice.fill(&mut nonce);
                let commit = Some(Commit::of(nonce, &seed(&nonce)));
                self.take_seat(TeamAsk::Open { commit });
            }
            2..6 => {
                let (teams, _) = self.book.team_counts();
                let back = self.roll(u64::from(teams.clamp(1, 6)));
                let back = u32::try_from(back).expect("small");
                self.take_seat(TeamAsk::Join {
                    team: teams.saturating_sub(1 + back),
                });
            }
            6 => {
                let buyer = self.somebody();
                let sku: Arc<str> = SKUS[usize::try_from(self.roll(3)).expect("small")].into();
                let units = 1 + u32::try_from(self.roll(2)).expect("small");
                let buyer = Some(buyer);
                let tags = Arc::from([]);
                self.merchant(Action::Wait {
                    buyer,
                    sku,
                    units,
                    tags,
                    facts: None,
                });
            }
            7 if self.roll(5) == 0 => {
                let line = (0..).map_while(|number| self.book.ticket(number));
                let waits = line.filter(|ticket| ticket.state == TicketState::Waiting);
                if let Some(ticket) = waits.last().map(|ticket| ticket.number) {
                    self.merchant(Action::LeaveLine { ticket });
                }
            }
            _ => self.draw(),
        }
    }

    /// Opens the seeds of all full lottery teams.
    pub(crate) fn draw(&mut self) {
        let due: Vec<_> = self.book.draws_due().collect();
        for (team, commit) in due {
            let seed = seed(&commit.nonce);
            self.report(Report::Seed { team, seed });
        }
    }

    fn somebody(&self) -> Arc<str> {
        format!("buyer-{}", self.roll(8)).into()
    }

    fn take_seat(&mut self, team: TeamAsk) {
        let sku = SKUS[usize::try_from(self.roll(3)).expect("small")];
        let line = Ask {
            sku: sku.into(),
            units: 1,
            price: None,
        };
        let paid = (self.roll(8) == 0).then(|| "till 8".into());
        self.merchant(Action::Place(Place {
            buyer: Some(self.somebody()),
            tags: Arc::from([]),
            lines: vec![line],
            paid,
            deal: Some(Box::new(DealAsk {
                team: Some(team),
                ..DealAsk::default()
            })),
        }));
    }

    /// Somebody buys one unit, with a seat or without; the order.
    pub(crate) fn buy(&mut self, buyer: &str, sku: &str, team: Option<TeamAsk>) -> u32 {
        let deal = team.map(|team| {
            Box::new(DealAsk {
                team: Some(team),
                ..DealAsk::default()
            })
        });
        let order = self.book.tally().placed;
        self.merchant(Action::Place(Place {
            buyer: Some(buyer.into()),
            tags: Arc::from([]),
            lines: vec![Ask {
                sku: sku.into(),
                units: 1,
                price: None,
            }],
            paid: None,
            deal,
        }));
        assert!(self.book.order(order).is_some(), "{buyer} is refused");
        order
    }

    /// The buyer pays what is due, and the bank takes it.
    pub(crate) fn pay(&mut self, order: u32) {
        let due = self.book.order(order).expect("it is there").due();
        self.buyer(order, Action::Pay { order });
        let attempt = self.book.order(order).expect("it is there").charge().0;
        let outcome = ChargeOutcome::Captured(due);
        self.report(Report::Charge {
            order,
            attempt,
            outcome,
        });
    }

    fn charge_report(&mut self, order: u32) {
        let Some((attempt, total)) = self
            .book
            .order(order)
            .map(|order| (order.charge().0, order.due()))
        else {
            return;
        };
        if attempt == 0 {
            return;
        }
        let outcome = match self.roll(9) {
            8 => ChargeOutcome::Authorised(total),
            0 => ChargeOutcome::Failed,
            1 => ChargeOutcome::Unknown,
            2 => ChargeOutcome::Captured(Minor(total.0 + 1)),
            _ => ChargeOutcome::Captured(total),
        };
        let attempt = attempt - u16::from(attempt > 1 && self.roll(4) == 0);
        self.report(Report::Charge {
            order,
            attempt,
            outcome,
        });
    }

    fn refund(&mut self, order: u32) {
        let amount = (self.roll(3) == 0).then_some(Minor(3));
        let lines = if self.roll(2) == 0 {
            vec![(0, 1)]
        } else {
            Vec::new()
        };
        let units = if self.roll(2) == 0 {
            UnitsBack::Restock
        } else {
            UnitsBack::StaySold
        };
        let ask = RefundAsk {
            amount,
            lines,
            units,
            reason: Some("broken".into()),
        };
        self.merchant(Action::Refund { order, ask });
    }

    fn refund_report(&mut self, order: u32) {
        let refunds = self
            .book
            .order(order)
            .map_or(0, |order| order.refunds().count());
        for number in 1..=u16::try_from(refunds).expect("few") {
            let outcome = if self.roll(3) == 0 {
                RefundOutcome::Failed
            } else {
                RefundOutcome::Refunded
            };
            self.report(Report::Refund {
                order,
                number,
                outcome,
            });
        }
    }

    fn chargeback(&mut self, order: u32) {
        if self.roll(4) == 0 {
            let amount = Minor(i64::try_from(self.roll(2_000)).expect("small"));
            self.merchant(Action::Report(Report::Chargeback {
                order,
                amount,
                reference: "bank 1".into(),
            }));
        }
    }

    fn stock(&mut self) {
        let sku: Arc<str> = SKUS[usize::try_from(self.roll(3)).expect("small")].into();
        match self.roll(4) {
            0 => self.merchant(Action::WriteOff {
                sku,
                units: Units(1),
                reason: None,
            }),
            1 => self.merchant(Action::Alter(Box::new(Patch {
                title: Some("Cups, pots and tea".into()),
                skus: vec![SkuPatch {
                    sku,
                    title: None,
                    price: Some(UnitPrice(12_345)),
                    limits: None,
                    stock: None,
                }],
                ..Patch::default()
            }))),
            _ => self.merchant(Action::AddStock {
                sku,
                units: Units(5),
            }),
        }
    }

    pub(crate) fn merchant(&mut self, action: Action) {
        self.execute(Actor::Merchant("shop".into()), true, action);
    }

    pub(crate) fn buyer(&mut self, order: u32, action: Action) {
        let buyer = self.book.order(order).and_then(|order| order.buyer());
        if let Some(buyer) = buyer.map(Arc::from) {
            self.execute(Actor::Buyer(buyer), true, action);
        }
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.execute(Actor::House, false, Action::Report(report));
    }

    fn execute(&mut self, actor: Actor, keyed: bool, action: Action) {
        self.keys += 1;
        let key = keyed.then(|| format!("key {}", self.keys).into());
        let command = Command { actor, key, action };
        self.book
            .execute(Time(self.now), &command, &mut self.entries)
            .expect("the invariants hold");
    }

    /// Makes what was decided durable.
    pub(crate) fn flush(&mut self) -> Position {
        let entries = std::mem::take(&mut self.entries);
        if !entries.is_empty() {
            append(&mut self.journal, self.now, &entries);
        }
        self.journal.position()
    }

    /// Appends an entry that no book has decided.
    pub(crate) fn forge(&mut self, entry: &Entry) {
        append(&mut self.journal, self.now, std::slice::from_ref(entry));
    }

    /// Writes a snapshot of the book as it stands.
    pub(crate) fn snapshot(&mut self) -> PathBuf {
        let position = self.flush();
        let bytes = self.book.to_snapshot().expect("it encodes");
        let dir = self.data.sale(self.sale.into());
        snapshot::write(&*self.disk, &dir, position, self.now, &bytes).expect("written")
    }

    /// A number below `sides`.
    fn roll(&self, sides: u64) -> u64 {
        self.dice.next_u64() % sides
    }
}

/// The seed that a nonce of the market promises.
fn seed(nonce: &[u8; 16]) -> [u8; 32] {
    let mut seed = [5; 32];
    seed[..16].copy_from_slice(nonce);
    seed
}

fn plan() -> Plan {
    let sku = |name: &str, price| SkuPlan {
        sku: name.into(),
        title: name.to_lowercase().into(),
        price: UnitPrice(price),
        limits: Limits::default(),
        stock: Units(40),
    };
    Plan {
        title: "Cups".into(),
        currency: Currency::new("GBP").expect("a currency"),
        hold_ms: HOLD_MS,
        window: Window::default(),
        limits: Limits {
            per_order: None,
            per_buyer: Some(Units(30)),
        },
        rules: Vec::new(),
        skus: vec![sku("CUP", 125_000), sku("POT", 99_999), sku("TEA", 1)],
    }
}

/// Opens the journal in a directory, or begins it.
pub(crate) fn journal(disk: &Arc<dyn Disk>, dir: &std::path::Path) -> InlineJournal {
    let doors = Doors {
        disk: disk.clone(),
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(SeededEntropy::new(3)) as Arc<dyn Entropy>,
    };
    let settings = JournalSettings {
        segment_bytes_first: 16 * 1024,
        segment_bytes_max: 64 * 1024,
    };
    let recovery = recover(disk, dir, None, &mut |_| {
        Ok::<_, std::convert::Infallible>(())
    })
    .expect("it is sound");
    InlineJournal::new(Log::open(recovery, doors, settings).expect("it opens"))
}

/// Appends entries as one batch.
pub(crate) fn append<T: serde::Serialize>(
    journal: &mut InlineJournal,
    time_ms: u64,
    entries: &[T],
) {
    let mut payload = Vec::new();
    for entry in entries {
        record::put(entry, &mut payload).expect("it encodes");
    }
    let batch = NewBatch {
        time_ms,
        entries: u32::try_from(entries.len()).expect("few"),
        payload,
    };
    let after = journal.position().sequence;
    let appending = pin!(journal.append(after, batch));
    match appending.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => drop(done.expect("the disk works")),
        Poll::Pending => unreachable!("it works in the caller's thread"),
    }
}
