//! The resolver of the client: names to addresses, less those that are not allowed.
//!
//! It is the only way from a name to a connection, which is what makes the check hold:
//! nobody asks again between the check and the connect.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::hosts::AllowedHosts;

/// Every address of a name was one that the name may not have.
#[derive(Debug, thiserror::Error)]
#[error("the name resolves only to addresses that are not allowed")]
pub(crate) struct AddressNotAllowed;

pub(crate) struct CheckedResolver {
    pub(crate) allowed: AllowedHosts,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.allowed.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses = keep_allowed(&allowed, name.as_str(), found)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

pub(crate) fn keep_allowed(
    allowed: &AllowedHosts,
    name: &str,
    found: impl IntoIterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, AddressNotAllowed> {
    let mut any = false;
    let kept: Vec<_> = found
        .into_iter()
        .inspect(|_| any = true)
        .filter(|address| allowed.may_resolve_to(name, address.ip()))
        .collect();
    if any && kept.is_empty() {
        return Err(AddressNotAllowed);
    }
    Ok(kept)
}
