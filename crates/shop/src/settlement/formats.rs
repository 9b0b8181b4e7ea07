//! The kinds of settlement files, known by their header, and where in a row what stands.

use serde::Serialize;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `type,id,key,amount_minor,currency,time`, in any order; `id` and `time` may be missing.
    Plain,
    /// Stripe's itemised balance report or the dashboard's balance export, with the metadata columns of Tidegate.
    Stripe,
    /// WeChat Pay's trade bill, 交易账单.
    Wechat,
}

/// The places of the columns that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Columns {
    Plain {
        what: usize,
        key: usize,
        amount: usize,
        currency: usize,
        time: Option<usize>,
    },
    Stripe {
        category: usize,
        amount: usize,
        currency: usize,
        time: Option<usize>,
        charge: usize,
        refund: Option<usize>,
    },
    Wechat {
        time: usize,
        state: usize,
        charge: usize,
        amount: usize,
        currency: usize,
        refund: usize,
        refund_amount: usize,
        refund_state: usize,
    },
}

impl Columns {
    /// The columns of this header; `None` for one that is not known.
    pub(super) fn of(header: &[&str]) -> Option<Self> {
        let names: Vec<String> = header.iter().map(|name| clean(name)).collect();
        let find = |wanted: &[&str]| {
            let is = |name: &String| wanted.iter().any(|wanted| name == wanted);
            names.iter().position(is)
        };
        plain(&find)
            .or_else(|| stripe(&find))
            .or_else(|| wechat(&find))
    }

    pub(super) fn format(&self) -> Format {
        match self {
            Self::Plain { .. } => Format::Plain,
            Self::Stripe { .. } => Format::Stripe,
            Self::Wechat { .. } => Format::Wechat,
        }
    }
}

/// A name without the mark at a file's begin, spaces, and differences of case.
fn clean(name: &str) -> String {
    let name = name.trim_start_matches('\u{feff}').trim();
    name.trim_start_matches('`').to_lowercase()
}

type Find<'a> = dyn Fn(&[&str]) -> Option<usize> + 'a;

fn plain(find: &Find<'_>) -> Option<Columns> {
    Some(Columns::Plain {
        what: find(&["type"])?,
        key: find(&["key"])?,
        amount: find(&["amount_minor"])?,
        currency: find(&["currency"])?,
        time: find(&["time"]),
    })
}

fn stripe(find: &Find<'_>) -> Option<Columns> {
    Some(Columns::Stripe {
        category: find(&["reporting_category", "type"])?,
        amount: find(&["gross", "amount"])?,
        currency: find(&["currency"])?,
        time: find(&["created_utc", "created (utc)"]),
        charge: find(&[
            "payment_metadata[tidegate_payment]",
            "tidegate_payment (metadata)",
        ])?,
        refund: find(&[
            "refund_metadata[tidegate_refund]",
            "tidegate_refund (metadata)",
        ]),
    })
}

fn wechat(find: &Find<'_>) -> Option<Columns> {
    Some(Columns::Wechat {
        time: find(&["交易时间"])?,
        state: find(&["交易状态"])?,
        charge: find(&["商户订单号"])?,
        amount: find(&["订单金额", "应结订单金额", "总金额"])?,
        currency: find(&["货币种类"])?,
        refund: find(&["商户退款单号"])?,
        refund_amount: find(&["申请退款金额", "退款金额"])?,
        refund_state: find(&["退款状态"])?,
    })
}
