//! Makes users and puts each into the group of a seat; and takes both away again.

use enrol_learners::{AwsDirectory, handle};
use runtime::Started;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { settings, aws, records } = runtime::start().await?;
    let directory = AwsDirectory::new(&aws.own, &settings);
    runtime::run(|ask, call| handle(&directory, &records, settings.clock, ask, call.deadline)).await
}
