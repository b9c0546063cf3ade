//! Writes organizational units and service control policies: the pool's, a course's, a frozen seat's.

use change_guardrails::handle;
use organization::{OrganizationsReader, OrganizationsWriter};
use runtime::Started;
use shared::names::ManagementRole;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { settings, aws, records } = runtime::start().await?;
    let management = aws.management(ManagementRole::GuardrailWriter).await;
    let (reader, writer) = (OrganizationsReader::new(&management), OrganizationsWriter::new(&management));
    runtime::run(|ask, _| handle(&reader, &writer, &records, &settings.names, ask)).await
}
