//! The command line: names, arguments and help.

mod cards;
pub mod outlet;
pub mod partner;

pub use cards::{CardChange, CardsCommand};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Prepaid charging and recharge: one binary that takes recharges, charges calls, messages and data, and explains every
/// deduction.
#[derive(Parser, Debug)]
#[command(
    name = "raseed",
    version,
    after_help = "Exit codes: 0 done, 1 failed or found something wrong, 2 usage, 3 refused by the rules (nothing has changed), \
                  4 not available now.\n\nTo see it work:  raseed demo"
)]
pub struct Cli {
    /// Print one JSON object (or one for each line of a list) and nothing else on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Start everything on loopback and play the story of a recharge, then stay up for a browser.
    Demo(DemoArgs),
    /// Run the server.
    #[command(
        after_help = "The first start on an empty directory makes everything and prints an admin API key once.\n\n\
                            Examples:\n  raseed serve\n  raseed serve --config /etc/raseed.toml --data /var/lib/raseed"
    )]
    Serve(ServeArgs),
    /// Operators, tariffs, bundles and taxes.
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Promotions: tell people of them.
    #[command(subcommand)]
    Offers(OffersCommand),
    /// Make and show subscribers.
    #[command(subcommand)]
    Subscriber(SubscriberCommand),
    /// Sell a recharge from a partner's float.
    #[command(
        after_help = "Examples:\n  raseed topup 923001234567 100\n  raseed topup 923001234567 100 --external-id order-17"
    )]
    Topup(TopupArgs),
    /// Show what a number has: money, buckets, validity.
    Balance(NumberArgs),
    /// Show what happened to a number's money, newest last.
    Statement(StatementArgs),
    /// Explain an event behind a line of a statement: units, tariff row, pulses, lots, tax, rounding.
    #[command(
        after_help = "Example:\n  raseed explain E3-1042-7\n\nThe events of a line are in the statement: raseed statement NUMBER --json"
    )]
    Explain(ExplainArgs),
    /// List, buy and renew bundles.
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// Partners that sell recharges: their keys and floats.
    #[command(subcommand)]
    Partner(PartnerCommand),
    /// The selling chain: who sells under whom, stock, limits, people, devices.
    #[command(subcommand)]
    Seller(crate::commands::seller::SellerCommand),
    /// Scratch cards: make, print, activate, recall; who guesses.
    #[command(subcommand)]
    Cards(CardsCommand),
    /// A kiosk: cash and cards to recharges, with a book of its own.
    #[command(subcommand)]
    Kiosk(crate::kiosk::command::KioskCommand),
    /// Check receipts, and change the key that signs them.
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// Compare a rail's settlement file with the books: each difference becomes an exception that waits for people.
    #[command(
        after_help = "Needs a running server. Comparing a file again reports nothing twice.\n\nExample:\n  \
                            raseed reconcile --rail jazzcash --day 2026-11-21 --file settlement.csv\n  raseed reconcile --figures csv"
    )]
    Reconcile(ReconcileArgs),
    /// Outlets: import a file of them, list them, find the nearest.
    #[command(subcommand)]
    Outlet(outlet::OutletCommand),
    /// Those who work here: add, change, list.
    #[command(subcommand)]
    Staff(StaffCommand),
    /// Replay the journal from nothing, check hashes, snapshots and read models, and prove that the books balance.
    #[command(after_help = "Exit code 0 says that everything is whole. The server must be stopped.")]
    Audit(DataArgs),
    /// Throw the read models (statements, receipts, totals) away and make them again from the journal.
    #[command(after_help = "The server must be stopped. Nothing is lost: the journal is the truth.")]
    Rebuild(DataArgs),
    /// Measure how fast this machine charges, and what its disk would allow.
    #[command(
        after_help = "Examples:\n  raseed bench core\n  raseed bench journal --subscribers 1000000 --seconds 30\n  \
                      raseed bench diameter --rate 60000 --json\n\ndocs/performance.md says how to read the figures."
    )]
    Bench(crate::bench::BenchArgs),
}

