//! A request's body on its way up: streamed, watched for standstill, without trailers.

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

/// How far a body has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    frames: AtomicU64,
    waits_for_client: AtomicBool,
}

impl Progress {
    /// Grows with each piece.
    pub(super) fn frames(&self) -> u64 {
        self.frames.load(Ordering::Acquire)
    }

    /// Whether the upstream would take more and the client sends nothing.
    pub(super) fn waits_for_client(&self) -> bool {
        self.waits_for_client.load(Ordering::Acquire)
    }
}

/// The body.
pub(super) struct Upload {
    body: Body,
    progress: Arc<Progress>,
}

impl Upload {
    pub(super) fn new(body: Body) -> (Upload, Arc<Progress>) {
        let progress = Arc::<Progress>::default();
        (Upload { body, progress: progress.clone() }, progress)
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let upload = &mut *self;
        upload.progress.waits_for_client.store(true, Ordering::Release);
        let frame = ready!(Pin::new(&mut upload.body).poll_frame(cx));
        upload.progress.waits_for_client.store(false, Ordering::Release);
        upload.progress.frames.fetch_add(1, Ordering::AcqRel);
        match frame {
            // Trailers could carry names that were removed from the head. They come last, so this is the end.
            Some(Ok(frame)) if !frame.is_data() => Poll::Ready(None),
            frame => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
