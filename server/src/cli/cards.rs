//! `cards ...`: names, arguments and help.

use super::Target;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `cards ...`
#[derive(Subcommand, Debug)]
pub enum CardsCommand {
    /// Make a key pair for a printer: the private key stays with the printer.
    Key {
        /// Where the private key goes.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Make a batch of cards. The PINs are sealed to the printer's key at once.
    #[command(
        after_help = "Example:\n  raseed cards generate jazz 100 10000 --expires 2028-01-01 --printer press"
    )]
    Generate(GenerateArgs),
    /// Fetch the sealed cards of a batch: once, there is no second copy.
    Export {
        /// The batch.
        batch: u32,
        /// Where they go.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Open sealed cards, at the printer's. Needs no server and no network.
    #[command(
        after_help = "Example:\n  raseed cards open batch-1.sealed --key printer.key --out batch-1.csv"
    )]
    Open {
        /// The sealed cards.
        file: PathBuf,
        /// The printer's private key.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Where serial numbers and PINs go; standard output when left out.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Note which dealer gets which cards.
    Ship(CardChange),
    /// Make cards good: from now on they can be redeemed and their value is owed.
    #[command(after_help = "Examples:\n  raseed cards activate 1 --dealer lahore-1\n  \
                      raseed cards activate 1 --first 0000100000013 --last 0000100005004")]
    Activate(CardChange),
    /// Note that cards were sold to people.
    Sold(CardChange),
    /// Take cards back: they cannot be redeemed any more.
    Recall(CardChange),
    /// Note that cards were stolen: they cannot be redeemed any more.
    Stolen(CardChange),
    /// End a batch before its time.
    Expire {
        /// The batch.
        batch: u32,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Batches, newest first.
    List {
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Show a batch with the state of its ranges and the tries on its cards, or one card.
    #[command(visible_alias = "print-state")]
    Show {
        /// Number of a batch, or a serial number.
        what: String,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Wrong tries: of a number, or the latest locks of all.
    Attempts {
        /// The number.
        msisdn: Option<String>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Redeem a card for a number.
    Redeem {
        /// The number.
        msisdn: String,
        /// The PIN.
        pin: String,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
}

/// Arguments of `cards generate`.
#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// The operator's code.
    pub operator: String,
    /// Value of each card: one of the catalog's denominations.
    pub denomination: String,
    /// How many; at most a million.
    pub count: u32,
    /// The day from which on they are not good any more, UTC: 2028-01-01.
    #[arg(long, value_name = "DAY")]
    pub expires: String,
    /// Who prints: a name under [cards.printers] of the configuration.
    #[arg(long)]
    pub printer: String,
    /// For people.
    #[arg(long)]
    pub label: Option<String>,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// A change of the state of cards.
#[derive(Args, Debug)]
pub struct CardChange {
    /// The batch.
    pub batch: u32,
    /// First serial number; left out: every card that can go there.
    #[arg(long)]
    pub first: Option<String>,
    /// Last serial number; the first when left out.
    #[arg(long, requires = "first")]
    pub last: Option<String>,
    /// For `ship`: to whom. Else: only cards of this dealer.
    #[arg(long)]
    pub dealer: Option<String>,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}
