//! Roles.

use crate::{Clients, went};
use async_trait::async_trait;
use aws_sdk_iam::types::EntityType;
use runtime::{found, outcome};
use shared::Fault;
use shared::keepset::Keep;
use shared::sweep::{Found, Kind, ListError, Outcome, Standing};

/// `iam.role`.
#[derive(Debug)]
pub struct Role;

#[async_trait]
impl Kind<Clients> for Role {
    fn id(&self) -> &'static str {
        "iam.role"
    }

    /// One paged call tells all of every role, so that comparing what is kept costs nothing more.
    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        let call = aws.iam.get_account_authorization_details().filter(EntityType::Role);
        found!(call, |page| page.role_detail_list().iter().filter_map(|role| {
            let seen = iam::seen(role);
            let found = Found::named(role.role_name()?);
            match aws.keep.judge_role(&seen) {
                Keep::AsExpected => None,
                Keep::No => Some(found),
                Keep::Edited(how) => Some(found.standing(Standing::Edited(how))),
            }
        }))
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        match strip(aws, &found.id).await {
            Ok(()) => outcome(aws.iam.delete_role().role_name(&found.id).send().await),
            Err(why) => why,
        }
    }
}

/// A role goes only without policies.
async fn strip(aws: &Clients, role: &str) -> Result<(), Outcome> {
    let failed = |fault: Fault| match fault {
        Fault::Transient(_) => Outcome::Later(fault.chain()),
        Fault::Refused(_) => Outcome::Refused(fault.chain()),
        _ => Outcome::Failed(fault.chain()),
    };
    for policy in iam::inline(&aws.iam, role).await.map_err(failed)? {
        went(outcome(aws.iam.delete_role_policy().role_name(role).policy_name(policy).send().await))?;
    }
    for policy in iam::attached(&aws.iam, role).await.map_err(failed)? {
        went(outcome(aws.iam.detach_role_policy().role_name(role).policy_arn(policy).send().await))?;
    }
    went(outcome(aws.iam.delete_role_permissions_boundary().role_name(role).send().await))
}
