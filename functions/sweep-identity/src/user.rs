//! Users, which the floor lets nobody make: what is found is from before, or from a role that the floor does not bind.

use crate::{Clients, went};
use async_trait::async_trait;
use runtime::{code, found, outcome, text};
use shared::sweep::{Found, Kind, ListError, Outcome, outcome_of};

/// `iam.user`.
#[derive(Debug)]
pub struct User;

#[async_trait]
impl Kind<Clients> for User {
    fn id(&self) -> &'static str {
        "iam.user"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.iam.list_users(), |page| page.users().iter().map(|u| Found::named(u.user_name())))
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        match strip(aws, &found.id).await {
            Ok(()) => outcome(aws.iam.delete_user().user_name(&found.id).send().await),
            Err(why) => why,
        }
    }
}

macro_rules! each {
    ($call:expr, |$answer:ident| $items:expr, |$item:ident| $delete:expr) => {{
        let $answer = $call.send().await.map_err(|e| outcome_of(code(&e), text(&e)))?;
        for $item in $items {
            went(outcome($delete.send().await))?;
        }
    }};
}

/// A user goes only without keys, password, policies and groups.
async fn strip(aws: &Clients, user: &str) -> Result<(), Outcome> {
    let iam = &aws.iam;
    each!(iam.list_access_keys().user_name(user), |answer| answer.access_key_metadata(), |key| {
        iam.delete_access_key().user_name(user).access_key_id(key.access_key_id().unwrap_or_default())
    });
    went(outcome(iam.delete_login_profile().user_name(user).send().await))?;
    each!(iam.list_user_policies().user_name(user), |answer| answer.policy_names(), |policy| {
        iam.delete_user_policy().user_name(user).policy_name(policy)
    });
    each!(iam.list_attached_user_policies().user_name(user), |answer| answer.attached_policies(), |policy| {
        iam.detach_user_policy().user_name(user).policy_arn(policy.policy_arn().unwrap_or_default())
    });
    each!(iam.list_groups_for_user().user_name(user), |answer| answer.groups(), |group| {
        iam.remove_user_from_group().user_name(user).group_name(group.group_name())
    });
    Ok(())
}
