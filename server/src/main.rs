//! The binary `raseed`.
fn main() {}
