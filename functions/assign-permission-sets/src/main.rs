//! Gives each seat its group and the group its standing assignment.

use assign_permission_sets::{AwsIdentityCenter, handle};
use runtime::{Aws, S3Records, Settings};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    let aws = Aws::load(&settings).await;
    let records = S3Records::new(&aws.own, &settings.records);
    let center = AwsIdentityCenter::new(&aws.own, &settings);
    runtime::run(|ask, call| handle(&center, &records, &settings.names, settings.clock, ask, call)).await
}
