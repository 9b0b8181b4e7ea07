//! Settlement files of three kinds against the journals of a shop that sold and gave back.

use std::path::Path;
use std::sync::Arc;

use api::order::OrderState;
use api::refund::RefundOrder;
use api::service::Orders;
use api::{OrderId, PaymentId, RefundId};
use tempfile::TempDir;
use tidegate_shop::settlement::{Format, Report, SettlementError, Window, reconcile};
use world::mangle::Corpus;
use world::{Disk, OsDisk};

use super::whole::{buyer, call, directory, merchant, one_cup, open, selling, settled};

/// A shop that sold two cups at 12.50, gave the money of one back, and is closed.
struct Sold {
    dir: TempDir,
    kept: String,
    returned: String,
    refund: String,
}

async fn sold() -> Sold {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let mut orders: Vec<OrderId> = Vec::new();
    for key in ["a", "b"] {
        let placed = handle.place(call(buyer("ann"), key), one_cup(sale)).await;
        let order = placed.expect("there is one").body.id;
        let paying = handle.pay(call(buyer("ann"), &format!("pay {key}")), order);
        paying.await.expect("a charge begins");
        settled(&handle, order, OrderState::Paid).await;
        orders.push(order);
    }
    let all: RefundOrder = serde_json::from_str("{}").expect("everything");
    let refunding = handle.refund(call(merchant("shop"), "r"), orders[1], all);
    refunding.await.expect("it begins");
    settled(&handle, orders[1], OrderState::Refunded).await;
    drop(handle);
    shop.stop().await;
    let charge = |order| PaymentId { order, attempt: 1 }.to_string();
    let refund = RefundId {
        order: orders[1],
        number: 1,
    };
    Sold {
        dir,
        kept: charge(orders[0]),
        returned: charge(orders[1]),
        refund: refund.to_string(),
    }
}

fn held(dir: &Path, text: &str, house: &str) -> Result<Report, SettlementError> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    reconcile(&mut text.as_bytes(), house, &Window::default(), &disk, dir)
}

const PLAIN: &str = "type,id,key,amount_minor,currency,time\n";

#[tokio::test]
async fn a_file_that_says_what_the_journals_say_matches_in_all_three_formats() {
    let Sold {
        dir,
        kept,
        returned,
        refund,
    } = sold().await;
    let plain = format!(
        "{PLAIN}charge,c1,{kept},1250,EUR,\ncharge,c2,{returned},1250,EUR,\nrefund,r1,{refund},1250,EUR,\n"
    );
    let stripe = format!(
        "balance_transaction_id,reporting_category,currency,gross,fee,payment_metadata[tidegate_payment],refund_metadata[tidegate_refund]\n\
         txn_1,charge,eur,12.50,0.61,{kept},\n\
         txn_2,charge,eur,12.50,0.61,{returned},\n\
         txn_3,refund,eur,-12.50,0.00,{returned},{refund}\n\
         txn_4,payout,eur,-10.00,0.00,,\n\
         txn_5,charge,eur,99.00,0.61,,\n"
    );
    let wechat = format!(
        "\u{feff}交易时间,商户订单号,交易状态,货币种类,商户退款单号,退款金额,退款状态,订单金额,申请退款金额\n\
         `2026-11-11 08:00:00,`tg-{kept},`SUCCESS,`EUR,`0,`0.00,`,`12.50,`0.00\n\
         `2026-11-11 08:00:01,`tg-{returned},`SUCCESS,`EUR,`0,`0.00,`,`12.50,`0.00\n\
         `2026-11-11 08:00:02,`tg-{returned},`REFUND,`EUR,`tg-{refund},`12.50,`SUCCESS,`0.00,`12.50\n\
         `2026-11-11 08:00:03,`other-17,`SUCCESS,`EUR,`0,`0.00,`,`5.00,`0.00\n\
         总交易单数,应结订单总金额\n`4,`30.00\n"
    );
    let files = [
        (Format::Plain, plain, "", 0),
        (Format::Stripe, stripe, "", 2),
        (Format::Wechat, wechat, "tg-", 1),
    ];
    for (format, text, house, passed_over) in files {
        let report = held(dir.path(), &text, house).expect("it can be read");
        assert_eq!(report.format, format);
        assert_eq!(
            (report.matched, report.rows_passed_over),
            (3, passed_over),
            "{report:?}"
        );
        assert!(report.ok, "{report:?}");
    }
}

