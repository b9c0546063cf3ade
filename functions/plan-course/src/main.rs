//! Plans a course before anything is changed, and its closing.

use organization::OrganizationsReader;
use plan_course::handle;
use runtime::{Aws, S3Records, Settings};
use shared::names::ManagementRole;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    let aws = Aws::load(&settings).await;
    let records = S3Records::new(&aws.own, &settings.records);
    let reader = OrganizationsReader::new(&aws.management(ManagementRole::OrganizationReader).await);
    runtime::run(|ask, _| handle(&reader, &records, &settings.names, ask)).await
}
