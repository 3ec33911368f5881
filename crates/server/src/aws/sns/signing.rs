//! The key that signs notifications, and the certificate that a subscriber checks them with.
//!
//! One file in the data directory, for the owner's eyes only, holds both. It is made when
//! something is first to be signed, so a shop without topics never has one.
//!
//! Deliberately not known here: what is signed, and that Amazon's certificates have an issuer.
//! This one is signed by itself: a subscriber trusts it because of where it got it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rcgen::{CertificateParams, DnType, KeyPair};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::der::pem;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use rsa::rand_core::UnwrapErr;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use sha1::Sha1;
use wire::aws::envelope::{self, SignatureVersion};

use crate::state::App;

const FILE: &str = "sns-signing.pem";
const KEY_BITS: usize = 2_048;
const CERTIFICATE_LABEL: &str = "CERTIFICATE";
const CERTIFICATE_BEGIN: &str = "-----BEGIN CERTIFICATE-----";
/// As Amazon names the file: `/SimpleNotificationService-<fingerprint>.pem`.
const CERTIFICATE_STEM: &str = "/SimpleNotificationService-";
const CERTIFICATE_SUFFIX: &str = ".pem";

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("{path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} holds no key and certificate: {what}")]
    Content { path: PathBuf, what: String },
    #[error("no key could be made: {what}")]
    Make { what: String },
}

/// The key of this server, once there is one.
pub struct Signing {
    file: PathBuf,
    key: OnceLock<Key>,
    /// Held by whoever makes it.
    making: Mutex<()>,
}

pub struct Key {
    sha1: SigningKey<Sha1>,
    sha256: SigningKey<Sha256>,
    certificate: String,
    fingerprint: String,
}

/// The key, for one version of the signature and one name of this server.
pub struct KeySigner<'a> {
    key: &'a Key,
    version: SignatureVersion,
    certificate_url: String,
}

impl Signing {
    pub fn new(data: &Path) -> Self {
        Self {
            file: data.join(FILE),
            key: OnceLock::new(),
            making: Mutex::new(()),
        }
    }

    /// The key; read, or made, by the first who asks. Blocks for as long as that takes.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds something else.
    pub fn key(&self) -> Result<&Key, SigningError> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let _turn = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let key = Key::open(&self.file)?;
        Ok(self.key.get_or_init(|| key))
    }
}

fn make(error: impl std::fmt::Display) -> SigningError {
    SigningError::Make {
        what: error.to_string(),
    }
}

impl Key {
    fn open(path: &Path) -> Result<Self, SigningError> {
        let file = |source| SigningError::File {
            path: path.to_owned(),
            source,
        };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|what| SigningError::Content {
                path: path.to_owned(),
                what,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = generate()?;
                write(path, &text).map_err(file)?;
                Self::parse(&text).map_err(make)
            }
            Err(error) => Err(file(error)),
        }
    }

    /// The private key and, behind it, the certificate.
    fn parse(text: &str) -> Result<Self, String> {
        let at = text
            .find(CERTIFICATE_BEGIN)
            .ok_or("it has no certificate")?;
        let (private, certificate) = text.split_at(at);
        let private =
            RsaPrivateKey::from_pkcs8_pem(private.trim()).map_err(|error| error.to_string())?;
        let (_, der) =
            pem::decode_vec(certificate.trim().as_bytes()).map_err(|error| error.to_string())?;
        Ok(Self {
            sha1: SigningKey::new(private.clone()),
            sha256: SigningKey::new(private),
            certificate: certificate.to_owned(),
            fingerprint: blake3::hash(&der).to_hex()[..32].to_owned(),
        })
    }

    pub fn signer(&self, version: SignatureVersion, base_url: &str) -> KeySigner<'_> {
        let fingerprint = &self.fingerprint;
        KeySigner {
            key: self,
            version,
            certificate_url: format!(
                "{base_url}{CERTIFICATE_STEM}{fingerprint}{CERTIFICATE_SUFFIX}"
            ),
        }
    }
}

impl envelope::Signer for KeySigner<'_> {
    fn version(&self) -> SignatureVersion {
        self.version
    }

    /// Blinded with fresh randomness each time, so that how long it takes tells nothing.
    fn sign(&self, text: &[u8]) -> Vec<u8> {
        match self.version {
            SignatureVersion::One => self.key.sha1.sign(text).to_vec(),
            SignatureVersion::Two => self.key.sha256.sign(text).to_vec(),
        }
    }

    fn certificate_url(&self) -> &str {
        &self.certificate_url
    }
}

