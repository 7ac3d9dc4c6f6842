//! A component that ends at once.

fn main() {}
