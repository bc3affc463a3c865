//! The binary `raseed`.

#[allow(dead_code, unused_imports, reason = "`serve` will start it")]
mod diameter;
#[allow(dead_code, unused_imports, reason = "`serve` will start it")]
mod sms;

fn main() {}
