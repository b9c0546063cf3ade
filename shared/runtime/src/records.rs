//! The records bucket.

use crate::aws::{code, fault};
use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use shared::Fault;
use shared::records::Records;

/// The bucket on AWS.
#[derive(Clone, Debug)]
pub struct S3Records {
    client: Client,
    bucket: String,
}

impl S3Records {
    /// The bucket of this name, read and written with this configuration.
    pub fn new(config: &aws_config::SdkConfig, bucket: impl Into<String>) -> Self {
        Self { client: Client::new(config), bucket: bucket.into() }
    }
}

#[async_trait]
impl Records for S3Records {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        let answer = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        match answer {
            Ok(object) => {
                let body = object
                    .body
                    .collect()
                    .await
                    .map_err(|e| Fault::because(Fault::Transient, format!("reading the record {key}"), e))?;
                Ok(Some(body.to_vec()))
            }
            Err(e) if code(&e) == Some("NoSuchKey") => Ok(None),
            Err(e) => Err(fault(format!("reading the record {key}"), e)),
        }
    }

    async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), Fault> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|e| fault(format!("writing the record {key}"), e))?;
        Ok(())
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| fault(format!("listing the records {prefix}"), e))?;
            keys.extend(page.contents().iter().filter_map(|o| o.key.clone()));
        }
        Ok(keys)
    }
}
