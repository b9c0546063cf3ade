//! Sweeps CloudFormation stacks.

use runtime::{Settings, SweepAsk};
use sweep_stacks::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("stacks", KINDS, Clients::new, &settings, ask, call)).await
}
