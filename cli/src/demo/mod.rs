//! `koza demo`: a whole course on the local AWS, from accounts to clean accounts, with a proof for every step.

pub mod learners;
mod leftovers;
mod people;
mod roster;
mod story;
mod tale;

use crate::workspace::{self, Workspace};
use anyhow::Context;

/// A whole course on the local AWS, from accounts to clean accounts
///
/// Sets up what it needs by itself, deploys Koza with `sam deploy` to the local AWS, runs a course with learners who
/// build real things, and ends with a table, target/koza/demo/report.html and result.json.
/// The exit code is 0 only if everything that the story claims was seen to be true. A local AWS that runs is ended first.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// How many learners; another number than 24 makes a roster of that size
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(6..=9_000))]
    learners: u32,
    /// Leave the local AWS running afterwards, to look around in it
    #[arg(long)]
    keep: bool,
}

/// Runs the demo. `true`: every claim holds.
pub async fn run(args: Args, json: bool) -> anyhow::Result<bool> {
    let workspace = Workspace::find()?;
    let began = std::time::Instant::now();
    let say = |line: &str| eprintln!("  {line}");
    eprintln!("Setting up (target/koza)");
    koza_local::tools(&workspace.tools(), |line| say(line))?;
    let functions = workspace.build_functions(&say)?;
    koza_local::down(&workspace.local()).await?;
    let running = workspace::up(&workspace, 0, workspace::SPEED, workspace::SEED, &say).await?;
    let outcome = async {
        workspace.deploy(&running, &say).await?;
        say(&format!("{functions} functions are deployed; the local AWS is {}", running.endpoint));
        let story = story::tell(&workspace, &running, &args).await?;
        story.write(&workspace, began.elapsed()).await
    }
    .await;
    if args.keep {
        eprintln!(
            "The local AWS is still running: `koza local status` tells how to use it, `koza local down` ends it."
        );
    } else {
        koza_local::down(&workspace.local()).await.context("the local AWS could not be stopped")?;
    }
    let ending = outcome?;
    if json {
        println!("{}", serde_json::to_string_pretty(&ending.result)?);
    } else {
        println!("{}", ending.table);
    }
    for proof in &ending.broken {
        eprintln!("NOT SO: {} ({})", proof.claim, proof.seen);
    }
    eprintln!(
        "Report: {}\nResult: {}",
        workspace.demo().join("report.html").display(),
        workspace.demo().join("result.json").display()
    );
    Ok(ending.broken.is_empty())
}
