//! Roles.

use crate::{Clients, unknown, went};
use async_trait::async_trait;
use runtime::{found, outcome};
use shared::Fault;
use shared::keepset::{Keep, KeepSet};
use shared::sweep::{Found, Kind, ListError, Outcome, Standing};

/// `iam.role`.
#[derive(Debug)]
pub struct Role;

#[async_trait]
impl Kind<Clients> for Role {
    fn id(&self) -> &'static str {
        "iam.role"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        let all: Vec<Found> = found!(aws.iam.list_roles(), |page| {
            page.roles().iter().map(|r| Found::named(r.role_name()).with(r.arn()))
        })?;
        let mut left = Vec::new();
        for role in all {
            let arn = role.detail.as_deref().unwrap_or_default();
            if KeepSet::is_aws_own(arn) {
                continue;
            }
            if !aws.keep.knows_role(arn) {
                left.push(role);
                continue;
            }
            // It may have gone since it was listed: the keeper does.
            let Some(seen) = iam::role(&aws.iam, &role.id).await.map_err(unknown)? else { continue };
            if let Keep::Edited(how) = aws.keep.judge_role(&seen) {
                left.push(role.standing(Standing::Edited(how)));
            }
        }
        Ok(left)
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
