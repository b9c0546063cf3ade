//! `koza`: gives every learner of a course an AWS account, and hands it back clean.

mod client;
mod commands;
mod demo;
mod output;
mod report;
mod workspace;

use clap::{Parser, Subcommand};
use client::Ended;
use output::{Context, Need};
use shared::complaint::Complaints;
use std::process::ExitCode;

/// Gives every learner of a course an AWS account of their own, keeps it inside its limits, and hands it back clean
#[derive(Debug, Parser)]
#[command(name = "koza", version, after_help = EXIT_CODES)]
struct Koza {
    #[command(flatten)]
    global: output::Global,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 it failed, or a claim of the demo is not true; 2 wrong input, and nothing was changed;
3 done, but a person has to look (seats in quarantine, learners that were not proved).

Credentials and the Region come from the environment or a profile, as for the aws command line; they are the operations
account's. With --local everything is done on the local AWS (koza local up).";

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    /// The local AWS: start, stop, look
    #[command(subcommand)]
    Local(commands::local::Local),
    /// The pool of seats
    #[command(subcommand)]
    Pool(commands::pool::Pool),
    /// A course: check, plan, open, status, close
    #[command(subcommand)]
    Course(commands::course::Course),
    Sweep(commands::sweep::Sweep),
    Costs(commands::costs::Costs),
    Freeze(commands::freeze::Freeze),
    Thaw(commands::freeze::Thaw),
    Report(commands::report::Report),
}

#[tokio::main]
async fn main() -> ExitCode {
    let koza = Koza::parse();
    let context = Context::new(koza.global);
    match run(koza.command, &context).await {
        Ok(Need::Nothing) => ExitCode::SUCCESS,
        Ok(Need::APerson) => ExitCode::from(3),
        Ok(Need::NotTrue) => ExitCode::from(1),
        Err(error) => {
            context.failed(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

async fn run(command: Command, context: &Context) -> anyhow::Result<Need> {
    match command {
        Command::Demo(args) => {
            demo::run(args, context.json()).await.map(|all| if all { Need::Nothing } else { Need::NotTrue })
        }
        Command::Local(local) => local.run(context).await,
        Command::Pool(pool) => pool.run(context).await,
        Command::Course(course) => course.run(context).await,
        Command::Sweep(sweep) => sweep.run(context).await,
        Command::Costs(costs) => costs.run(context).await,
        Command::Freeze(freeze) => freeze.run(context).await,
        Command::Thaw(thaw) => thaw.run(context).await,
        Command::Report(report) => report.run(context).await,
    }
}

/// Wrong input, and what a person has to look at, are told apart from what failed.
fn exit_code(error: &anyhow::Error) -> u8 {
    let ended = error.downcast_ref::<Ended>();
    let invalid = error.is::<Complaints>()
        || error.is::<output::Wrong>()
        || ended.is_some_and(|e| e.error == "Invalid")
        || error.downcast_ref::<shared::Fault>().is_some_and(|f| matches!(f, shared::Fault::Invalid(_)));
    match ended.map(|e| e.error.as_str()) {
        _ if invalid => 2,
        // Its work is done, but some learners, or a seat, are not as they should be.
        Some("NotProved" | "NotFrozen") => 3,
        _ => 1,
    }
}
