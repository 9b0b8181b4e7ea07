//! Breaker, bulkhead and rate limit against models that are too simple to be wrong.

mod breaker;
mod bulkhead;
mod rate;
