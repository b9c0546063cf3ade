//! Cognito user pools: protection off, domain away, then the pool.

use crate::Clients;
use async_trait::async_trait;
use aws_sdk_cognitoidentityprovider::types::DeletionProtectionType;
use runtime::{code, found, outcome, text};
use shared::sweep::{Found, Kind, ListError, Outcome, outcome_of};

/// `cognito.user-pool`.
#[derive(Debug)]
pub struct UserPool;

#[async_trait]
impl Kind<Clients> for UserPool {
    fn id(&self) -> &'static str {
        "cognito.user-pool"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.cognito.list_user_pools().max_results(60), |page| {
            page.user_pools().iter().filter_map(|p| p.id()).map(Found::named)
        })
    }

    async fn disarm(&self, aws: &Clients, found: &Found) -> Outcome {
        let pool = match aws.cognito.describe_user_pool().user_pool_id(&found.id).send().await {
            Ok(answer) => answer.user_pool,
            Err(error) => return outcome_of(code(&error), text(&error)),
        };
        let Some(pool) = pool else { return Outcome::Gone };
        for domain in [pool.domain(), pool.custom_domain()].into_iter().flatten() {
            let call = aws.cognito.delete_user_pool_domain().domain(domain).user_pool_id(&found.id);
            match outcome(call.send().await) {
                Outcome::Asked | Outcome::Gone => {}
                other => return other,
            }
        }
        if pool.deletion_protection() != Some(&DeletionProtectionType::Active) {
            return Outcome::Gone;
        }
        // The call resets every setting that it does not name, which does not matter to a pool that goes.
        let call = aws.cognito.update_user_pool().user_pool_id(&found.id);
        outcome(call.deletion_protection(DeletionProtectionType::Inactive).send().await)
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.cognito.delete_user_pool().user_pool_id(&found.id).send().await)
    }
}