/// Arguments of `demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Play the story and stop; exit code 0 only if every step and the audit held.
    #[arg(long)]
    pub once: bool,
    /// Port of the page on 127.0.0.1; 0 takes any free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Keep the data in this (empty or missing) directory; without it they are thrown away at the end.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Arguments of `serve`.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Configuration file; docs/configuration.md lists every key.
    #[arg(long, value_name = "FILE", env = "RASEED_CONFIG")]
    pub config: Option<PathBuf>,
    /// Data directory; wins over the configuration.
    #[arg(long, value_name = "DIR", env = "RASEED_DATA")]
    pub data: Option<PathBuf>,
    /// Print a configuration file with every key and its default, and stop.
    #[arg(long)]
    pub print_config: bool,
}

/// A stopped data directory.
#[derive(Args, Debug)]
pub struct DataArgs {
    /// Data directory of a stopped server.
    #[arg(long, value_name = "DIR", env = "RASEED_DATA", default_value = "raseed-data")]
    pub data: PathBuf,
    /// Its configuration file, if it has one.
    #[arg(long, value_name = "FILE", env = "RASEED_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Where a command is carried out: by a running server, or in a stopped data directory.
#[derive(Args, Debug, Clone)]
pub struct Target {
    /// Address of a running server.
    #[arg(
        long,
        value_name = "URL",
        env = "RASEED_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    pub server: String,
    /// API key for it.
    #[arg(long, value_name = "KEY", env = "RASEED_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Open this data directory instead; its server must be stopped. Wins over --server and --key.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Configuration file that belongs to the data directory.
    #[arg(long, value_name = "FILE", requires = "data")]
    pub config: Option<PathBuf>,
}

/// `catalog ...`
#[derive(Subcommand, Debug)]
pub enum CatalogCommand {
    /// Read catalog files and report every mistake with file, line and column.
    #[command(
        after_help = "Without arguments the catalogs inside the binary are checked.\n\nExamples:\n  raseed catalog check\n  \
                      raseed catalog check catalog/\n  raseed catalog check pakistan.toml jazz.toml"
    )]
    Check {
        /// Files or directories.
        files: Vec<PathBuf>,
        /// Warnings make the check fail too.
        #[arg(long)]
        strict: bool,
    },
}

/// `offers ...`
#[derive(Subcommand, Debug)]
pub enum OffersCommand {
    /// Tell people of a promotion: only who agreed to offers, outside of quiet hours, nobody twice.
    #[command(
        after_help = "The server sends by push, SMS or e-mail and goes on after a restart; asking again adds who agreed since.\n\n\
                      Examples:\n  raseed offers announce jazz load-500\n  \
                      raseed offers announce jazz load-500 --dry-run --data raseed-data"
    )]
    Announce(AnnounceArgs),
}

/// Arguments of `offers announce`.
#[derive(Args, Debug)]
pub struct AnnounceArgs {
    /// The operator's code.
    pub operator: String,
    /// The promotion's code.
    pub promotion: String,
    /// Messages in a second, at most.
    #[arg(long, default_value_t = 50)]
    pub per_second: u32,
    /// How to stop offers in one step, as the message says it.
    #[arg(long, default_value = "STOP")]
    pub stop: String,
    /// Write a plan into a stopped data directory; send and remember nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not watch the letters go out.
    #[arg(long)]
    pub no_wait: bool,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// Arguments of `reconcile`.
#[derive(Args, Debug)]
pub struct ReconcileArgs {
    /// The rail's code.
    #[arg(long, required_unless_present = "figures")]
    pub rail: Option<String>,
    /// The day that the file settles, in Pakistan: 2026-11-21.
    #[arg(long, required_unless_present = "figures")]
    pub day: Option<String>,
    /// The file as the rail gave it.
    #[arg(long, required_unless_present = "figures")]
    pub file: Option<PathBuf>,
    /// Print the figures of all days that were compared, and compare nothing.
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["rail", "day", "file", "fee_max_bp"])]
    pub figures: Option<FiguresFormat>,
    /// The highest fee by contract, in parts of ten thousand.
    #[arg(long)]
    pub fee_max_bp: Option<u32>,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// How figures are printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FiguresFormat {
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}

