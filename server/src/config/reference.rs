//! Every key of the configuration with its meaning, as data: `docs/configuration.md` is made from this.

use std::fmt::Write as _;

/// One key.
pub struct Key {
    /// Its section; empty: top level.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is when nothing is said, as TOML; empty: not set.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

const fn key(section: &'static str, name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key {
        section,
        name,
        default,
        meaning,
    }
}

/// All keys, in the order of the page.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("", "data", "\"raseed-data\"", "directory of the journal, the snapshots and the read models; made when it is not there. `--data` wins over it"),
    key("", "log", "\"info\"", "what to log: `error`, `warn`, `info`, `debug`, or filters such as `info,server::sms=debug`. `RASEED_LOG` wins over it"),
    key("", "connector", "[]", "the ways to operators whose core is elsewhere: `[[connector]]` with `operator`, `low_balance` and `[connector.pretups]`; see [how to connect an operator](how-to/connect-an-operator.md)"),
    key("engine", "partitions", "9", "parts of the accounts, the directory of numbers included. Fixed when the data directory is made"),
    key("engine", "threads", "0", "threads that own partitions; 0 takes half of the cores"),
    key("engine", "cache_mib", "512", "memory for accounts, MiB; the others are read from the snapshots when they are needed"),
    key("engine", "directory_entries", "2097152", "numbers and SIMs whose account is kept in memory, 32 bytes each"),
    key("engine", "waiting_commands_max", "32768", "commands that may wait for one thread; more are answered \"too busy\""),
    key("engine", "snapshot_interval_s", "60", "seconds in which every changed account is written to the snapshots once; a restart replays about as much"),
    key("store", "journal_mib_max", "0", "largest journal file, MiB; a full journal refuses new charges until it is raised. 0: as large as the disk allows"),
    key("http", "listen", "[\"127.0.0.1:8080\"]", "where the API and the page listen. Put a reverse proxy with TLS before it to serve other machines"),
    key("http", "connections_max", "4096", "connections at the same time"),
    key("http", "behind_tls", "false", "a proxy with TLS stands before us: cookies are for HTTPS only (`__Host-`, `Secure`), and the last address of `X-Forwarded-For` is the caller's"),
    key("http", "public_url", "", "the site's address as people type it, such as `https://recharge.example`; passkeys belong to it, and links in receipts and messages begin with it. Not set: what each request says; receipts take the address that it listens on, and messages carry a code without a link"),
    key("people", "key_file", "", "file with the key of `people.db`, 64 hexadecimal digits: hashes of codes and passwords and the sealed second factors need it. Keep it apart from the data. Not set: a key from the data directory's own secret"),
    key("diameter", "listen", "[\"127.0.0.1:3868\", \"[::1]:3868\"]", "where charging listens; `[]` for not at all"),
    key("diameter", "listen_tls", "[]", "where charging listens with TLS"),
    key("diameter", "origin_host", "\"ocs.raseed.example\"", "our Origin-Host"),
    key("diameter", "origin_realm", "\"raseed.example\"", "our Origin-Realm"),
    key("diameter", "realms", "[]", "realms whose peers are served, also when nobody configured the peer; `[]` for every realm"),
    key("diameter", "tls_certificate", "", "PEM file with the certificate chain"),
    key("diameter", "tls_key", "", "PEM file with its private key"),
    key("diameter", "connections_max", "1024", "connections at the same time"),
    key("diameter", "rate_per_s_max", "0", "requests a second of one peer, more are answered DIAMETER_TOO_BUSY; 0 for no limit"),
    key("receipts", "key_file", "", "file with the key that signs receipts; made at the first start, for its owner alone. Not set: `receipt-keys.json` in the data directory. Keep a copy: without it receipts already given out cannot be checked"),
    key("payments", "payable_s", "1800", "how long a payment can be paid, seconds"),
    key("payments", "rail", "[]", "the rails, in the order in which they are offered: `[[payments.rail]]` with `kind` = `jazzcash`, `easypaisa`, `card`, `paypal`, `bank` or `raast` and what that rail needs; see [how to add a rail](how-to/add-a-rail.md)"),
    key("payments", "rates", "", "rates of exchange for rails abroad: `[payments.rates]` with `local`, `set_at`, `valid_s`, `spread_bp`, `quote_s` and `rates.USD = \"281.50\"`"),
    key("payments", "wanted_s", "86400", "how much later a payment is still credited, seconds; after that the money goes back"),
    key("reconciliation", "at", "\"06:30\"", "from this time of the day on, in Pakistan, yesterday's settlement file is missed when it is not there"),
    key("reconciliation", "late_days", "7", "files that come so many days late are still picked up"),
    key("reconciliation", "every_s", "60", "seconds between two looks for files"),
    key("reconciliation", "source", "[]", "where each rail's files come: `[[reconciliation.source]]` with `rail`, `dir`, and where they differ `file` (`\"{day}.csv\"`, `{day}` stands for 2026-11-21), `at` and `fee_max_bp`; see [how to work with a day's reconciliation](how-to/reconcile-a-day.md)"),
    key("staff", "four_eyes_above", "\"5000\"", "decisions of staff about more rupees than this, or about any other currency, need a second one of staff"),
    key("cards", "key_file", "", "file with the key that hashes the PINs of scratch cards, 64 hexadecimal digits; made at the first start, for its owner alone. Not set: `card-key` in the data directory. Keep a copy apart from the data: without it no printed card can be redeemed, and with it and the data PINs can be guessed"),
    key("cards", "wrong_per_minute_max", "600", "wrong PINs over all numbers that are let through in a minute; beyond, everybody waits"),
    key("cards", "printers", "{}", "public keys of printers by name, as `raseed cards key` prints them: `printers = { press = \"raseed-printer:...\" }`"),
    key("banks", "bank", "[]", "banks that sell: `[[banks.bank]]` with `code`, `institution` (DE32), `partner` (id, whose float), `addresses` (`[\"10.1.0.0/16\"]`), and where wanted `mac_key` (hexadecimal), `sign_on`, `reversal` and `onebill`; see [banks](how-to/banks.md)"),
    key("banks.iso8583", "listen", "[]", "where cash machines' hosts connect; `[]` for not at all"),
    key("banks.iso8583", "prefix", "\"binary\"", "how the length before each message is written: `binary`, two octets, or `digits`, four"),
    key("banks.iso8583", "connections_max", "4096", "connections at the same time"),
    key("banks.iso8583", "idle_s", "300", "a connection from which nothing came for so long is closed, seconds"),
    key("banks.iso8583", "answer_s", "15", "a sale that has not ended after so many seconds gets no answer: the bank repeats it or takes it back"),
    key("banks.onebill", "listen", "[]", "where banks that pay bills connect, HTTP; `[]` for not at all. A proxy with TLS before it has to keep to the addresses of banks itself; then its own stands in `addresses`"),
    key("banks.onebill", "connections_max", "1024", "connections at the same time"),
    key("banks.onebill", "answer_s", "15", "a payment that has not ended after so many seconds is answered 503, as if the line had failed"),
    key("catalogs", "dir", "", "directory with operators, tariffs, bundles and taxes; not set: the ones inside the binary"),
    key("partners", "reversal_two_from", "\"5000\"", "from this amount on two must want a top-up back: whoever asks, and somebody else whose key may manage partners; \"0\" for one"),
    key("callbacks", "allow_loopback", "false", "this very machine may be called back, and without TLS: for trying things out"),
    key("callbacks", "first_wait_ms", "0", "first wait between attempts, milliseconds, the others in proportion; 0 for five seconds"),
    key("mail", "server", "\"\"", "mail server for submission, `host:port`; empty: no e-mail leaves"),
    key("mail", "tls", "\"starttls\"", "how the connection is protected: `starttls`, `tls` from the first byte, or `none`, which is for a server on this machine"),
    key("mail", "user", "\"\"", "user of the mail server; empty: no sign-in"),
    key("mail", "password", "\"\"", "its password"),
    key("mail", "from", "\"\"", "who letters come from, such as `Raseed <receipts@raseed.example>`"),
    key("mail", "ca_file", "", "PEM file with the authority of the mail server's certificate, beside those of the machine"),
    key("mail", "per_second", "20", "letters a second, at most; 0 for no limit"),
    key("mail", "timeout_ms", "30000", "how long one answer of the mail server may take"),
    key("mail", "first_wait_ms", "0", "first wait between attempts, milliseconds, the others in proportion; 0 for five seconds"),
    key("push", "key_file", "", "file with the key that push services know this installation by; made at the first start, for its owner alone. Not set: `push-key.json` in the data directory. Without it every browser has to be turned on again"),
    key("push", "contact", "", "whom push services may write to, `mailto:...` or `https://...`; not set: `http.public_url`"),
    key("push", "allow_loopback", "false", "push services on this very machine may be called, and without TLS: for trying things out"),
    key("push", "first_wait_ms", "0", "first wait between attempts, milliseconds, the others in proportion; 0 for five seconds"),
    key("offers", "quiet_from", "\"21:00\"", "from this time of day on the operator's clock no offer leaves"),
    key("offers", "quiet_to", "\"09:00\"", "until this one; what falls between waits for it"),
    key("sms.default", "address", "\"127.0.0.1:2775\"", "message centre, `host:port`"),
    key("sms.default", "system_id", "\"raseed\"", "system_id of the bind, at most 15 characters"),
    key("sms.default", "password", "\"\"", "password of the bind, at most 8 characters"),
    key("sms.default", "system_type", "\"\"", "system_type of the bind"),
    key("sms.default", "sender", "\"Raseed\"", "the sender that handsets show: a short code or a name"),
    key("sms.default", "window", "64", "submits that may wait for their answer"),
    key("sms.default", "rate_per_second", "0", "short messages a second; 0 for no limit"),
    key("sms.default", "urdu_tables", "false", "Urdu in 7 bits (TS 23.038 shift tables): more fits, but old handsets show nonsense"),
    key("sms.default", "concatenation", "\"udh8\"", "how long messages are carried: `udh8`, `udh16`, `sar` or `payload`"),
    key("sms.default", "parts_max", "10", "longer texts are given up"),
    key("sms.default", "delivery_receipts", "true", "ask for delivery receipts"),
    key("sms.default", "response_timeout_ms", "10000", "how long a submit waits for its answer before it is sent again"),
    key("sms.default", "enquire_interval_ms", "30000", "silence after which the link is checked"),
    key("sms.default", "reconnect_min_ms", "200", "first and shortest pause before connecting again"),
    key("sms.default", "reconnect_max_ms", "30000", "longest pause before connecting again"),
    key("sms.default", "outbox_interval_ms", "1000", "how often the outbox is looked at when nobody says that something is there"),
    key("sms.default", "retry_after_ms", "30000", "first pause before a message that the centre refused for now is tried again"),
    key("ussd", "language", "\"en\"", "language for phones whose subscriber is not known: `en`, `ur` or `zh`; the others hear their own"),
    key("ussd.http.default", "listen", "\"127.0.0.1:8090\"", "where the gateway finds us: a socket of its own, apart from the page and the API"),
    key("ussd.http.default", "shape", "\"joined\"", "what it sends: `joined` (everything typed so far joined by `*`, answers begin with `CON ` or `END `) or `steps` (one input at a time with a stage, JSON or XML)"),
    key("ussd.http.default", "secret", "", "`Authorization: Bearer` of its requests, at least 16 characters. Without it or `client_ca`, only loopback may be listened on"),
    key("ussd.http.default", "tls_certificate", "", "PEM file with our certificate chain: TLS"),
    key("ussd.http.default", "tls_key", "", "PEM file with its private key"),
    key("ussd.http.default", "client_ca", "", "PEM file with who signs the gateway's certificate: mutual TLS"),
    key("ussd.http.default", "connections_max", "256", "connections at the same time"),
    key("ussd.smpp.default", "address", "\"127.0.0.1:2775\"", "USSD gateway that speaks SMPP with `ussd_service_op`, `host:port`"),
    key("ussd.smpp.default", "system_id", "\"raseed\"", "system_id of the bind, at most 15 characters"),
    key("ussd.smpp.default", "password", "\"\"", "password of the bind, at most 8 characters"),
    key("ussd.smpp.default", "system_type", "\"USSD\"", "system_type of the bind"),
    key("ussd.smpp.default", "window", "64", "pages that may wait for their answer"),
    key("ussd.smpp.default", "response_timeout_ms", "10000", "how long a page waits for its answer"),
    key("ussd.smpp.default", "enquire_interval_ms", "30000", "silence after which the link is checked"),
    key("ussd.smpp.default", "reconnect_ms", "1000", "pause before connecting again"),
    key("ussd.gsup.default", "address", "\"127.0.0.1:4222\"", "GSUP server of an Osmocom HLR, `host:port`"),
    key("ussd.gsup.default", "name", "\"raseed-00-00-00-00-00-00\"", "our name: what stands after `euse` in its configuration"),
    key("ussd.gsup.default", "reconnect_ms", "1000", "pause before connecting again"),
];

