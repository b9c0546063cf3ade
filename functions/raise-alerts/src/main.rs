//! Sends alerts, each once.

use raise_alerts::{SnsTopic, handle};
use runtime::Started;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { settings, aws, records } = runtime::start().await?;
    let topic = SnsTopic::new(&aws.own, &settings.alerts);
    runtime::run(|payload, _| handle(&topic, &records, payload)).await
}
