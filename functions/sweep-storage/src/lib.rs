//! What is stored.

mod s3;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::TableStatus;
use runtime::{code, found, outcome, text};
use shared::keepset::KeepSet;
use shared::sweep::{Found, Kind, ListError, Outcome, outcome_of};

/// Clients of one account and Region.
#[derive(Debug)]
pub struct Clients {
    dynamodb: aws_sdk_dynamodb::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    s3: aws_sdk_s3::Client,
    region: String,
}

impl Clients {
    /// With the credentials of a role in the account.
    pub fn new(config: &SdkConfig, _keep: &KeepSet) -> Self {
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            s3: aws_sdk_s3::Client::new(config),
            region: config.region().map(|r| r.to_string()).unwrap_or_default(),
        }
    }
}

/// The family.
pub const KINDS: &[&dyn Kind<Clients>] = &[&s3::Bucket, &Table, &LogGroup];

/// `dynamodb.table`.
#[derive(Debug)]
pub struct Table;

#[async_trait]
impl Kind<Clients> for Table {
    fn id(&self) -> &'static str {
        "dynamodb.table"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.dynamodb.list_tables(), |page| page.table_names().iter().map(Found::named))
    }

    async fn disarm(&self, aws: &Clients, found: &Found) -> Outcome {
        let table = match aws.dynamodb.describe_table().table_name(&found.id).send().await {
            Ok(answer) => answer.table,
            Err(error) => return outcome_of(code(&error), text(&error)),
        };
        let Some(table) = table else { return Outcome::Gone };
        match table.table_status() {
            Some(TableStatus::Deleting) => Outcome::Later("it is being deleted".to_owned()),
            _ if table.deletion_protection_enabled() == Some(true) => {
                let call = aws.dynamodb.update_table().table_name(&found.id);
                outcome(call.deletion_protection_enabled(false).send().await)
            }
            _ => Outcome::Gone,
        }
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.dynamodb.delete_table().table_name(&found.id).send().await)
    }
}

/// `logs.log-group`.
#[derive(Debug)]
pub struct LogGroup;

#[async_trait]
impl Kind<Clients> for LogGroup {
    fn id(&self) -> &'static str {
        "logs.log-group"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.logs.describe_log_groups(), |page| {
            page.log_groups().iter().filter_map(|g| g.log_group_name()).map(Found::named)
        })
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.logs.delete_log_group().log_group_name(&found.id).send().await)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kinds_are_the_familys_rows() {
        let ids: Vec<_> = super::KINDS.iter().map(|k| k.id()).collect();
        assert!(shared::sweep::catalogue::is_whole("storage", &ids), "{ids:?}");
    }

    #[test]
    fn every_sample_event_is_taken() {
        runtime::take_samples::<runtime::SweepAsk>();
    }
}
