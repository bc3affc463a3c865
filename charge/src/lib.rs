//! The pure core: money, tariff, account, ledger, session, top-up, tax. No I/O, no clock, no randomness.
