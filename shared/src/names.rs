//! Every name that Koza gives, in one place. Two installations never share one, because the installation's id is in each.

use crate::ids::{AccountId, CourseId, SeatName};

/// IAM path of everything of ours, in every account. Trust between accounts rests on it, never on a role's ARN:
/// a role that is made again has the same ARN but another identity.
pub const PATH: &str = "/koza/";
/// Path of the roles that IAM Identity Center makes for permission sets.
pub const IDENTITY_CENTER_PATH: &str = "/aws-reserved/sso.amazonaws.com/";
/// The role that `CreateAccount` makes in a new account; it trusts the management account.
pub const ACCESS_ROLE: &str = "OrganizationAccountAccessRole";
/// How many customer managed policies a seat's permission set refers to. Fixed: changing the list would mean
/// provisioning every account again.
pub const LEARNER_POLICIES: usize = 2;

/// Where in its life a seat is. The organizational unit is the state: there is no second truth.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Made, not ready.
    Preparing,
    /// Ready, clean, nobody's.
    Available,
    /// In a course.
    Active(CourseId),
    /// One seat that is being closed by itself.
    Sweeping,
    /// Not clean; a person looks.
    Quarantine,
    /// A guardrail is tried here first.
    Trial,
    /// Not (or no longer) under the pool's OU.
    Outside,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            State::Preparing => f.write_str("Preparing"),
            State::Available => f.write_str("Available"),
            State::Active(course) => write!(f, "Active/{course}"),
            State::Sweeping => f.write_str("Sweeping"),
            State::Quarantine => f.write_str("Quarantine"),
            State::Trial => f.write_str("Trial"),
            State::Outside => f.write_str("outside the pool"),
        }
    }
}

/// The OUs directly below the pool's own, in the order in which they are made.
pub const UNITS: [&str; 6] = ["Preparing", "Available", "Active", "Sweeping", "Quarantine", "Trial"];

/// A role of ours in a member account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemberRole {
    /// Prepares a seat.
    Operator,
    /// Lists, and can do nothing else.
    Reader,
    /// Deletes; where a seat is active, the SCP `active` leaves it only reads.
    Sweeper,
    /// Tries what a learner may. Exempt from no policy.
    Probe,
    /// Handed to CloudFormation for deleting somebody's stack. Exists only while the account is closing.
    Keeper,
}

impl MemberRole {
    /// The roles that always exist in a seat.
    pub const STANDING: [MemberRole; 4] =
        [MemberRole::Operator, MemberRole::Reader, MemberRole::Sweeper, MemberRole::Probe];
    /// All of them.
    pub const ALL: [MemberRole; 5] =
        [MemberRole::Operator, MemberRole::Reader, MemberRole::Sweeper, MemberRole::Probe, MemberRole::Keeper];

    /// Last part of the role's name.
    pub fn word(self) -> &'static str {
        match self {
            MemberRole::Operator => "operator",
            MemberRole::Reader => "reader",
            MemberRole::Sweeper => "sweeper",
            MemberRole::Probe => "probe",
            MemberRole::Keeper => "keeper",
        }
    }
}

/// A role of ours in the management account (`management.yaml`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagementRole {
    /// Reads the organization.
    OrganizationReader,
    /// Reads costs.
    CostReader,
    /// Creates, tags and moves accounts; may take the access role of a new account.
    PoolWriter,
    /// Writes organizational units and policies.
    GuardrailWriter,
}

impl ManagementRole {
    /// Last part of the role's name.
    pub fn word(self) -> &'static str {
        match self {
            ManagementRole::OrganizationReader => "organization-reader",
            ManagementRole::CostReader => "cost-reader",
            ManagementRole::PoolWriter => "pool-writer",
            ManagementRole::GuardrailWriter => "guardrail-writer",
        }
    }
}

/// The five fixed policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FixedPolicy {
    /// On the pool's OU: nobody but us touches what is ours; nothing irreversible.
    Floor,
    /// On Available and Quarantine: denies everyone but us.
    Resting,
    /// On each course's OU: our own sweeper and keeper can only read.
    Active,
    /// On one account (or a course): people are denied until it is thawed.
    Frozen,
    /// On Sweeping, and on a course's OU while it closes.
    Closing,
}

impl FixedPolicy {
    /// All of them.
    pub const ALL: [FixedPolicy; 5] =
        [FixedPolicy::Floor, FixedPolicy::Resting, FixedPolicy::Active, FixedPolicy::Frozen, FixedPolicy::Closing];

