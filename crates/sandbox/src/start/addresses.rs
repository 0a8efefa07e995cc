//! Where the sandbox is: its listeners and the URLs that lead to them.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use url::Url;

use super::{SandboxError, SandboxOptions};

/// The URLs of the three parts, each an origin without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Where the authority answers.
    pub(crate) authority: String,
    /// Where `/v1` is.
    pub(crate) api: String,
    /// Where `/demo` is.
    pub(crate) demo: String,
}

/// The open listeners: one, or one for each part.
pub(super) struct Listeners {
    pub(super) authority: TcpListener,
    pub(super) own: Option<OwnListeners>,
}

pub(super) struct OwnListeners {
    pub(super) api: TcpListener,
    pub(super) demo: TcpListener,
}

impl Listeners {
    /// Opens them. `issuer`: of the data, if there is any.
    pub(super) async fn open(options: &SandboxOptions, issuer: Option<&str>) -> Result<Listeners, SandboxError> {
        let address = options.listen;
        if !address.ip().is_loopback() {
            return Err(SandboxError::NotLocal(address));
        }
        // Every token of kept data names the address that it was first opened on.
        let port = issuer.and_then(port_of).filter(|_| address.port() == 0).unwrap_or(address.port());
        let authority = bind(SocketAddr::new(address.ip(), port)).await?;
        let bound = origin(&authority, address)?;
        if let Some(issuer) = issuer.filter(|issuer| *issuer != bound) {
            return Err(SandboxError::AnotherAddress { issuer: issuer.to_owned(), asked: bound });
        }
        let next = |n: u16| match address.port() {
            0 => address,
            port => SocketAddr::new(address.ip(), port.saturating_add(n)),
        };
        let own = match options.separate_hosts {
            true => Some(OwnListeners { api: bind(next(1)).await?, demo: bind(next(2)).await? }),
            false => None,
        };
        Ok(Listeners { authority, own })
    }

    pub(super) fn addresses(&self, asked: SocketAddr) -> Result<Addresses, SandboxError> {
        let authority = origin(&self.authority, asked)?;
        let (api, demo) = match &self.own {
            Some(own) => (origin(&own.api, asked)?, origin(&own.demo, asked)?),
            None => (authority.clone(), authority.clone()),
        };
        Ok(Addresses { authority, api, demo })
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, SandboxError> {
    TcpListener::bind(address).await.map_err(|source| SandboxError::Listen { address, source })
}

fn origin(listener: &TcpListener, asked: SocketAddr) -> Result<String, SandboxError> {
    let bound = listener.local_addr().map_err(|source| SandboxError::Listen { address: asked, source })?;
    Ok(format!("http://{bound}"))
}

fn port_of(issuer: &str) -> Option<u16> {
    Url::parse(issuer).ok()?.port()
}
