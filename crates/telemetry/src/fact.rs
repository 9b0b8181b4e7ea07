//! Things that happened, told to operators. One struct gives its counters and its log line.

use crate::meters::Meters;

mod desk;
mod door;
mod house;
mod outside;
mod risk;
mod selling;
mod sending;

pub use desk::{ClockBelieved, SaleStopped, SnapshotFailed};
pub use door::{Audited, ConnectionRefused, HandlerPanicked, RequestLimited, RequestServed};
pub use house::{
    ClockStepped, Counts, Listening, Recovered, SettingChanged, SettingsRefused, Started, Stopping,
};
pub use outside::{BreakerTurned, CallHeld, GapFound, GapRepaired, PaymentEnded, Reconciled};
pub use risk::{CouponRedeemed, RiskJudged};
pub use selling::{
    BatchDecided, BatchDurable, EffectDone, EffectDropped, EffectRetried, InvariantViolated,
    JournalFailed, JournalResumed, ProjectorMoved, ReconcileGap, StockCounted,
};

pub use sending::{
    CarrierMoved, CarrierUnknown, NoticeDead, NoticeDelivered, NoticeRetried, SagaAges,
    SagaAttempted,
};

/// Something that happened.
pub trait Fact {
    /// Counts it.
    fn count(&self, meters: &Meters);
    /// Logs it, when it is worth a line.
    fn log(&self);
}
