//! Tidegate: stdx.
