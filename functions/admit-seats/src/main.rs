//! Reads the organization and says which seats may be swept.

use admit_seats::handle;
use organization::OrganizationsReader;
use runtime::Started;
use shared::names::ManagementRole;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { settings, aws, records } = runtime::start().await?;
    let reader = OrganizationsReader::new(&aws.management(ManagementRole::OrganizationReader).await);
    runtime::run(|ask, call| handle(&reader, &records, &settings.names, &settings.never_touch, ask, call.now)).await
}