/// What each section is for.
#[cfg(test)]
const SECTIONS: &[(&str, &str)] = &[
    ("", "Top level"),
    (
        "engine",
        "The engine: who owns accounts and how much memory they may take",
    ),
    ("store", "The journal's files"),
    ("http", "The API and the page"),
    ("people", "Accounts of people: sign-ins, second factors, consents"),
    ("diameter", "The charging front"),
    ("receipts", "Receipts"),
    ("payments", "Payments over the web"),
    (
        "reconciliation",
        "Settlement files of rails, compared with the books every day",
    ),
    (
        "cards",
        "Scratch cards; see [how to make and sell them](how-to/scratch-cards.md)",
    ),
    ("staff", "Those who work here"),
    ("banks", "Banks that sell top-ups; see [banks](how-to/banks.md)"),
    ("banks.iso8583", "The host for cash machines: ISO 8583"),
    ("banks.onebill", "1LINK 1BILL: we are the biller"),
    ("catalogs", "Operators, tariffs, bundles and taxes"),
    ("partners", "Partners that sell from a float"),
    (
        "callbacks",
        "Partners are told when their top-ups end; see [callbacks](how-to/callbacks.md)",
    ),
    (
        "mail",
        "E-mail: receipts and notices to people who proved an address and agreed",
    ),
    ("push", "Push messages to browsers whose owners turned them on"),
    (
        "offers",
        "Announcements of offers, to those who agreed; see [announcing](how-to/announce-an-offer.md)",
    ),
    (
        "sms.default",
        "A message centre; write `[sms.jazz]` for the subscribers of one operator, `[sms.default]` for the others. Without any, no SMS leaves",
    ),
    ("ussd", "USSD; see [the keypad](how-to/keypad.md)"),
    (
        "ussd.http.default",
        "A USSD gateway that calls us over HTTP; the last part of the section is its name. None unless configured",
    ),
    (
        "ussd.smpp.default",
        "A USSD gateway that we bind to; the last part of the section is its name. None unless configured",
    ),
    (
        "ussd.gsup.default",
        "An Osmocom HLR whose external USSD entity we are; the last part of the section is its name. None unless configured",
    ),
];

