//! Gives each seat its group and the group its standing assignment.

use assign_permission_sets::{AwsIdentityCenter, handle};
use runtime::Started;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { settings, aws, records } = runtime::start().await?;
    let center = AwsIdentityCenter::new(&aws.own, &settings);
    runtime::run(|ask, call| handle(&center, &records, &settings.names, settings.clock, ask, call)).await
}
