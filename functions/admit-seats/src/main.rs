//! Reads the organization and says which seats may be swept.

use admit_seats::handle;
use organization::OrganizationsReader;
use runtime::{Aws, S3Records, Settings};
use shared::names::ManagementRole;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    let aws = Aws::load(&settings).await;
    let records = S3Records::new(&aws.own, &settings.records);
    let reader = OrganizationsReader::new(&aws.management(ManagementRole::OrganizationReader).await);
    runtime::run(|ask, call| handle(&reader, &records, &settings.names, &settings.never_touch, ask, call.now)).await
}
