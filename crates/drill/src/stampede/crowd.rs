//! The order of the rehearsal: open the sale, let wave after wave loose, kill and restart, settle, verify.

use super::buyer::Buyer;
use super::child::Server;
use super::door::{Door, body};
use super::fault::Fault;
use super::lists::catch_up;
use super::memory::{Contradiction, Memory, Receipts};
use super::outcome::{Account, Outage, Outcome};
use super::plan::{HOLD_MS, SKUS, UNITS_PER_BUYER, UNITS_PER_ORDER, Wave, visitor, waves};
use super::probe::Probe;
use super::sampler::Sampler;
use super::scenario::{Books, Seen};
use super::settle::settle;
use super::tally::{Tally, read};
use super::verify::{Evidence, verify};
use super::{Settings, StampedeError, Tools};
use crate::chance::Chance;
use crate::client::{Patience, Pool, Request};
use crate::watch::Watcher;
use api::SaleId;
use api::plan::{CreateSale, Limits, NewSku, SkuLimits, Window};
use api::sale::Sale;
use api::stock::AddStock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use world::{Clock, SystemClock};

/// How long a wave may take to bring the requests after which the server is struck. A wave that stalls is struck anyhow.
const STRIKE_MAX: Duration = Duration::from_secs(10);
/// How long buyers wait for an answer in a storm: shorter than the longest fault, so that they come again with the same
/// key while the first request is still under way.
const STORM_PATIENCE: Duration = Duration::from_secs(3);
/// Pause between two looks at the count of requests.
const LOOK: Duration = Duration::from_millis(1);

/// The rehearsal, from the first start to the verdict.
pub(super) async fn rehearse(
    settings: Settings,
    tools: &Tools,
    watcher: &dyn Watcher,
) -> Result<Outcome, StampedeError> {
    watcher.stage("starting the server");
    let mut stage = Stage::open(settings, tools, watcher).await?;
    watcher.stage("the stampede");
    let mut sampler = Sampler::new(&stage.door, stage.sale, tools);
    let played = tokio::select! {
        played = stage.play() => played?,
        never = sampler.run(watcher, settings.buyers) => match never {},
    };
    watcher.stage("waiting for loose ends");
    let gone = stage.door.clock.monotonic();
    stage.settle(&played.memories).await;
    let settled = stage.door.clock.monotonic().saturating_sub(gone);
    watcher.stage("stopping the server");
    let unclean = stage.server.stop().await?;
    watcher.stage("verifying");
    let audit = (tools.audit)(&tools.data).map_err(StampedeError::Audit)?;
    let (receipts, forks) = stage.door.receipts.all();
    let mut findings = verify(&Evidence {
        sale: stage.sale,
        memories: &played.memories,
        receipts: &receipts,
        audit: &audit,
        charges: &tools.provider.charges(),
        refunds: &tools.provider.refunds(),
        stocked: &stage.stocked,
    });
    findings.lost += forks.len() as u64;
    let words = forks.into_iter().chain(stage.words);
    for words in words.chain(unclean) {
        findings.say(words);
    }
    Ok(Outcome::new(Account {
        settings,
        tally: &stage.door.tally,
        audit: &audit,
        findings,
        outages: stage.outages,
        elapsed: played.elapsed,
        settled,
        requests: played.requests,
        receipts: receipts.len() as u64,
        samples: sampler.samples,
        books: Books::of(&audit, &*tools.provider, &Seen::default()),
    }))
}

/// What the crowd left behind.
struct Played {
    memories: Vec<Memory>,
    elapsed: Duration,
    requests: u64,
}

/// The server, the sale, and who is in it.
pub(super) struct Stage<'a> {
    settings: Settings,
    pub(super) tools: &'a Tools,
    pub(super) watcher: &'a dyn Watcher,
    pub(super) server: Server,
    pub(super) probe: Probe,
    door: Arc<Door>,
    sale: SaleId,
    /// Units that the merchant was told were taken in.
    stocked: BTreeMap<Box<str>, u64>,
    crowd: JoinSet<Memory>,
    pub(super) outages: Vec<Outage>,
    /// What was wrong with faults, in words.
    pub(super) words: Vec<String>,
    started: Duration,
}

