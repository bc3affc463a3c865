//! Every limit of this crate, in one file. Times are microseconds.

use charge::time::{DAY, HOUR, MINUTE};

/// A one-time code is good for this long.
pub const CODE_LIFE: i64 = 5 * MINUTE;
/// Wrong tries before a code is thrown away.
pub const CODE_TRIES_MAX: i64 = 5;
/// The same while many codes are being guessed everywhere at once.
pub const CODE_TRIES_UNDER_ATTACK: i64 = 1;
/// One-time codes sent to one number per hour.
pub const CODES_PER_NUMBER: u32 = 6;
/// One-time codes asked for by one address per hour. Mobile networks put hundreds of people behind one address.
pub const CODES_PER_ADDRESS: u32 = 600;
/// One-time codes sent by everybody per minute.
pub const CODES_EVERYWHERE: u32 = 6_000;
/// Wrong codes for one number per hour, whoever types them.
pub const WRONG_CODES_PER_NUMBER: u32 = 15;
/// Wrong codes typed at one address per hour.
pub const WRONG_CODES_PER_ADDRESS: u32 = 300;
/// Wrong codes everywhere per minute; beyond it every code has one try.
pub const WRONG_CODES_EVERYWHERE: u32 = 600;
/// Wrong passwords for one account per hour. Codes and passkeys still open it.
pub const WRONG_PASSWORDS_PER_NUMBER: u32 = 10;
/// Wrong passwords typed at one address per hour.
pub const WRONG_PASSWORDS_PER_ADDRESS: u32 = 300;
/// Wrong second factors of one person per hour.
pub const WRONG_SECOND_FACTORS: u32 = 10;

/// A sign-in that is used lasts this long after it was made.
pub const SESSION_LIFE: i64 = 30 * DAY;
/// A sign-in that is not used ends after this long.
pub const SESSION_IDLE: i64 = 12 * HOUR;
/// The second factor must come within this time after the first.
pub const SECOND_FACTOR_TIME: i64 = 10 * MINUTE;
/// What changes how one signs in needs a proof not older than this.
pub const FRESH_TIME: i64 = 15 * MINUTE;
/// "Last seen" is this exact: so often is it written, and so often the SIM is looked at.
pub const SEEN_INTERVAL: i64 = MINUTE;
/// Sign-ins of one person at once; beyond it the oldest ends.
pub const SESSIONS_PER_PERSON: usize = 20;

/// Numbers of one person.
pub const NUMBERS_PER_PERSON: usize = 10;
/// Passkeys of one person.
pub const PASSKEYS_PER_PERSON: usize = 10;
/// Shortest password, in characters.
pub const PASSWORD_CHARACTERS_MIN: usize = 10;
/// Longest password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Recovery codes given out at once.
pub const RECOVERY_CODES: usize = 10;
/// Without a recovery code, somebody with only the number waits this long before other proofs are removed.
pub const RECOVERY_WAIT: i64 = 3 * DAY;
/// After that wait, it can be finished for this long.
pub const RECOVERY_WINDOW: i64 = 7 * DAY;
/// A challenge of a passkey is good for this long.
pub const CHALLENGE_LIFE: i64 = 5 * MINUTE;

