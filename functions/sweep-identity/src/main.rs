//! Sweeps IAM, but for what is ours.

use runtime::{Settings, SweepAsk};
use sweep_identity::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("identity", KINDS, Clients::new, &settings, ask, call)).await
}