impl<'a> Stage<'a> {
    /// Starts the server and opens a sale with the first wave's stock.
    async fn open(
        settings: Settings,
        tools: &'a Tools,
        watcher: &'a dyn Watcher,
    ) -> Result<Self, StampedeError> {
        let server = Server::start(tools).await?;
        let clock = Arc::new(SystemClock::new());
        let connections = usize::try_from(settings.connections).unwrap_or(usize::MAX);
        let door = Arc::new(Door {
            pool: Pool::new(
                tools.public,
                connections,
                patience(&settings),
                Arc::clone(&clock),
            ),
            tally: Tally::new()?,
            receipts: Receipts::default(),
            clock,
        });
        let first = waves(&settings).first().map_or([0; 3], |wave| wave.stock);
        let sale_body = sale_body(first)?;
        let what = "begin the sale";
        let sale: Sale = demand(&door, tools, what, "/v1/sales", "drill-sale", &sale_body).await?;
        let path = format!("/v1/sales/{}/open", sale.id);
        let _: Sale = demand(&door, tools, "open the sale", &path, "drill-open", b"{}").await?;
        let stocked = SKUS.iter().zip(first);
        Ok(Self {
            settings,
            tools,
            watcher,
            server,
            probe: Probe::new(&door, tools.public, sale.id, &tools.merchant_key),
            started: door.clock.monotonic(),
            door,
            sale: sale.id,
            stocked: stocked
                .map(|((sku, ..), units)| ((*sku).into(), u64::from(units)))
                .collect(),
            crowd: JoinSet::new(),
            outages: Vec::new(),
            words: Vec::new(),
        })
    }

    /// All waves, until the last buyer has gone home.
    async fn play(&mut self) -> Result<Played, StampedeError> {
        self.started = self.door.clock.monotonic();
        for (nth, wave) in waves(&self.settings).into_iter().enumerate() {
            if nth > 0 {
                self.restock(nth, &wave).await?;
            }
            let answered = read(&self.door.tally.requests);
            for number in wave.visitors.clone() {
                let buyer = self.buyer(number);
                self.crowd.spawn(buyer.visit());
            }
            if let Some(strike) = wave.strike {
                self.wait_for(answered + strike.after).await;
                tokio::time::sleep(strike.later).await;
                self.strike(&strike).await?;
            }
        }
        let mut memories = Vec::new();
        while let Some(memory) = self.crowd.join_next().await {
            memories.push(memory.unwrap_or_else(|error| {
                let mut memory = Memory::of("");
                memory.contradict(Contradiction::OtherFacts(format!("a buyer broke: {error}")));
                memory
            }));
        }
        Ok(Played {
            memories,
            elapsed: self.since_start(),
            requests: read(&self.door.tally.requests),
        })
    }

    /// Waits until nothing is loose; after a storm until the lists say so too.
    async fn settle(&mut self, memories: &[Memory]) {
        let bearer = &self.tools.merchant_key;
        let loose = settle(&self.door, self.sale, bearer, memories, self.watcher).await;
        self.words.extend(loose);
        if self.settings.storm.total() > 0 {
            let behind = catch_up(&self.door, self.sale, bearer, memories).await;
            self.words.extend(behind);
        }
    }

    pub(super) fn since_start(&self) -> Duration {
        self.door.clock.monotonic().saturating_sub(self.started)
    }

    fn buyer(&self, number: u32) -> Buyer {
        let visitor = visitor(&self.settings, number);
        Buyer {
            door: Arc::clone(&self.door),
            sale: self.sale,
            token: (self.tools.buyer_token)(&visitor.name).into(),
            merchant_key: Arc::clone(&self.tools.merchant_key),
            memory: Memory::of(&visitor.name),
            visitor,
            keys: 0,
        }
    }