    /// Last part of the policy's name.
    pub fn word(self) -> &'static str {
        match self {
            FixedPolicy::Floor => "floor",
            FixedPolicy::Resting => "resting",
            FixedPolicy::Active => "active",
            FixedPolicy::Frozen => "frozen",
            FixedPolicy::Closing => "closing",
        }
    }

    /// The OUs (by [`UNITS`] name, `""` is the pool's own) to which it is attached for good.
    pub fn standing_targets(self) -> &'static [&'static str] {
        match self {
            FixedPolicy::Floor => &[""],
            FixedPolicy::Resting => &["Available", "Quarantine"],
            FixedPolicy::Closing => &["Sweeping"],
            FixedPolicy::Active | FixedPolicy::Frozen => &[],
        }
    }
}

/// The names of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    installation: String,
    email: String,
}

impl Names {
    /// `installation` is its id (`koza`), `email` the pattern of a seat's root e-mail with `{seat}` in it.
    pub fn new(installation: impl Into<String>, email: impl Into<String>) -> Self {
        Self { installation: installation.into(), email: email.into() }
    }

    /// The installation's id; also the name of the pool's OU.
    pub fn installation(&self) -> &str {
        &self.installation
    }

    /// `koza-0001` for 1.
    pub fn seat(&self, number: usize) -> SeatName {
        SeatName(format!("{}-{number:04}", self.installation))
    }

    /// Whether an account of this name is a seat of this installation.
    pub fn is_seat(&self, name: &str) -> bool {
        name.strip_prefix(&self.installation)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|digits| digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_digit()))
    }

    /// Root e-mail of a seat. It belongs to the seat and never to a learner: AWS never lets an address be used again.
    pub fn root_email(&self, seat: &SeatName) -> String {
        self.email.replace("{seat}", seat.as_str())
    }

    /// Account alias of a seat. Aliases are unique in all of AWS, so the end of the account id is part of it.
    pub fn alias(&self, seat: &SeatName, account: &AccountId) -> String {
        let tail = account.as_str().get(account.as_str().len().saturating_sub(6)..);
        format!("{seat}-{}", tail.unwrap_or(account.as_str()))
    }

    /// Name of an SCP of ours.
    pub fn policy(&self, policy: FixedPolicy) -> String {
        format!("{}-{}", self.installation, policy.word())
    }

    /// Name of a course's `n`th SCP, counted from 1.
    pub fn course_policy(&self, course: &CourseId, n: usize) -> String {
        format!("{}{n}", self.course_policy_prefix(course))
    }

    /// What the names of a course's SCPs begin with.
    pub fn course_policy_prefix(&self, course: &CourseId) -> String {
        format!("{}-course-{course}-", self.installation)
    }

    /// Name of a role in a member account.
    pub fn member_role(&self, role: MemberRole) -> String {
        format!("{}-{}", self.installation, role.word())
    }

    /// ARN of a role in a member account.
    pub fn member_role_arn(&self, account: &AccountId, role: MemberRole) -> String {
        format!("arn:aws:iam::{account}:role{PATH}{}", self.member_role(role))
    }

    /// ARN of a role in the management account.
    pub fn management_role_arn(&self, management: &AccountId, role: ManagementRole) -> String {
        format!("arn:aws:iam::{management}:role{PATH}{}-{}", self.installation, role.word())
    }

    /// Name of the `n`th learner policy of a seat, counted from 1.
    pub fn learner_policy(&self, n: usize) -> String {
        format!("{}-learner-{n}", self.installation)
    }

    /// Names of all learner policies of a seat.
    pub fn learner_policies(&self) -> impl Iterator<Item = String> + '_ {
        (1..=LEARNER_POLICIES).map(|n| self.learner_policy(n))
    }

    /// ARN of the `n`th learner policy in an account.
    pub fn learner_policy_arn(&self, account: &AccountId, n: usize) -> String {
        format!("arn:aws:iam::{account}:policy{PATH}{}", self.learner_policy(n))
    }

    /// Name of the learners' permission set.
    pub fn learner_permission_set(&self) -> String {
        format!("{}-learner", self.installation)
    }
}

/// ARN of the access role that AWS made in an account.
pub fn access_role_arn(account: &AccountId) -> String {
    format!("arn:aws:iam::{account}:role/{ACCESS_ROLE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_installation_are_seats() {
        let names = Names::new("koza", "aws+{seat}@example.com");
        assert!(names.is_seat("koza-0001"));
        assert!(names.is_seat("koza-12345"));
        for other in ["koza", "koza-", "koza-12", "koza2-0001", "koza-00a1", "production"] {
            assert!(!names.is_seat(other), "{other}");
        }
        assert_eq!(names.root_email(&names.seat(7)), "aws+koza-0007@example.com");
    }
}
