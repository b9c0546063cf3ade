//! Sweeps what runs without servers: functions, APIs, user pools, distributions.

use runtime::SweepAsk;
use sweep_serverless::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let started = runtime::start().await?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("serverless", KINDS, Clients::new, &started, ask, call)).await
}
