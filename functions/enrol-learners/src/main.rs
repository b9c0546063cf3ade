//! Makes users and puts each into the group of a seat; and takes both away again.

use enrol_learners::{AwsDirectory, handle};
use runtime::{Aws, S3Records, Settings};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    let aws = Aws::load(&settings).await;
    let records = S3Records::new(&aws.own, &settings.records);
    let directory = AwsDirectory::new(&aws.own, &settings);
    runtime::run(|ask, call| handle(&directory, &records, settings.clock, ask, call.deadline)).await
}
