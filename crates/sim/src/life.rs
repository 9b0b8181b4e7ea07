//! One life: the stage is set, the crowd comes, things break, everything heals, and the judges look at what is left.

mod backup;
mod end;
mod incidents;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::client::History;
use crate::crowd::Market;
use crate::disk::{DiskStats, Outage};
use crate::hush::Hush;
use crate::oracle::judge;
use crate::plan::LifePlan;
use crate::record::{Ended, Evidence, Finding, Restart};
use crate::scheduler::{Still, World};
use crate::stage::{Opened, Stage};
use crate::witness::Seen;

/// Steps of the scheduler before a life counts as running in circles.
pub const STEPS_MAX: u64 = 20_000_000;
/// How long everything may take to settle once nothing breaks any more.
pub const HEALING: Duration = Duration::from_secs(40 * 60);

/// What became of a life.
#[derive(Debug)]
pub struct Lived {
    /// Broken promises; none in a sound life.
    pub findings: Vec<Finding>,
    /// What the judges saw.
    pub evidence: Evidence,
    /// The world's time at its end.
    pub lasted: Duration,
    /// Steps of the scheduler.
    pub steps: u64,
    /// A digest of all that happened.
    pub trace: u64,
    /// What the disk went through.
    pub disk: DiskStats,
    /// What incidents came to pass, in words, with their times.
    pub story: Vec<(Duration, String)>,
    /// What was seen beside the evidence.
    pub seen: Seen,
}

/// Lives a plan.
///
/// # Errors
/// The real machine does not give what a life needs: a directory, memory.
pub fn live(plan: &LifePlan) -> anyhow::Result<Lived> {
    live_for(plan, STEPS_MAX)
}

/// Lives a plan for at most so many steps.
///
/// # Errors
/// As [`live`].
pub fn live_for(plan: &LifePlan, steps_max: u64) -> anyhow::Result<Lived> {
    live_with(plan, Vec::new(), steps_max)
}

/// Somebody who comes to a market and acts by a script, where a guest acts by habit and chance.
pub type Act = Box<dyn FnOnce(Market) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Lives a plan, with people who act by scripts of their own; they begin when the guests do, once the sales are open.
///
/// # Errors
/// As [`live`].
pub fn live_with(plan: &LifePlan, acts: Vec<Act>, steps_max: u64) -> anyhow::Result<Lived> {
    let _hush = Hush::begin();
    let world = World::new(plan.seed);
    let stage = Arc::new(Stage::set(&world, plan)?);
    let history = History::default();
    let heaven = world.host();
    let market = Market::new(&stage, &history, plan);
    let director = Director {
        market: market.clone(),
        stage: stage.clone(),
        plan: Arc::new(plan.clone()),
        tasks: heaven.tasks(),
        restarts: Vec::new(),
        story: Vec::new(),
        opened: None,
        backup: None,
        bad_backup: None,
        dice: crate::chance::Chance::of(plan.seed, "director"),
    };
    let ran = world.block_on(steps_max, &heaven, director.run(acts));
    let (mut evidence, story) = match ran {
        Ok(ended) => ended,
        Err(still) => (stuck(still), Vec::new()),
    };
    evidence.calls = history.all();
    evidence.broken_in = market.break_ins();
    evidence.panics = world.panics();
    evidence.disk_lied = stage.disk().stats().promises_broken > 0;
    let lived = Lived {
        findings: judge(&evidence),
        lasted: world.now(),
        steps: world.steps(),
        trace: world.trace(),
        disk: stage.disk().stats(),
        seen: stage.witness.all(),
        evidence,
        story,
    };
    // Machines go dark before the world does, so that nothing of one outlives it.
    for host in [&stage.street, &stage.shop, &stage.bank, &heaven] {
        host.end(Ended::PowerLost);
    }
    Ok(lived)
}

fn stuck(still: Still) -> Evidence {
    let what = match still {
        Still::Endless => "it took more steps than it may: somebody runs in circles",
        Still::Dead | Still::Done => "everything stands still before the end",
    };
    Evidence {
        unhealed: vec![what.to_owned()],
        cut_short: true,
        ..Evidence::default()
    }
}

