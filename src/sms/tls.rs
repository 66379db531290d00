//! TLS towards message centres: the platform's authorities or the operator's own, and no way to
//! leave the check out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How a peer is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// A PEM file of the authorities that may have signed its certificate; `None` is those that
    /// the platform trusts.
    pub ca_file: Option<PathBuf>,
    /// The name in its certificate; `None` is the host of its address.
    pub server_name: Option<Arc<str>>,
}

/// Why no TLS can be spoken.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The operator's file of authorities cannot be used.
    #[error("{} cannot be used: {why}", file.display())]
    CaFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The platform has no authorities.
    #[error(
        "this machine trusts no certificate authority: name one by ca_file, or install its ca-certificates"
    )]
    NoAuthorities,
    /// The name cannot stand in a certificate.
    #[error("{0:?} is no name that a certificate can have: set server_name")]
    Name(String),
    /// The provider of the algorithms refuses.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// Makes TLS connections to one peer.
#[derive(Clone)]
pub(super) struct Dialler {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Dialler {
    /// For a peer at `address`, host and port.
    pub(super) fn new(tls: &Tls, address: &str) -> Result<Dialler, TlsError> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = tls.server_name.as_deref().unwrap_or(host);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned());
        Ok(Dialler {
            connector: TlsConnector::from(Arc::new(client(tls.ca_file.as_deref())?)),
            name: name.map_err(|_| TlsError::Name(bare.to_owned()))?,
        })
    }

    /// Greets the peer and checks who it is.
    pub(super) async fn greet(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

impl std::fmt::Debug for Dialler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialler")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What every TLS client here is made of: TLS 1.2 and 1.3, and authorities.
pub(super) fn client(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    trusting(authorities(ca_file)?)
}

/// A client that trusts nobody, for where TLS is not spoken.
pub(super) fn client_of_nobody() -> Result<ClientConfig, TlsError> {
    trusting(RootCertStore::empty())
}

fn trusting(authorities: RootCertStore) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(config)
}

fn authorities(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let Some(file) = ca_file else {
        // What of the platform's store cannot be read is left out, as by other programs.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(TlsError::NoAuthorities);
        }
        return Ok(roots);
    };
    let unusable = |why: String| TlsError::CaFile {
        file: file.to_owned(),
        why,
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|e| unusable(e.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| unusable(e.to_string()))?;
        roots
            .add(certificate)
            .map_err(|e| unusable(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate in PEM".to_owned()));
    }
    Ok(roots)
}
