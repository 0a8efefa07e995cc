//! The gate as a tower layer: requests pass with their [`Caller`] in the extensions, or are answered with a challenge.
//!
//! Where the gate announces its resource, the layer answers for that document itself, since whoever asks for it has no token yet. A layer
//! of a part of a router only sees that path if it is routed there.
//!
//! Nothing else of a request is touched, so a handler still sees the `Authorization` header. Bodies are not read: a handler that
//! parses a form and finds an `access_token` in it beside the header answers [`crate::Challenge::SeveralCredentials`] itself (BR-04).

use crate::gate::Gate;
use futures_util::future::Either;
use http::{Request, Response};
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

#[cfg(doc)]
use crate::Caller;

/// Puts a [`Gate`] in front of a service. The service finds an `Arc<Caller>` in the request's extensions: [`Caller::of`].
#[derive(Clone, Debug)]
pub struct GateLayer {
    gate: Arc<Gate>,
}

impl GateLayer {
    /// A layer over this gate.
    pub fn new(gate: Arc<Gate>) -> GateLayer {
        GateLayer { gate }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { gate: self.gate.clone(), inner }
    }
}

/// A service behind a [`Gate`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    gate: Arc<Gate>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<R>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let announced = self.gate.announced();
        if let Some(document) = announced.and_then(|it| it.answer(request.method(), request.uri().path())) {
            return Either::Right(ready(Ok(document)));
        }
        match self.gate.check(request.headers()) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                Either::Left(self.inner.call(request))
            }
            Err(challenge) => Either::Right(ready(Ok(self.gate.refuse(&challenge)))),
        }
    }
}
