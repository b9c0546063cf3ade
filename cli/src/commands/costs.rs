//! `koza costs`.

use crate::client::{Koza, Machine};
use crate::output::{Context, Need, table};
use serde_json::json;
use shared::CourseId;
use shared::costs::CourseCosts;
use shared::plan::CoursePlan;
use shared::records::{self, Records, key};
use std::collections::BTreeSet;

/// What each seat has cost since its course began
///
/// Shows the last reading; --poll takes a new one first (cost-watch: it also alerts and freezes).
#[derive(Debug, clap::Args)]
pub struct Costs {
    /// Only this course
    course: Option<String>,
    /// Read the costs now
    #[arg(long)]
    poll: bool,
}

impl Costs {
    /// Runs it.
    pub async fn run(self, context: &Context) -> anyhow::Result<Need> {
        let koza = context.koza().await?;
        let watched = match self.poll {
            true => Some(context.run(&koza, Machine::CostWatch, "cost-watch-by-hand", json!({}), |_| None).await?),
            false => None,
        };
        let courses = match self.course {
            Some(course) => vec![CourseId(course)],
            None => courses(&koza).await?,
        };
        let mut text = table(["course", "seat", "account", "learner", "USD", "of budget"]);
        let mut readings = Vec::new();
        for course in courses {
            let Some(reading) = last(&koza, &course).await? else { continue };
            let plan: CoursePlan = records::read_written(koza.records(), &key::plan(&course)).await?;
            for cost in &reading.seats {
                let learner = plan.seats.iter().find(|p| p.seat == cost.seat).map_or("", |p| p.email.as_str());
                let (usd, part) = match cost.usd {
                    Some(usd) => (usd.to_string(), percent(usd.as_cents(), plan.seat_budget_usd.as_cents())),
                    None => ("unknown".to_owned(), String::new()),
                };
                text.add_row([
                    course.as_str(),
                    cost.seat.seat.as_str(),
                    cost.seat.account.as_str(),
                    learner,
                    &usd,
                    &part,
                ]);
            }
            readings.push(json!({"course": course, "reading": reading}));
        }
        let told = match readings.len() {
            0 => "no costs were read yet: `koza costs --poll` reads them".to_owned(),
            _ => text.to_string(),
        };
        context.print(&json!({"watched": watched, "courses": readings}), told);
        Ok(Need::Nothing)
    }
}

fn percent(part: i64, whole: i64) -> String {
    format!("{} %", if whole == 0 { 0 } else { part * 100 / whole })
}

async fn courses(koza: &Koza) -> anyhow::Result<Vec<CourseId>> {
    let keys = koza.records().keys("costs/").await?;
    let ids: BTreeSet<&str> = keys.iter().filter_map(|k| k.split('/').nth(1)).collect();
    Ok(ids.into_iter().map(CourseId::from).collect())
}

/// A course's last reading.
pub async fn last(koza: &Koza, course: &CourseId) -> anyhow::Result<Option<CourseCosts>> {
    let keys = koza.records().keys(&key::costs_of(course)).await?;
    match keys.iter().max() {
        Some(key) => Ok(records::read(koza.records(), key).await?),
        None => Ok(None),
    }
}
