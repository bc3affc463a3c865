//! The simulated world: gateways, call servers, message centres, faults, clock, load generator.
