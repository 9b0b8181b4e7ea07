//! A panic in one request is that request's failure, not the process's.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use telemetry::RequestContext;

/// Polls a future inside its request's context, and turns a panic into an error.
pub(crate) struct Guarded<F> {
    pub(crate) context: RequestContext,
    pub(crate) work: F,
}

impl<F: Future + Unpin> Future for Guarded<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let request = self.context;
        let work = &mut self.work;
        // What the panic leaves half done is dropped with the future: nothing looks at it afterwards.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            request.enter(|| Pin::new(work).poll(context))
        }));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(reason(&*panic))),
        }
    }
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no reason given".to_owned())
}
