//! Makes what is ours in a seat what it must be: roles, learner policies, the alias; and the keeper, for as long as a
//! sweep needs it. Reads first and writes only what differs.

mod aws;

use async_trait::async_trait;
pub use aws::AwsIam;
use jiff::Timestamp;
use runtime::Settings;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::ids::SweepId;
use shared::keepset::{Keep, KeepSet, SeenRole};
use shared::names::MemberRole;
use shared::plan::CoursePlan;
use shared::policies::{self, MOST_MANAGED_CHARACTERS, minified};
use shared::records::{self, Records, key};
use shared::sweep::admission::Admission;
use shared::{AccountId, CourseId, Fault, Seat, SeatName};

/// Payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// A new seat, or one that is made again.
    Pool {
        /// The seat.
        seat: SeatName,
        /// Its account.
        account: AccountId,
        /// Prefix of the run's records.
        run: String,
    },
    /// A seat that joins a course.
    Course {
        /// The seat.
        seat: SeatName,
        /// Its account.
        account: AccountId,
        /// The course.
        course: CourseId,
    },
    /// A seat that is about to be swept.
    Sweep {
        /// The seat.
        seat: SeatName,
        /// Its account.
        account: AccountId,
        /// The sweep.
        sweep: SweepId,
    },
    /// A seat that was swept.
    AfterSweep {
        /// The seat.
        seat: SeatName,
        /// Its account.
        account: AccountId,
        /// The sweep.
        sweep: SweepId,
    },
}

impl Ask {
    /// The seat that it is about.
    pub fn seat(&self) -> Seat {
        let (Ask::Pool { seat, account, .. }
        | Ask::Course { seat, account, .. }
        | Ask::Sweep { seat, account, .. }
        | Ask::AfterSweep { seat, account, .. }) = self;
        Seat { seat: seat.clone(), account: account.clone() }
    }
}

/// The record of a prepared seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Prepared {
    ready: bool,
    why: String,
}

/// The answer: what came of it is in the record, so that a fan-out carries nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {}

/// IAM of one account.
#[async_trait]
pub trait SeatIam: Send + Sync {
    /// The account's alias.
    async fn alias(&self) -> Result<Option<String>, Fault>;
    /// Gives the account an alias.
    async fn set_alias(&self, alias: &str) -> Result<(), Fault>;
    /// A role by its name.
    async fn role(&self, name: &str) -> Result<Option<SeenRole>, Fault>;
    /// Makes a role under our path.
    async fn create_role(&self, name: &str, trust: &Value) -> Result<(), Fault>;
    /// Rewrites a role's trust policy.
    async fn set_trust(&self, name: &str, trust: &Value) -> Result<(), Fault>;
    /// Writes an inline policy.
    async fn put_inline(&self, role: &str, name: &str, document: &Value) -> Result<(), Fault>;
    /// Deletes an inline policy.
    async fn delete_inline(&self, role: &str, name: &str) -> Result<(), Fault>;
    /// Attaches a managed policy.
    async fn attach(&self, role: &str, arn: &str) -> Result<(), Fault>;
    /// Detaches a managed policy.
    async fn detach(&self, role: &str, arn: &str) -> Result<(), Fault>;
    /// Deletes a role that has no policies.
    async fn delete_role(&self, name: &str) -> Result<(), Fault>;
    /// What a customer managed policy says by default.
    async fn policy(&self, arn: &str) -> Result<Option<Value>, Fault>;
    /// Makes a customer managed policy under our path.
    async fn create_policy(&self, name: &str, document: &str) -> Result<(), Fault>;
    /// Makes a new default version; of the others only the last one stays.
    async fn rewrite_policy(&self, arn: &str, document: &str) -> Result<(), Fault>;
}

/// Handles one call. `identity` is the account that the credentials belong to.
pub async fn handle(
    iam: &impl SeatIam,
    records: &impl Records,
    settings: &Settings,
    identity: &AccountId,
    ask: Ask,
    now: Timestamp,
) -> Result<Answer, Fault> {
    let seat = ask.seat();
    if &seat.account != identity {
        return Err(Fault::refused(format!("the credentials for {} belong to account {identity}", seat.seat)));
    }
    let keep = KeepSet::of(&settings.names, &settings.management, &settings.operations, &seat, None);
    let work = Work { iam, settings, seat: &seat, keep };
    let (record, done) = match &ask {
        Ask::Pool { run, .. } => (Some(key::seat_prepared(run, &seat.seat)), work.whole_seat().await),
        Ask::Course { course, .. } => {
            let plan: CoursePlan = records::read_written(records, &key::plan(course)).await?;
            let written = work.learner_policies(&policies::learner(&plan)).await;
            (Some(key::course_seat_prepared(course, &seat.seat)), written)
        }
        Ask::Sweep { sweep, .. } => {
            let admission: Admission = records::read_written(records, &key::admission(sweep)).await?;
            admission.admit(sweep, &seat, identity, &settings.never_touch, now)?;
            (None, work.role(MemberRole::Keeper).await)
        }
        Ask::AfterSweep { .. } => (None, work.no_keeper().await),
    };
    if let Some(record) = record.filter(|_| !matches!(done, Err(Fault::Transient(_)))) {
        let why = done.as_ref().err().map(Fault::chain).unwrap_or_default();
        records::write(records, &record, &Prepared { ready: done.is_ok(), why }).await?;
    }
    done.map(|()| Answer {})
}

