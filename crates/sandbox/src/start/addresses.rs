//! Where the sandbox is: its listeners and the URLs that lead to them.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use url::Url;

use super::{SandboxError, SandboxOptions};

/// The URLs of the three parts, each an origin without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// What tokens name. The authority's address, but for data that was first opened on another port.
    pub(crate) issuer: String,
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
        let authority = match issuer.and_then(port_of).filter(|_| address.port() == 0) {
            // Whoever restarts on kept data wants the addresses of before, if they are free.
            Some(port) => match bind(SocketAddr::new(address.ip(), port)).await {
                Ok(listener) => listener,
                Err(_) => bind(address).await?,
            },
            None => bind(address).await?,
        };
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

    pub(super) fn addresses(&self, asked: SocketAddr, issuer: Option<&str>) -> Result<Addresses, SandboxError> {
        let authority = origin(&self.authority, asked)?;
        let (api, demo) = match &self.own {
            Some(own) => (origin(&own.api, asked)?, origin(&own.demo, asked)?),
            None => (authority.clone(), authority.clone()),
        };
        Ok(Addresses { issuer: issuer.map_or_else(|| authority.clone(), str::to_owned), authority, api, demo })
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
