//! CloudFront distributions: disabled, deployed so (minutes), then deleted.

use crate::Clients;
use async_trait::async_trait;
use aws_sdk_cloudfront::types::DistributionSummary;
use runtime::{code, found, outcome, text};
use shared::sweep::{Found, Kind, ListError, Outcome, outcome_of};

/// `cloudfront.distribution`.
#[derive(Debug)]
pub struct Distribution;

/// What is written into a found distribution that is enabled.
const ENABLED: &str = "enabled";
/// And into one that is disabled, but not everywhere yet.
const DEPLOYING: &str = "deploying";

fn as_found(distribution: &DistributionSummary) -> Found {
    let found = Found::named(distribution.id());
    match (distribution.enabled(), distribution.status()) {
        (true, _) => found.with(ENABLED),
        (false, "Deployed") => found,
        (false, _) => found.with(DEPLOYING),
    }
}

#[async_trait]
impl Kind<Clients> for Distribution {
    fn id(&self) -> &'static str {
        "cloudfront.distribution"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.cloudfront.list_distributions(), |page| {
            page.distribution_list().map(|l| l.items()).unwrap_or_default().iter().map(as_found)
        })
    }

    async fn disarm(&self, aws: &Clients, found: &Found) -> Outcome {
        match found.detail.as_deref() {
            Some(ENABLED) => {}
            Some(_) => return Outcome::Later("it is being disabled everywhere".to_owned()),
            None => return Outcome::Gone,
        }
        let answer = match aws.cloudfront.get_distribution_config().id(&found.id).send().await {
            Ok(answer) => answer,
            Err(error) => return outcome_of(code(&error), text(&error)),
        };
        let Some(mut config) = answer.distribution_config else { return Outcome::Gone };
        config.enabled = false;
        let call = aws.cloudfront.update_distribution().id(&found.id).distribution_config(config);
        match outcome(call.set_if_match(answer.e_tag).send().await) {
            Outcome::Asked => Outcome::Later("it is being disabled".to_owned()),
            other => other,
        }
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        let version = match aws.cloudfront.get_distribution_config().id(&found.id).send().await {
            Ok(answer) => answer.e_tag,
            Err(error) => return outcome_of(code(&error), text(&error)),
        };
        outcome(aws.cloudfront.delete_distribution().id(&found.id).set_if_match(version).send().await)
    }
}
