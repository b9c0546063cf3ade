//! CloudFormation stacks, always with our keeper: a stack whose own execution role is gone could not be deleted otherwise.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{DeletionMode, StackStatus, StackSummary};
use runtime::{code, found, outcome, text};
use shared::keepset::KeepSet;
use shared::sweep::{Found, Kind, ListError, Outcome, Standing, outcome_of};

/// Clients of one account and Region.
#[derive(Debug)]
pub struct Clients {
    cloudformation: Client,
    keeper: String,
}

impl Clients {
    /// With the credentials of a role in the account.
    pub fn new(config: &SdkConfig, keep: &KeepSet) -> Self {
        Self { cloudformation: Client::new(config), keeper: keep.keeper().to_owned() }
    }
}

/// The family.
pub const KINDS: &[&dyn Kind<Clients>] = &[&Stack];

/// `cloudformation.stack`. Nested stacks go with their root.
#[derive(Debug)]
pub struct Stack;

fn as_found(stack: &StackSummary) -> Option<Found> {
    let status = stack.stack_status()?;
    if stack.root_id().is_some() || status == &StackStatus::DeleteComplete {
        return None;
    }
    let found = Found::named(stack.stack_name()?).with(status.as_str());
    Some(match status {
        StackStatus::DeleteInProgress => found.standing(Standing::Going),
        _ => found,
    })
}

#[async_trait]
impl Kind<Clients> for Stack {
    fn id(&self) -> &'static str {
        "cloudformation.stack"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.cloudformation.list_stacks(), |page| page.stack_summaries().iter().filter_map(as_found))
    }

    async fn disarm(&self, aws: &Clients, found: &Found) -> Outcome {
        let stacks = match aws.cloudformation.describe_stacks().stack_name(&found.id).send().await {
            Ok(answer) => answer.stacks.unwrap_or_default(),
            Err(error) => return outcome_of(code(&error), text(&error)),
        };
        if !stacks.iter().any(|s| s.enable_termination_protection() == Some(true)) {
            return Outcome::Gone;
        }
        let call = aws.cloudformation.update_termination_protection().stack_name(&found.id);
        outcome(call.enable_termination_protection(false).send().await)
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        let call = aws.cloudformation.delete_stack().stack_name(&found.id).role_arn(&aws.keeper);
        // Only a stack that failed to go may be deleted by force: what it cannot delete is left to the other kinds.
        let failed = found.detail.as_deref() == Some(StackStatus::DeleteFailed.as_str());
        let mode = failed.then_some(DeletionMode::ForceDeleteStack);
        outcome(call.set_deletion_mode(mode).send().await)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kinds_are_the_familys_rows() {
        let ids: Vec<_> = super::KINDS.iter().map(|k| k.id()).collect();
        assert!(shared::sweep::catalogue::is_whole("stacks", &ids), "{ids:?}");
    }

    #[test]
    fn every_sample_event_is_taken() {
        runtime::take_samples::<runtime::SweepAsk>();
    }
}
