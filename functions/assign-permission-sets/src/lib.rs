//! The standing assignments: one permission set, one group a seat, one assignment each. Made once in a seat's life; a
//! learner only joins the group.
//!
//! One writer holds sso-admin's quota (20 a second together, 15 assignments in flight: "Quotas for IAM Identity
//! Center"). It starts by reading what is in flight, so a cut-off run is not asked for twice.

mod aws;

use async_trait::async_trait;
pub use aws::AwsIdentityCenter;
use jiff::{SignedDuration, Timestamp};
use runtime::{Call, Clock};
use serde::{Deserialize, Serialize};
use shared::names::PATH;
use shared::records::{self, Records};
use shared::{AccountId, Fault, Names};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Assignments that AWS works on at once.
pub const MOST_IN_FLIGHT: usize = 15;
/// Between two calls of sso-admin or of the identity store: 20 a second.
const PACE: Duration = Duration::from_millis(50);
/// One assignment takes 3-4 seconds (measured); sooner there is nothing to see.
const WAIT_SECONDS: u32 = 4;

/// Payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "for", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Ask {
    /// The seats of a run of pool-fill.
    Pool {
        /// The seats.
        seats_key: String,
    },
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// AWS says SUCCEEDED for all.
    pub done: bool,
    /// Otherwise, when to call again.
    pub wait_seconds: u32,
    /// Seats whose assignment is there.
    pub assigned: usize,
    /// Assignments that AWS works on.
    pub in_flight: usize,
    /// Seats without one.
    pub left: usize,
}

/// An assignment that AWS gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The account.
    pub account: AccountId,
    /// AWS's reason.
    pub reason: String,
    /// When it was asked for.
    pub at: Timestamp,
}

/// IAM Identity Center, as far as seats need it.
#[async_trait]
pub trait IdentityCenter: Send + Sync {
    /// ARN of a permission set.
    async fn permission_set(&self, name: &str) -> Result<Option<String>, Fault>;
    /// Makes a permission set; its ARN.
    async fn create_permission_set(&self, name: &str) -> Result<String, Fault>;
    /// Names of the customer managed policies that a permission set refers to.
    async fn references(&self, set: &str) -> Result<BTreeSet<String>, Fault>;
    /// Refers to a customer managed policy under a path.
    async fn refer(&self, set: &str, policy: &str, path: &str) -> Result<(), Fault>;
    /// All groups: name to id.
    async fn groups(&self) -> Result<BTreeMap<String, String>, Fault>;
    /// Makes a group; its id.
    async fn create_group(&self, name: &str) -> Result<String, Fault>;
    /// Accounts in which a permission set is provisioned, that is: assigned to somebody.
    async fn provisioned(&self, set: &str) -> Result<BTreeSet<AccountId>, Fault>;
    /// Accounts for which an assignment is being made.
    async fn in_flight(&self) -> Result<BTreeSet<AccountId>, Fault>;
    /// Assignments that failed.
    async fn failures(&self) -> Result<Vec<Failure>, Fault>;
    /// Asks for an assignment.
    async fn assign(&self, set: &str, account: &AccountId, group: &str) -> Result<(), Fault>;
}

/// Handles one call.
pub async fn handle(
    center: &impl IdentityCenter,
    records: &impl Records,
    names: &Names,
    clock: Clock,
    ask: Ask,
    call: Call,
) -> Result<Answer, Fault> {
    let Ask::Pool { seats_key } = ask;
    let seats = records::read_seats(records, &seats_key).await?;
    let set = permission_set(center, names).await?;
    let groups = center.groups().await?;
    let provisioned = center.provisioned(&set).await?;
    let mut flying = center.in_flight().await?;
    let failures = center.failures().await?;
    let mut answer = Answer::default();
    for seat in seats {
        if provisioned.contains(&seat.account) && !flying.contains(&seat.account) {
            answer.assigned += 1;
            continue;
        }
        answer.left += 1;
        if flying.contains(&seat.account) || flying.len() >= MOST_IN_FLIGHT || Instant::now() >= call.deadline {
            continue;
        }
        let group = match groups.get(seat.seat.as_str()) {
            Some(id) => id.clone(),
            None => center.create_group(seat.seat.as_str()).await?,
        };
        refuse_failed(&failures, &seat.account, call.now)?;
        center.assign(&set, &seat.account, &group).await?;
        flying.insert(seat.account);
        clock.sleep(PACE).await;
    }
    answer.in_flight = flying.len();
    answer.done = answer.left == 0;
    answer.wait_seconds = if answer.done { 0 } else { WAIT_SECONDS };
    Ok(answer)
}

/// The learners' permission set with its fixed list of policies. The list is complete before anything is assigned:
/// changing it later would mean provisioning every account again.
async fn permission_set(center: &impl IdentityCenter, names: &Names) -> Result<String, Fault> {
    let name = names.learner_permission_set();
    let set = match center.permission_set(&name).await? {
        Some(set) => set,
        None => center.create_permission_set(&name).await?,
    };
    let there = center.references(&set).await?;
    for policy in names.learner_policies().filter(|p| !there.contains(p)) {
        center.refer(&set, &policy, PATH).await?;
    }
    Ok(set)
}

/// An assignment that AWS has just given up is told with its reason, not asked for again and again.
fn refuse_failed(failures: &[Failure], account: &AccountId, now: Timestamp) -> Result<(), Fault> {
    let fresh = SignedDuration::from_mins(5);
    match failures.iter().find(|f| &f.account == account && now.duration_since(f.at) < fresh) {
        Some(failure) => Err(Fault::broken(format!("AWS could not assign account {account}: {}", failure.reason))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
