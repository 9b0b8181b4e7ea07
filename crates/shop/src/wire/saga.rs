//! Sagas on the wire.

use api::sending::{Saga, SagaStep};
use commerce::book::SagaRef;
use commerce::saga::StepKey;

use super::{order_id, time};

/// A saga as operators see it.
pub(crate) fn saga(sale: u32, found: SagaRef<'_>) -> Option<Saga> {
    let (saga, at) = (found.saga, found.saga.at);
    let steps = saga.steps().map(|(step, plan, mark)| SagaStep {
        step: plan.name.into(),
        key: StepKey {
            sale,
            saga: found.number,
            step,
        }
        .to_string()
        .into(),
        state: mark.name().into(),
        compensates: plan.compensates,
        pivot: plan.pivot,
    });
    let waits = at.stage.waits() || at.stage.calls().is_some();
    Some(Saga {
        order_id: order_id(sale, saga.order),
        kind: saga.kind.name().into(),
        stage: at.stage.name().into(),
        step: saga.plan(at.cursor)?.name.into(),
        attempt: at.attempt,
        until: waits.then(|| time(at.until)),
        begun_at: time(saga.begun),
        since: time(saga.since),
        steps: steps.collect(),
    })
}
