//! `koza pool`.

use crate::client::{Machine, by_state};
use crate::output::{Context, Counted, Need, table};
use serde_json::json;
use shared::records::key;

/// The pool of seats
#[derive(Debug, clap::Subcommand)]
pub enum Pool {
    /// Make seats until there are as many as wanted, and prepare what is not ready
    Fill {
        /// How many seats there shall be
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=9_999))]
        seats: u32,
    },
    /// How many seats are in which state, and where each is
    Status,
}

impl Pool {
    /// Runs it.
    pub async fn run(self, context: &Context) -> anyhow::Result<Need> {
        let koza = context.koza().await?;
        match self {
            Pool::Fill { seats } => {
                let counted = |execution: &crate::client::Execution| {
                    Some(Counted {
                        prefix: format!("{}/seats/", key::fill(&execution.name)),
                        total: u64::from(seats),
                        noun: "seats prepared",
                    })
                };
                let answer =
                    context.run(&koza, Machine::PoolFill, "pool-fill", json!({"seats": seats}), counted).await?;
                let not_ready = answer["notReady"].as_array().cloned().unwrap_or_default();
                let mut text = format!(
                    "{} seats wanted, {} were missing, {} prepared now",
                    answer["wanted"], answer["missing"], answer["prepared"]
                );
                for seat in &not_ready {
                    text.push_str(&format!("\nnot ready: {} ({}): {}", seat["seat"], seat["account"], seat["why"]));
                }
                context.print(&answer, text);
                Ok(if not_ready.is_empty() { Need::Nothing } else { Need::APerson })
            }
            Pool::Status => {
                let mut counts = table(["state", "seats"]);
                let seats = koza.seats().await?;
                let by_state = by_state(&seats);
                for (state, count) in &by_state {
                    counts.add_row([state.clone(), count.to_string()]);
                }
                let mut places = table(["seat", "account", "state"]);
                for (seat, state) in &seats {
                    places.add_row([seat.seat.to_string(), seat.account.to_string(), state.to_string()]);
                }
                let list: Vec<_> = seats
                    .iter()
                    .map(
                        |(seat, state)| json!({"seat": seat.seat, "account": seat.account, "state": state.to_string()}),
                    )
                    .collect();
                context.print(&json!({"states": by_state, "seats": list}), format!("{places}\n{counts}"));
                Ok(Need::Nothing)
            }
        }
    }
}
