//! Sweeps VPCs and what is in them.

use runtime::{Settings, SweepAsk};
use sweep_network::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("network", KINDS, Clients::new, &settings, ask, call)).await
}