/// A new key and its certificate, as the file holds them.
fn generate() -> Result<String, SigningError> {
    // Without the system's randomness there is no key to be had: then this panics.
    let private = RsaPrivateKey::new(&mut UnwrapErr(getrandom::SysRng), KEY_BITS).map_err(make)?;
    let der = private.to_pkcs8_der().map_err(make)?;
    let pair = KeyPair::try_from(der.as_bytes()).map_err(make)?;
    let mut parameters = CertificateParams::default();
    let name = &mut parameters.distinguished_name;
    name.push(DnType::CommonName, "Firstcome notifications");
    let certificate = parameters.self_signed(&pair).map_err(make)?;
    let private = private.to_pkcs8_pem(LineEnding::LF).map_err(make)?;
    let certificate =
        pem::encode_string(CERTIFICATE_LABEL, LineEnding::LF, certificate.der()).map_err(make)?;
    Ok(format!("{}{certificate}", private.as_str()))
}

/// Whole or not at all, and never readable by others.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("tmp");
    // What a process that died in between has left.
    let _ = std::fs::remove_file(&beside);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

/// Where subscribers fetch the certificate; merged into the router of SQS and SNS.
/// Whether this is the path of one.
pub fn is_certificate(path: &str) -> bool {
    path.starts_with(CERTIFICATE_STEM)
}

pub fn certificate_route<S: Clone + Send + Sync + 'static>(app: &App) -> Router<S> {
    let path = format!("{CERTIFICATE_STEM}{{file}}");
    Router::new()
        .route(&path, get(certificate))
        .with_state(app.clone())
}

async fn certificate(
    extract::State(app): extract::State<App>,
    extract::Path(file): extract::Path<String>,
) -> Response {
    let find = move || match app.sns.signing.key() {
        Ok(key) if file.strip_suffix(CERTIFICATE_SUFFIX) == Some(&*key.fingerprint) => {
            Ok(key.certificate.clone())
        }
        Ok(_) => Err(StatusCode::NOT_FOUND),
        Err(error) => {
            tracing::error!(%error, "the certificate of notifications is not to be had");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    };
    match tokio::task::spawn_blocking(find).await {
        Ok(Ok(pem)) => ([(header::CONTENT_TYPE, "application/x-pem-file")], pem).into_response(),
        Ok(Err(status)) => status.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rsa::pkcs1v15::{Signature, VerifyingKey};
    use rsa::signature::{Keypair as _, Verifier as _};
    use wire::aws::envelope::Signer as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let data = tempfile::tempdir().unwrap();
        let signing = Signing::new(data.path());
        let first = signing.key().unwrap();
        let mode = std::fs::metadata(data.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let restarted = Signing::new(data.path());
        let again = restarted.key().unwrap();
        assert_eq!(first.fingerprint, again.fingerprint);
        assert_eq!(
            again
                .signer(SignatureVersion::One, "http://h")
                .certificate_url(),
            format!(
                "http://h/SimpleNotificationService-{}.pem",
                first.fingerprint
            )
        );
        assert!(first.certificate.starts_with(CERTIFICATE_BEGIN));
        assert!(!first.certificate.contains("PRIVATE"));
    }

    #[test]
    fn each_version_signs_with_its_hash() {
        let data = tempfile::tempdir().unwrap();
        let signing = Signing::new(data.path());
        let key = signing.key().unwrap();
        let one: VerifyingKey<Sha1> = key.sha1.verifying_key();
        let two: VerifyingKey<Sha256> = key.sha256.verifying_key();
        let signature = |version| {
            let bytes = key.signer(version, "").sign(b"text");
            Signature::try_from(bytes.as_slice()).unwrap()
        };
        let (of_one, of_two) = (
            signature(SignatureVersion::One),
            signature(SignatureVersion::Two),
        );
        assert!(one.verify(b"text", &of_one).is_ok());
        assert!(two.verify(b"text", &of_two).is_ok());
        assert!(one.verify(b"text", &of_two).is_err());
        assert!(one.verify(b"other", &of_one).is_err());
    }

    #[test]
    fn a_file_that_holds_something_else_is_left_alone() {
        let data = tempfile::tempdir().unwrap();
        for text in ["", "rubbish", "x-----BEGIN CERTIFICATE-----\n"] {
            std::fs::write(data.path().join(FILE), text).unwrap();
            let signing = Signing::new(data.path());
            assert!(matches!(signing.key(), Err(SigningError::Content { .. })));
            let left = std::fs::read_to_string(data.path().join(FILE)).unwrap();
            assert_eq!(left, text);
        }
    }
}
