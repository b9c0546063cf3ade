//! Sends alerts, each once.

use raise_alerts::{SnsTopic, handle};
use runtime::{Aws, S3Records, Settings};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    let aws = Aws::load(&settings).await;
    let records = S3Records::new(&aws.own, &settings.records);
    let topic = SnsTopic::new(&aws.own, &settings.alerts);
    runtime::run(|payload, _| handle(&topic, &records, payload)).await
}