/// `staff ...`
#[derive(Subcommand, Debug)]
pub enum StaffCommand {
    /// Add somebody of staff and print the link that sets the account up, once.
    #[command(after_help = "Example:\n  raseed staff add sana --role support")]
    Add {
        /// The name to sign in with: small letters, digits, dots, hyphens.
        name: String,
        /// support, finance or admin.
        #[arg(long)]
        role: String,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Change somebody of staff; every sign-in of the account ends.
    Set {
        /// The name.
        name: String,
        /// support, finance or admin.
        #[arg(long)]
        role: Option<String>,
        /// Switch the account off.
        #[arg(long, conflicts_with = "on")]
        off: bool,
        /// Switch it on again.
        #[arg(long)]
        on: bool,
        /// Take password and second factor away and print a new link.
        #[arg(long)]
        invite: bool,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Everybody of staff.
    List {
        /// Where.
        #[command(flatten)]
        target: Target,
    },
}

/// Languages of messages.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanguageArg {
    /// English.
    En,
    /// Urdu.
    Ur,
    /// Chinese.
    Zh,
}

impl LanguageArg {
    /// Its tag.
    pub fn tag(self) -> &'static str {
        match self {
            LanguageArg::En => "en",
            LanguageArg::Ur => "ur",
            LanguageArg::Zh => "zh",
        }
    }
}

/// `subscriber ...`
#[derive(Subcommand, Debug)]
pub enum SubscriberCommand {
    /// Open an account for one number.
    #[command(
        after_help = "Example:\n  raseed subscriber add 923001234567 --imsi 410010012345678 --language ur"
    )]
    Add(SubscriberAddArgs),
    /// Open accounts for all lines of a CSV file.
    #[command(
        after_help = "The first line names the columns: msisdn, and any of operator, imsi, language (en, ur, zh), tax_class \
                      (standard, listed-non-filer, exempt), region, balance; or each line is a JSON object with these.\n\
                      Lines that were imported before are counted and left alone, so that an interrupted import can be repeated."
    )]
    Import {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// Operator of lines that do not say one.
        #[arg(long)]
        operator: Option<String>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Open many synthetic accounts, for load tests.
    #[command(
        after_help = "Example:\n  raseed subscriber generate --operator jazz --from 923100000000 --count 100000 --balance 1000 --data DIR"
    )]
    Generate(GenerateArgs),
    /// Show an account.
    Show(NumberArgs),
}

