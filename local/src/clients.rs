//! What the demo and the tests are to the local AWS: configurations for the SDK, and somebody who hears a topic.

use crate::REGION;
use anyhow::Context;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

/// For credentials that the local AWS gave.
pub fn config_for(endpoint: &str, credentials: Credentials) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(credentials)
}

/// For an access key that needs no session: [`crate::MANAGEMENT_KEY`], [`crate::OPERATIONS_KEY`], a function's.
pub fn config_for_key(endpoint: &str, key: &str) -> ConfigLoader {
    config_for(endpoint, Credentials::from_keys(key, "local", None))
}

/// Somebody who hears what a topic tells: a queue that is subscribed to it.
#[derive(Clone, Debug)]
pub struct Subscriber {
    queues: aws_sdk_sqs::Client,
    url: String,
}

/// What was told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// One line.
    pub subject: String,
    /// All of it.
    pub text: String,
}

impl Subscriber {
    /// Of this topic, from now on.
    pub async fn of(config: &SdkConfig, topic: &str) -> anyhow::Result<Self> {
        let queues = aws_sdk_sqs::Client::new(config);
        let name = format!("heard-{}", topic.rsplit(':').next().unwrap_or_default());
        let queue = queues.create_queue().queue_name(name).send().await?;
        let url = queue.queue_url().context("the queue has no URL")?.to_owned();
        let asked = queues.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
        let answer = asked.send().await?;
        let arn = answer.attributes().and_then(|a| a.get(&QueueAttributeName::QueueArn));
        let arn = arn.context("the queue has no ARN")?;
        aws_sdk_sns::Client::new(config).subscribe().topic_arn(topic).protocol("sqs").endpoint(arn).send().await?;
        Ok(Self { queues, url })
    }

    /// What arrived since the last time.
    pub async fn heard(&self) -> anyhow::Result<Vec<Message>> {
        let (queues, mut heard) = (&self.queues, Vec::new());
        loop {
            let asked = queues.receive_message().queue_url(&self.url).max_number_of_messages(10).wait_time_seconds(1);
            let answer = asked.send().await?;
            if answer.messages().is_empty() {
                return Ok(heard);
            }
            for message in answer.messages() {
                let body: Value = serde_json::from_str(message.body().unwrap_or_default())?;
                let part = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
                heard.push(Message { subject: part("Subject"), text: part("Message") });
                let receipt = message.receipt_handle().unwrap_or_default();
                queues.delete_message().queue_url(&self.url).receipt_handle(receipt).send().await?;
            }
        }
    }
}
