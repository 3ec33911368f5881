//! Who sent a request: the account and region behind its signature.
//!
//! What always holds: where keys are set, nobody is taken for an account whose secret he has
//! not shown. Where none are set everybody may say who he is, which helps tests that play
//! several accounts; the server then listens on loopback only. The links in messages are followed
//! by nobody in particular, with keys and without.

use wire::aws::sigv4::{Authorization, CLOCK_SKEW_S, Expected, HttpRequest, SigningKey};
use wire::aws::{AwsError, ErrorCode, Form, Service};

use super::context::{is_account, is_region};
use crate::config::Aws;

/// Amazon answers these without a signature: the links in its messages carry a token of their
/// own, or name a subscription.
const UNSIGNED_ACTIONS: [&str; 2] = ["ConfirmSubscription", "Unsubscribe"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) is_anonymous: bool,
}

/// Looks for the signature, if there is one. Where nobody checks them, one that cannot be read
/// is none.
pub(super) fn find(
    settings: &Aws,
    request: &HttpRequest<'_>,
) -> Result<Option<Authorization>, AwsError> {
    match Authorization::parse(request) {
        Ok(found) => Ok(found),
        Err(_) if settings.keys.is_empty() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a request without a signature may be heard all the same.
pub(super) fn needs_none(service: Service, form: &Form) -> bool {
    let action = form.get("Action").unwrap_or_default();
    service == Service::Sns && UNSIGNED_ACTIONS.contains(&action)
}

/// # Errors
/// With Amazon's code for what is wrong with the signature.
pub(super) fn identify(
    settings: &Aws,
    service: Service,
    request: &HttpRequest<'_>,
    signed: Option<&Authorization>,
    needs_none: bool,
    now_ms: i64,
) -> Result<Caller, AwsError> {
    let region = signed
        .map(|signed| signed.scope.region.as_str())
        .filter(|region| is_region(region))
        .unwrap_or(&settings.region)
        .to_owned();
    // Also where nobody's signature is looked at: whoever follows a link is nobody's account.
    if signed.is_none() && needs_none {
        return Ok(Caller {
            account: settings.account.clone(),
            region,
            is_anonymous: true,
        });
    }
    if settings.keys.is_empty() {
        let named = signed.map(|signed| signed.access_key.as_str());
        let account = named.filter(|key| is_account(key));
        return Ok(Caller {
            account: account.unwrap_or(&settings.account).to_owned(),
            region,
            is_anonymous: false,
        });
    }
    let Some(signed) = signed else {
        return Err(AwsError::new(
            ErrorCode::MissingAuthenticationToken,
            "Request is missing Authentication Token",
        ));
    };
    let mut keys = settings.keys.iter();
    let Some(key) = keys.find(|key| key.access_key == signed.access_key) else {
        return Err(AwsError::new(
            ErrorCode::InvalidClientTokenId,
            "The security token included in the request is invalid.",
        ));
    };
    let expected = Expected {
        service: service.name(),
        region: None,
        now_ms,
        clock_skew_s: CLOCK_SKEW_S,
        // Behind a proxy with TLS some SDKs leave the body to TLS.
        unsigned_payload: true,
    };
    let signing = SigningKey::derive(&key.secret.0, &signed.scope);
    signed.verify(request, &signing, &expected)?;
    Ok(Caller {
        account: key.account.as_ref().unwrap_or(&settings.account).clone(),
        region,
        is_anonymous: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AwsKey, Secret};

    fn settings(keys: &[&str]) -> Aws {
        let key = |name: &&str| AwsKey {
            access_key: (*name).to_owned(),
            secret: Secret("0123456789abcdef".to_owned()),
            account: Some("222222222222".to_owned()),
        };
        Aws {
            keys: keys.iter().map(key).collect(),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            trust_forwarded: false,
            queue_deleted_recently: false,
        }
    }

    fn identified(settings: &Aws, credential: Option<&str>) -> Result<Caller, AwsError> {
        asked(settings, credential, false)
    }

    fn asked(
        settings: &Aws,
        credential: Option<&str>,
        needs_none: bool,
    ) -> Result<Caller, AwsError> {
        let zeros = "0".repeat(64);
        let value = credential.map(|credential| {
            format!(
                "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, \
                 Signature={zeros}"
            )
        });
        let mut headers: Vec<(&str, &[u8])> =
            vec![("host", b"h"), ("x-amz-date", b"20150830T123600Z")];
        if let Some(value) = &value {
            headers.push(("authorization", value.as_bytes()));
        }
        let request = HttpRequest {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: b"",
        };
        let signed = find(settings, &request)?;
        let now_ms = 1_440_938_160_000;
        identify(
            settings,
            Service::Sqs,
            &request,
            signed.as_ref(),
            needs_none,
            now_ms,
        )
    }

    #[test]
    fn without_keys_a_request_says_itself_whose_it_is() {
        let open = settings(&[]);
        for (credential, account, region) in [
            (None, "000000000000", "us-east-1"),
            (
                Some("test/20150830/eu-west-3/sqs/aws4_request"),
                "000000000000",
                "eu-west-3",
            ),
            (
                Some("123456789012/20150830/r-1/sqs/aws4_request"),
                "123456789012",
                "r-1",
            ),
            (
                Some("123456789012/20150830/<r>/sqs/aws4_request"),
                "123456789012",
                "us-east-1",
            ),
            (Some("rubbish"), "000000000000", "us-east-1"),
        ] {
            let caller = identified(&open, credential).unwrap();
            assert_eq!(
                (caller.account.as_str(), caller.region.as_str()),
                (account, region),
                "{credential:?}"
            );
        }
    }

    #[test]
    fn whoever_follows_a_link_is_nobody_with_keys_and_without() {
        let named = Some("123456789012/20150830/r-1/sns/aws4_request");
        for keys in [&[][..], &["AKIA"]] {
            let caller = asked(&settings(keys), None, true).unwrap();
            assert!(caller.is_anonymous, "{keys:?}");
        }
        let caller = asked(&settings(&[]), named, true).unwrap();
        assert!(!caller.is_anonymous);
        assert_eq!(caller.account, "123456789012");
        assert!(!identified(&settings(&[]), None).unwrap().is_anonymous);
    }

    #[test]
    fn with_keys_a_secret_must_be_shown() {
        let keyed = settings(&["AKIA"]);
        for (credential, code) in [
            (None, ErrorCode::MissingAuthenticationToken),
            (Some("rubbish"), ErrorCode::IncompleteSignature),
            (
                Some("123456789012/20150830/r/sqs/aws4_request"),
                ErrorCode::InvalidClientTokenId,
            ),
            (
                Some("AKIA/20150830/r/sqs/aws4_request"),
                ErrorCode::SignatureDoesNotMatch,
            ),
            (
                Some("AKIA/20150830/r/sns/aws4_request"),
                ErrorCode::SignatureDoesNotMatch,
            ),
        ] {
            let error = identified(&keyed, credential).unwrap_err();
            assert_eq!(error.code, code, "{credential:?}");
        }
    }

    #[test]
    fn only_links_need_no_signature() {
        for (service, query, expected) in [
            (Service::Sns, "Action=Unsubscribe", true),
            (Service::Sns, "Action=ConfirmSubscription", true),
            (Service::Sns, "Action=Subscribe", false),
            (Service::Sqs, "Action=Unsubscribe", false),
            (Service::Sns, "", false),
        ] {
            let form = Form::parse(query, b"").unwrap();
            assert_eq!(needs_none(service, &form), expected, "{query}");
        }
    }
}
