//! SageMaker notebooks.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sagemaker::Client;
use aws_sdk_sagemaker::types::{NotebookInstanceStatus, NotebookInstanceSummary};
use runtime::{found, outcome};
use shared::keepset::KeepSet;
use shared::sweep::{Found, Kind, ListError, Outcome, Standing};

/// Clients of one account and Region.
#[derive(Debug)]
pub struct Clients {
    sagemaker: Client,
}

impl Clients {
    /// With the credentials of a role in the account.
    pub fn new(config: &SdkConfig, _keep: &KeepSet) -> Self {
        Self { sagemaker: Client::new(config) }
    }
}

/// The family.
pub const KINDS: &[&dyn Kind<Clients>] = &[&NotebookInstance, &LifecycleConfig];

/// `sagemaker.notebook-instance`: stopped, then deleted.
#[derive(Debug)]
pub struct NotebookInstance;

fn as_found(notebook: &NotebookInstanceSummary) -> Option<Found> {
    let found = Found::named(notebook.notebook_instance_name()?);
    Some(match notebook.notebook_instance_status() {
        Some(NotebookInstanceStatus::Deleting) => found.standing(Standing::Going),
        Some(status) => found.with(status.as_str()),
        None => found,
    })
}

#[async_trait]
impl Kind<Clients> for NotebookInstance {
    fn id(&self) -> &'static str {
        "sagemaker.notebook-instance"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.sagemaker.list_notebook_instances(), |page| {
            page.notebook_instances().iter().filter_map(as_found)
        })
    }

    async fn disarm(&self, aws: &Clients, found: &Found) -> Outcome {
        match found.detail.as_deref() {
            Some("InService") => {
                let call = aws.sagemaker.stop_notebook_instance().notebook_instance_name(&found.id);
                match outcome(call.send().await) {
                    Outcome::Asked => Outcome::Later("it is being stopped".to_owned()),
                    other => other,
                }
            }
            Some("Stopped" | "Failed") | None => Outcome::Gone,
            Some(status) => Outcome::Later(format!("its status is {status}")),
        }
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.sagemaker.delete_notebook_instance().notebook_instance_name(&found.id).send().await)
    }
}

/// `sagemaker.notebook-lifecycle-config`.
#[derive(Debug)]
pub struct LifecycleConfig;

#[async_trait]
impl Kind<Clients> for LifecycleConfig {
    fn id(&self) -> &'static str {
        "sagemaker.notebook-lifecycle-config"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.sagemaker.list_notebook_instance_lifecycle_configs(), |page| {
            page.notebook_instance_lifecycle_configs()
                .iter()
                .filter_map(|c| c.notebook_instance_lifecycle_config_name())
                .map(Found::named)
        })
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        let call = aws.sagemaker.delete_notebook_instance_lifecycle_config();
        outcome(call.notebook_instance_lifecycle_config_name(&found.id).send().await)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kinds_are_the_familys_rows() {
        let ids: Vec<_> = super::KINDS.iter().map(|k| k.id()).collect();
        assert!(shared::sweep::catalogue::is_whole("ml", &ids), "{ids:?}");
    }

    #[test]
    fn every_sample_event_is_taken() {
        runtime::take_samples::<runtime::SweepAsk>();
    }
}
