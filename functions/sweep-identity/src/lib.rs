//! IAM, last of all. What is ours or AWS's own stays, and must be exactly as it should.

mod role;
mod user;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::EntityType;
use runtime::{code, found, outcome, text};
use shared::keepset::{Keep, KeepSet};
use shared::sweep::{Found, Kind, ListError, Outcome, Standing, outcome_of};

/// Client of one account, and what stays in it.
#[derive(Debug)]
pub struct Clients {
    iam: Client,
    keep: KeepSet,
}

impl Clients {
    /// With the credentials of a role in the account.
    pub fn new(config: &SdkConfig, keep: &KeepSet) -> Self {
        Self { iam: Client::new(config), keep: keep.clone() }
    }
}

/// The family.
pub const KINDS: &[&dyn Kind<Clients>] = &[&user::User, &InstanceProfile, &role::Role, &Policy];

/// Whether a step went well enough for the next one.
fn went(outcome: Outcome) -> Result<(), Outcome> {
    match outcome {
        Outcome::Asked | Outcome::Gone => Ok(()),
        other => Err(other),
    }
}

/// `iam.instance-profile`.
#[derive(Debug)]
pub struct InstanceProfile;

#[async_trait]
impl Kind<Clients> for InstanceProfile {
    fn id(&self) -> &'static str {
        "iam.instance-profile"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.iam.list_instance_profiles(), |page| {
            page.instance_profiles().iter().map(|p| {
                let roles: Vec<&str> = p.roles().iter().map(|r| r.role_name()).collect();
                Found::named(p.instance_profile_name()).with(roles.join(" "))
            })
        })
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        for role in found.detail.iter().flat_map(|roles| roles.split_whitespace()) {
            let call = aws.iam.remove_role_from_instance_profile().instance_profile_name(&found.id).role_name(role);
            if let Err(why) = went(outcome(call.send().await)) {
                return why;
            }
        }
        outcome(aws.iam.delete_instance_profile().instance_profile_name(&found.id).send().await)
    }
}

/// `iam.policy`: customer managed ones.
#[derive(Debug)]
pub struct Policy;

#[async_trait]
impl Kind<Clients> for Policy {
    fn id(&self) -> &'static str {
        "iam.policy"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        let call = aws.iam.get_account_authorization_details().filter(EntityType::LocalManagedPolicy);
        found!(call, |page| page.policies().iter().filter_map(|policy| {
            let found = Found::named(policy.arn()?);
            let default = policy.policy_version_list().iter().find(|v| v.is_default_version());
            let document = iam::document(default.and_then(|v| v.document()).unwrap_or_default());
            match aws.keep.judge_policy(&found.id, &document) {
                Keep::AsExpected => None,
                Keep::No => Some(found),
                Keep::Edited(how) => Some(found.standing(Standing::Edited(how))),
            }
        }))
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        let versions = match aws.iam.list_policy_versions().policy_arn(&found.id).send().await {
            Ok(answer) => answer.versions.unwrap_or_default(),
            Err(error) => return outcome_of(code(&error), text(&error)),
        };
        for version in versions.iter().filter(|v| !v.is_default_version()) {
            let call = aws.iam.delete_policy_version().policy_arn(&found.id).set_version_id(version.version_id.clone());
            if let Err(why) = went(outcome(call.send().await)) {
                return why;
            }
        }
        outcome(aws.iam.delete_policy().policy_arn(&found.id).send().await)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kinds_are_the_familys_rows() {
        let ids: Vec<_> = super::KINDS.iter().map(|k| k.id()).collect();
        assert!(shared::sweep::catalogue::is_whole("identity", &ids), "{ids:?}");
    }

    #[test]
    fn every_sample_event_is_taken() {
        runtime::take_samples::<runtime::SweepAsk>();
    }
}
