//! The contract of callbacks, as a suite that each provider with a door runs.

use api::PaymentId;
use api::provider::{Knock, ProviderReport, ReportedCharge};
use tidegate_shop::provider::{KnockError, Provider};
use world::ManualClock;

use super::{NOON_MS, payment};

/// Somebody who writes callbacks as the provider does.
pub(super) trait Writer {
    /// The client.
    fn provider(&self) -> &dyn Provider;
    /// The client's clock.
    fn clock(&self) -> &ManualClock;
    /// A currency that it takes.
    fn currency(&self) -> &'static str;
    /// A callback that says that so much was captured, written at this time, for this house or another one.
    fn captured(&self, key: PaymentId, amount_minor: i64, at_ms: u64, ours: bool) -> Knock;
    /// One that somebody wrote who does not have the key.
    fn forged(&self, key: PaymentId, amount_minor: i64) -> Knock;
    /// One of the provider that is meant for another account.
    fn of_another_account(&self, key: PaymentId) -> Knock;
    /// One that is signed well and cannot be read.
    fn senseless(&self) -> Knock;
}

/// Runs everything.
pub(super) async fn run(writer: &impl Writer) {
    a_good_one_counts_once(writer).await;
    what_was_changed_or_cut_on_its_way_is_forged(writer).await;
    an_old_one_is_told_so_and_a_clock_that_is_wrong_too(writer).await;
    what_is_meant_for_others_does_not_count(writer).await;
}

async fn a_good_one_counts_once(writer: &impl Writer) {
    let key = payment(20, 3);
    let knock = writer.captured(key, 1_250, NOON_MS, true);
    let currency = writer.currency().parse().expect("a currency");
    let captured = ReportedCharge::Captured(1_250, currency);
    let read = writer.provider().read(knock.clone()).await;
    assert_eq!(read, Ok(Some(ProviderReport::Charge(key, captured))));
    let again = writer.provider().read(knock.clone()).await;
    assert_eq!(again, read, "it is not on record yet");
    writer.provider().booked(&knock);
    let again = writer.provider().read(knock).await;
    assert_eq!(again, Err(KnockError::Replayed));
}

async fn what_was_changed_or_cut_on_its_way_is_forged(writer: &impl Writer) {
    let good = writer.captured(payment(21, 1), 500, NOON_MS, true);
    for cut in 0..8 {
        let mut knock = good.clone();
        let keep = knock.body.len() * cut / 8;
        knock.body = knock.body[..keep].into();
        is_forged(writer, knock).await;
    }
    for at in [0, good.body.len() / 2, good.body.len() - 1] {
        let mut knock = good.clone();
        knock.body[at] ^= 1;
        is_forged(writer, knock).await;
    }
    for at in 0..good.headers.len() {
        let mut without = good.clone();
        let header = without.headers.remove(at);
        is_forged(writer, without.clone()).await;
        // Of two values nobody can say which one was signed.
        without.headers.extend([header.clone(), header]);
        is_forged(writer, without).await;
    }
    is_forged(writer, writer.forged(payment(21, 1), 500)).await;
    let read = writer.provider().read(good).await;
    assert!(
        read.is_ok(),
        "the untouched one is not spoiled by them: {read:?}"
    );
}

async fn is_forged(writer: &impl Writer, knock: Knock) {
    let read = writer.provider().read(knock.clone()).await;
    assert!(
        matches!(read, Err(KnockError::Forged(_))),
        "{read:?} of {knock:?}"
    );
}

async fn an_old_one_is_told_so_and_a_clock_that_is_wrong_too(writer: &impl Writer) {
    let key = payment(22, 1);
    for (skew_s, said) in [(301, -301), (-301, 301), (600, -600), (-600, 600)] {
        let at_ms = NOON_MS.checked_add_signed(skew_s * 1_000).expect("near");
        let read = writer
            .provider()
            .read(writer.captured(key, 5, at_ms, true))
            .await;
        assert_eq!(read, Err(KnockError::Time(said)));
    }
    // Ten minutes later on our side: what was fresh at the provider is refused, with the difference.
    writer.clock().set_wall_ms(NOON_MS + 600_000);
    let read = writer
        .provider()
        .read(writer.captured(key, 5, NOON_MS, true))
        .await;
    writer.clock().set_wall_ms(NOON_MS);
    let problem = read.expect_err("too old").problem();
    assert_eq!(problem.code().as_str(), "TG-1111");
    assert!(
        problem.detail().contains("600 s before"),
        "{}",
        problem.detail()
    );
    for at_ms in [NOON_MS - 300_000, NOON_MS + 300_000] {
        let read = writer
            .provider()
            .read(writer.captured(key, 5, at_ms, true))
            .await;
        assert!(read.is_ok(), "{read:?}");
    }
}

async fn what_is_meant_for_others_does_not_count(writer: &impl Writer) {
    let key = payment(23, 1);
    let foreign = writer.captured(key, 5, NOON_MS, false);
    assert_eq!(writer.provider().read(foreign).await, Ok(None));
    for knock in [writer.of_another_account(key), writer.senseless()] {
        let read = writer.provider().read(knock).await;
        assert!(matches!(read, Err(KnockError::Mismatch(_))), "{read:?}");
    }
}
