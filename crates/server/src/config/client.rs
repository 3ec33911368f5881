//! Where a command of the command line finds the server that runs, and what it shows there.

use std::path::PathBuf;

use super::{ConfigError, Flags, Secret, load};

/// Variables that are for such commands and not for the server.
pub(super) const VARIABLES: [&str; 2] = ["url", "token"];

/// What the command line says of it; absent means not said.
#[derive(Debug, Clone, Default)]
pub struct ClientFlags {
    pub url: Option<String>,
    pub token: Option<String>,
    pub config: Option<PathBuf>,
}

/// A server that runs.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Without a slash at the end.
    pub url: String,
    pub token: Option<Secret>,
}

/// A flag, else `FIRSTCOME_URL` and `FIRSTCOME_TOKEN`, else what the server's own settings say.
///
/// # Errors
/// As [`load`]; and when the URL is none.
pub fn load_client(flags: ClientFlags) -> Result<ClientSettings, ConfigError> {
    let config = load(flags.config.as_ref(), &Flags::default())?;
    let listens = || format!("http://{}", crate::serve::callable(config.listen));
    let url = flags
        .url
        .or_else(|| variable("FIRSTCOME_URL"))
        .unwrap_or_else(listens);
    let is_url = ["http://", "https://"].iter().any(|scheme| {
        url.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty())
    });
    if !is_url {
        return Err(ConfigError::new(
            "--url",
            format!("must begin with http:// or https://, is {url}"),
        ));
    }
    Ok(ClientSettings {
        url: url.trim_end_matches('/').to_owned(),
        token: flags
            .token
            .map(Secret)
            .or_else(|| variable("FIRSTCOME_TOKEN").map(Secret))
            .or(config.auth.operator_token),
    })
}

/// As it stands there: a token of digits alone is not a number. An empty one was not set.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where configuration is read"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
