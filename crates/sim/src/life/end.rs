//! The end of a life: faults off, everything settles, and what is left is written down.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::order::OrderPage;
use api::provider::{ChargeOutcome, ProviderLedger};
use api::{PaymentId, SaleId};
use shop::verify::{Receipt, verify};
use storage::journal::read_dir;
use storage::models::{Models, ModelsError};
use world::Disk;
use world::disk::Access;
use world::journal::Batch;

use super::{Director, HEALING};
use crate::client::Ask;
use crate::disk;
use crate::record::{Call, Ended, Evidence, Modelled, Outcome, Who};

/// Between two looks at whether everything has settled.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Clients with this number ask for lists.
const LISTER: u32 = 90;

impl Director {
    /// Nothing breaks any more.
    pub(super) async fn heal(&mut self) {
        self.tell("all faults are over");
        self.stage.disk().heal();
        self.stage.disk().crash_at(u64::MAX, disk::Moment::Before);
        self.stage.shop.spare();
        self.stage.net.heal();
        if !self.stage.shop.is_up() {
            self.raise().await;
        }
    }

    /// Waits until everything is final, then stops the server and reads what is left.
    pub(super) async fn finish(&mut self) -> Evidence {
        let mut evidence = Evidence::default();
        let deadline = self.tasks.now() + HEALING;
        loop {
            if !self.stage.shop.is_up() {
                self.raise().await;
            }
            evidence.open_effects = self.open_effects().await;
            let open: u64 = evidence.open_effects.values().sum();
            let waits = self.unsettled().await;
            if open == 0 && waits.is_none() {
                break;
            }
            if self.tasks.now() >= deadline {
                let waits = waits.unwrap_or_else(|| format!("{open} effects are open"));
                evidence.unhealed.push(waits);
                break;
            }
            self.tasks.sleep(LOOK_EVERY).await;
        }
        self.list(&mut evidence).await;
        self.stop().await;
        self.after_the_end(Ended::Drained);
        self.read(&mut evidence);
        self.try_backup(&mut evidence);
        evidence.restarts = std::mem::take(&mut self.restarts);
        evidence
    }

    async fn open_effects(&self) -> BTreeMap<u32, u64> {
        let mut open = BTreeMap::new();
        let Some(opened) = &self.opened else {
            return open;
        };
        for desk in opened.handle.registry().desks() {
            let counted = desk.ask(|book| book.open_effects().count() as u64).await;
            // A desk that gives no answer is not settled.
            open.insert(desk.sale(), counted.map_or(1, |counted| counted.value));
        }
        open
    }

    /// What is not settled yet, apart from effects.
    async fn unsettled(&self) -> Option<String> {
        let opened = self.opened.as_ref()?;
        if self.stage.sandbox.has_more_to_say() {
            return Some("the provider will change its mind still".to_owned());
        }
        if let Some(charge) = self.untold_charge().await {
            return Some(format!(
                "{charge} was taken, and its book has not heard of it"
            ));
        }
        for desk in opened.handle.registry().desks() {
            let due = desk.ask(|book| book.next_due()).await;
            match due {
                Ok(due) if due.value.is_some() => {
                    return Some(format!("sale {}: something is due still", desk.sale()));
                }
                Ok(_) => {}
                Err(error) => return Some(format!("sale {}: {error}", desk.sale())),
            }
        }
        let lag = opened.handle.projector().lag();
        (lag.behind_batches > 0)
            .then(|| format!("read models are {} batches behind", lag.behind_batches))
    }

    /// A charge that the provider captured and the book does not know to be.
    async fn untold_charge(&self) -> Option<PaymentId> {
        let registry = self.opened.as_ref()?.handle.registry();
        let charges = self.stage.sandbox.charges().into_iter();
        let taken = charges.filter(|charge| charge.outcome == ChargeOutcome::Captured);
        let mut by_sale = BTreeMap::<u32, Vec<PaymentId>>::new();
        for charge in taken {
            let key = charge.request.key;
            by_sale.entry(key.order.sale().get()).or_default().push(key);
        }
        for desk in registry.desks() {
            let keys = by_sale.remove(&desk.sale()).unwrap_or_default();
            let untold = desk.ask(move |book| {
                let known = |key: &PaymentId| {
                    let number = u32::try_from(key.order.number()).ok();
                    let order = number.and_then(|number| book.order(number));
                    // What the book never heard of is the judges' affair.
                    order.is_none_or(|order| order.was_captured(key.attempt))
                };
                keys.iter().find(|key| !known(key)).copied()
            });
            if let Ok(Some(key)) = untold.await.map(|found| found.value) {
                return Some(key);
            }
        }
        None
    }

