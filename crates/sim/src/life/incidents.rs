//! What happens to machines, clocks and the network, when its time has come.

use std::time::Duration;

use super::Director;
use crate::disk;
use crate::network::Way;
use crate::plan::{Moment, Place, Trouble};
use crate::record::Ended;
use crate::scheduler::Host;

impl Director {
    /// Lets the incidents of the plan happen, in order; a server that dies is started again.
    pub(super) async fn break_things(&mut self) {
        let begun = self.tasks.now();
        let plan = self.plan.clone();
        for incident in &plan.incidents {
            let wait = (begun + incident.at).saturating_sub(self.tasks.now());
            let until = self.tasks.clone();
            let moment = until.clone().spawn(async move { until.sleep(wait).await });
            self.keep_up_until(moment).await;
            self.strike(incident.what).await;
        }
    }

    async fn strike(&mut self, what: Trouble) {
        self.tell(words(what));
        self.stage.witness.struck(self.stage.world.now(), what);
        let shop = self.stage.shop.clone();
        match what {
            Trouble::Restart => self.restart(false).await,
            Trouble::Rebuild => self.restart(true).await,
            Trouble::Backup => self.back_up().await,
            Trouble::KillAfterPolls(polls) => shop.end_after(polls, Ended::Killed),
            Trouble::PowerOffAfterPolls(polls) => shop.end_after(polls, Ended::PowerLost),
            Trouble::KillAtDisk(ops, moment) => self.cut_disk(ops, moment, Ended::Killed),
            Trouble::PowerOffAtDisk(ops, moment) => self.cut_disk(ops, moment, Ended::PowerLost),
            Trouble::Clock(by_ms) => self.stage.clock.step(by_ms),
            Trouble::Drift(ppm) => self.stage.clock.drift(ppm),
            Trouble::Cut(from, to, how_long) => {
                let cut = Way {
                    cut: true,
                    ..self.plan.way
                };
                self.way_for(from, to, cut, how_long);
            }
            Trouble::Rough(way, how_long) => {
                for (from, to) in [
                    (Place::Shop, Place::Bank),
                    (Place::Bank, Place::Shop),
                    (Place::Shop, Place::Street),
                    (Place::Street, Place::Shop),
                ] {
                    self.way_for(from, to, way, how_long);
                }
            }
        }
    }

    fn cut_disk(&self, ops: u64, moment: Moment, how: Ended) {
        let disk = self.stage.disk();
        let moment = match moment {
            Moment::Before => disk::Moment::Before,
            Moment::After => disk::Moment::After,
        };
        self.stage.shop.ends_so(how);
        disk.crash_at(disk.ops() + ops, moment);
    }

    fn way_for(&self, from: Place, to: Place, way: Way, how_long: Duration) {
        let (from, to) = (self.host(from), self.host(to));
        self.stage.net.set(&from, &to, way);
        let (net, usual) = (self.stage.net.clone(), self.plan.way);
        self.stage
            .world
            .later(how_long, move || net.set(&from, &to, usual));
    }

    fn host(&self, place: Place) -> Host {
        match place {
            Place::Shop => self.stage.shop.clone(),
            Place::Bank => self.stage.bank.clone(),
            Place::Street => self.stage.street.clone(),
        }
    }

    /// Asks the server to drain, and starts it again once it has; one that does not end is killed.
    async fn restart(&mut self, forget_models: bool) {
        self.stop().await;
        self.bury();
        if forget_models {
            self.stage.forget_models();
        }
        self.start().await;
    }

    pub(super) async fn stop(&mut self) {
        self.stage.ask_to_stop();
        let gone = self.stage.shop.gone();
        if self
            .tasks
            .timeout(Duration::from_secs(120), gone)
            .await
            .is_none()
        {
            self.tell("it did not drain within two minutes and is killed");
            self.stage.shop.end(Ended::Killed);
        }
    }
}

fn words(what: Trouble) -> String {
    let side = |moment| match moment {
        Moment::Before => "before",
        Moment::After => "after",
    };
    match what {
        Trouble::Restart => "an operator restarts the server".to_owned(),
        Trouble::Rebuild => {
            "an operator throws the read models away and restarts the server".to_owned()
        }
        Trouble::Backup => "an operator makes a backup".to_owned(),
        Trouble::KillAfterPolls(polls) => {
            format!("the process will be killed {polls} polls from now")
        }
        Trouble::PowerOffAfterPolls(polls) => format!("the power will go {polls} polls from now"),
        Trouble::KillAtDisk(ops, moment) => {
            format!(
                "the process will be killed {} operation {ops} of the disk from now",
                side(moment)
            )
        }
        Trouble::PowerOffAtDisk(ops, moment) => {
            format!(
                "the power will go {} operation {ops} of the disk from now",
                side(moment)
            )
        }
        Trouble::Clock(by_ms) => format!("the shop's wall clock is set by {by_ms} ms"),
        Trouble::Drift(ppm) => format!("the shop's wall clock drifts by {ppm} ppm"),
        Trouble::Cut(from, to, how_long) => {
            format!("nothing passes from {from:?} to {to:?} for {how_long:?}")
        }
        Trouble::Rough(_, how_long) => format!("all ways are slow and lossy for {how_long:?}"),
    }
}
