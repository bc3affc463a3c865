//! Every limit of the HTTP side, in one file.

use std::time::Duration;

/// Largest body of an ordinary request, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Largest import, in bytes.
pub const IMPORT_BYTES_MAX: usize = 1 << 30;
/// Longest line of an import, in bytes.
pub const IMPORT_LINE_BYTES_MAX: usize = 4 * 1024;
/// Lines of an import that are carried out at once.
pub const IMPORT_PARALLEL: usize = 256;
/// All header names and values of a request together, in bytes.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// A request is answered within this time. An import may take longer: it answers line by line.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest `?wait=`, in seconds.
pub const WAIT_S_MAX: u32 = 20;
/// Longest Idempotency-Key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// Longest external_id, in bytes.
pub const EXTERNAL_ID_BYTES_MAX: usize = 64;
/// Longest name of a partner or reference for people, in bytes.
pub const NAME_BYTES_MAX: usize = 100;
/// A quote can be used this long, in seconds.
pub const QUOTE_S: i64 = 600;
/// A second identical recharge within this time needs `again`, in seconds.
pub const RECENT_RECHARGE_S: i64 = 120;
/// Top-ups that are remembered by id until the read models have them.
pub const RECENT_TOP_UPS_MAX: usize = 100_000;
/// Default and largest number of lines of a list.
pub const PAGE_LINES: u32 = 20;
/// Largest number of lines of a list.
pub const PAGE_LINES_MAX: u32 = 200;

/// Requests of one API key per second; bursts of twice as many.
pub const KEY_REQUESTS_PER_S: u32 = 500;
/// Requests of one address per second; bursts of twice as many.
pub const ADDRESS_REQUESTS_PER_S: u32 = 1_000;
/// Messages of rails of one address per second, apart from its other requests; bursts of twice as many.
pub const RAIL_MESSAGES_PER_S: u32 = 4_000;
/// Wrong API keys of one address per minute.
pub const ADDRESS_BAD_KEYS_PER_MINUTE: u32 = 60;
/// Rate limits are kept in so many buckets; callers that fall into the same one share it.
pub const RATE_BUCKETS: u32 = 65_536;

/// Passwords hashed at once: each takes 19 MiB and a core for some tens of milliseconds.
pub const HASHING_MAX: usize = 4;
/// A sign-in with a password waits this long for its turn.
pub const HASHING_WAIT_MAX: Duration = Duration::from_secs(5);
/// Messages shown in the demo's handset.
pub const INBOX_MESSAGES_MAX: usize = 50;
/// Longest of what the demo's handset has dialled, in bytes.
pub const DIALLED_BYTES_MAX: usize = 1_024;
/// Longest signed text of a receipt, in bytes.
pub const SIGNED_TEXT_BYTES_MAX: usize = 512;
/// Longest text that somebody pastes to have it checked, in bytes.
pub const PASTED_BYTES_MAX: usize = 8 * 1024;
/// Receipts on one page of the list.
pub const RECEIPTS_PER_PAGE: usize = 30;
/// PDFs made at the same time.
pub const PDFS_AT_ONCE: usize = 2;
/// Longest settlement file, bytes: some 150,000 lines.
pub const SETTLEMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A file of a day is compared with what was paid from so long before its midnight to so long before the next.
pub const SETTLEMENT_CUT_S: i64 = 15 * 60;
/// A payment is looked for in files so many days after it was begun, at most.
pub const SETTLEMENT_AGE_DAYS: i64 = 8;
/// Movements of one float on one day that a partner's own file is compared with, at most.
pub const REPORT_LINES_MAX: usize = 500_000;
/// A day is over so long after its last moment, in microseconds: what was decided in it is durable by then.
pub const DAY_GRACE_US: i64 = 60_000_000;
/// Questions to the read models at once.
pub const READERS_MAX: usize = 8;
/// Longest time to wait for a new account to be readable.
pub const OPEN_TIME_MAX: Duration = Duration::from_secs(5);
/// Days that one ledger question may span.
pub const LEDGER_DAYS_MAX: i32 = 400;
/// Entries of a statement that are added up for a chart.
pub const SPENDING_LINES_MAX: usize = 5_000;
/// Entries of a statement in a file.
pub const CSV_LINES_MAX: usize = 20_000;
/// Entries looked through for one page of a filtered statement.
pub const FILTERED_LINES_MAX: usize = 2_000;
/// Months that a statement offers.
pub const STATEMENT_MONTHS: usize = 12;
/// Bundles compared side by side.
pub const COMPARED_MAX: usize = 3;
/// Longest search, in characters.
pub const SEARCH_CHARACTERS_MAX: usize = 80;
/// Largest budget of a month.
pub const BUDGET_MAX: charge::Money = charge::Money::from_units(1_000_000);

/// Requests of the public feeds that one address may make in a minute.
pub const FEED_REQUESTS_PER_MINUTE: u32 = 120;
/// Promotions that the public page and the feeds show at most.
pub const OFFERS_MAX: usize = 500;
/// Largest file of outlets, in bytes.
pub const OUTLETS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Outlets on the public page.
pub const OUTLETS_SHOWN_MAX: usize = 20;
/// Outlets in the drawing.
pub const OUTLETS_DRAWN_MAX: usize = 9;
/// Places that one can choose from.
pub const OUTLET_PLACES_MAX: usize = 400;
/// How long caches may keep a feed without asking again, in seconds.
pub const FEED_AGE_S: u32 = 300;
/// Longest PIN of a scratch card that is looked at, bytes.
pub const PIN_BYTES_MAX: usize = 96;
/// Tries with scratch cards by one address or session in a minute.
pub const CARD_TRIES_PER_MINUTE: u32 = 10;
/// How long the outcome of a redemption is waited for.
pub const CARD_OUTCOME_WAIT_MAX: Duration = Duration::from_secs(5);
/// Cards that one command puts on shelves.
pub const CARDS_SHELVED_AT_ONCE: usize = 2_048;
/// Such commands under way at once for one batch.
pub const CARD_COMMANDS_AT_ONCE: usize = 16;
/// How often such a command is tried, with growing pauses.
pub const CARD_TRIES_TO_SHELVE: u32 = 40;
/// How often clashing PINs of a batch are drawn again.
pub const CARD_CLASH_ROUNDS_MAX: u32 = 16;
/// Batches of scratch cards that are made at once: each holds its PINs in memory.
pub const CARD_BATCHES_AT_ONCE: usize = 4;
/// Batches in one list.
pub const CARD_BATCHES_LISTED: usize = 100;
/// Locked numbers that are remembered at the edge.
pub const CARD_LOCKS_CACHED: usize = 65_536;