    /// All orders, as lists show them. A list that cannot be read is a finding: an empty one would hide all others.
    async fn list(&mut self, evidence: &mut Evidence) {
        let mut client = self.market.client(LISTER, Who::Merchant);
        for sale in self.market.sale_ids() {
            let mut orders = Vec::new();
            let mut cursor = String::new();
            loop {
                let ask = Ask::get(format!("/v1/orders?sale_id={sale}&limit=200{cursor}"));
                let outcome = client.ask(&ask, Duration::from_secs(30)).await;
                let Some(page) = page(&outcome) else {
                    let what = format!("{} gives no list but {outcome:?}", ask.path);
                    evidence.unhealed.push(what);
                    break;
                };
                orders.extend(page.orders);
                match page.next_cursor {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            if let Ok(sale) = sale.parse::<SaleId>() {
                evidence.listed.insert(sale.get(), orders);
                match self.modelled(sale.get()) {
                    Ok(modelled) => {
                        evidence.modelled.insert(sale.get(), modelled);
                    }
                    Err(error) => evidence.unhealed.push(error.to_string()),
                }
            }
        }
    }

    /// What the read models have of teams and of places in line, in which no list shows everything.
    fn modelled(&self, sale: u32) -> Result<Modelled, ModelsError> {
        let models = Models::new(&self.stage.models(), 1);
        let view = models.view()?;
        let mut modelled = Modelled::default();
        view.each_team(sale, &mut |team| modelled.teams.push(team))?;
        view.each_ticket(sale, &mut |place| modelled.places.push(place))?;
        Ok(modelled)
    }

    fn count_segments(&self, disk: &dyn Disk, dir: &Path) {
        let names = disk.list(dir).unwrap_or_default();
        let segments = names.iter().filter(|name| name.ends_with(".journal"));
        self.stage.witness.segments(segments.count() as u64);
    }

    fn read(&self, evidence: &mut Evidence) {
        let disk: Arc<dyn Disk> = Arc::new(self.stage.disk());
        let data = self.stage.data();
        evidence.charges = self.stage.sandbox.charges();
        evidence.refunds = self.stage.sandbox.refunds();
        match storage::DataDir::inspect(&disk, &data) {
            Ok(dir) => {
                evidence.house = batches(&disk, &dir.house(), evidence);
                evidence
                    .journal_ids
                    .extend(id(&*disk, &dir.house()).map(|id| (0, id)));
                self.count_segments(&*disk, &dir.house());
                for number in dir.sale_numbers(&*disk).unwrap_or_default() {
                    let read = batches(&disk, &dir.sale(number), evidence);
                    self.count_segments(&*disk, &dir.sale(number));
                    let sale = u32::try_from(number).unwrap_or(0);
                    let id = id(&*disk, &dir.sale(number));
                    evidence.journal_ids.extend(id.map(|id| (sale, id)));
                    evidence.journals.insert(sale, read);
                }
            }
            Err(error) => evidence.verify.push(error.to_string()),
        }
        match verify(
            &disk,
            &data,
            &receipts(&self.market.history.all()),
            &mut |_| {},
        ) {
            Ok(report) => {
                let findings = report.findings.iter().map(|finding| format!("{finding:?}"));
                evidence.verify.extend(findings);
                if report.divergences_total > 0 {
                    evidence
                        .verify
                        .push(format!("{} decisions diverge", report.divergences_total));
                }
            }
            Err(error) => evidence.verify.push(error.to_string()),
        }
    }
}

/// Every place in a journal that a client was shown.
fn receipts(calls: &[Call]) -> Vec<Receipt> {
    let said = calls.iter().filter_map(|call| match &call.outcome {
        Outcome::Said(said) => said.position,
        Outcome::Open | Outcome::Unheard(_) => None,
    });
    said.map(|(sale, position)| Receipt { sale, position })
        .collect()
}

/// The random id of a journal: bytes 16 to 31 of its segments, as docs/journal-format.md says.
fn id(disk: &dyn Disk, dir: &Path) -> Option<[u8; 16]> {
    let names = disk.list(dir).ok()?;
    let segment = names.iter().find(|name| name.ends_with(".journal"))?;
    let file = disk.open(&dir.join(segment), Access::Read).ok()?;
    let mut head = [0; 32];
    (file.read_at(0, &mut head).ok()? == head.len()).then(|| head[16..].try_into().ok())?
}

fn page(outcome: &Outcome) -> Option<OrderPage> {
    match outcome {
        Outcome::Said(said) if said.is_yes() => serde_json::from_str(&said.body).ok(),
        Outcome::Said(_) | Outcome::Unheard(_) | Outcome::Open => None,
    }
}

fn batches(disk: &Arc<dyn Disk>, dir: &Path, evidence: &mut Evidence) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut read = || {
        let mut reader = read_dir(disk, dir, 0)?;
        while let Some(batch) = reader.next()? {
            batches.push(batch);
        }
        Ok::<(), world::journal::JournalError>(())
    };
    if let Err(error) = read() {
        evidence.verify.push(format!("{}: {error}", dir.display()));
    }
    batches
}
