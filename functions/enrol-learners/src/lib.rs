//! A learner gets an account by joining its group, and loses it by leaving. One writer holds the identity store's quota
//! (20 a second for each operation, "Quotas for IAM Identity Center").

mod aws;

use async_trait::async_trait;
pub use aws::AwsDirectory;
pub use identity_center::Member;
use runtime::Clock;
use serde::{Deserialize, Serialize};
use shared::plan::{CoursePlan, LearnerRecord, Placement};
use shared::records::{self, Records, key};
use shared::{CourseId, Fault};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two calls of one operation.
const PACE: Duration = Duration::from_millis(50);

/// Payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What to do.
    pub r#do: Do,
    /// The course.
    pub course: CourseId,
}

/// The four steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Do {
    /// Find or make each learner's user.
    MakeUsers,
    /// Put each learner into the seat's group, which must be empty before.
    Enrol,
    /// Empty the groups of the course's seats.
    End,
    /// Delete the users that we made and that are in no group any more.
    RemoveUsers,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Every learner was seen to.
    pub done: bool,
    /// Otherwise, when to call again.
    pub wait_seconds: u32,
    /// Learners for whom something was written.
    pub changed: usize,
    /// Learners that are left for the next call.
    pub left: usize,
}

/// The identity store, as far as enrolment needs it.
#[async_trait]
pub trait Directory: Send + Sync {
    /// All users: name (lower-case) to id.
    async fn users(&self) -> Result<BTreeMap<String, String>, Fault>;
    /// Makes a learner's user; its id.
    async fn create_user(&self, learner: &Placement) -> Result<String, Fault>;
    /// Deletes a user; gone is fine.
    async fn delete_user(&self, user: &str) -> Result<(), Fault>;
    /// All groups: name to id.
    async fn groups(&self) -> Result<BTreeMap<String, String>, Fault>;
    /// Who is in a group.
    async fn members(&self, group: &str) -> Result<Vec<Member>, Fault>;
    /// Whether a user is in any group.
    async fn is_in_a_group(&self, user: &str) -> Result<bool, Fault>;
    /// Puts a user into a group.
    async fn join(&self, group: &str, user: &str) -> Result<(), Fault>;
    /// Ends a membership; ended is fine.
    async fn leave(&self, membership: &str) -> Result<(), Fault>;
}

/// Handles one call.
pub async fn handle(
    directory: &impl Directory,
    records: &impl Records,
    clock: Clock,
    ask: Ask,
    deadline: Instant,
) -> Result<Answer, Fault> {
    let plan: CoursePlan = records::read_written(records, &key::plan(&ask.course)).await?;
    let users = match ask.r#do {
        Do::MakeUsers | Do::Enrol => directory.users().await?,
        Do::End | Do::RemoveUsers => BTreeMap::new(),
    };
    let groups = match ask.r#do {
        Do::Enrol | Do::End => directory.groups().await?,
        Do::MakeUsers | Do::RemoveUsers => BTreeMap::new(),
    };
    let work = Work { directory, records, course: &plan.course, users, groups };
    let mut answer = Answer::default();
    for place in &plan.seats {
        if Instant::now() >= deadline {
            answer.left += 1;
            continue;
        }
        let key = key::learner(&plan.course, &place.seat.seat);
        let before: LearnerRecord = records::read(records, &key).await?.unwrap_or_default();
        let mut record = LearnerRecord {
            seat: place.seat.seat.to_string(),
            account: place.seat.account.to_string(),
            email: place.email.clone(),
            // A record of another learner on this seat says nothing of this one.
            ..if before.email == place.email { before.clone() } else { LearnerRecord::default() }
        };
        let called = match ask.r#do {
            Do::MakeUsers => work.make_user(place, &mut record).await?,
            Do::Enrol => work.enrol(place, &mut record).await?,
            Do::End => work.end(place, &mut record).await?,
            Do::RemoveUsers => work.remove_user(&mut record).await?,
        };
        if record != before {
            records::write(records, &key, &record).await?;
            answer.changed += 1;
        }
        if called {
            clock.sleep(PACE).await;
        }
    }
    answer.done = answer.left == 0;
    answer.wait_seconds = u32::from(!answer.done);
    Ok(answer)
}

struct Work<'a, D, R> {
    directory: &'a D,
    records: &'a R,
    course: &'a CourseId,
    users: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
}

/// Each step changes the learner's record and says whether it called the directory.
impl<D: Directory, R: Records> Work<'_, D, R> {
    async fn make_user(&self, place: &Placement, record: &mut LearnerRecord) -> Result<bool, Fault> {
        if let Some(id) = self.users.get(place.user_name()) {
            record.user_id = id.clone();
            return Ok(false);
        }
        // Written first: a user that is found later, after a cut, is then known to be ours to remove.
        record.made_user = true;
        records::write(self.records, &key::learner(self.course, &place.seat.seat), record).await?;
        record.user_id = self.directory.create_user(place).await?;
        Ok(true)
    }

    /// A group that is not empty would give somebody else this learner's account: it is left alone and told.
    async fn enrol(&self, place: &Placement, record: &mut LearnerRecord) -> Result<bool, Fault> {
        if record.enrolled {
            return Ok(false);
        }
        let seat = place.seat.seat.as_str();
        let (Some(group), Some(user)) = (self.groups.get(seat), self.users.get(place.user_name())) else {
            record.why = format!("there is no group {seat}, or no user {}", place.user_name());
            return Ok(false);
        };
        let members = self.directory.members(group).await?;
        if let Some(other) = members.iter().find(|m| &m.user != user) {
            record.why = format!("group {seat} was not empty: user {} is in it", other.user);
            return Ok(true);
        }
        if members.is_empty() {
            self.directory.join(group, user).await?;
        }
        record.user_id = user.clone();
        record.enrolled = true;
        record.why = String::new();
        Ok(true)
    }

    /// Everybody leaves the group of a seat that was this course's. Where the record says that it ended, the seat may be
    /// another course's by now.
    async fn end(&self, place: &Placement, record: &mut LearnerRecord) -> Result<bool, Fault> {
        if !record.enrolled {
            return Ok(false);
        }
        if let Some(group) = self.groups.get(place.seat.seat.as_str()) {
            for member in self.directory.members(group).await? {
                self.directory.leave(&member.membership).await?;
            }
        }
        record.enrolled = false;
        Ok(true)
    }

    async fn remove_user(&self, record: &mut LearnerRecord) -> Result<bool, Fault> {
        if !record.made_user {
            return Ok(false);
        }
        if !record.user_id.is_empty() && !self.directory.is_in_a_group(&record.user_id).await? {
            self.directory.delete_user(&record.user_id).await?;
        }
        record.made_user = false;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
