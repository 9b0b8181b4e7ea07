//! The values that labels may have. Closed sets, so that no client can make new time series.

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use std::fmt::{self, Write};

macro_rules! label_values {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant),* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The value of the label.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
                encoder.write_str(self.name())
            }
        }
    };
}

label_values! {
    /// The numbered invariants of `docs/invariants.md`.
    Invariant {
        /// No oversell.
        NoOversell "INV-1",
        /// No over-refund.
        NoOverRefund "INV-2",
        /// One outcome per order.
        OneOutcome "INV-3",
        /// One effect per key.
        OneEffect "INV-4",
        /// Limits hold.
        Limits "INV-5",
        /// Seats and completion of teams.
        Seats "INV-6",
        /// Shown means durable.
        ShownDurable "INV-7",
        /// The chain is unbroken.
        Chain "INV-8",
        /// Units are conserved.
        Units "INV-9",
        /// Money is conserved.
        Money "INV-10",
        /// Read models equal the book.
        ReadModels "INV-11",
    }
}

impl Invariant {
    /// The invariant with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|invariant| invariant.name() == name)
    }
}

label_values! {
    /// Why an order was refused.
    Refused {
        /// Not enough units were left.
        SoldOut "sold_out",
        /// A purchase limit was reached.
        Limit "limit",
        /// The sale was not open.
        NotOpen "not_open",
        /// A rule did not admit the buyer.
        NotEligible "not_eligible",
        /// The key was used with another body.
        KeyReused "key_reused",
        /// The request was invalid or about something unknown.
        Invalid "invalid",
        /// The desk's queue was full.
        Busy "busy",
        /// Anything else.
        Other "other",
    }
}

impl Refused {
    /// The reason that goes with an error code.
    #[must_use]
    pub const fn of(code: api::Code) -> Self {
        use api::Code;
        match code {
            Code::SoldOut => Self::SoldOut,
            Code::LimitReached => Self::Limit,
            Code::SaleNotOpen => Self::NotOpen,
            Code::NotEligible => Self::NotEligible,
            Code::KeyReused => Self::KeyReused,
            Code::InvalidFields | Code::SaleNotFound | Code::SkuNotFound | Code::TooManyItems => {
                Self::Invalid
            }
            Code::Busy => Self::Busy,
            _ => Self::Other,
        }
    }

    pub(crate) const fn place(self) -> usize {
        self as usize
    }
}

label_values! {
    /// What risk said of an order or a payment.
    Risk {
        /// It was refused.
        Blocked "blocked",
        /// It went on, and a person should look at it.
        Review "review",
        /// It was refused because a rule could not be run.
        Failed "failed",
    }
}

label_values! {
    /// What risk was asked about.
    RiskAt {
        /// An order that is placed.
        Order "order",
        /// A payment that begins.
        Payment "payment",
    }
}

label_values! {
    /// What a coupon gives.
    CouponType {
        /// An amount off.
        Off "off",
        /// A share off.
        Share "share",
        /// An amount off, from a threshold on.
        ThresholdOff "threshold_off",
        /// A share off, from a threshold on.
        ThresholdShare "threshold_share",
    }
}

label_values! {
    /// The level of a buyer, in bands, so that labels stay few.
    UserTier {
        /// No level.
        None "none",
        /// Level 1.
        One "vip1",
        /// Level 2.
        Two "vip2",
        /// Level 3.
        Three "vip3",
        /// Level 4.
        Four "vip4",
        /// Level 5 and above.
        Five "vip5_up",
    }
}

impl UserTier {
    /// The band of a level.
    #[must_use]
    pub const fn of(level: u32) -> Self {
        match level {
            0 => Self::None,
            1 => Self::One,
            2 => Self::Two,
            3 => Self::Three,
            4 => Self::Four,
            _ => Self::Five,
        }
    }
}

label_values! {
    /// A call to the outside.
    EffectKind {
        /// A charge.
        Charge "charge",
        /// A refund.
        Refund "refund",
        /// A look at what became of a charge or refund.
        Lookup "lookup",
    }
}

label_values! {
    /// Where units are.
    UnitsIn {
        /// Ever came in.
        Stocked "stocked",
        /// Can be bought.
        Available "available",
        /// In unpaid orders.
        Held "held",
        /// Sold.
        Sold "sold",
        /// Lost unsold.
        WrittenOff "written_off",
    }
}

label_values! {
    /// What became of an attempt to pay.
    PaymentOutcome {
        /// The money was taken.
        Success "success",
        /// The provider said no; that is an answer.
        Declined "declined",
        /// No answer after every try: it is left to the reconciler.
        Failure "failure",
    }
}

label_values! {
    /// A difference between book, provider and read model.
    Gap {
        /// The provider has an outcome that the book does not know.
        Untold "untold",
        /// The provider holds money that the book says was declined.
        TakenDeclined "taken_declined",
        /// The provider says no to what the book calls done.
        DoneDenied "done_denied",
        /// The provider knows nothing of what the book calls done.
        DoneUnknown "done_unknown",
        /// Both know it, with different amounts or currencies.
        Amount "amount",
        /// The read models show another order than the book.
        Model "model",
        /// A report from outside matches no order.
        Unmatched "unmatched",
        /// The provider answers, and what it says of an order makes no sense.
        Unasked "unasked",
    }
}
