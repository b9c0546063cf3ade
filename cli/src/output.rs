//! What every command shares: global options, the connection, progress, tables or JSON.

use crate::client::{Ended, Execution, Koza, Machine};
use crate::workspace::{self, Workspace};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use shared::complaint::Complaints;
use std::time::{Duration, Instant};

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    json: bool,
    /// Use the local AWS that `koza local up` started
    #[arg(long, global = true)]
    local: bool,
    /// Name of Koza's CloudFormation stack
    #[arg(long, global = true, env = "KOZA_STACK", default_value = "koza")]
    stack: String,
    /// A profile of the AWS configuration files
    #[arg(long, global = true)]
    profile: Option<String>,
    /// The Region that Koza is deployed in
    #[arg(long, global = true)]
    region: Option<String>,
}

/// What is left to do after a command that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// A person has to look.
    APerson,
    /// Something that was claimed is not true.
    NotTrue,
}

/// Wrong input of a command; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

/// Options and the way to print.
#[derive(Clone, Debug)]
pub struct Context {
    global: Global,
}

/// What a progress bar counts: records under a prefix.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Where each finished item writes its record.
    pub prefix: String,
    /// How many there will be.
    pub total: u64,
    /// What they are.
    pub noun: &'static str,
}

impl Context {
    /// From the command line.
    pub fn new(global: Global) -> Self {
        Self { global }
    }

    /// Whether JSON is wanted.
    pub fn json(&self) -> bool {
        self.global.json
    }

    /// Connects to the installation.
    pub async fn koza(&self) -> anyhow::Result<Koza> {
        Koza::connect(&self.config().await?, &self.global.stack).await
    }

    async fn config(&self) -> anyhow::Result<SdkConfig> {
        if self.global.local {
            let running = koza_local::status(&Workspace::find()?.local()).await?;
            let running =
                running.ok_or_else(|| Wrong("no local AWS is running: start one with `koza local up`".to_owned()))?;
            return Ok(workspace::config(&running.endpoint, koza_local::OPERATIONS_KEY).await);
        }
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).retry_config(workspace::patient());
        if let Some(profile) = &self.global.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &self.global.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let config = loader.load().await;
        if config.region().is_none() {
            return Err(Wrong(
                "no Region is set: use --region, AWS_REGION or a profile (or --local for the local AWS)".to_owned(),
            )
            .into());
        }
        Ok(config)
    }

    /// Starts a machine, shows how it goes, and gives its output.
    pub async fn run(
        &self,
        koza: &Koza,
        machine: Machine,
        purpose: &str,
        input: Value,
        counted: impl Fn(&Execution) -> Option<Counted>,
    ) -> anyhow::Result<Value> {
        let execution = koza.start(machine, purpose, &input).await?;
        let counted = counted(&execution);
        follow(koza, &execution, counted.as_ref(), !self.global.json).await
    }

    /// Prints the value as JSON, or the text.
    pub fn print(&self, value: &Value, text: impl std::fmt::Display) {
        if self.global.json {
            println!("{}", serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string()));
        } else {
            println!("{text}");
        }
    }

    /// Prints what went wrong: JSON to standard output for scripts, plain words to standard error for people.
    pub fn failed(&self, error: &anyhow::Error) {
        let told = match error.downcast_ref::<shared::Fault>() {
            Some(fault) => fault.chain(),
            None => format!("{error:#}"),
        };
        if self.global.json {
            let name = error.downcast_ref::<Ended>().map_or("Failed", |e| e.error.as_str());
            let complaints = error.downcast_ref::<Complaints>();
            println!("{}", json!({"error": name, "message": told, "complaints": complaints}));
        }
        eprintln!("koza: {told}");
    }
}

/// Follows an execution to its end, with a bar on a terminal if `shown`, and silence elsewhere.
pub async fn follow(
    koza: &Koza,
    execution: &Execution,
    counted: Option<&Counted>,
    shown: bool,
) -> anyhow::Result<Value> {
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(counted.map(|c| c.total), target);
    let template = match counted {
        Some(counted) => {
            format!("  {{spinner}} {{msg}} {{bar:30}} {{pos}}/{{len}} {} ({{elapsed}}, {{eta}} left)", counted.noun)
        }
        None => "  {spinner} {msg} ({elapsed})".to_owned(),
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.set_message(format!("{}: execution {}", execution.machine, execution.name));
    bar.enable_steady_tick(Duration::from_millis(120));
    let mut looked = Instant::now();
    let outcome = koza
        .follow(execution, async || {
            if let Some(counted) = counted.filter(|_| looked.elapsed() > Duration::from_secs(2)) {
                looked = Instant::now();
                bar.set_position(koza.count(&counted.prefix).await);
            }
        })
        .await;
    bar.finish_and_clear();
    outcome
}

/// A table in the house's style.
pub fn table<const N: usize>(headers: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(headers);
    table
}
