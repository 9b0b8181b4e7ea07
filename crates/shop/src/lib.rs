//! Tidegate: shop.
