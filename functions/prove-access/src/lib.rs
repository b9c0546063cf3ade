//! Two proofs. Access: a learner is alone in the seat's group, and that group reaches exactly the seat's account with
//! exactly the learners' permission set. Denial: a role that learners' policies bind is refused a harmless call; that it
//! could not be asked is not a refusal.

mod aws;

use async_trait::async_trait;
pub use aws::{AwsCenter, AwsProbe};
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use shared::plan::{CoursePlan, LearnerRecord, Placement};
use shared::records::{self, Records, key};
use shared::{AccountId, CourseId, Fault, Names, Seat, SeatName};
use std::collections::BTreeMap;
use std::time::Instant;

/// Learners looked at at the same time: two calls each, below the identity store's 20 a second.
const AT_ONCE: usize = 4;
/// Accounts probed at the same time; each has a quota of its own.
const PROBES: usize = 32;
/// A policy that was attached takes effect after seconds.
const WAIT_SECONDS: u32 = 3;
/// How many seats an answer names.
const MOST_NAMED: usize = 100;

/// Payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "check", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Ask {
    /// Everybody in a course reaches exactly their own account.
    Access {
        /// The course.
        course: CourseId,
    },
    /// Nobody in these seats can act.
    Denied {
        /// The seats.
        #[serde(default)]
        seats_key: Option<String>,
        /// Or the seats themselves.
        #[serde(default)]
        seats: Option<Vec<Seat>>,
    },
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Answer {
    /// Of access.
    Access {
        /// Always: there is nothing to wait for.
        done: bool,
        /// Learners proved.
        proved: usize,
        /// The others, the first hundred.
        failed: Vec<Failed>,
    },
    /// Of denial.
    Denied {
        /// All were refused.
        done: bool,
        /// Otherwise, when to ask again.
        wait_seconds: u32,
        /// Seats that were refused.
        denied: usize,
        /// The others, the first hundred.
        allowed: Vec<Failed>,
    },
}

/// A seat for which the proof failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The seat.
    pub seat: SeatName,
    /// What was seen.
    pub why: String,
}

/// Reading Identity Center.
#[async_trait]
pub trait Center: Send + Sync {
    /// All groups: name to id.
    async fn groups(&self) -> Result<BTreeMap<String, String>, Fault>;
    /// ARN of a permission set.
    async fn permission_set(&self, name: &str) -> Result<Option<String>, Fault>;
    /// Ids of the users in a group.
    async fn members(&self, group: &str) -> Result<Vec<String>, Fault>;
    /// What a group is assigned to: account and permission set.
    async fn assignments(&self, group: &str) -> Result<Vec<(AccountId, String)>, Fault>;
}

/// What came of a harmless call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// It was allowed.
    Allowed,
    /// It was refused.
    Denied,
    /// It could not be asked.
    NotAsked(String),
}

/// Trying what a learner may.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Makes a harmless call in an account, as the probe.
    async fn act(&self, account: &AccountId) -> Probed;
}

/// Handles one call.
pub async fn handle(
    center: &impl Center,
    probe: &impl Probe,
    records: &impl Records,
    names: &Names,
    ask: Ask,
    deadline: Instant,
) -> Result<Answer, Fault> {
    match ask {
        Ask::Access { course } => access(center, records, names, &course, deadline).await,
        Ask::Denied { seats_key, seats } => {
            let seats = match (seats, seats_key) {
                (Some(seats), None) => seats,
                (None, Some(key)) => records::read_seats(records, &key).await?,
                _ => return Err(Fault::invalid("give either seats or seatsKey")),
            };
            Ok(denied(probe, seats).await)
        }
    }
}

async fn access(
    center: &impl Center,
    records: &impl Records,
    names: &Names,
    course: &CourseId,
    deadline: Instant,
) -> Result<Answer, Fault> {
    let plan: CoursePlan = records::read_written(records, &key::plan(course)).await?;
    let groups = center.groups().await?;
    let name = names.learner_permission_set();
    let set = center
        .permission_set(&name)
        .await?
        .ok_or_else(|| Fault::broken(format!("there is no permission set {name}: run pool-fill first")))?;
    let outcomes: Vec<Result<Option<Failed>, Fault>> = stream::iter(&plan.seats)
        .map(|place| prove(center, records, &plan.course, place, &groups, &set, deadline))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut failed: Vec<Failed> = Vec::new();
    for outcome in outcomes {
        failed.extend(outcome?);
    }
    let proved = plan.seats.len() - failed.len();
    failed.truncate(MOST_NAMED);
    Ok(Answer::Access { done: true, proved, failed })
}

/// Proves one learner and writes it down; what was wrong, if it was.
async fn prove(
    center: &impl Center,
    records: &impl Records,
    course: &CourseId,
    place: &Placement,
    groups: &BTreeMap<String, String>,
    set: &str,
    deadline: Instant,
) -> Result<Option<Failed>, Fault> {
    let seat = &place.seat;
    let key = key::learner(course, &seat.seat);
    let before: LearnerRecord = records::read(records, &key).await?.unwrap_or_default();
    let objection = if Instant::now() >= deadline {
        Some("there was no time to prove it: start course-open again".to_owned())
    } else if !before.enrolled {
        Some(if before.why.is_empty() { "not enrolled".to_owned() } else { before.why.clone() })
    } else {
        match groups.get(seat.seat.as_str()) {
            None => Some(format!("there is no group {}", seat.seat)),
            Some(group) => {
                let members = center.members(group).await?;
                let assignments = center.assignments(group).await?;
                objection(&before.user_id, seat, set, &members, &assignments)
            }
        }
    };
    let after =
        LearnerRecord { proved: objection.is_none(), why: objection.clone().unwrap_or_default(), ..before.clone() };
    if after != before {
        records::write(records, &key, &after).await?;
    }
    Ok(objection.map(|why| Failed { seat: seat.seat.clone(), why }))
}

/// What is wrong with a learner's access, or `None`.
pub fn objection(
    user: &str,
    seat: &Seat,
    set: &str,
    members: &[String],
    assignments: &[(AccountId, String)],
) -> Option<String> {
    if members != [user.to_owned()] {
        return Some(format!("the group's members are {members:?} and not the learner {user} alone"));
    }
    if assignments != [(seat.account.clone(), set.to_owned())] {
        let seen: Vec<String> = assignments.iter().map(|(account, set)| format!("{account} with {set}")).collect();
        return Some(format!("the group reaches [{}] and not exactly {} with {set}", seen.join(", "), seat.account));
    }
    None
}

async fn denied(probe: &impl Probe, seats: Vec<Seat>) -> Answer {
    let probed: Vec<(Seat, Probed)> = stream::iter(seats)
        .map(|seat| async move {
            let probed = probe.act(&seat.account).await;
            (seat, probed)
        })
        .buffered(PROBES)
        .collect()
        .await;
    let all = probed.len();
    let mut allowed: Vec<Failed> = probed
        .into_iter()
        .filter_map(|(seat, probed)| match probed {
            Probed::Denied => None,
            Probed::Allowed => Some(Failed { seat: seat.seat, why: "a learner can still act".to_owned() }),
            Probed::NotAsked(why) => Some(Failed { seat: seat.seat, why: format!("it could not be asked: {why}") }),
        })
        .collect();
    let done = allowed.is_empty();
    let denied = all - allowed.len();
    allowed.truncate(MOST_NAMED);
    Answer::Denied { done, wait_seconds: if done { 0 } else { WAIT_SECONDS }, denied, allowed }
}

#[cfg(test)]
mod tests;
