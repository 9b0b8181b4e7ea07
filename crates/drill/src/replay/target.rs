//! What a replay asks of a shop.

use super::ReplayError;
use api::order::{BatchResults, Order, PlaceBatch};
use api::plan::CreateSale;
use api::refund::{Refund, RefundOrder};
use api::sale::Sale;
use api::stock::WriteOff;
use api::{OrderId, SaleId};
use std::future::Future;

/// What a shop said to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told<T> {
    /// Done now.
    Done(T),
    /// Done before, with the same key.
    Repeated(T),
    /// Refused.
    Refused {
        /// The stable code.
        code: Box<str>,
        /// The sentence.
        detail: Box<str>,
    },
}

/// A shop that a history can be replayed against. Every call that changes something may be repeated with its key, and
/// is: an implementation tries again when an answer is lost, until it knows.
pub trait ReplayTarget {
    /// Begins a sale.
    fn create_sale(
        &mut self,
        key: &str,
        body: &CreateSale,
    ) -> impl Future<Output = Result<Told<Sale>, ReplayError>> + Send;

    /// Opens it.
    fn open_sale(
        &mut self,
        key: &str,
        sale: SaleId,
    ) -> impl Future<Output = Result<Told<()>, ReplayError>> + Send;

    /// Places orders, each decided by itself, in this order.
    fn place(
        &mut self,
        body: &PlaceBatch,
    ) -> impl Future<Output = Result<BatchResults, ReplayError>> + Send;

    /// Gives units and money back.
    fn refund(
        &mut self,
        key: &str,
        order: OrderId,
        body: &RefundOrder,
    ) -> impl Future<Output = Result<Told<Refund>, ReplayError>> + Send;

    /// Takes units out unsold.
    fn write_off(
        &mut self,
        key: &str,
        sale: SaleId,
        body: &WriteOff,
    ) -> impl Future<Output = Result<Told<()>, ReplayError>> + Send;

    /// The sale, from its book.
    fn sale(&mut self, sale: SaleId) -> impl Future<Output = Result<Sale, ReplayError>> + Send;

    /// Orders, from the book, in the order of the identifiers.
    fn orders(
        &mut self,
        ids: &[OrderId],
    ) -> impl Future<Output = Result<Vec<Order>, ReplayError>> + Send;
}
