//! The table of error codes. A code is stable: it is never given to another failure and never renamed.
//!
//! The first digit says whose turn it is: 1 the request's shape or its credentials, 2 the book decided against it,
//! 3 try again, 4 the operator at start-up or on the command line, 5 a fault of Tidegate itself.

/// What a client should do with the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Change the request first.
    Never,
    /// Send it again, with the same idempotency key.
    Later,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $text:literal $status:literal $again:ident $title:literal;)*) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name),* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as clients see it, like `TG-1001`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The HTTP status that goes with it unless the place says otherwise.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// A short title for people, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// Whether the same request may succeed when it is sent again.
            #[must_use]
            pub const fn again(self) -> Again {
                match self { $(Self::$name => Again::$again),* }
            }

            /// The address of the help page.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self { $(Self::$name => concat!("/errors/", $text)),* }
            }
        }
    };
}

codes! {
    /// The body is no JSON, or the request no HTTP.
    MalformedJson "TG-1001" 400 Never "Malformed request";
    /// Fields are missing, unknown, of the wrong type or out of bounds.
    InvalidFields "TG-1002" 400 Never "Invalid fields";
    /// A change came without an idempotency key.
    KeyMissing "TG-1003" 400 Never "Idempotency key missing";
    /// The idempotency key is no key, or two places name different ones.
    KeyInvalid "TG-1004" 400 Never "Bad idempotency key";
    /// The body is above the limit of the route.
    BodyTooLarge "TG-1005" 413 Never "Body too large";
    /// Too many headers, or too many bytes of them.
    HeadersTooLarge "TG-1006" 431 Never "Headers too large";
    /// The client took too long to send, or the answer too long to make.
    TooSlow "TG-1007" 408 Later "Too slow";
    /// The body is not announced as JSON.
    MediaType "TG-1008" 415 Never "Unsupported media type";
    /// A list has more items than its limit.
    TooManyItems "TG-1009" 400 Never "Too many items";
    /// Nothing is served under this path.
    NoRoute "TG-1010" 404 Never "No such route";
    /// The path is served, but not with this method.
    MethodNotAllowed "TG-1011" 405 Never "Method not allowed";

    /// No credentials, or none that are known.
    NotAuthenticated "TG-1101" 401 Never "Not authenticated";
    /// The credentials are good but do not allow this.
    ScopeMissing "TG-1102" 403 Never "Scope missing";
    /// The buyer token is over, or not yet valid.
    TokenExpired "TG-1103" 401 Never "Token expired";
    /// A signature does not fit.
    BadSignature "TG-1104" 401 Never "Bad signature";
    /// A callback was signed too long ago or in the future: it is old, or the clocks disagree.
    CallbackTime "TG-1111" 401 Never "Callback out of its time";
    /// The same callback was taken before.
    CallbackReplayed "TG-1112" 409 Never "Callback replayed";
    /// A proven callback says something else than what was asked for.
    CallbackMismatch "TG-1113" 422 Never "Callback does not fit";

    /// There is no such sale.
    SaleNotFound "TG-2001" 404 Never "Sale not found";
    /// There is no such order, or it is somebody else's.
    OrderNotFound "TG-2002" 404 Never "Order not found";
    /// The sale does not sell this SKU.
    SkuNotFound "TG-2003" 404 Never "SKU not in the sale";
    /// There is no such API key.
    ApiKeyNotFound "TG-2004" 404 Never "API key not found";
    /// There is no such team.
    TeamNotFound "TG-2005" 404 Never "Team not found";
    /// There is no such place in the line, or it is somebody else's, or it is over.
    TicketNotFound "TG-2006" 404 Never "Place in the line not found";
    /// There is no such saga.
    SagaNotFound "TG-2021" 404 Never "Saga not found";
    /// The sale does not sell now.
    SaleNotOpen "TG-2101" 409 Never "Sale not open";
    /// Not enough units are left.
    SoldOut "TG-2102" 409 Never "Sold out";
    /// A purchase limit is reached.
    LimitReached "TG-2103" 409 Never "Purchase limit reached";
    /// A rule of the sale does not admit the buyer.
    NotEligible "TG-2104" 403 Never "Not eligible";
    /// The idempotency key was used with another body.
    KeyReused "TG-2105" 422 Never "Idempotency key used with another body";
    /// The order's state forbids the step.
    OrderState "TG-2106" 409 Never "The order's state forbids it";
    /// The time to pay is over.
    HoldExpired "TG-2107" 409 Never "Hold expired";
    /// More is asked back than is left.
    OverRefund "TG-2108" 409 Never "Refund above what is left";
    /// More is written off than is available.
    OverWriteOff "TG-2109" 409 Never "Write-off above what is available";
    /// The sale's state forbids the step.
    SaleState "TG-2110" 409 Never "The sale's state forbids it";
    /// A charge of this order is under way.
    PaymentInFlight "TG-2111" 409 Later "Payment in flight";
    /// The book of the sale is as large as it may become.
    BookFull "TG-2112" 409 Never "A size limit of the sale is reached";
    /// A rule against misuse stands against the order or the payment.
    RiskBlocked "TG-2120" 403 Never "Blocked by risk policy";
    /// The team takes nobody and no payment any more.
    TeamOver "TG-2130" 409 Never "The team is over";
    /// All seats of the team are taken.
    TeamFull "TG-2131" 409 Never "The team is full";
    /// The rule of the team, or of the SKU, forbids the step.
    TeamRule "TG-2132" 409 Never "The team's rule forbids it";
    /// The buyer holds as many unpaid orders as he may.
    OpenHolds "TG-2133" 409 Later "Too many unpaid orders";
    /// Others wait in line for the SKU.
    LineFirst "TG-2134" 409 Never "Others wait in line";
    /// Units are left, so there is nothing to wait for.
    NothingToWaitFor "TG-2135" 409 Never "Nothing to wait for";
    /// The buyer waits for this SKU already.
    WaitsAlready "TG-2136" 409 Never "Waits already";
    /// The balance may not be paid yet.
    BalanceNotDue "TG-2137" 409 Later "Balance not due yet";
    /// A coupon cannot be given.
    CouponRefused "TG-2138" 409 Never "Coupon refused";
    /// A rule of the sale's offer refuses the order.
    RuleRefused "TG-2139" 403 Never "Refused by a rule of the sale";

    /// The saga's place forbids the step.
    SagaState "TG-2121" 409 Never "The saga's place forbids it";
    /// Nothing is kept about this person.
    PersonNotFound "TG-2401" 404 Never "Person not found";
    /// This house has no vault: no master key was given.
    NoVault "TG-2402" 409 Never "No vault";
    /// No device waits under this code, or not any more.
    DeviceNotFound "TG-2403" 404 Never "Device code not found";

    /// More requests wait than may wait.
    Busy "TG-3001" 503 Later "Busy";
    /// Whether it was done is not known yet.
    OutcomeUnknown "TG-3002" 503 Later "Outcome unknown";
    /// The disk does not take writes.
    ReadOnly "TG-3003" 503 Later "Read-only for now";
    /// The server is stopping.
    ShuttingDown "TG-3004" 503 Later "Shutting down";
    /// Too many connections or requests.
    TooManyRequests "TG-3005" 429 Later "Too many requests";

    /// A carrier said what stands in no table; nobody guesses.
    CarrierCode "TG-3021" 503 Later "Carrier's code not known";

    /// Another process owns the data directory.
    Locked "TG-4001" 500 Never "Data directory locked";
    /// The journal is damaged before its end.
    Damaged "TG-4002" 500 Never "Journal damaged";
    /// Entries that were shown are missing from the journal.
    Lost "TG-4003" 500 Never "Journal lost entries";
    /// The configuration is not valid.
    BadConfiguration "TG-4004" 500 Never "Bad configuration";
    /// The data directory cannot be written.
    NotWritable "TG-4005" 500 Never "Data directory not writable";
    /// A file has a format version that this program does not read.
    FormatVersion "TG-4006" 500 Never "Unknown format version";
    /// A file that is needed does not exist.
    MissingFile "TG-4007" 500 Never "File missing";
    /// A backup or a restore did not come to its end.
    Incomplete "TG-4008" 500 Never "Backup or restore not complete";
    /// The backup does not have the place to go back to.
    NotInBackup "TG-4009" 500 Never "Not in the backup";
    /// The backup holds what the shop does not have.
    BackupAhead "TG-4010" 500 Never "Backup ahead of the shop";
    /// The vault is locked with a key that was not given.
    VaultKey "TG-4401" 500 Never "Vault key does not fit";

    /// A fault of Tidegate itself.
    Internal "TG-5001" 500 Later "Internal error";
}

impl Code {
    /// The code with this text.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_different_and_well_formed() {
        for (place, code) in Code::ALL.iter().enumerate() {
            let digits = code.as_str().strip_prefix("TG-").map(str::as_bytes);
            assert!(
                digits.is_some_and(
                    |digits| digits.len() == 4 && digits.iter().all(u8::is_ascii_digit)
                )
            );
            assert!(
                Code::ALL[..place]
                    .iter()
                    .all(|earlier| earlier.as_str() != code.as_str())
            );
            assert_eq!(Code::find(code.as_str()), Some(*code));
        }
    }
}