struct Work<'a, I> {
    iam: &'a I,
    settings: &'a Settings,
    seat: &'a Seat,
    keep: KeepSet,
}

impl<I: SeatIam> Work<'_, I> {
    /// Everything, and then read again: a seat is ready when all of it is as it must be.
    async fn whole_seat(&self) -> Result<(), Fault> {
        let names = &self.settings.names;
        self.learner_policies(&policies::learner_base()).await?;
        for role in MemberRole::STANDING {
            self.role(role).await?;
        }
        let alias = names.alias(&self.seat.seat, &self.seat.account);
        if self.iam.alias().await?.as_deref() != Some(&alias) {
            self.iam.set_alias(&alias).await?;
        }
        for role in MemberRole::STANDING {
            let name = names.member_role(role);
            match self.iam.role(&name).await? {
                Some(seen) if self.keep.judge_role(&seen) == Keep::AsExpected => {}
                Some(_) => return Err(Fault::conflict(format!("role {name} is not yet as it was written"))),
                None => return Err(Fault::conflict(format!("role {name} is not yet there"))),
            }
        }
        Ok(())
    }

    async fn learner_policies(&self, documents: &[Value]) -> Result<(), Fault> {
        let names = &self.settings.names;
        for (n, document) in documents.iter().enumerate() {
            let (name, arn) = (names.learner_policy(n + 1), names.learner_policy_arn(&self.seat.account, n + 1));
            let text = minified(&name, document, MOST_MANAGED_CHARACTERS)?;
            match self.iam.policy(&arn).await? {
                None => self.iam.create_policy(&name, &text).await?,
                Some(now) if &now != document => self.iam.rewrite_policy(&arn, &text).await?,
                Some(_) => {}
            }
        }
        Ok(())
    }

    async fn role(&self, role: MemberRole) -> Result<(), Fault> {
        let name = self.settings.names.member_role(role);
        let arn = self.settings.names.member_role_arn(&self.seat.account, role);
        let expected = self.keep.role(&arn).ok_or_else(|| Fault::broken(format!("{arn} is not in the keep-set")))?;
        let seen = match self.iam.role(&name).await? {
            Some(seen) if seen.arn != arn => {
                return Err(Fault::refused(format!("{} has the name of a role of ours on another path", seen.arn)));
            }
            Some(seen) => seen,
            None => {
                self.iam.create_role(&name, &expected.trust).await?;
                SeenRole { arn, trust: expected.trust.clone(), ..SeenRole::default() }
            }
        };
        if self.keep.judge_role(&seen) == Keep::AsExpected {
            return Ok(());
        }
        if seen.trust != expected.trust {
            self.iam.set_trust(&name, &expected.trust).await?;
        }
        for (policy, document) in &expected.inline {
            if seen.inline.get(policy) != Some(document) {
                self.iam.put_inline(&name, policy, document).await?;
            }
        }
        for policy in seen.inline.keys().filter(|p| !expected.inline.contains_key(*p)) {
            self.iam.delete_inline(&name, policy).await?;
        }
        let wanted = expected.attached.clone().unwrap_or_default();
        for policy in wanted.difference(&seen.attached) {
            self.iam.attach(&name, policy).await?;
        }
        for policy in seen.attached.difference(&wanted) {
            self.iam.detach(&name, policy).await?;
        }
        Ok(())
    }

    async fn no_keeper(&self) -> Result<(), Fault> {
        let name = self.settings.names.member_role(MemberRole::Keeper);
        let arn = self.settings.names.member_role_arn(&self.seat.account, MemberRole::Keeper);
        let Some(seen) = self.iam.role(&name).await?.filter(|seen| seen.arn == arn) else { return Ok(()) };
        for policy in seen.inline.keys() {
            self.iam.delete_inline(&name, policy).await?;
        }
        for policy in &seen.attached {
            self.iam.detach(&name, policy).await?;
        }
        self.iam.delete_role(&name).await
    }
}

#[cfg(test)]
mod tests;
