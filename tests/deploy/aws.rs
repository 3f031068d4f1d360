//! Signed calls to the emulators.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::terraform::State;

const REGION: &str = "eu-central-1";

/// An emulator, as one principal calls it.
pub(crate) struct Aws {
    client: Client,
    endpoint: String,
    credentials: Credentials,
}

impl Aws {
    /// As the account's own user, who may do everything.
    pub(crate) fn root(endpoint: String) -> Self {
        let credentials = Credentials::new("test", "test", None, None, "test");
        Self { client: Client::new(), endpoint, credentials }
    }

    /// As this role.
    pub(crate) async fn assume(&self, role_arn: &str) -> Self {
        let fields = [("Action", "AssumeRole"), ("RoleArn", role_arn), ("RoleSessionName", "deployment")];
        let answer = self.query("sts", "2011-06-15", &fields).await;
        let [key, secret, token] =
            ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| element(&answer, name));
        let credentials = Credentials::new(key, secret, Some(token.to_owned()), None, "role");
        Self { client: self.client.clone(), endpoint: self.endpoint.clone(), credentials }
    }

    /// What an AWS client reads from its environment.
    pub(crate) fn variables(&self) -> [(&str, &str); 5] {
        [
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", self.credentials.access_key_id()),
            ("AWS_SECRET_ACCESS_KEY", self.credentials.secret_access_key()),
            ("AWS_SESSION_TOKEN", self.credentials.session_token().unwrap_or_default()),
        ]
    }

    /// Whether the role's policies allow an action on a resource, without what conditions ask for.
    pub(crate) async fn allows(&self, role_arn: &str, action: &str, resource: &str) -> bool {
        let fields = [
            ("Action", "SimulatePrincipalPolicy"),
            ("PolicySourceArn", role_arn),
            ("ActionNames.member.1", action),
            ("ResourceArns.member.1", resource),
        ];
        let answer = self.query("iam", "2010-05-08", &fields).await;
        match element(&answer, "EvalDecision") {
            "allowed" => true,
            "implicitDeny" | "explicitDeny" => false,
            _ => panic!("{action} on {resource}: {answer}"),
        }
    }

    /// Calls an action of a service that takes forms.
    pub(crate) async fn query(&self, service: &str, version: &str, fields: &[(&str, &str)]) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let form = form.append_pair("Version", version).extend_pairs(fields).finish();
        let content_type = ("content-type", "application/x-www-form-urlencoded");
        let (status, answer) = self.send(service, "POST", "/", &[content_type], form.into_bytes()).await;
        assert_eq!(status, 200, "{fields:?}: {answer}");
        answer
    }

    /// Writes an object, which is answered with this status.
    pub(crate) async fn put(&self, path: &str, expected: StatusCode) {
        let (status, answer) = self.call("s3", "PUT", path, b"{}".to_vec()).await;
        assert_eq!(status, expected, "{path}: {answer}");
    }

    /// The keys of the objects in a folder of a bucket.
    pub(crate) async fn keys(&self, bucket: &str, folder: &str) -> Vec<String> {
        let list = format!("/{bucket}?list-type=2&prefix={folder}%2F");
        let (status, names) = self.call("s3", "GET", &list, Vec::new()).await;
        assert_eq!(status, 200, "{names}");
        let keys = names.split("<Key>").skip(1);
        keys.map(|rest| rest.split_once("</Key>").unwrap().0.to_owned()).collect()
    }

    /// Calls a function as its schedule does; its answer.
    pub(crate) async fn call_scheduled(&self, state: &State, function: &str) -> String {
        let address = format!("module.millrace.module.function[\"{function}\"].aws_lambda_function.this");
        let name = state.resource(&address)["function_name"].as_str().unwrap();
        let path = format!("/2015-03-31/functions/{name}:live/invocations");
        let event = json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}).to_string();
        let (status, answer) = self.call("lambda", "POST", &path, event.into_bytes()).await;
        assert_eq!(status, 200, "{function}: {answer}");
        answer
    }

    /// An object's content.
    pub(crate) async fn object(&self, bucket: &str, key: &str) -> Vec<u8> {
        let path = format!("/{bucket}/{}", key.replace('=', "%3D"));
        let answer = self.request("s3", "GET", &path, &[], Vec::new()).await;
        assert_eq!(answer.status(), 200, "{key}");
        answer.bytes().await.unwrap().to_vec()
    }

    /// The ARNs of what has this tag.
    pub(crate) async fn tagged(&self, key: &str, value: &str) -> Vec<String> {
        let wanted = json!({"TagFilters": [{"Key": key, "Values": [value]}]});
        let answer = self.json("tagging", "ResourceGroupsTaggingAPI_20170126.GetResources", &wanted).await;
        let found = answer["ResourceTagMappingList"].as_array().unwrap();
        found.iter().map(|resource| resource["ResourceARN"].as_str().unwrap().to_owned()).collect()
    }

    /// Calls an action of a service that speaks JSON.
    pub(crate) async fn json(&self, service: &str, action: &str, request: &Value) -> Value {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", action)];
        let (status, answer) = self.send(service, "POST", "/", &headers, request.to_string().into_bytes()).await;
        assert_eq!(status, 200, "{action}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// Calls a service; returns the status and the body.
    pub(crate) async fn call(&self, service: &str, method: &str, path: &str, body: Vec<u8>) -> (StatusCode, String) {
        self.send(service, method, path, &[], body).await
    }

    async fn send(
        &self,
        service: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (StatusCode, String) {
        let answer = self.request(service, method, path, headers, body).await;
        (answer.status(), answer.text().await.unwrap())
    }

    async fn request(
        &self,
        service: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Response {
        let url = format!("{}{path}", self.endpoint);
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let identity = self.credentials.clone().into();
        let parameters = SigningParams::builder().identity(&identity).region(REGION).name(service);
        let parameters = parameters.time(SystemTime::now()).settings(settings).build().unwrap();
        let signable = SignableRequest::new(method, &url, headers.iter().copied(), SignableBody::Bytes(&body)).unwrap();
        let (instructions, _) = sign(signable, &parameters.into()).unwrap().into_parts();
        let mut request = self.client.request(method.parse().unwrap(), &url).body(body);
        for (name, value) in headers.iter().copied().chain(instructions.headers()) {
            request = request.header(name, value);
        }
        request.send().await.unwrap()
    }
}

/// The text of an XML document's first element of this name.
fn element<'t>(document: &'t str, name: &str) -> &'t str {
    let after = document.split_once(&format!("<{name}>")).map(|(_, after)| after);
    let text = after.and_then(|after| after.split_once("</")).map(|(text, _)| text);
    text.unwrap_or_else(|| panic!("no <{name}> in {document}"))
}