/// Longest name, e-mail address, device or place that is kept, in characters.
pub const TEXT_CHARACTERS_MAX: usize = 100;
/// Lines of the audit trail kept for one person; the oldest go first.
pub const AUDIT_LINES_MAX: i64 = 1_000;
/// Rows of one table in an export: more than anybody has.
pub const EXPORT_ROWS_MAX: i64 = 100_000;
/// Codes sent to one e-mail address per day, whoever asks: it may be a stranger's.
pub const MAILS_PER_ADDRESS: u32 = 5;
/// Codes sent by e-mail for one person per hour.
pub const MAILS_PER_PERSON: u32 = 6;
/// Wrong codes of one person for e-mail addresses per hour.
pub const WRONG_MAIL_CODES: u32 = 15;
/// A code by e-mail is good for this long: mail is slower than SMS.
pub const MAIL_CODE_LIFE: i64 = 15 * MINUTE;
/// Browsers of one person that get push messages; beyond it the oldest goes.
pub const PUSH_PER_PERSON: i64 = 10;
/// Longest address of a push service, in bytes.
pub const PUSH_ENDPOINT_BYTES_MAX: usize = 512;
/// What could not be told for this long is told no more.
pub const UNTOLD_LIFE: i64 = 7 * DAY;
/// Browsers of one person whose sign-in is no news; beyond it the one used longest ago is forgotten.
pub const KNOWN_BROWSERS_MAX: i64 = 20;
/// A browser that has not signed in for this long is forgotten.
pub const KNOWN_BROWSER_LIFE: i64 = 365 * DAY;
/// Numbers remembered as "sent to before" for one person or browser.
pub const RECIPIENTS_MAX: i64 = 200;
/// Those of a browser without an account are forgotten after this long.
pub const GUEST_RECIPIENTS_LIFE: i64 = 180 * DAY;
/// Between asking for deletion and deletion.
pub const DELETION_GRACE: i64 = 14 * DAY;
/// Rows that one sweep removes from one table.
pub const SWEEP_ROWS_MAX: i64 = 10_000;
/// Open read connections kept for the next question.
pub const READERS_MAX: usize = 8;
/// Largest CBOR text of a passkey, in bytes, and its deepest nesting and longest map.
pub const CBOR_BYTES_MAX: usize = 8 * 1024;
/// Deepest nesting in CBOR.
pub const CBOR_DEPTH_MAX: usize = 6;
/// Most entries of a CBOR map or array.
pub const CBOR_ENTRIES_MAX: u64 = 64;
/// Longest credential id of a passkey (WebAuthn level 3, section 5.8.3 allows 1023), in bytes.
pub const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

/// Complaints of one owner that are not settled.
pub const COMPLAINTS_OPEN_MAX: usize = 10;
/// Complaints that one owner makes in a day.
pub const COMPLAINTS_PER_DAY: usize = 5;
/// Messages of one complaint, of both sides.
pub const COMPLAINT_MESSAGES_MAX: i64 = 60;
/// Characters of one message.
pub const COMPLAINT_CHARACTERS_MAX: usize = 2_000;
/// A complaint is answered within this time: the three working days of consumer protection in Pakistan are the aim, here
/// as days of the calendar.
pub const COMPLAINT_TIME: i64 = 3 * DAY;
/// What we called settled can be appealed for this long.
pub const COMPLAINT_APPEAL_TIME: i64 = 30 * DAY;
/// Settled complaints of browsers without an account are kept this long.
pub const GUEST_COMPLAINTS_LIFE: i64 = 365 * DAY;

/// Wrong sign-ins of one name of staff per hour.
pub const WRONG_STAFF_PER_NAME: u32 = 6;
/// Wrong sign-ins of staff at one address per hour.
pub const WRONG_STAFF_PER_ADDRESS: u32 = 30;
/// The secret that sets an account of staff up is good for this long.
pub const STAFF_INVITATION_LIFE: i64 = DAY;
/// A sign-in of staff ends after this long in any case.
pub const STAFF_SESSION_LIFE: i64 = 8 * HOUR;
/// A sign-in of staff that is not used ends after this long.
pub const STAFF_SESSION_IDLE: i64 = 15 * MINUTE;
/// Sign-ins of one of staff at once.
pub const STAFF_SESSIONS_MAX: i64 = 3;
/// A subscriber's account that staff opened with a reason is open for this long.
pub const STAFF_OPENING_LIFE: i64 = 15 * MINUTE;
/// Longest name of staff, in bytes.
pub const STAFF_NAME_BYTES_MAX: usize = 32;
/// Wishes that wait for a second pair of eyes at once.
pub const STAFF_WISHES_MAX: i64 = 1_000;
/// Digits of a PIN of somebody who works at an outlet.
pub const PIN_DIGITS_MIN: usize = 4;
/// Longest such PIN.
pub const PIN_DIGITS_MAX: usize = 8;