/// Who makes a life happen.
struct Director {
    market: Market,
    stage: Arc<Stage>,
    plan: Arc<LifePlan>,
    tasks: world::Tasks,
    restarts: Vec<Restart>,
    story: Vec<(Duration, String)>,
    opened: Option<Opened>,
    backup: Option<backup::Backup>,
    bad_backup: Option<String>,
    dice: crate::chance::Chance,
}

impl Director {
    async fn run(mut self, acts: Vec<Act>) -> (Evidence, Vec<(Duration, String)>) {
        self.start().await;
        let street = self.stage.street.tasks();
        let crowd: Vec<_> = (0..self.plan.sales.len())
            .map(|nth| street.spawn(self.market.clone().open_sale(nth)))
            .collect();
        for opening in crowd {
            self.keep_up_until(opening).await;
        }
        let guests = self.plan.guests.iter();
        let mut visits: Vec<_> = guests
            .map(|guest| street.spawn(self.market.clone().visit(guest.clone())))
            .collect();
        let acts = acts.into_iter();
        visits.extend(acts.map(|act| street.spawn(act(self.market.clone()))));
        self.break_things().await;
        for visit in visits {
            self.keep_up_until(visit).await;
        }
        self.heal().await;
        let evidence = self.finish().await;
        (evidence, self.story)
    }

    fn tell(&mut self, what: impl Into<String>) {
        self.story.push((self.stage.world.now(), what.into()));
    }

    /// Starts the server, again and again until it opens; an operator would.
    async fn start(&mut self) {
        for _ in 0..50 {
            let met = self.faults_met();
            match self.stage.open().await {
                Ok(opened) => {
                    self.opened = Some(opened);
                    return;
                }
                Err(Some(why)) => {
                    self.tell(format!("the start was refused: {why}"));
                    // A start may be refused by a disk that refuses; the next one must not be.
                    let without_reason = self.faults_met() == met;
                    if let Some(restart) = self.restarts.last_mut()
                        && without_reason
                    {
                        restart.refused.get_or_insert(why);
                    }
                    // The process has ended by itself.
                    self.stage.shop.end(Ended::Killed);
                    self.after_the_end(Ended::Killed);
                    self.tasks.sleep(Duration::from_secs(1)).await;
                }
                Err(None) => self.bury(),
            }
        }
    }

    fn faults_met(&self) -> u64 {
        self.stage.disk().stats().met.values().sum()
    }

    /// The run is over: notes how, and makes the disk what the next one finds.
    fn bury(&mut self) {
        self.opened = None;
        let ended = self.stage.world.ended(self.stage.shop.run());
        let ended = ended.unwrap_or(Ended::Killed);
        self.tell(match ended {
            Ended::Drained => "the server has drained",
            Ended::Killed => "the process is dead",
            Ended::PowerLost => "the power is gone",
        });
        let last = self.stage.disk().story().pop();
        let now = self.stage.world.now();
        self.stage.witness.ended(now, ended, last);
        self.restarts.push(Restart {
            at: now,
            ended,
            refused: None,
        });
        self.after_the_end(ended);
    }

    fn after_the_end(&mut self, ended: Ended) {
        let outage = match ended {
            Ended::Drained | Ended::Killed => Outage::Process,
            Ended::PowerLost => {
                self.stage.clock.boot_anew();
                Outage::Power(self.dice.next())
            }
        };
        let left = self.stage.disk().crash(outage);
        self.stage.replace_disk(left);
        if !self.plan.disk.breaks_promises() && self.dice.hits(500) {
            self.stage.forget_models();
        }
    }

    /// Waits for somebody, and starts the server whenever it has died meanwhile.
    async fn keep_up_until<T: Send + 'static>(&mut self, mut task: world::tasks::Task<T>) {
        loop {
            let gone = self.stage.shop.gone();
            let over = tokio::select! {
                biased;
                _ = &mut task => true,
                () = gone => false,
            };
            if over {
                return;
            }
            self.raise().await;
        }
    }

    /// The server has died: an operator, or a supervisor, starts it anew after a while.
    async fn raise(&mut self) {
        self.bury();
        let wait = self.dice.between(1, 5_000);
        self.tasks.sleep(Duration::from_millis(wait)).await;
        self.start().await;
    }
}
