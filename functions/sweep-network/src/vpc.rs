//! A VPC and its parts.

use crate::{Clients, filter};
use async_trait::async_trait;
use aws_sdk_ec2::types::{AttachmentStatus, NetworkInterface as Interface};
use runtime::{code, found, not_listed, outcome, text};
use shared::sweep::{Found, Kind, ListError, Outcome, Standing, outcome_of};

/// `ec2.vpc-endpoint`.
#[derive(Debug)]
pub struct Endpoint;

#[async_trait]
impl Kind<Clients> for Endpoint {
    fn id(&self) -> &'static str {
        "ec2.vpc-endpoint"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.ec2.describe_vpc_endpoints(), |page| page.vpc_endpoints().iter().filter_map(|e| {
            // The API reference writes `Deleted`, AWS answers `deleted`.
            let state = e.state().map(|s| s.as_str().to_lowercase()).unwrap_or_default();
            let found = Found::named(e.vpc_endpoint_id()?);
            match state.as_str() {
                "deleted" => None,
                "deleting" => Some(found.standing(Standing::Going)),
                _ => Some(found),
            }
        }))
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        // The call succeeds even where nothing was deleted.
        match aws.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&found.id).send().await {
            Ok(answer) => match answer.unsuccessful().first().and_then(|u| u.error()) {
                None => Outcome::Asked,
                Some(error) => outcome_of(error.code(), error.message().unwrap_or_default()),
            },
            Err(error) => outcome_of(code(&error), text(&error)),
        }
    }
}

fn as_found(interface: &Interface) -> Option<Found> {
    let found = Found::named(interface.network_interface_id()?);
    // One that a service manages (an endpoint's, a function's) cannot be deleted by itself.
    if interface.requester_managed() == Some(true) {
        return Some(found.standing(Standing::Going));
    }
    let attachment = interface.attachment().filter(|a| a.status() == Some(&AttachmentStatus::Attached));
    Some(match attachment.and_then(|a| a.attachment_id()) {
        Some(attachment) => found.with(attachment),
        None => found,
    })
}

/// `ec2.network-interface`.
#[derive(Debug)]
pub struct NetworkInterface;

#[async_trait]
impl Kind<Clients> for NetworkInterface {
    fn id(&self) -> &'static str {
        "ec2.network-interface"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.ec2.describe_network_interfaces(), |page| page.network_interfaces().iter().filter_map(as_found))
    }

    async fn disarm(&self, aws: &Clients, found: &Found) -> Outcome {
        match &found.detail {
            Some(attachment) => {
                outcome(aws.ec2.detach_network_interface().attachment_id(attachment).force(true).send().await)
            }
            None => Outcome::Gone,
        }
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.ec2.delete_network_interface().network_interface_id(&found.id).send().await)
    }
}

/// `ec2.subnet`.
#[derive(Debug)]
pub struct Subnet;

#[async_trait]
impl Kind<Clients> for Subnet {
    fn id(&self) -> &'static str {
        "ec2.subnet"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.ec2.describe_subnets(), |page| {
            page.subnets()
                .iter()
                .filter(|s| s.default_for_az() != Some(true))
                .filter_map(|s| s.subnet_id())
                .map(Found::named)
        })
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.ec2.delete_subnet().subnet_id(&found.id).send().await)
    }
}

/// `ec2.route-table`. A VPC's main table goes with the VPC.
#[derive(Debug)]
pub struct RouteTable;

#[async_trait]
impl Kind<Clients> for RouteTable {
    fn id(&self) -> &'static str {
        "ec2.route-table"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.ec2.describe_route_tables(), |page| {
            page.route_tables().iter().filter(|t| !t.associations().iter().any(|a| a.main() == Some(true))).filter_map(
                |t| {
                    let ids = t.associations().iter().filter_map(|a| a.route_table_association_id());
                    Some(Found::named(t.route_table_id()?).with(ids.collect::<Vec<_>>().join(" ")))
                },
            )
        })
    }

    async fn disarm(&self, aws: &Clients, found: &Found) -> Outcome {
        for association in found.detail.iter().flat_map(|ids| ids.split_whitespace()) {
            match outcome(aws.ec2.disassociate_route_table().association_id(association).send().await) {
                Outcome::Asked | Outcome::Gone => {}
                other => return other,
            }
        }
        Outcome::Gone
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.ec2.delete_route_table().route_table_id(&found.id).send().await)
    }
}

/// `ec2.internet-gateway`, but for the default VPC's.
#[derive(Debug)]
pub struct InternetGateway;

#[async_trait]
impl Kind<Clients> for InternetGateway {
    fn id(&self) -> &'static str {
        "ec2.internet-gateway"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        let default: Vec<String> = match aws.ec2.describe_vpcs().filters(filter("is-default", "true")).send().await {
            Ok(answer) => answer.vpcs.unwrap_or_default().into_iter().filter_map(|v| v.vpc_id).collect(),
            Err(error) => return not_listed(error),
        };
        found!(aws.ec2.describe_internet_gateways(), |page| {
            page.internet_gateways().iter().filter_map(|g| {
                let vpcs: Vec<&str> = g.attachments().iter().filter_map(|a| a.vpc_id()).collect();
                let is_default = vpcs.iter().any(|v| default.iter().any(|d| d == v));
                (!is_default).then_some(Found::named(g.internet_gateway_id()?).with(vpcs.join(" ")))
            })
        })
    }

    async fn disarm(&self, aws: &Clients, found: &Found) -> Outcome {
        for vpc in found.detail.iter().flat_map(|ids| ids.split_whitespace()) {
            let call = aws.ec2.detach_internet_gateway().internet_gateway_id(&found.id).vpc_id(vpc);
            match outcome(call.send().await) {
                Outcome::Asked | Outcome::Gone => {}
                other => return other,
            }
        }
        Outcome::Gone
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.ec2.delete_internet_gateway().internet_gateway_id(&found.id).send().await)
    }
}

/// `ec2.vpc`, but for the default one.
#[derive(Debug)]
pub struct Vpc;

#[async_trait]
impl Kind<Clients> for Vpc {
    fn id(&self) -> &'static str {
        "ec2.vpc"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.ec2.describe_vpcs().filters(filter("is-default", "false")), |page| {
            page.vpcs().iter().filter_map(|v| v.vpc_id()).map(Found::named)
        })
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.ec2.delete_vpc().vpc_id(&found.id).send().await)
    }
}

/// `ec2.key-pair`. AWS answers them in one page.
#[derive(Debug)]
pub struct KeyPair;

#[async_trait]
impl Kind<Clients> for KeyPair {
    fn id(&self) -> &'static str {
        "ec2.key-pair"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        match aws.ec2.describe_key_pairs().send().await {
            Ok(answer) => Ok(answer.key_pairs().iter().filter_map(|k| k.key_name()).map(Found::named).collect()),
            Err(error) => not_listed(error),
        }
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.ec2.delete_key_pair().key_name(&found.id).send().await)
    }
}
