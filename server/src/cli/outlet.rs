//! `outlet ...`: the directory of outlets.

use super::Target;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `outlet ...`
#[derive(Subcommand, Debug)]
pub enum OutletCommand {
    /// Write the outlets of a CSV file; a file with a mistake changes nothing, and every mistake is named with its line.
    #[command(after_help = "Columns: docs/how-to/outlets.md\n\nExample:\n  raseed outlet import outlets.csv")]
    Import {
        /// The file; `-` reads standard input.
        file: PathBuf,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Outlets by id.
    List {
        /// Which.
        #[command(flatten)]
        filter: OutletFilter,
        /// Behind this id.
        #[arg(long)]
        after: Option<String>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// The nearest outlets to a city, a part of it, or a position.
    #[command(
        after_help = "Examples:\n  raseed outlet near \"Karachi, Saddar\" --open\n  raseed outlet near --lat 24860735 --lon 67001137"
    )]
    Near {
        /// `city` or `city, area`, in which there are outlets.
        #[arg(required_unless_present = "lat", conflicts_with = "lat")]
        place: Option<String>,
        /// Micro-degrees north.
        #[arg(long, requires = "lon", allow_hyphen_values = true)]
        lat: Option<i32>,
        /// Micro-degrees east.
        #[arg(long, requires = "lat", allow_hyphen_values = true)]
        lon: Option<i32>,
        /// Which.
        #[command(flatten)]
        filter: OutletFilter,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Remove an outlet.
    Remove {
        /// Its id.
        id: String,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
}

/// Which outlets.
#[derive(Args, Debug)]
pub struct OutletFilter {
    /// Open now.
    #[arg(long)]
    pub open: bool,
    /// With this service: recharge, cash, sim, esim, biometric, scratch_card, bills, handset.
    #[arg(long)]
    pub service: Option<String>,
    /// Of this operator.
    #[arg(long)]
    pub operator: Option<String>,
    /// Accessible with a wheelchair.
    #[arg(long)]
    pub accessible: bool,
    /// How many.
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
}

impl OutletCommand {
    /// Where it is carried out.
    pub fn target(&self) -> &Target {
        match self {
            OutletCommand::Import { target, .. }
            | OutletCommand::List { target, .. }
            | OutletCommand::Near { target, .. }
            | OutletCommand::Remove { target, .. } => target,
        }
    }
}
