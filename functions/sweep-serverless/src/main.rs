//! Sweeps what runs without servers: functions, APIs, user pools, distributions.

use runtime::{Settings, SweepAsk};
use sweep_serverless::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("serverless", KINDS, Clients::new, &settings, ask, call)).await
}
