//! Sweeps VPCs and what is in them.

use runtime::SweepAsk;
use sweep_network::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let started = runtime::start().await?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("network", KINDS, Clients::new, &started, ask, call)).await
}
