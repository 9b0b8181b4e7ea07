//! What a caller can do about an error, whatever failed.

/// The way out of an error, seen from the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Ask again, with the same key: the outcome may already be what was wanted.
    Retry,
    /// Ask again later: something outside has to recover first.
    Wait,
    /// The request or the setting has to be changed by whoever made it.
    Fix,
    /// Somebody else was first.
    Conflict,
    /// Stored bytes are not what was written; an operator has to look.
    Corrupt,
    /// A fault of Tidegate itself.
    Bug,
}
