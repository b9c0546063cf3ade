//! VPCs and what is in them. The default VPC and what belongs to it stay.

mod groups;
mod vpc;

use aws_config::SdkConfig;
use aws_sdk_ec2::types::Filter;
use shared::keepset::KeepSet;
use shared::sweep::Kind;

/// Clients of one account and Region.
#[derive(Debug)]
pub struct Clients {
    ec2: aws_sdk_ec2::Client,
}

impl Clients {
    /// With the credentials of a role in the account.
    pub fn new(config: &SdkConfig, _keep: &KeepSet) -> Self {
        Self { ec2: aws_sdk_ec2::Client::new(config) }
    }
}

/// The family.
pub const KINDS: &[&dyn Kind<Clients>] = &[
    &vpc::Endpoint,
    &vpc::NetworkInterface,
    &groups::SecurityGroup,
    &vpc::Subnet,
    &vpc::RouteTable,
    &vpc::InternetGateway,
    &vpc::Vpc,
    &vpc::KeyPair,
];

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kinds_are_the_familys_rows() {
        let ids: Vec<_> = super::KINDS.iter().map(|k| k.id()).collect();
        assert!(shared::sweep::catalogue::is_whole("network", &ids), "{ids:?}");
    }

    #[test]
    fn every_sample_event_is_taken() {
        runtime::take_samples::<runtime::SweepAsk>();
    }
}
