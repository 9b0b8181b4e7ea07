//! Stock on the wire: units that come in, units that are lost, units that are left.

use crate::check::{Check, Faults, keyed, lenient_u32};
use crate::id::SaleId;
use crate::limits::{REFERENCE_MAX, SKU_MAX, STOCK_MAX};
use crate::position::Position;
use crate::sale::SaleState;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Body of `POST /v1/sales/{id}/stock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddStock {
    /// Which SKU.
    pub sku: Box<str>,
    /// Units that come in.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub units: u32,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

impl Check for AddStock {
    fn check(&self, faults: &mut Faults) {
        faults.text("sku", &self.sku, SKU_MAX);
        faults.between("units", self.units.into(), 1, STOCK_MAX.into());
    }
}

/// Body of `POST /v1/sales/{id}/write-offs`: units that are lost unsold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteOff {
    /// Which SKU.
    pub sku: Box<str>,
    /// Units that go; never more than are available.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub units: u32,
    /// Why, 1 to 128 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

impl Check for WriteOff {
    fn check(&self, faults: &mut Faults) {
        faults.text("sku", &self.sku, SKU_MAX);
        faults.between("units", self.units.into(), 1, STOCK_MAX.into());
        faults.maybe_text("reason", self.reason.as_deref(), REFERENCE_MAX);
    }
}

keyed!(AddStock, WriteOff);

/// Units of one SKU in one sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SaleStock {
    /// The sale.
    pub sale_id: SaleId,
    /// Where it stands.
    pub state: SaleState,
    /// Units that can be bought now.
    pub available_count: u64,
    /// Where the sale's journal stands.
    pub position: Position,
}

/// Filter of `GET /v1/inventory/{sku}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InventoryQuery {
    /// Only this sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<SaleId>,
}

/// Answer of `GET /v1/inventory/{sku}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Inventory {
    /// The SKU.
    pub sku: Box<str>,
    /// Units that can be bought now in all sales that are not over; never negative.
    pub available_count: u64,
    /// Sale by sale.
    pub sales: Vec<SaleStock>,
}
