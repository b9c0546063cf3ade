//! Cost Explorer on AWS.

use crate::Costs;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_costexplorer::Client;
use aws_sdk_costexplorer::types::{
    DateInterval, Dimension, DimensionValues, Expression, Granularity, GroupDefinition, GroupDefinitionType,
};
use jiff::civil::Date;
use runtime::fault;
use shared::money::Usd;
use shared::{AccountId, Fault};

const METRIC: &str = "UnblendedCost";

/// The management account's Cost Explorer.
#[derive(Clone, Debug)]
pub struct AwsCosts {
    client: Client,
}

impl AwsCosts {
    /// With the role cost-reader.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }
}

#[async_trait]
impl Costs for AwsCosts {
    async fn daily(&self, start: Date, end: Date) -> Result<Vec<(AccountId, Date, Usd)>, Fault> {
        let broken = |e: &str| Fault::broken(format!("Cost Explorer's answer is not as expected: {e}"));
        let period = DateInterval::builder().start(start.to_string()).end(end.to_string()).build();
        let period = period.map_err(|e| Fault::because(Fault::Broken, "the period", e))?;
        let paid = DimensionValues::builder().key(Dimension::RecordType).values("Credit").values("Refund").build();
        let group = GroupDefinition::builder().r#type(GroupDefinitionType::Dimension).key("LINKED_ACCOUNT").build();
        let mut costs = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .client
                .get_cost_and_usage()
                .time_period(period.clone())
                .granularity(Granularity::Daily)
                .metrics(METRIC)
                .group_by(group.clone())
                .filter(Expression::builder().not(Expression::builder().dimensions(paid.clone()).build()).build())
                .set_next_page_token(token)
                .send()
                .await
                .map_err(|e| fault("asking Cost Explorer", e))?;
            for result in page.results_by_time() {
                let day = result.time_period().map(|p| p.start()).unwrap_or_default();
                let day: Date = day.parse().map_err(|_| broken(day))?;
                for group in result.groups() {
                    let amount = group.metrics().and_then(|m| m.get(METRIC)).and_then(|m| m.amount());
                    let amount = amount.ok_or_else(|| broken("a group without an amount"))?;
                    let account = group.keys().first().ok_or_else(|| broken("a group without a key"))?;
                    costs.push((AccountId(account.clone()), day, amount.parse().map_err(|_| broken(amount))?));
                }
            }
            token = page.next_page_token;
            if token.is_none() {
                return Ok(costs);
            }
        }
    }
}
