//! Proves who reaches what: by reading Identity Center, and by trying as a learner would.

use prove_access::{AwsCenter, AwsProbe, handle};
use runtime::{Aws, S3Records, Settings};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    let aws = Aws::load(&settings).await;
    let records = S3Records::new(&aws.own, &settings.records);
    let center = AwsCenter::new(&aws.own, &settings);
    let probe = AwsProbe::new(&aws);
    runtime::run(|ask, call| handle(&center, &probe, &records, &settings.names, ask, call.deadline)).await
}
