//! Orders as files, page by page while they are read: an export of millions holds one page in memory.

use crate::asked::Asked;
use crate::door::Door;
use crate::endpoint::Making;
use crate::routes::sales::sale_id;
use crate::said::Said;
use api::export::Format;
use api::limits::PAGE_MAX;
use api::order::{OrderPage, OrderQuery};
use api::service::{Answer, Call};
use api::{Problem, SaleId};
use axum::body::Body;
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_DISPOSITION;
use hyper::body::Frame;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pub(super) fn csv(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    orders(door, asked, Format::Csv, "csv")
}

pub(super) fn jsonl(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    orders(door, asked, Format::Jsonl, "jsonl")
}

fn orders<'a>(
    door: &'a Arc<Door>,
    asked: Asked,
    format: Format,
    ending: &'static str,
) -> Making<'a> {
    Box::pin(async move {
        let sale = sale_id(&asked)?;
        let call = asked.look()?;
        // A sale that does not exist, or is another account's, is a refusal and not an empty file.
        door.rooms.sales.sale(call.clone(), sale).await?;
        door.rooms.orders.export(call.clone(), sale, format).await?;
        let first = page(door, &call, sale, None).await?;
        let name = format!("attachment; filename=\"{sale}-orders.{ending}\"");
        let body = File {
            begun: Some(format.head()),
            format,
            state: State::Ready(first.body),
            door: Arc::clone(door),
            call,
            sale,
        };
        let mut said = Said::page(format.content_type(), Bytes::new());
        said.body = Body::new(body);
        let name = HeaderValue::try_from(name).map_err(|_| Problem::new(api::Code::Internal))?;
        Ok(said.with(CONTENT_DISPOSITION, name))
    })
}

async fn page(
    door: &Door,
    call: &Call,
    sale: SaleId,
    cursor: Option<Box<str>>,
) -> Result<Answer<OrderPage>, Problem> {
    let query = OrderQuery {
        sale_id: Some(sale),
        cursor,
        limit: Some(PAGE_MAX),
        ..OrderQuery::default()
    };
    door.rooms.orders.orders(call.clone(), query).await
}

type Next = Pin<Box<dyn Future<Output = Result<Answer<OrderPage>, Problem>> + Send>>;

enum State {
    Ready(OrderPage),
    Reading(Next),
    Over,
}

/// The file as it goes out. A page that cannot be read breaks the answer off, so that half a file is never taken for a
/// whole one.
struct File {
    begun: Option<String>,
    format: Format,
    state: State,
    door: Arc<Door>,
    call: Call,
    sale: SaleId,
}

impl File {
    fn next(&self, cursor: Box<str>) -> State {
        let (door, call, sale) = (Arc::clone(&self.door), self.call.clone(), self.sale);
        State::Reading(Box::pin(async move {
            page(&door, &call, sale, Some(cursor)).await
        }))
    }

    fn written(&mut self, page: &OrderPage) -> String {
        let mut text = self.begun.take().unwrap_or_default();
        for order in &page.orders {
            self.format.write(order, &mut text);
        }
        text
    }
}

impl hyper::body::Body for File {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        loop {
            let page = match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Ready(page) => page,
                State::Reading(mut next) => {
                    let Poll::Ready(read) = next.as_mut().poll(context) else {
                        self.state = State::Reading(next);
                        return Poll::Pending;
                    };
                    match read {
                        Ok(answer) => answer.body,
                        Err(problem) => {
                            let broken = std::io::Error::other(problem.to_string());
                            return Poll::Ready(Some(Err(broken)));
                        }
                    }
                }
            };
            if *self.door.closing.borrow() {
                let broken = std::io::Error::other("the server stops");
                return Poll::Ready(Some(Err(broken)));
            }
            let text = self.written(&page);
            if let Some(cursor) = page.next_cursor {
                self.state = self.next(cursor);
            }
            if !text.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(text.into()))));
            }
        }
    }
}
