//! One grouped question to Cost Explorer for all seats of all open courses, compared with each course's thresholds.
//!
//! A threshold has fired when its alert was sent, which cost-watch does last: after a cut, freezing is asked for again.

mod aws;

use async_trait::async_trait;
pub use aws::AwsCosts;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use organization::{Organization, policy_named};
use serde::{Deserialize, Serialize};
use shared::costs::{CourseCosts, Reached, of_seats, reached};
use shared::course::Act;
use shared::money::Usd;
use shared::names::FixedPolicy;
use shared::plan::CoursePlan;
use shared::records::{self, AlertRecord, Records, key};
use shared::{AccountId, Fault, Names, Seat};
use std::collections::BTreeMap;

/// Payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Name of the execution.
    pub execution: String,
    /// What the execution was started with: nothing.
    pub input: Input,
}

/// `{}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The day of the reading, UTC.
    pub day: String,
    /// Seats of open courses.
    pub seats: usize,
    /// Seats that Cost Explorer has no row for: unknown, not zero.
    pub unknown: usize,
    /// What to tell.
    pub alerts: Vec<Alert>,
    /// Whom to freeze.
    pub freeze: Vec<Freeze>,
    /// Where the readings are written.
    pub costs_key: String,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// Each is sent once.
    pub id: String,
    /// One line.
    pub subject: String,
    /// All of it.
    pub text: String,
}

/// A seat to freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Freeze {
    /// The seat.
    #[serde(flatten)]
    pub seat: Seat,
    /// Why.
    pub reason: String,
}

/// Cost Explorer.
#[async_trait]
pub trait Costs: Send + Sync {
    /// Cost of each linked account on each day from `start` up to and without `end`, credits and refunds left out.
    async fn daily(&self, start: Date, end: Date) -> Result<Vec<(AccountId, Date, Usd)>, Fault>;
}

/// Handles one call.
pub async fn handle(
    organization: &impl Organization,
    costs: &impl Costs,
    records: &impl Records,
    names: &Names,
    ask: Ask,
    now: Timestamp,
) -> Result<Answer, Fault> {
    tracing::info!(execution = ask.execution, "polling costs");
    let today = now.to_zoned(TimeZone::UTC).date();
    let mut answer = Answer { day: today.to_string(), costs_key: "costs/".to_owned(), ..Answer::default() };
    let plans = open_courses(organization, records, names, today).await?;
    let Some(start) = plans.iter().map(|p| p.starts).min() else { return Ok(answer) };
    let tomorrow = today.checked_add(1.day()).map_err(|e| Fault::because(Fault::Broken, "the day after today", e))?;
    let daily = costs.daily(start, tomorrow).await?;
    for plan in &plans {
        let mut totals: BTreeMap<AccountId, Usd> = BTreeMap::new();
        for (account, _, usd) in daily.iter().filter(|(_, day, _)| *day >= plan.starts) {
            let total = totals.entry(account.clone()).or_default();
            *total = [*total, *usd].into_iter().sum();
        }
        let seats = of_seats(plan, &totals);
        answer.seats += seats.len();
        answer.unknown += seats.iter().filter(|s| s.usd.is_none()).count();
        for reached in reached(plan, &seats) {
            let alert = alert(plan, &reached);
            let fired: Option<AlertRecord> = records::read(records, &key::alert(&alert.id)).await?;
            if fired.is_some_and(|a| a.sent) {
                continue;
            }
            if reached.threshold.act == Act::Freeze {
                answer.freeze.push(Freeze { seat: reached.seat, reason: alert.subject.clone() });
            }
            answer.alerts.push(alert);
        }
        let reading = CourseCosts { day: answer.day.clone(), seats };
        records::write(records, &key::costs(&plan.course, &answer.day), &reading).await?;
    }
    if let [only] = plans.as_slice() {
        answer.costs_key = key::costs(&only.course, &answer.day);
    }
    Ok(answer)
}

/// Courses that have begun and are not closing, by their units.
async fn open_courses(
    organization: &impl Organization,
    records: &impl Records,
    names: &Names,
    today: Date,
) -> Result<Vec<CoursePlan>, Fault> {
    let layout = organization.layout(names).await?;
    let closing = match policy_named(organization, &names.policy(FixedPolicy::Closing)).await? {
        Some(policy) => organization.targets(&policy).await?,
        None => Vec::new(),
    };
    let mut plans = Vec::new();
    for (course, unit) in &layout.courses {
        if closing.contains(&unit.id) {
            continue;
        }
        let plan: Option<CoursePlan> = records::read(records, &key::plan(course)).await?;
        plans.extend(plan.filter(|p| p.starts <= today));
    }
    Ok(plans)
}

fn alert(plan: &CoursePlan, reached: &Reached) -> Alert {
    let Reached { seat, usd, threshold } = reached;
    let learner = plan.seats.iter().find(|p| &p.seat == seat).map_or("nobody", |p| p.email.as_str());
    let then = match threshold.act {
        Act::Alert => "Nothing else was done.",
        Act::Freeze => "The seat is being frozen: its learner is denied until it is thawed.",
    };
    Alert {
        id: format!("cost-{}-{}-{}", plan.course, seat.seat, threshold.percent),
        subject: format!("{} has reached {} % of its budget", seat.seat, threshold.percent),
        text: format!(
            "{} (account {}, learner {learner}) of course {} has cost {usd} USD of {} USD since {}. {then}\nContacts: {}",
            seat.seat,
            seat.account,
            plan.course,
            plan.seat_budget_usd,
            plan.starts,
            plan.contacts.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests;
