//! Whose certificates are believed.

use std::path::Path;

use lettre::transport::smtp::client::{
    Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};

use super::settings::InvalidSetting;

/// Of a file of certificates. All of a distribution's take about 250 KiB.
const CA_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others), and those of the file.
/// Where the system has none, as in an empty container image, those of the file alone.
pub(super) fn tls_parameters(
    host: &str,
    ca_file: Option<&Path>,
) -> Result<TlsParameters, InvalidSetting> {
    let extra = match ca_file {
        Some(path) => Some(read(path)?),
        None => None,
    };
    let build = |store: CertificateStore| {
        let mut builder = TlsParametersBuilder::new(host.to_owned()).certificate_store(store);
        if let Some(extra) = &extra {
            builder = builder.add_root_certificate(extra.clone());
        }
        builder.build()
    };
    match build(CertificateStore::Default) {
        Ok(parameters) => Ok(parameters),
        Err(_) if extra.is_some() => build(CertificateStore::None)
            .map_err(|error| InvalidSetting::new("ca_file", format!("cannot be used: {error}"))),
        Err(error) => Err(InvalidSetting::new(
            "ca_file",
            format!("must be given, because the system has no certificates to trust: {error}"),
        )),
    }
}

fn read(path: &Path) -> Result<Certificate, InvalidSetting> {
    let invalid = |reason: String| InvalidSetting::new("ca_file", reason);
    let length = std::fs::metadata(path)
        .map_err(|error| invalid(format!("cannot be read: {error}")))?
        .len();
    if length > CA_FILE_BYTES_MAX {
        return Err(invalid(format!(
            "must have at most {CA_FILE_BYTES_MAX} bytes, has {length}"
        )));
    }
    let pem = std::fs::read(path).map_err(|error| invalid(format!("cannot be read: {error}")))?;
    // Anything without a certificate reads as a list of none.
    if !pem
        .windows(27)
        .any(|part| part == b"-----BEGIN CERTIFICATE-----")
    {
        return Err(invalid("must hold certificates in PEM".to_owned()));
    }
    Certificate::from_pem(&pem).map_err(|_| invalid("must hold certificates in PEM".to_owned()))
}
