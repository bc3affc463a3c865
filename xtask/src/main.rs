//! Chores of the house: `cargo xtask test`, `cargo xtask tidy`.
fn main() {}
