//! What costs mean: which thresholds are reached, and what is to be done. Missing is unknown, never zero.

use crate::course::{Act, Threshold};
use crate::ids::{AccountId, Seat};
use crate::money::Usd;
use crate::plan::CoursePlan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one seat has cost since the course began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatCost {
    /// The seat.
    #[serde(flatten)]
    pub seat: Seat,
    /// `None`: Cost Explorer had no row, so it is unknown.
    pub usd: Option<Usd>,
}

/// The record of one day's reading of a course.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CourseCosts {
    /// The day of the reading, UTC.
    pub day: String,
    /// Each seat, from the first day of the course.
    pub seats: Vec<SeatCost>,
}

/// A threshold that a seat has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The seat.
    pub seat: Seat,
    /// What it cost.
    pub usd: Usd,
    /// The threshold.
    pub threshold: Threshold,
}

/// The seats' costs out of one grouped answer.
pub fn of_seats(plan: &CoursePlan, costs: &BTreeMap<AccountId, Usd>) -> Vec<SeatCost> {
    plan.seats().into_iter().map(|seat| SeatCost { usd: costs.get(&seat.account).copied(), seat }).collect()
}

/// For each seat the highest threshold of each act that it has reached. A freeze is told even when an alert at a lower
/// part was never sent: the highest wins.
pub fn reached(plan: &CoursePlan, seats: &[SeatCost]) -> Vec<Reached> {
    let mut all = Vec::new();
    for cost in seats {
        let Some(usd) = cost.usd else { continue };
        let highest = plan
            .thresholds
            .iter()
            .filter(|t| usd.is_at_least_percent_of(t.percent, plan.seat_budget_usd))
            .max_by_key(|t| (t.percent, matches!(t.act, Act::Freeze)));
        if let Some(threshold) = highest {
            all.push(Reached { seat: cost.seat.clone(), usd, threshold: threshold.clone() });
        }
    }
    all
}