    /// The next delivery of stock.
    async fn restock(&mut self, nth: usize, wave: &Wave) -> Result<(), StampedeError> {
        let path = format!("/v1/sales/{}/stock", self.sale);
        for ((sku, ..), units) in SKUS.iter().zip(wave.stock).filter(|(_, units)| *units > 0) {
            let asked = serde_json::to_vec(&AddStock {
                sku: (*sku).into(),
                units,
                idempotency_key: None,
            });
            let key = format!("drill-stock-{nth}-{sku}");
            let asked = asked.unwrap_or_default();
            let _: Sale = demand(&self.door, self.tools, "add stock", &path, &key, &asked).await?;
            *self.stocked.entry((*sku).into()).or_default() += u64::from(units);
        }
        Ok(())
    }

    async fn wait_for(&self, requests: u64) {
        let until = self.door.clock.monotonic() + STRIKE_MAX;
        while read(&self.door.tally.requests) < requests && self.door.clock.monotonic() < until {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// SIGKILL and a new start, until the sale can be seen again.
    pub(super) async fn kill_and_restart(&mut self) -> Result<(), StampedeError> {
        let from = self.since_start();
        self.server.kill().await?;
        self.server = Server::start(self.tools).await?;
        // The door is open; recovered means that the sale itself answers.
        let path = format!("/v1/sales/{}", self.sale);
        let request = Request::get(&path, &self.tools.merchant_key);
        let heard = self.door.insist(&request, &Chance::new(0, 0)).await;
        if heard.as_ref().ok().and_then(body::<Sale>).is_none() {
            return Err(refused("see the sale after a kill", heard.as_ref().ok()));
        }
        let lasted = self.since_start().saturating_sub(from);
        self.outages.push(Outage {
            fault: Fault::Kill,
            from,
            lasted,
            healed: lasted,
        });
        self.watcher.note(&format!(
            "killed after {:.1} s, back after {} ms",
            from.as_secs_f64(),
            lasted.as_millis()
        ));
        Ok(())
    }
}

fn patience(settings: &Settings) -> Patience {
    let patience = Patience::default();
    if settings.storm.total() == 0 {
        return patience;
    }
    Patience {
        answer: STORM_PATIENCE,
        ..patience
    }
}

/// A merchant's change that the drill cannot do without.
async fn demand<T: serde::de::DeserializeOwned>(
    door: &Door,
    tools: &Tools,
    what: &'static str,
    path: &str,
    key: &str,
    asked: &[u8],
) -> Result<T, StampedeError> {
    let request = Request::post(path, &tools.merchant_key, key, asked);
    let heard = door.insist(&request, &Chance::new(0, 0)).await;
    let answer = heard.as_ref().ok().and_then(body);
    answer.ok_or_else(|| refused(what, heard.as_ref().ok()))
}

fn refused(what: &'static str, heard: Option<&super::door::Heard>) -> StampedeError {
    let answer = heard.map_or_else(
        || "no answer".into(),
        |heard| {
            let text = String::from_utf8_lossy(&heard.body);
            format!(
                "{} {}",
                heard.status,
                text.chars().take(500).collect::<String>()
            )
        },
    );
    StampedeError::Refused { what, answer }
}

fn sale_body(stock: [u32; 3]) -> Result<Vec<u8>, StampedeError> {
    let bad = |what: &str| StampedeError::Refused {
        what: "begin the sale",
        answer: what.into(),
    };
    let mut skus = Vec::new();
    for ((sku, name, price), stock) in SKUS.into_iter().zip(stock) {
        skus.push(NewSku {
            sku: sku.into(),
            name: Some(name.into()),
            price: price.parse().map_err(|_| bad("no price"))?,
            stock,
            limits: SkuLimits::default(),
        });
    }
    let sale = CreateSale {
        name: "Drill".into(),
        currency: "GBP".parse().map_err(|_| bad("no currency"))?,
        hold_ms: HOLD_MS,
        window: Window::default(),
        limits: Limits {
            units_per_order: Some(UNITS_PER_ORDER),
            units_per_buyer: Some(UNITS_PER_BUYER),
        },
        rules: Vec::new(),
        skus,
        offer: None,
        idempotency_key: None,
    };
    serde_json::to_vec(&sale).map_err(|error| bad(&error.to_string()))
}