/// Arguments of `subscriber add`.
#[derive(Args, Debug)]
pub struct SubscriberAddArgs {
    /// The number, international form.
    pub msisdn: String,
    /// Operator code; without it the number's prefix decides.
    #[arg(long)]
    pub operator: Option<String>,
    /// The SIM.
    #[arg(long)]
    pub imsi: Option<String>,
    /// Language of messages.
    #[arg(long, value_enum)]
    pub language: Option<LanguageArg>,
    /// Tax class: `standard`, `listed-non-filer` or `exempt`.
    #[arg(long)]
    pub tax_class: Option<String>,
    /// Home region for taxes, for example `PK-PB`.
    #[arg(long)]
    pub region: Option<String>,
    /// Money brought along from another system, for example `250.50`.
    #[arg(long)]
    pub balance: Option<String>,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// Arguments of `subscriber generate`.
#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// Operator code.
    #[arg(long)]
    pub operator: String,
    /// First number; the others follow without gaps.
    #[arg(long)]
    pub from: u64,
    /// How many.
    #[arg(long)]
    pub count: u64,
    /// Opening balance of each.
    #[arg(long, default_value = "0")]
    pub balance: String,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// A number.
#[derive(Args, Debug)]
pub struct NumberArgs {
    /// The number, international form.
    pub msisdn: String,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// Arguments of `topup`.
#[derive(Args, Debug)]
pub struct TopupArgs {
    /// The number, international form.
    pub msisdn: String,
    /// What the payer pays, for example `100` or `99.50`.
    pub amount: String,
    /// Your reference: the same one never sells twice. Made up when left out.
    #[arg(long, value_name = "ID")]
    pub external_id: Option<String>,
    /// Only show tax, credit and promotion; sell nothing.
    #[arg(long)]
    pub quote: bool,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// Arguments of `statement`.
#[derive(Args, Debug)]
pub struct StatementArgs {
    /// The number, international form.
    pub msisdn: String,
    /// So many lines.
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
    /// Print the explanation below each line.
    #[arg(long)]
    pub why: bool,
    /// Language of the sentences.
    #[arg(long, value_enum, default_value = "en")]
    pub language: LanguageArg,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The event, for example E3-1042-7.
    pub event: String,
    /// Language of the sentences.
    #[arg(long, value_enum, default_value = "en")]
    pub language: LanguageArg,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// `bundle ...`
#[derive(Subcommand, Debug)]
pub enum BundleCommand {
    /// Bundles that are for sale.
    List {
        /// Operator code, or a number of that operator.
        operator: String,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Buy a bundle from the balance.
    Buy {
        /// The number, international form.
        msisdn: String,
        /// Code of the bundle.
        offer: String,
        /// Renew it by itself when it ends.
        #[arg(long)]
        renew: bool,
        /// Your reference: the same one never buys twice. Made up when left out.
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Turn the renewal of a bundle on or off.
    Renew {
        /// The number, international form.
        msisdn: String,
        /// Code of the bundle.
        offer: String,
        /// Turn it off.
        #[arg(long)]
        off: bool,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
}

/// `partner ...`
#[derive(Subcommand, Debug)]
pub enum PartnerCommand {
    /// Add a partner and print its API key, once.
    #[command(
        after_help = "Example:\n  raseed partner add corner-shop --name \"Corner Shop, Lahore\" --operators jazz,zong --fund 5000"
    )]
    Add {
        /// Short code, shown as channel on receipts.
        code: String,
        /// Name for people; the code when left out.
        #[arg(long)]
        name: Option<String>,
        /// Operators it may sell for, by code; all when left out.
        #[arg(long, value_delimiter = ',')]
        operators: Vec<String>,
        /// What its key may do.
        #[arg(long, value_delimiter = ',', default_value = "topup")]
        scopes: Vec<String>,
        /// Smallest top-up.
        #[arg(long)]
        minimum: Option<String>,
        /// Largest top-up.
        #[arg(long)]
        maximum: Option<String>,
        /// Most it may sell on one day.
        #[arg(long)]
        per_day: Option<String>,
        /// Put so much into its float at once.
        #[arg(long)]
        fund: Option<String>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Make another API key for a partner and print it, once; or stop one.
    Key {
        /// Id of the partner.
        partner: u32,
        /// What the key may do: topup, read, purchase, subscribers, admin, redeem.
        #[arg(long, value_delimiter = ',', default_value = "topup")]
        scopes: Vec<String>,
        /// Stop this key instead.
        #[arg(long, value_name = "KEY_ID")]
        revoke: Option<String>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Put money into a partner's float; a negative amount takes it out.
    Fund {
        /// Id of the partner.
        partner: u32,
        /// The amount.
        #[arg(allow_hyphen_values = true)]
        amount: String,
        /// Your reference: the same one never moves money twice. Made up when left out.
        #[arg(long, value_name = "ID")]
        reference: Option<String>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Commission, reports, reversals.
    #[command(flatten)]
    Trade(partner::TradeCommand),
    /// Partners with their floats.
    List {
        /// Where.
        #[command(flatten)]
        target: Target,
    },
}

/// `receipt ...`
#[derive(Subcommand, Debug)]
pub enum ReceiptCommand {
    /// Say whether a receipt is genuine. Needs no server and no network.
    #[command(
        after_help = "Example:\n  raseed receipt verify \"RASEED1~...\" --key raseed-receipt-keys.json\n\n\
                      Exit code 0 says genuine, 1 says not."
    )]
    Verify {
        /// The signed text, its link, or a message with it; `-` reads standard input.
        text: String,
        /// The operator's public keys, from /.well-known/raseed-receipt-keys.json.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Sign with a new key from the next start of the server on. Receipts of older keys stay good.
    RotateKey {
        /// Whose key file.
        #[command(flatten)]
        data: DataArgs,
        /// Withdraw this older key: receipts that it signed prove nothing any more, fresh copies of them do.
        #[arg(long, value_name = "KEY_ID")]
        revoke: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
