//! Cost Explorer, answered from costs that a story has set: `GetCostAndUsage` by day, grouped by linked account, in pages.

use crate::answer::{Refusal, json_answer};
use axum::body::Body;
use axum::http::Response;
use serde_json::{Map, Value, json};
use std::sync::Mutex;

/// Accounts in one page, so that pages must be followed.
const PAGE: usize = 20;

/// Account to day to USD.
#[derive(Debug, Default)]
pub struct Costs {
    by_account: Mutex<Map<String, Value>>,
}

impl Costs {
    /// Replaces all costs.
    pub fn set(&self, costs: Map<String, Value>) {
        *self.by_account.lock().unwrap_or_else(|e| e.into_inner()) = costs;
    }

    /// Answers an operation of Cost Explorer.
    pub fn answer(&self, operation: &str, body: &Value) -> Result<Response<Body>, Refusal> {
        if operation != "GetCostAndUsage" {
            return Err(Refusal::new("ValidationException", format!("{operation} is not in the local AWS")));
        }
        let day = |name: &str| body["TimePeriod"][name].as_str().unwrap_or_default().to_owned();
        let (start, end) = (day("Start"), day("End"));
        if start.is_empty() || start >= end {
            return Err(Refusal::new(
                "ValidationException",
                "Start date (and hour) should be before end date (and hour)",
            ));
        }
        if body["GroupBy"][0]["Key"] != "LINKED_ACCOUNT" {
            return Err(Refusal::new("ValidationException", "the local AWS groups by LINKED_ACCOUNT only"));
        }
        let costs = self.by_account.lock().unwrap_or_else(|e| e.into_inner());
        let from: usize = body["NextPageToken"].as_str().and_then(|t| t.parse().ok()).unwrap_or(0);
        let page: Vec<_> = costs.iter().skip(from).take(PAGE).collect();
        let mut days: std::collections::BTreeMap<String, Vec<Value>> = Default::default();
        for (account, by_day) in &page {
            for (day, amount) in by_day.as_object().into_iter().flatten() {
                // `End` is exclusive, as on AWS.
                if *day >= start && *day < end {
                    days.entry(day.clone()).or_default().push(json!({
                        "Keys": [account],
                        "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}
                    }));
                }
            }
        }
        let results: Vec<Value> = days
            .into_iter()
            .map(|(day, groups)| {
                json!({"TimePeriod": {"Start": day, "End": day}, "Total": {}, "Groups": groups, "Estimated": true})
            })
            .collect();
        let mut answer = json!({
            "ResultsByTime": results, "GroupDefinitions": body["GroupBy"], "DimensionValueAttributes": []
        });
        if from + page.len() < costs.len() {
            answer["NextPageToken"] = json!((from + page.len()).to_string());
        }
        Ok(json_answer(&answer))
    }
}
