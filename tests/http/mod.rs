//! The HTTP client of the tests.

/// A client. It speaks plain HTTP alone, and wants to know of a TLS provider all the same.
pub fn client() -> reqwest::Client {
    // An error says that one is known already.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
