//! What a shop does outside once an order is paid, put together: sagas, carriers, notices.

use std::sync::Arc;
use std::time::Duration;

use storage::DataDir;
use telemetry::Telemetry;
use tokio::sync::watch;
use world::tasks::Task;
use world::{Clock, Disk};

use crate::delivery::{self, Delivery, Poller, Table};
use crate::notices::{self, NoticeParts, Notices, NoticesHandle, Templates};
use crate::people::Keeper;
use crate::provider::Line;
use crate::registry::Registry;
use crate::saga::{self, Runner, Wakes};
use crate::settings::Settings;
use crate::shop::ShopError;

/// What is prepared before there are desks, and started once there are.
pub(crate) struct Outside {
    line: Line,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    fulfilment: saga::Settings,
    carriers: delivery::Settings,
    notices: Notices,
    pub(crate) wakes: Wakes,
    pub(crate) letters: NoticesHandle,
}

/// What it is made from.
pub(crate) struct Parts<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) data: &'a DataDir,
    pub(crate) disk: &'a Arc<dyn Disk>,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) line: Line,
    pub(crate) telemetry: &'a Telemetry,
    pub(crate) people: Keeper,
}

impl Outside {
    pub(crate) fn prepare(parts: Parts<'_>) -> Result<Self, ShopError> {
        let settings = parts.settings;
        let (notices, letters) = Notices::new(NoticeParts {
            settings: settings.notices.clone(),
            templates: templates(&settings.notices, &**parts.disk)?,
            data: parts.data,
            disk: Arc::clone(parts.disk),
            clock: Arc::clone(parts.clock),
            line: &parts.line,
            telemetry: parts.telemetry.clone(),
            people: parts.people,
        })?;
        let wakes = Wakes::default();
        if settings.fulfilment.kind.is_some() {
            wakes.listen();
        }
        Ok(Self {
            line: parts.line,
            clock: Arc::clone(parts.clock),
            telemetry: parts.telemetry.clone(),
            fulfilment: settings.fulfilment.clone(),
            carriers: settings.delivery.clone(),
            notices,
            wakes,
            letters,
        })
    }

    /// The way in for carriers, of a shop that calls nobody.
    pub(crate) fn rest(&self, registry: &Arc<Registry>) -> Result<Delivery, ShopError> {
        self.letters.belongs_to(registry);
        let table = Table::read(&self.carriers.codes)?;
        let (registry, telemetry) = (Arc::clone(registry), self.telemetry.clone());
        Ok(Delivery::new(table, registry, telemetry))
    }

    /// Starts what is switched on, and gives the way in for carriers.
    pub(crate) fn start(
        self,
        registry: &Arc<Registry>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<(Vec<Task<()>>, Delivery), ShopError> {
        let (line, tasks) = (&self.line, &self.line.tasks);
        let delivery = self.rest(registry)?;
        let mut running = Vec::new();
        if delivery.has_kept() {
            let every = Duration::from_secs(self.carriers.poll_s);
            let hearing = delivery.clone();
            let hearing = hearing.hear_kept(every, tasks.clone(), stopping.clone());
            running.push(tasks.spawn(hearing));
        }
        if let Some(poller) = Poller::new(&self.carriers, line, &delivery)? {
            running.push(tasks.spawn(poller.run(stopping.clone())));
        }
        if self.letters.is_on() {
            self.notices.keep_marks();
            running.push(tasks.spawn(self.notices.run(stopping.clone())));
        }
        // Also what an earlier run began is finished, where nothing new begins by itself any more.
        if self.wakes.is_heard() {
            let runner = Runner::new(
                self.fulfilment,
                Arc::clone(registry),
                self.wakes,
                line,
                &self.clock,
                self.telemetry,
            )?;
            running.push(tasks.spawn(runner.run(stopping.clone())));
        }
        Ok((running, delivery))
    }
}

fn templates(
    settings: &notices::Settings,
    disk: &dyn Disk,
) -> Result<Templates, notices::TemplateError> {
    match &settings.templates {
        Some(dir) => Templates::load(disk, dir),
        None => Templates::built_in(),
    }
}
