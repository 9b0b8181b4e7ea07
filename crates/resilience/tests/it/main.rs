//! Breaker, bulkhead and budget against models that are too simple to be wrong.

mod breaker;
mod bulkhead;
