//! Reports that are kept until their order is there, and what becomes of those that never fit.

use super::*;

#[tokio::test]
async fn a_report_that_matches_no_order_is_kept_and_matched_once_the_order_is_there() {
    let dir = directory();
    let stage = Stage::open(dir.path(), witness(), keen()).await;
    let first = stage.order("a").await;
    let next = OrderId::new(first.sale(), first.number() + 1).expect("small");
    let report = ProviderReport::Charge(
        PaymentId {
            order: next,
            attempt: 1,
        },
        ReportedCharge::Failed,
    );
    let provider = call(Caller::Provider, "-");
    stage
        .handle
        .report(provider, report)
        .await
        .expect("it is kept");
    let kept = async |stage: &Stage| {
        let kept = stage.telemetry.meters().outside.unmatched_kept.get();
        kept == 1 && stage.open_gaps(Gap::Unmatched) == 1
    };
    stage.until("it is tried and alarmed", kept).await;
    assert_eq!(stage.order("b").await, next);
    let matched = async |stage: &Stage| stage.telemetry.meters().outside.unmatched_kept.get() == 0;
    stage.until("it is matched", matched).await;
    stage.stop().await;
}

/// Keeps a report of a capture for the order that will be placed next; gives that order's id.
async fn kept_capture(stage: &Stage, amount: u64, currency: &str) -> OrderId {
    let last = stage.order("last").await;
    let order = OrderId::new(last.sale(), last.number() + 1).expect("small");
    let captured = ReportedCharge::Captured(amount, currency.parse().expect("a currency"));
    let report = ProviderReport::Charge(PaymentId { order, attempt: 1 }, captured);
    let told = stage.handle.report(call(Caller::Provider, "-"), report);
    told.await.expect("it is kept");
    stage
        .until("it is tried and alarmed", async |stage| {
            stage.open_gaps(Gap::Unmatched) == 1
        })
        .await;
    assert_eq!(stage.order("next").await, order);
    order
}

fn kept(stage: &Stage) -> u64 {
    stage.telemetry.meters().outside.unmatched_kept.get()
}

#[tokio::test]
async fn a_kept_report_of_another_sum_never_pays_the_order_and_alarms() {
    let dir = directory();
    let mut settings = keen();
    settings.cashier.stop_grace_ms = 0;
    let stage = Stage::open(dir.path(), witness(), settings).await;
    let order = kept_capture(&stage, 1_249, "EUR").await;
    stage.liar.hangs.store(true, Ordering::SeqCst);
    stage.pay(order, "pay").await;
    let alarmed = async |stage: &Stage| stage.open_gaps(Gap::Amount) == 1 && kept(stage) == 1;
    stage.until("the other sum is found", alarmed).await;
    let shown = stage.shown(order).await;
    assert_eq!((shown.state, shown.captured_minor), (OrderState::Paying, 0));
    assert_eq!(stage.telemetry.meters().outside.gaps(Gap::Amount).get(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_kept_report_in_another_currency_never_pays_an_order_whose_charge_failed() {
    let dir = directory();
    let strict = sandbox::Settings {
        decline_per_mille: sandbox::PerMille::ALL,
        ..witness()
    };
    let stage = Stage::open(dir.path(), strict, keen()).await;
    let order = kept_capture(&stage, 1_250, "USD").await;
    stage.pay(order, "pay").await;
    let alarmed = async |stage: &Stage| {
        let payment = stage.shown(order).await.payment;
        payment.is_some_and(|payment| payment.state == PaymentState::Failed)
            && stage.open_gaps(Gap::Amount) == 1
    };
    stage.until("the other currency is found", alarmed).await;
    let runs = stage.telemetry.meters().outside.orders_compared.get();
    let later =
        async |stage: &Stage| stage.telemetry.meters().outside.orders_compared.get() >= runs + 4;
    stage.until("more runs", later).await;
    let shown = stage.shown(order).await;
    assert_eq!((shown.captured_minor, kept(&stage)), (0, 1));
    stage.stop().await;
}

#[tokio::test]
async fn a_kept_report_waits_for_its_charge_and_pays_the_order_once() {
    let dir = directory();
    let mut settings = keen();
    settings.cashier.stop_grace_ms = 0;
    let stage = Stage::open(dir.path(), witness(), settings).await;
    let order = kept_capture(&stage, 1_250, "EUR").await;
    let runs = stage.telemetry.meters().outside.orders_compared.get();
    let later =
        async |stage: &Stage| stage.telemetry.meters().outside.orders_compared.get() >= runs + 4;
    stage.until("more runs", later).await;
    assert_eq!(kept(&stage), 1, "its charge has not begun");
    stage.liar.hangs.store(true, Ordering::SeqCst);
    stage.pay(order, "pay").await;
    settled(&stage.handle, order, OrderState::Paid).await;
    let shown = stage.shown(order).await;
    assert_eq!(shown.captured_minor, 1_250);
    stage
        .until("nothing is kept", async |stage| kept(stage) == 0)
        .await;
    stage.stop().await;
}

/// Found by reading: the book wrote it down every five minutes, for as long as the report was in the window.
#[tokio::test]
async fn a_kept_report_that_contradicts_its_book_is_written_down_once() {
    let dir = directory();
    let stage = Stage::open(dir.path(), witness(), keen()).await;
    let first = stage.order("a").await;
    let next = OrderId::new(first.sale(), first.number() + 1).expect("small");
    let key = PaymentId {
        order: next,
        attempt: 1,
    };
    let report = ProviderReport::Charge(key, ReportedCharge::Failed);
    let kept = stage.handle.report(call(Caller::Provider, "-"), report);
    kept.await.expect("it is kept");
    assert_eq!(stage.paid("b").await, next);
    let compared = |more: u64| {
        let orders = stage.telemetry.meters().outside.orders_compared.get() + more;
        async move |stage: &Stage| stage.telemetry.meters().outside.orders_compared.get() >= orders
    };
    let desk = stage.handle.registry().desk(stage.sale.get()).await;
    let desk = desk.expect("it is open");
    stage.until("the report was tried", compared(4)).await;
    let before = desk.ask(|_| ()).await.expect("it answers").position;
    stage.until("more runs end", compared(6)).await;
    let after = desk.ask(|_| ()).await.expect("it answers").position;
    assert_eq!(before, after, "a run changes nothing");
    stage.stop().await;
}
