//! `koza freeze` and `koza thaw`.

use crate::client::Machine;
use crate::output::{Context, Need};
use serde_json::json;

/// Deny a seat's learner everything, and prove it
#[derive(Debug, clap::Args)]
pub struct Freeze {
    /// The seat's name
    seat: String,
    /// Why, for whoever reads the alert
    #[arg(long)]
    reason: String,
}

/// Take a seat out of the freeze
#[derive(Debug, clap::Args)]
pub struct Thaw {
    /// The seat's name
    seat: String,
    /// Why, for whoever reads the alert
    #[arg(long)]
    reason: String,
}

impl Freeze {
    /// Runs it.
    pub async fn run(self, context: &Context) -> anyhow::Result<Need> {
        change(
            context,
            Machine::SeatFreeze,
            "freeze",
            "is frozen, and its learner was seen to be denied",
            self.seat,
            self.reason,
        )
        .await
    }
}

impl Thaw {
    /// Runs it.
    pub async fn run(self, context: &Context) -> anyhow::Result<Need> {
        change(context, Machine::SeatThaw, "thaw", "is out of the freeze", self.seat, self.reason).await
    }
}

async fn change(
    context: &Context,
    machine: Machine,
    verb: &str,
    done: &str,
    seat: String,
    reason: String,
) -> anyhow::Result<Need> {
    let koza = context.koza().await?;
    let input = json!({"seat": seat, "reason": reason});
    let answer = context.run(&koza, machine, &format!("{seat}-{verb}"), input, |_| None).await?;
    context.print(&answer, format!("{seat} {done}"));
    Ok(Need::Nothing)
}
