//! What runs without servers.

mod cloudfront;
mod cognito;

use async_trait::async_trait;
use aws_config::SdkConfig;
use runtime::{found, outcome};
use shared::keepset::KeepSet;
use shared::sweep::{Found, Kind, ListError, Outcome};

/// Clients of one account and Region.
#[derive(Debug)]
pub struct Clients {
    apigateway: aws_sdk_apigateway::Client,
    cloudfront: aws_sdk_cloudfront::Client,
    cognito: aws_sdk_cognitoidentityprovider::Client,
    lambda: aws_sdk_lambda::Client,
}

impl Clients {
    /// With the credentials of a role in the account.
    pub fn new(config: &SdkConfig, _keep: &KeepSet) -> Self {
        Self {
            apigateway: aws_sdk_apigateway::Client::new(config),
            cloudfront: aws_sdk_cloudfront::Client::new(config),
            cognito: aws_sdk_cognitoidentityprovider::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
        }
    }
}

/// The family.
pub const KINDS: &[&dyn Kind<Clients>] = &[&Function, &RestApi, &cognito::UserPool, &cloudfront::Distribution];

/// `lambda.function`.
#[derive(Debug)]
pub struct Function;

#[async_trait]
impl Kind<Clients> for Function {
    fn id(&self) -> &'static str {
        "lambda.function"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.lambda.list_functions(), |page| {
            page.functions().iter().filter_map(|f| f.function_name()).map(Found::named)
        })
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.lambda.delete_function().function_name(&found.id).send().await)
    }
}

/// `apigateway.rest-api`.
#[derive(Debug)]
pub struct RestApi;

#[async_trait]
impl Kind<Clients> for RestApi {
    fn id(&self) -> &'static str {
        "apigateway.rest-api"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        found!(aws.apigateway.get_rest_apis(), |page| page.items().iter().filter_map(|a| a.id()).map(Found::named))
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.apigateway.delete_rest_api().rest_api_id(&found.id).send().await)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kinds_are_the_familys_rows() {
        let ids: Vec<_> = super::KINDS.iter().map(|k| k.id()).collect();
        assert!(shared::sweep::catalogue::is_whole("serverless", &ids), "{ids:?}");
    }

    #[test]
    fn every_sample_event_is_taken() {
        runtime::take_samples::<runtime::SweepAsk>();
    }
}
