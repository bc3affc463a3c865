//! `partner ...`: what of it is about money that was agreed, reported and taken back.

use super::Target;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The parts of `partner` that go beyond keys and floats.
#[derive(Subcommand, Debug)]
pub enum TradeCommand {
    /// Show a partner's commission, set it (from a moment on), or end it.
    #[command(
        after_help = "Examples:\n  raseed partner commission 7\n  raseed partner commission 7 --percent 2.75\n  raseed partner \
                      commission 7 --percent 3 --from 2027-01-01T00:00:00+05:00\n  raseed partner commission 7 --end"
    )]
    Commission(CommissionArgs),
    /// Save a partner's settlement file of a day, or show sums by day, operator and state.
    #[command(
        after_help = "Examples:\n  raseed partner report 7 --day 2026-11-21 --out settlement.csv\n  raseed partner report 7 \
                      --day 2026-11-01 --to 2026-11-30 --summary\n\n`raseed partner check FILE` proves a file whole."
    )]
    Report(ReportArgs),
    /// Check a settlement file: numbers, every balance, count, total, SHA-256. Needs no server.
    #[command(after_help = "Exit code 0 says that the file is whole and nothing in it was changed.")]
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Compare a partner's own file with our ledger and with what operators credited.
    #[command(after_help = "Each difference becomes an exception that waits for people: GET /v1/exceptions.")]
    Reconcile {
        /// Id of the partner.
        partner: u32,
        /// The day of the file, in Pakistan: 2026-11-21.
        #[arg(long)]
        day: String,
        /// The file: CSV with columns trace (or external_id) and gross (or amount), and if there state, msisdn, type.
        #[arg(long)]
        file: PathBuf,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Take a top-up back: what is unused of that very credit goes into the float again.
    Reverse {
        /// Id of the top-up, as the sale said.
        topup: String,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
}

impl TradeCommand {
    /// Where it is carried out; `None`: here, without a server.
    pub fn target(&self) -> Option<&Target> {
        match self {
            TradeCommand::Commission(args) => Some(&args.target),
            TradeCommand::Report(args) => Some(&args.target),
            TradeCommand::Reconcile { target, .. } | TradeCommand::Reverse { target, .. } => Some(target),
            TradeCommand::Check { .. } => None,
        }
    }
}

/// Arguments of `partner commission`.
#[derive(Args, Debug)]
pub struct CommissionArgs {
    /// Id of the partner.
    pub partner: u32,
    /// Share of the gross amount, in percent.
    #[arg(long, conflicts_with = "end")]
    pub percent: Option<String>,
    /// When it is given: with the sale, or when the sale is complete.
    #[arg(long, default_value = "upfront", value_parser = ["upfront", "on-sale"])]
    pub kind: String,
    /// Added to the share.
    #[arg(long, requires = "percent")]
    pub fixed: Option<String>,
    /// Never less.
    #[arg(long, requires = "percent")]
    pub minimum: Option<String>,
    /// Never more.
    #[arg(long, requires = "percent")]
    pub maximum: Option<String>,
    /// Of sales from this moment on (RFC 3339); left out: from now on.
    #[arg(long, requires = "percent")]
    pub from: Option<String>,
    /// No commission of sales from now on.
    #[arg(long)]
    pub end: bool,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// Arguments of `partner report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Id of the partner.
    pub partner: u32,
    /// The day, in Pakistan: 2026-11-21.
    #[arg(long)]
    pub day: String,
    /// The last day of a summary.
    #[arg(long, requires = "summary")]
    pub to: Option<String>,
    /// Sums instead of the file.
    #[arg(long)]
    pub summary: bool,
    /// Also of a day that is not over.
    #[arg(long, conflicts_with = "summary")]
    pub partial: bool,
    /// Where the file goes; left out: standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where.
    #[command(flatten)]
    pub target: Target,
}
