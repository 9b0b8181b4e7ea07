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
