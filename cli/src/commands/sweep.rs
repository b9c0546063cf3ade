//! `koza sweep`.

use crate::client::{Koza, Machine};
use crate::output::{Context, Need, Wrong, table};
use serde_json::json;
use shared::records::{self, Records};
use shared::sweep::Left;
use shared::{AccountId, Seat};

/// Empty one seat's account, or show what would go
///
/// Without --delete nothing is changed: what is there is listed with a role that can only read. With --delete a seat
/// that is Available or in Quarantine moves to Sweeping, is emptied and judged, and goes back by its verdict.
#[derive(Debug, clap::Args)]
pub struct Sweep {
    /// Twelve digits, or a seat's name
    account: String,
    /// Delete what is there
    #[arg(long)]
    delete: bool,
}

impl Sweep {
    /// Runs it.
    pub async fn run(self, context: &Context) -> anyhow::Result<Need> {
        let koza = context.koza().await?;
        let seat = self.seat(&koza).await?;
        let purpose = if self.delete { format!("{}-sweep", seat.seat) } else { format!("{}-plan", seat.seat) };
        let input = json!({"account": seat.account, "delete": self.delete});
        let answer = context.run(&koza, Machine::AccountSweep, &purpose, input, |_| None).await?;
        let sweep = answer["sweep"].as_str().unwrap_or_default();
        if !self.delete {
            let found = listed(&koza, sweep, &seat).await?;
            let mut text = table(["kind", "id", "region", "note"]);
            for item in &found {
                text.add_row([&item.kind, &item.id, &item.region, &item.why]);
            }
            let unknown: u64 =
                answer["families"].as_array().into_iter().flatten().filter_map(|f| f["unknown"].as_u64()).sum();
            let told = match (found.len(), unknown) {
                (0, 0) => format!("{}: nothing is there. Nothing was changed.", seat.seat),
                (n, 0) => format!("{text}\n{n} things would go; --delete deletes them. Nothing was changed."),
                (n, u) => {
                    format!("{text}\n{n} things would go, and {u} kinds could not be listed. Nothing was changed.")
                }
            };
            context
                .print(&json!({"seat": seat.seat, "account": seat.account, "found": found, "unknown": unknown}), told);
            return Ok(if unknown == 0 { Need::Nothing } else { Need::APerson });
        }
        let verdict: Option<shared::sweep::verdict::Judgement> =
            records::read(koza.records(), &records::key::verdict(&sweep.into(), &seat.seat)).await?;
        let Some(verdict) = verdict else {
            return Err(anyhow::anyhow!("the sweep left no verdict: the account counts as unknown"));
        };
        let told = format!("{} ({}) is {}: {}", seat.seat, seat.account, verdict.verdict, verdict.why);
        context.print(&json!({"seat": seat.seat, "account": seat.account, "judgement": verdict}), told);
        Ok(if verdict.verdict.is_clean() { Need::Nothing } else { Need::APerson })
    }

    async fn seat(&self, koza: &Koza) -> anyhow::Result<Seat> {
        let seats = koza.seats().await?;
        let wanted = AccountId::from(self.account.as_str());
        let found =
            seats.into_iter().map(|(seat, _)| seat).find(|s| s.account == wanted || s.seat.as_str() == self.account);
        found.ok_or_else(|| {
            Wrong(format!("{} is no seat: `koza pool status` lists them with their accounts", self.account)).into()
        })
    }
}

/// Everything that the plan's listing saw.
async fn listed(koza: &Koza, sweep: &str, seat: &Seat) -> anyhow::Result<Vec<Left>> {
    let mut all = Vec::new();
    for key in koza.records().keys(&format!("sweeps/{sweep}/listings/{}/", seat.seat)).await? {
        let listing: Vec<Left> = records::read_written(koza.records(), &key).await?;
        all.extend(listing);
    }
    Ok(all)
}
