//! `koza local`.

use crate::output::{Context, Need, Wrong};
use crate::workspace::{self, Workspace};
use koza_local::{Fault, Running};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The local AWS
#[derive(Debug, clap::Subcommand)]
pub enum Local {
    /// Start it, and deploy Koza into it
    Up {
        /// Port of the endpoint on 127.0.0.1; any free one without this
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// How much faster than AWS's its clock runs: waits, quotas, everything that takes time there
        #[arg(long, default_value_t = workspace::SPEED, value_parser = speed)]
        speed: f64,
        /// What chance is made of there: the same seed, the same durations
        #[arg(long, default_value_t = workspace::SEED)]
        seed: u64,
        /// Trouble to make from the start: a JSON list of rules (docs/local-aws.md)
        #[arg(long)]
        faults: Option<PathBuf>,
        /// Only the emulators and their gateway: nothing is built or deployed
        #[arg(long)]
        bare: bool,
    },
    /// End it; what was in it is forgotten
    Down,
    /// Whether it runs, and how to point any AWS client at it
    Status,
    /// What was called so far, by service and operation
    Calls,
    /// The gateway itself, as a process
    #[command(hide = true)]
    Serve {
        /// Where its state is
        #[arg(long)]
        dir: PathBuf,
    },
}

impl Local {
    /// Runs it.
    pub async fn run(self, context: &Context) -> anyhow::Result<Need> {
        if let Local::Serve { dir } = self {
            koza_local::serve(&dir).await?;
            return Ok(Need::Nothing);
        }
        let workspace = Workspace::find()?;
        let say = |line: &str| eprintln!("  {line}");
        match self {
            Local::Up { port, speed, seed, faults, bare } => {
                let faults = faults.map(|path| read_faults(&path)).transpose()?;
                if !bare {
                    workspace.build_functions(&say)?;
                }
                let running = workspace::up(&workspace, port, speed, seed, &say).await?;
                if !bare {
                    workspace.deploy(&running, &say).await?;
                }
                if let Some(faults) = faults {
                    koza_local::set_faults(&running.endpoint, &faults).await?;
                    say(&format!("{} rules of trouble are in force", faults.len()));
                }
                tell(context, &running);
            }
            Local::Down => {
                let ended = koza_local::down(&workspace.local()).await?;
                let told = if ended { "the local AWS has ended" } else { "no local AWS was running" };
                context.print(&json!({"ended": ended}), told);
            }
            Local::Status => match koza_local::status(&workspace.local()).await? {
                Some(running) => tell(context, &running),
                None => {
                    context.print(&json!({"running": false}), "no local AWS is running: `koza local up` starts one");
                    return Ok(Need::NotTrue);
                }
            },
            Local::Calls => {
                let running = koza_local::status(&workspace.local()).await?;
                let running = running.ok_or_else(|| Wrong("no local AWS is running".to_owned()))?;
                let counts = koza_local::count(&koza_local::calls(&running.endpoint).await?);
                let mut text = crate::output::table(["service", "operation", "calls", "failed"]);
                for ((service, operation), (calls, failed)) in &counts {
                    text.add_row([service.clone(), operation.clone(), calls.to_string(), failed.to_string()]);
                }
                let list: Vec<_> = counts
                    .iter()
                    .map(|((service, operation), (calls, failed))| {
                        json!({"service": service, "operation": operation, "calls": calls, "failed": failed})
                    })
                    .collect();
                context.print(&json!(list), text);
            }
            Local::Serve { .. } => {}
        }
        Ok(Need::Nothing)
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (1.0..=1_000.0).contains(&speed) => Ok(speed),
        _ => Err("give a number from 1 to 1000".to_owned()),
    }
}

fn read_faults(path: &Path) -> anyhow::Result<Vec<Fault>> {
    let wrong = |e: &dyn std::fmt::Display| Wrong(format!("{}: {e}", path.display()));
    let bytes = std::fs::read(path).map_err(|e| wrong(&e))?;
    Ok(serde_json::from_slice(&bytes).map_err(|e| wrong(&e))?)
}

fn tell(context: &Context, running: &Running) {
    let environment = workspace::environment(&running.endpoint);
    let exports: Vec<String> = environment.iter().map(|(name, value)| format!("export {name}={value}")).collect();
    let variables: serde_json::Map<_, _> = environment.iter().map(|(n, v)| ((*n).to_owned(), json!(v))).collect();
    context.print(
        &json!({"running": true, "endpoint": running.endpoint, "environment": variables, "speed": running.speed}),
        format!(
            "The local AWS listens on {}; its clock runs {} times as fast as AWS's.\n\
             `koza --local ...` uses it. To point any AWS client at it, as the operations account:\n\n{}",
            running.endpoint,
            running.speed,
            exports.join("\n")
        ),
    );
}