/// The page `docs/configuration.md`.
#[cfg(test)]
fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         `raseed serve --config FILE` reads a TOML file. Every key may be left out; the values below are then in force.\n\
         Unknown keys and wrong values are refused with their line and column. Paths are relative to the file.\n\n\
         This page is made from `server/src/config/reference.rs`; a test keeps it fresh.\n",
    );
    for (section, title) in SECTIONS {
        let _ = match *section {
            "" => write!(page, "\n## {title}\n"),
            name => write!(page, "\n## `[{name}]`\n\n{title}.\n"),
        };
        page.push_str("\n| Key | Default | Meaning |\n|---|---|---|\n");
        for key in KEYS.iter().filter(|key| key.section == *section) {
            let default = if key.default.is_empty() {
                "not set".to_owned()
            } else {
                format!("`{}`", key.default)
            };
            let _ = writeln!(page, "| `{}` | {default} | {} |", key.name, key.meaning);
        }
    }
    page.push_str(
        "\n`raseed serve --print-config` prints a file with every key, its meaning and its default.\n",
    );
    page
}

/// A file that says every default.
pub fn example() -> String {
    let mut text = String::new();
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            let _ = write!(text, "\n[{section}]\n");
        }
        let _ = writeln!(text, "# {}.", key.meaning);
        let _ = match key.default {
            "" => writeln!(text, "# {} = \"...\"", key.name),
            default => writeln!(text, "{} = {default}", key.name),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::sms::SmsConfig;
    use crate::ussd::config::{GsupGateway, HttpGateway, SmppGateway};
    use std::collections::BTreeSet;

    #[test]
    fn the_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        if std::env::var_os("RASEED_UPDATE").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let text = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            text == page(),
            "stale page: run the tests with RASEED_UPDATE=1 to write it anew"
        );
    }

    #[test]
    fn the_defaults_told_are_the_defaults() {
        let mut told = Config::parse(&example(), "example").unwrap();
        let sms = told.sms.remove("default").unwrap();
        assert_eq!(format!("{sms:?}"), format!("{:?}", SmsConfig::default()));
        let http = told.ussd.http.remove("default").unwrap();
        assert_eq!(format!("{http:?}"), format!("{:?}", HttpGateway::default()));
        let smpp = told.ussd.smpp.remove("default").unwrap();
        assert_eq!(format!("{smpp:?}"), format!("{:?}", SmppGateway::default()));
        let gsup = told.ussd.gsup.remove("default").unwrap();
        assert_eq!(format!("{gsup:?}"), format!("{:?}", GsupGateway::default()));
        assert_eq!(format!("{told:?}"), format!("{:?}", Config::default()));
    }

    /// The struct's fields, by way of its `Debug` text: a key that is not in the reference is found here.
    #[test]
    fn every_key_is_told() {
        let told = |section: &str| -> BTreeSet<String> {
            KEYS.iter()
                .filter(|key| key.section == section)
                .map(|key| key.name.to_owned())
                .collect()
        };
        let config = Config::default();
        for (section, text) in [
            ("engine", format!("{:#?}", config.engine)),
            ("store", format!("{:#?}", config.store)),
            ("http", format!("{:#?}", config.http)),
            ("diameter", format!("{:#?}", config.diameter)),
            ("banks.iso8583", format!("{:#?}", config.banks.iso8583)),
            ("banks.onebill", format!("{:#?}", config.banks.onebill)),
            ("catalogs", format!("{:#?}", config.catalogs)),
            ("mail", format!("{:#?}", config.mail)),
            ("push", format!("{:#?}", config.push)),
            ("offers", format!("{:#?}", config.offers)),
            ("cards", format!("{:#?}", config.cards)),
            ("sms.default", format!("{:#?}", SmsConfig::default())),
            ("ussd.http.default", format!("{:#?}", HttpGateway::default())),
            ("ussd.smpp.default", format!("{:#?}", SmppGateway::default())),
            ("ussd.gsup.default", format!("{:#?}", GsupGateway::default())),
        ] {
            assert_eq!(fields(&text), told(section), "{section}");
        }
        let mut sections = told("");
        sections.extend(
            KEYS.iter()
                .filter_map(|key| key.section.split('.').next())
                .filter(|s| !s.is_empty())
                .map(str::to_owned),
        );
        assert_eq!(fields(&format!("{config:#?}")), sections);
    }

    fn fields(debug: &str) -> BTreeSet<String> {
        debug
            .lines()
            .filter_map(|line| {
                line.strip_prefix("    ")
                    .filter(|line| !line.starts_with([' ', '}', ']']))
            })
            .filter_map(|line| Some(line.split_once(':')?.0.to_owned()))
            .collect()
    }
}
