//! Credentials in AWS Secrets Manager, as RDS keeps them: JSON with `username` and `password`.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use super::{CredentialSource, Credentials};

/// A secret, by its ARN or name. AWS credentials, region and endpoint come from the environment.
pub(super) struct Secret {
    id: String,
    client: OnceCell<Client>,
}

impl Secret {
    pub(super) fn new(id: String) -> Self {
        Self { id, client: OnceCell::new() }
    }

    async fn client(&self) -> &Client {
        let connect = || async { Client::new(&millrace_aws::config().load().await) };
        self.client.get_or_init(connect).await
    }
}

impl CredentialSource for Secret {
    fn fetch(&self) -> BoxFuture<'_, Result<Credentials, String>> {
        async move {
            let failed = |reason: String| format!("reading the secret {}: {reason}", self.id);
            let answer = self.client().await.get_secret_value().secret_id(&self.id).send().await;
            let answer = answer.map_err(|error| failed(DisplayErrorContext(&error).to_string()))?;
            let text = answer.secret_string().ok_or_else(|| failed("it has no text".to_owned()))?;
            // serde's message could quote the password.
            serde_json::from_str(text).map_err(|_| failed("it is not JSON with username and password".to_owned()))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::config::{Credentials as AwsCredentials, Region};

    use super::*;

    /// Secrets Manager, as far as one call: answers with this secret, or with an error where there is none.
    async fn answering(secret: Option<&'static str>) -> Secret {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 64 << 10];
                let _ = connection.read(&mut request).await;
                let (status, body) = match secret {
                    Some(secret) => ("200 OK", serde_json::json!({"SecretString": secret}).to_string()),
                    None => ("400 Bad Request", r#"{"__type": "ResourceNotFoundException"}"#.to_owned()),
                };
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = connection.write_all((head + &body).as_bytes()).await;
            }
        });
        let config = millrace_aws::config()
            .region(Region::new("eu-central-1"))
            .credentials_provider(AwsCredentials::new("test", "test", None, None, "test"))
            .endpoint_url(endpoint)
            .load()
            .await;
        Secret { id: "database".to_owned(), client: OnceCell::new_with(Some(Client::new(&config))) }
    }

    #[tokio::test]
    async fn user_and_password_are_read() {
        let secret = answering(Some(r#"{"username": "ann", "password": "s3cret", "engine": "postgres"}"#)).await;
        let credentials = secret.fetch().await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((credentials.username.as_deref(), &*credentials.password), (Some("ann"), "s3cret"));
    }

    #[tokio::test]
    async fn an_error_names_the_secret_and_not_its_text() {
        for (secret, reason) in [(None, "ResourceNotFoundException"), (Some("s3cret"), "is not JSON")] {
            let error = answering(secret).await.fetch().await.err().unwrap();
            assert!(error.contains("the secret database") && error.contains(reason), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
