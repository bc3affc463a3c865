//! The binary `raseed`: sockets, clocks, configuration, command line.
//!
//! # Layout
//! * [`cli`]: names, arguments and help. [`failure`], [`output`], [`progress`]: how commands talk.
//! * [`config`]: the configuration file. [`instance`]: a data directory.
//! * [`catalogs`]: tariffs from the binary or from files.
//! * [`banks`]: banks sell top-ups: ISO 8583.
//! * [`serve`]: the server. [`node`]: an engine with its files. [`sockets`], [`diameter`], [`sms`]: the network.
//! * [`callbacks`]: partners are told. [`notify`]: people are told beside SMS, by [`mail`] and [`push`]; announcements.
//! * [`ussd`]: gateways of the keypad. [`keywords`]: texts from handsets.
//! * [`demo`]: the story. [`commands`], [`client`], [`here`]: the other commands.
//! * [`kiosk`]: the program of a kiosk's own computer.
//! * [`cards`]: scratch cards. [`key_file`]: files with secrets.
//! * [`receipt_keys`]: who signs receipts. [`reconcile`]: settlement files, every day.
//! * [`generate`]: many accounts at once. [`bench`]: how fast it is.

mod auto;
mod banks;
mod bench;
mod callbacks;
mod cards;
mod catalogs;
mod cli;
mod client;
mod commands;
mod config;
mod demo;
mod diameter;
mod failure;
mod generate;
mod here;
mod instance;
mod key_file;
mod keywords;
mod kiosk;
mod log;
mod mail;
mod node;
mod notify;
mod output;
mod payments;
#[cfg(test)]
mod peers;
mod progress;
mod push;
mod receipt_keys;
mod reconcile;
mod serve;
mod sms;
mod sockets;
mod ussd;

use clap::Parser as _;
use output::Output;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    small_pages();
    let cli = cli::Cli::parse();
    let output = Output { json: cli.json };
    match run(cli.command, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.failure(&error);
            ExitCode::from(failure::kind(&error).exit_code())
        }
    }
}

/// Memory comes in pages of 4 KiB: the kernel clears a transparent huge page of 2 MiB in one piece while the thread that
/// touched it waits, 11 to 15 ms where a hypervisor has to find the memory, and every charge behind it waits as well.
fn small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "transparent huge pages cannot be turned off");
    }
}

fn run(command: cli::Command, output: &Output) -> anyhow::Result<()> {
    use cli::{BundleCommand, CatalogCommand, Command, OffersCommand, PartnerCommand, StaffCommand};
    use commands::{balance, offers, receipt, sale, subscriber, upkeep, with};
    match command {
        Command::Demo(args) => demo::run(&args, output),
        Command::Serve(args) => serve::run(&args, output),
        Command::Cards(command) => commands::cards::run(&command, output),
        Command::Catalog(CatalogCommand::Check { files, strict }) => catalogs::check(&files, strict, output),
        Command::Offers(OffersCommand::Announce(args)) => offers::announce(&args, output),
        Command::Subscriber(command) => subscriber::run(&command, output),
        Command::Topup(args) => with(&args.target, |client| sale::topup(client, &args, output)),
        Command::Balance(args) => with(&args.target, |client| balance::show(client, &args, output)),
        Command::Statement(args) => with(&args.target, |client| balance::statement(client, &args, output)),
        Command::Explain(args) => with(&args.target, |client| balance::explain(client, &args, output)),
        Command::Bundle(command) => {
            let (BundleCommand::List { target, .. }
            | BundleCommand::Buy { target, .. }
            | BundleCommand::Renew { target, .. }) = &command;
            with(target, |client| sale::bundle(client, &command, output))
        }
        Command::Partner(PartnerCommand::Trade(command)) => match command.target() {
            Some(target) => with(target, |client| commands::partner::run(client, &command, output)),
            None => commands::partner::local(&command, output),
        },
        Command::Seller(command) => with(command.target(), |client| {
            commands::seller::run(client, &command, output)
        }),
        Command::Partner(command) => {
            let (PartnerCommand::Add { target, .. }
            | PartnerCommand::Key { target, .. }
            | PartnerCommand::Fund { target, .. }
            | PartnerCommand::List { target }) = &command
            else {
                return Ok(());
            };
            with(target, |client| sale::partner(client, &command, output))
        }
        Command::Reconcile(args) => with(&args.target, |client| {
            commands::reconcile::run(client, &args, output)
        }),
        Command::Outlet(command) => with(command.target(), |client| {
            commands::outlet::run(client, &command, output)
        }),
        Command::Staff(command) => {
            let (StaffCommand::Add { target, .. }
            | StaffCommand::Set { target, .. }
            | StaffCommand::List { target }) = &command;
            with(target, |client| commands::staff::run(client, &command, output))
        }
        Command::Kiosk(command) => kiosk::command::run(&command, output),
        Command::Receipt(command) => receipt::run(&command, output),
        Command::Bench(args) => bench::run(&args, output),
        Command::Audit(args) => upkeep::audit(&args, output),
        Command::Rebuild(args) => upkeep::rebuild(&args, output),
    }
}
