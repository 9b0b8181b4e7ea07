//! Tidegate: commerce.
