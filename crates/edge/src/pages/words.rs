//! The words of the demo page, in English and Chinese.

use serde::Serialize;

/// A language of the demo page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// English.
    English,
    /// Chinese, simplified.
    Chinese,
}

impl Language {
    /// The language that was switched to, or else the first one that the browser names and the page has.
    pub(crate) fn choose(switched: Option<&str>, accepted: Option<&str>) -> Self {
        let named = |tag: &str| match tag.trim().get(..2)?.to_ascii_lowercase().as_str() {
            "zh" => Some(Self::Chinese),
            "en" => Some(Self::English),
            _ => None,
        };
        let accepted = || accepted.unwrap_or_default().split(',').find_map(named);
        switched
            .and_then(named)
            .or_else(accepted)
            .unwrap_or(Self::English)
    }

    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    pub(crate) const fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Chinese => &CHINESE,
        }
    }
}

macro_rules! words {
    ($($name:ident: $english:literal, $chinese:literal;)*) => {
        /// Every word of the page.
        #[derive(Debug, Serialize)]
        pub(crate) struct Words { $(pub(crate) $name: &'static str),* }

        const ENGLISH: Words = Words { $($name: $english),* };
        const CHINESE: Words = Words { $($name: $chinese),* };
    };
}

words! {
    tagline: "Limited stock, a stampede, and books that balance.", "有限的库存，汹涌的人潮，一本对得上的账。";
    units_left: "units left", "件可售";
    available: "available", "可售";
    held: "held", "预扣中";
    sold: "sold", "已售";
    buy: "Buy one", "买一件";
    crowd: "Let a crowd of 1,000 loose", "放入一千名买家";
    crowd_running: "The crowd is buying …", "人群正在抢购 ……";
    refill: "Refill the stock", "补货";
    orders_per_s: "orders a second", "每秒订单";
    accepted: "orders accepted", "成交订单";
    refused: "refused", "被拒";
    requests: "requests", "请求";
    why_refused: "Why orders were refused", "被拒原因";
    sold_out: "sold out", "售罄";
    limit: "purchase limit", "超出限购";
    not_open: "not open", "未开售";
    not_eligible: "not eligible", "资格不符";
    other: "other", "其他";
    yours: "Your orders", "你的订单";
    none_yet: "None yet. Buy one!", "还没有，买一件吧！";
    recent: "Just now", "刚刚";
    promise: "Every “yes” on this page was on disk before you saw it.", "本页的每一个“成功”，在你看到之前都已落盘。";
    position: "journal position", "日志位置";
    paused_stream: "The live stream was interrupted; it comes back by itself.", "实时数据流中断，正在自动恢复。";
    api: "API description", "接口文档";
    state_draft: "draft", "草稿";
    state_scheduled: "scheduled", "即将开售";
    state_open: "open", "销售中";
    state_paused: "paused", "已暂停";
    state_closed: "closed", "已结束";
    state_retired: "retired", "已归档";
    order_held: "held", "待支付";
    order_paying: "paying", "支付中";
    order_paid: "paid", "已支付";
    order_shipped: "shipped", "已发货";
    order_delivered: "delivered", "已送达";
    order_cancelled: "cancelled", "已取消";
    order_expired: "expired", "已过期";
    order_refunded: "refunded", "已退款";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_wins_over_the_browser_and_english_over_nothing() {
        assert_eq!(
            Language::choose(None, Some("zh-CN,zh;q=0.9,en;q=0.8")),
            Language::Chinese
        );
        assert_eq!(
            Language::choose(None, Some("de-DE,en;q=0.5,zh;q=0.3")),
            Language::English
        );
        assert_eq!(Language::choose(Some("en"), Some("zh")), Language::English);
        assert_eq!(Language::choose(Some("é"), None), Language::English);
    }
}
