//! Security groups. Groups may refer to each other in a ring, so all rules go before any group does.

use crate::{Clients, filter};
use async_trait::async_trait;
use aws_sdk_ec2::types::{IpPermission, SecurityGroup as Group};
use runtime::{code, found, outcome, text};
use shared::sweep::{Found, Kind, ListError, Outcome, outcome_of};

/// `ec2.security-group`. A VPC's group `default` goes with the VPC.
#[derive(Debug)]
pub struct SecurityGroup;

#[async_trait]
impl Kind<Clients> for SecurityGroup {
    fn id(&self) -> &'static str {
        "ec2.security-group"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.ec2.describe_security_groups(), |page| {
            page.security_groups()
                .iter()
                .filter(|g| g.group_name() != Some("default"))
                .filter_map(|g| g.group_id())
                .map(Found::named)
        })
    }

    /// Its own rules, and those of other groups (`default` too) that refer to it.
    async fn disarm(&self, aws: &Clients, found: &Found) -> Outcome {
        for (name, own) in
            [("group-id", true), ("ip-permission.group-id", false), ("egress.ip-permission.group-id", false)]
        {
            let groups = match aws.ec2.describe_security_groups().filters(filter(name, &found.id)).send().await {
                Ok(answer) => answer.security_groups.unwrap_or_default(),
                Err(error) => return outcome_of(code(&error), text(&error)),
            };
            for group in groups {
                let chosen = |rules: &[IpPermission]| -> Vec<IpPermission> {
                    rules.iter().filter(|r| own || refers(r, &found.id)).cloned().collect()
                };
                let (ingress, egress) = (chosen(group.ip_permissions()), chosen(group.ip_permissions_egress()));
                match revoke(aws, &group, ingress, egress).await {
                    Outcome::Asked | Outcome::Gone => {}
                    other => return other,
                }
            }
        }
        Outcome::Gone
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.ec2.delete_security_group().group_id(&found.id).send().await)
    }
}

fn refers(rule: &IpPermission, group: &str) -> bool {
    rule.user_id_group_pairs().iter().any(|p| p.group_id() == Some(group))
}

async fn revoke(aws: &Clients, group: &Group, ingress: Vec<IpPermission>, egress: Vec<IpPermission>) -> Outcome {
    let id = group.group_id().unwrap_or_default();
    if !ingress.is_empty() {
        let call = aws.ec2.revoke_security_group_ingress().group_id(id).set_ip_permissions(Some(ingress));
        match outcome(call.send().await) {
            Outcome::Asked | Outcome::Gone => {}
            other => return other,
        }
    }
    if egress.is_empty() {
        return Outcome::Gone;
    }
    outcome(aws.ec2.revoke_security_group_egress().group_id(id).set_ip_permissions(Some(egress)).send().await)
}
