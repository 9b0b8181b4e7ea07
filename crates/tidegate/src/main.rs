//! The Tidegate binary: the composition root and nothing else.

fn main() {}
