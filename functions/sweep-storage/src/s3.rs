//! S3 buckets: emptied of all versions, delete markers and unfinished uploads, then deleted.

use crate::Clients;
use async_trait::async_trait;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::list_object_versions::{ListObjectVersionsError, ListObjectVersionsOutput};
use aws_sdk_s3::types::{
    Delete, ObjectIdentifier, ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetentionMode,
};
use runtime::{code, found, outcome, text};
use shared::sweep::{Found, Kind, ListError, Outcome, Standing, outcome_of};

/// `s3.bucket`.
#[derive(Debug)]
pub struct Bucket;

#[async_trait]
impl Kind<Clients> for Bucket {
    fn id(&self) -> &'static str {
        "s3.bucket"
    }

    async fn list(&self, aws: &Clients) -> Result<Vec<Found>, ListError> {
        let call = aws.s3.list_buckets().bucket_region(&aws.region).max_buckets(1_000);
        let mut buckets: Vec<Found> =
            found!(call, |page| page.buckets().iter().filter_map(|b| b.name()).map(Found::named))?;
        for bucket in &mut buckets {
            if let Some(why) = locked(aws, &bucket.id).await? {
                bucket.standing = Standing::Cannot(why);
            }
        }
        Ok(buckets)
    }

    /// A policy could deny even us.
    async fn disarm(&self, aws: &Clients, found: &Found) -> Outcome {
        outcome(aws.s3.delete_bucket_policy().bucket(&found.id).send().await)
    }

    async fn delete(&self, aws: &Clients, found: &Found) -> Outcome {
        match empty(aws, &found.id).await {
            Ok(()) => outcome(aws.s3.delete_bucket().bucket(&found.id).send().await),
            Err(why) => why,
        }
    }
}

/// Until when an object in the bucket is held by a COMPLIANCE lock, which nobody can lift.
async fn locked(aws: &Clients, bucket: &str) -> Result<Option<String>, ListError> {
    match aws.s3.get_object_lock_configuration().bucket(bucket).send().await {
        Ok(_) => {}
        Err(error) => {
            return match code(&error) {
                Some("ObjectLockConfigurationNotFoundError" | "NoSuchBucket") => Ok(None),
                _ => Err(ListError(text(&error))),
            };
        }
    }
    let mut from = Some(Marker::default());
    while let Some(marker) = from {
        let page = versions(aws, bucket, &marker).await.map_err(|e| ListError(text(&e)))?;
        from = next(&page);
        for version in page.versions() {
            let call = aws.s3.get_object_retention().bucket(bucket).set_key(version.key.clone());
            let retention = match call.set_version_id(version.version_id.clone()).send().await {
                Ok(answer) => answer.retention,
                Err(error) if code(&error) == Some("NoSuchObjectLockConfiguration") => None,
                Err(error) => return Err(ListError(text(&error))),
            };
            let Some(retention) = retention else { continue };
            if retention.mode() == Some(&ObjectLockRetentionMode::Compliance) {
                let until = retention.retain_until_date().map(|d| d.to_string()).unwrap_or_default();
                return Ok(Some(format!("holds an object that a COMPLIANCE lock keeps until {until}")));
            }
        }
    }
    Ok(None)
}

async fn empty(aws: &Clients, bucket: &str) -> Result<(), Outcome> {
    let asked = |outcome| match outcome {
        Outcome::Asked | Outcome::Gone => Ok(()),
        other => Err(other),
    };
    let mut from = Some(Marker::default());
    while let Some(marker) = from {
        let page = versions(aws, bucket, &marker).await.map_err(|e| outcome_of(code(&e), text(&e)))?;
        from = next(&page);
        delete(aws, bucket, objects(&page)).await?;
    }
    // One page a call: where there are more, the bucket does not go yet, and the next round takes the next page.
    let uploads = aws.s3.list_multipart_uploads().bucket(bucket).send().await;
    for upload in uploads.map_err(|e| outcome_of(code(&e), text(&e)))?.uploads() {
        let call = aws.s3.abort_multipart_upload().bucket(bucket).set_key(upload.key.clone());
        asked(outcome(call.set_upload_id(upload.upload_id.clone()).send().await))?;
    }
    Ok(())
}

/// Where a page of versions begins. The SDK has no paginator for them.
#[derive(Clone, Debug, Default)]
struct Marker {
    key: Option<String>,
    version: Option<String>,
}

async fn versions(
    aws: &Clients,
    bucket: &str,
    from: &Marker,
) -> Result<ListObjectVersionsOutput, SdkError<ListObjectVersionsError>> {
    let call = aws.s3.list_object_versions().bucket(bucket).set_key_marker(from.key.clone());
    call.set_version_id_marker(from.version.clone()).send().await
}

fn next(page: &ListObjectVersionsOutput) -> Option<Marker> {
    let marker = || Marker { key: page.next_key_marker.clone(), version: page.next_version_id_marker.clone() };
    (page.is_truncated == Some(true)).then(marker)
}

/// Key and version of every version and delete marker.
fn objects(page: &ListObjectVersionsOutput) -> Vec<ObjectIdentifier> {
    let versions = page.versions().iter().map(|v| (v.key.clone(), v.version_id.clone()));
    let markers = page.delete_markers().iter().map(|m| (m.key.clone(), m.version_id.clone()));
    versions
        .chain(markers)
        .filter_map(|(key, version)| ObjectIdentifier::builder().set_key(key).set_version_id(version).build().ok())
        .collect()
}

async fn delete(aws: &Clients, bucket: &str, objects: Vec<ObjectIdentifier>) -> Result<(), Outcome> {
    if objects.is_empty() {
        return Ok(());
    }
    let failed = |e: aws_sdk_s3::error::BuildError| Outcome::Failed(e.to_string());
    let mut refused: Vec<ObjectIdentifier> = objects;
    // The second time after legal holds were lifted.
    for lifted in [false, true] {
        let batch = Delete::builder().set_objects(Some(refused.clone())).quiet(true).build().map_err(failed)?;
        let call = aws.s3.delete_objects().bucket(bucket).bypass_governance_retention(true).delete(batch);
        let answer = call.send().await.map_err(|e| outcome_of(code(&e), text(&e)))?;
        let Some(error) = answer.errors().first() else { return Ok(()) };
        if lifted {
            return Err(outcome_of(
                error.code(),
                format!("{}: {}", error.key().unwrap_or(""), error.message().unwrap_or("")),
            ));
        }
        refused = Vec::new();
        for error in answer.errors() {
            let hold = ObjectLockLegalHold::builder().status(ObjectLockLegalHoldStatus::Off).build();
            let call = aws.s3.put_object_legal_hold().bucket(bucket).set_key(error.key.clone());
            // Where there is no hold this fails, and the second deletion says why.
            let _ = call.set_version_id(error.version_id.clone()).legal_hold(hold).send().await;
            refused.push(
                ObjectIdentifier::builder()
                    .set_key(error.key.clone())
                    .set_version_id(error.version_id.clone())
                    .build()
                    .map_err(failed)?,
            );
        }
    }
    Ok(())
}
