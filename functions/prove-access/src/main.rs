//! Proves who reaches what: by reading Identity Center, and by trying as a learner would.

use prove_access::{AwsCenter, AwsProbe, handle};
use runtime::Started;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { settings, aws, records } = runtime::start().await?;
    let center = AwsCenter::new(&aws.own, &settings);
    let probe = AwsProbe::new(&aws);
    runtime::run(|ask, call| handle(&center, &probe, &records, &settings.names, ask, call.deadline)).await
}
