//! What keeps read models from following: kept for `/readyz`, and told once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use telemetry::fact::{InvariantViolated, ReconcileGap};
use telemetry::{Invariant, Telemetry};
use world::journal::JournalError;

use super::ProjectorError;
use crate::wire;

/// Troubles that last, by sale; those of all sales have no number.
#[derive(Debug)]
pub(super) struct Troubles {
    telemetry: Telemetry,
    lasting: Mutex<BTreeMap<Option<u32>, String>>,
}

impl Troubles {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        Self {
            telemetry: telemetry.clone(),
            lasting: Mutex::default(),
        }
    }

    /// A sale's rows stay as they are.
    pub(super) fn of_sale(&self, sale: u32, error: &ProjectorError) {
        let detail = format!(
            "read models of {} do not follow: {error}",
            wire::sale_id(sale)
        );
        let broken = match error {
            ProjectorError::Misfit { .. } => Some(Invariant::ReadModels),
            ProjectorError::Journal(JournalError::Lost { .. }) => Some(Invariant::ShownDurable),
            _ => None,
        };
        self.tell(Some(sale), detail, broken);
    }

    /// The rows of all sales stay as they are.
    pub(super) fn of_all(&self, detail: String) {
        self.tell(None, detail, None);
    }

    pub(super) fn end(&self, sale: Option<u32>) {
        self.lock().remove(&sale);
    }

    pub(super) fn lasting(&self) -> Vec<String> {
        self.lock().values().cloned().collect()
    }

    fn tell(&self, sale: Option<u32>, detail: String, broken: Option<Invariant>) {
        let known = self.lock().insert(sale, detail.clone());
        if known.as_ref() == Some(&detail) {
            // A transaction that is tried again every second need not say so every second.
            return;
        }
        let detail = &*detail;
        match broken {
            Some(invariant) => self
                .telemetry
                .tell(&InvariantViolated { invariant, detail }),
            None => self.telemetry.tell(&ReconcileGap { detail }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Option<u32>, String>> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
