//! What the cashier tells operators beyond what every effect tells.

use commerce::Effect;
use telemetry::fact::EffectDropped;
use telemetry::{Fact, Meters, Telemetry};

use super::job::Key;

/// A full queue left effects of one sale to a scan of its book. One line for the first of a row, a count for all: a
/// flood must not become a second flood in the log.
struct EffectsLeft<'a> {
    /// One of them.
    one: EffectDropped<'a>,
    /// How many.
    count: u64,
    /// They are the first since the last scan.
    first: bool,
}

impl Fact for EffectsLeft<'_> {
    fn count(&self, meters: &Meters) {
        meters.selling.cancel_drops.inc_by(self.count);
    }

    fn log(&self) {
        if self.first {
            self.one.log();
        }
    }
}

/// Tells that so many effects were left behind.
pub(super) fn tell_left(
    telemetry: &Telemetry,
    sale: u32,
    effect: &Effect,
    count: u64,
    first: bool,
) {
    let Some(key) = Key::of(sale, effect) else {
        return;
    };
    let effect = key.kind();
    let key = key.to_string();
    let one = EffectDropped { effect, key: &key };
    telemetry.tell(&EffectsLeft { one, count, first });
}