#[tokio::test]
async fn what_is_missing_extra_different_or_unreadable_is_named_with_its_line() {
    let Sold {
        dir,
        kept,
        returned,
        ..
    } = sold().await;
    let stranger = "pay_00000000001001";
    let text = format!(
        "{PLAIN}charge,c1,{kept},1251,EUR,\ncharge,c2,{returned},1250,EUR,\ncharge,c2,{returned},1250,EUR,\n\
         gift,x,{kept},1,EUR,\ncharge,x,{kept},-1,EUR,\ncharge,x,nonsense,1,EUR,\n\
         charge,c3,{stranger},5,EUR,\ncharge,c4,{kept},5,MOON,\n"
    );
    let stranger_is_a_key = stranger.parse::<PaymentId>().is_ok();
    let report = held(dir.path(), &text, "").expect("it can be read");
    assert!(!report.ok);
    assert_eq!((report.matched, report.missing.total), (1, 1), "{report:?}");
    let lines = |findings: &tidegate_shop::settlement::Findings| {
        findings
            .first
            .iter()
            .filter_map(|found| found.line)
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&report.different), [2, 4]);
    let unreadable = if stranger_is_a_key {
        vec![5, 6, 7, 9]
    } else {
        vec![5, 6, 7, 8, 9]
    };
    assert_eq!(lines(&report.unreadable), unreadable);
    assert_eq!(
        lines(&report.extra),
        if stranger_is_a_key { vec![8] } else { vec![] }
    );
}

#[tokio::test]
async fn money_outside_the_time_of_the_file_is_not_missed() {
    let Sold { dir, kept, .. } = sold().await;
    let text = format!("{PLAIN}charge,c1,{kept},1250,EUR,2020-01-01T00:00:00Z\n");
    let report = held(dir.path(), &text, "").expect("it can be read");
    assert_eq!((report.matched, report.missing.total), (1, 0), "{report:?}");
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let window = Window {
        from_ms: Some(0),
        until_ms: Some(u64::MAX),
    };
    let whole = reconcile(&mut text.as_bytes(), "", &window, &disk, dir.path());
    assert_eq!(whole.expect("it can be read").missing.total, 2);
}

#[tokio::test]
async fn a_file_of_an_unknown_kind_is_refused_with_its_columns() {
    let Sold { dir, .. } = sold().await;
    for text in ["", "a,b,c\n1,2,3\n", "type,key\n"] {
        let refused = held(dir.path(), text, "").expect_err("no known header");
        assert!(matches!(refused, SettlementError::Header(_)), "{refused:?}");
    }
}

/// Whatever the bytes are, the answer is a report or a reason, and a report counts each row once.
#[tokio::test]
async fn settlement_files_that_went_wrong_end_in_a_report_or_a_reason() {
    let Sold { dir, .. } = sold().await;
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/settlement");
    let corpus = Corpus::read(corpus)
        .expect("it is there")
        .with_words(&["`", ",", "\"", "-", "SUCCESS", "pay_"]);
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    for trial in corpus.trials(150) {
        let compared = reconcile(&mut &trial[..], "", &Window::default(), &disk, dir.path());
        match compared {
            Ok(report) => {
                let partners = report.matched + report.extra.total + report.different.total;
                assert_eq!(partners, report.rows);
            }
            Err(error) => assert_eq!(error.kind(), world::ErrorKind::Fix, "{error}"),
        }
    }
}
