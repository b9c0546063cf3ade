//! Lifecycle configurations of SageMaker notebooks: moto makes and deletes them, and cannot list them.

use crate::answer::json_answer;
use crate::operation::Operation;
use crate::strict::rules::Place;
use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

/// Names of the configurations that were made, with the second of their making, by account and Region.
#[derive(Debug, Default)]
pub struct Notebooks {
    configs: Mutex<HashMap<(String, String), BTreeMap<String, i64>>>,
}

impl Notebooks {
    fn here<T>(&self, place: Place<'_>, f: impl FnOnce(&mut BTreeMap<String, i64>) -> T) -> T {
        let key = (place.account.to_owned(), place.region.to_owned());
        f(self.configs.lock().unwrap_or_else(|e| e.into_inner()).entry(key).or_default())
    }

    /// Answers the list; `None`: moto answers.
    pub fn lacking(&self, place: Place<'_>, operation: &Operation) -> Option<Response<Body>> {
        if operation.service != "sagemaker" || operation.name != "ListNotebookInstanceLifecycleConfigs" {
            return None;
        }
        let list: Vec<Value> = self.here(place, |configs| {
            configs
                .iter()
                .map(|(name, at)| {
                    let arn = format!(
                        "arn:aws:sagemaker:{}:{}:notebook-instance-lifecycle-config/{name}",
                        place.region, place.account
                    );
                    json!({"NotebookInstanceLifecycleConfigName": name, "NotebookInstanceLifecycleConfigArn": arn,
                        "CreationTime": at, "LastModifiedTime": at})
                })
                .collect()
        });
        Some(json_answer(&json!({"NotebookInstanceLifecycleConfigs": list})))
    }

    /// Remembers what moto has just done.
    pub fn after(&self, place: Place<'_>, operation: &Operation, body: &[u8]) {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(name) = asked["NotebookInstanceLifecycleConfigName"].as_str() else { return };
        match operation.name.as_str() {
            "CreateNotebookInstanceLifecycleConfig" => {
                self.here(place, |configs| configs.insert(name.to_owned(), jiff::Timestamp::now().as_second()));
            }
            "DeleteNotebookInstanceLifecycleConfig" => {
                self.here(place, |configs| configs.remove(name));
            }
            _ => {}
        }
    }
}
