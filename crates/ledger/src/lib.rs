//! Tidegate: ledger.
