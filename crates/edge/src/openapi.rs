//! The OpenAPI description, made from the same types that read and write the bodies.

mod operations;
mod people;

use api::problem::ProblemSchema;
use operations::{OPERATIONS, Operation, Schemas};
use people::PEOPLE;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem,
    PathsBuilder, Ref, Required, Response, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

/// The description as JSON, with a newline at the end, exactly as it is checked in.
#[must_use]
pub fn document() -> String {
    let mut json = description().to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

fn description() -> OpenApi {
    let about = "Sells limited stock to a stampede without overselling, double-charging or losing an order. \
                 Every change needs an idempotency key; every refusal is a problem document with a stable code.";
    let info = InfoBuilder::new()
        .title("Tidegate")
        .version("v1")
        .description(Some(about))
        .build();
    let mut schemas = Schemas::new();
    ProblemSchema::schemas(&mut schemas);
    schemas.push((ProblemSchema::name().into_owned(), ProblemSchema::schema()));
    let mut paths = PathsBuilder::new();
    for operation in OPERATIONS.iter().chain(PEOPLE) {
        let item = PathItem::new(method(operation.method), describe(operation, &mut schemas));
        paths = paths.path(operation.template, item);
    }
    schemas.sort_by(|one, other| one.0.cmp(&other.0));
    schemas.dedup_by(|one, other| one.0 == other.0);
    let bearer = |about: &str| {
        SecurityScheme::Http(
            Http::builder()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(about))
                .build(),
        )
    };
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("api_key", bearer("An API key of a merchant, `tgk_…`."))
        .security_scheme(
            "buyer_token",
            bearer("A JWT of a buyer, signed with HS256: `sub`, `exp`, optionally `nbf`, `tags`; or one of an issuer in the settings, signed with RS256, ES256 or EdDSA."),
        )
        .build();
    OpenApiBuilder::new()
        .info(info)
        .paths(paths.build())
        .components(Some(components))
        .build()
}

fn method(name: &str) -> HttpMethod {
    match name {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn describe(operation: &Operation, schemas: &mut Schemas) -> OperationBuilder {
    let mut described = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .summary(Some(operation.summary))
        .tag(operation.tag)
        .response(operation.status, answer(operation, schemas))
        .response("default", problem());
    for parameter in parameters(operation) {
        described = described.parameter(parameter);
    }
    if let Some(body) = &operation.body {
        (body.collect)(schemas);
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name((body.name)())))
            .build();
        let body = RequestBodyBuilder::new()
            .content("application/json", content)
            .required(Some(Required::True))
            .build();
        described = described.request_body(Some(body));
    }
    if let Some(scope) = operation.scope {
        described = described.security(SecurityRequirement::new("api_key", [scope]));
    }
    if operation.buyers {
        described = described.security(SecurityRequirement::new("buyer_token", [""; 0]));
    }
    described
}

fn parameters(operation: &Operation) -> Vec<Parameter> {
    let mut parameters = (operation.query)();
    if let Some((_, rest)) = operation.template.split_once('{') {
        let name = rest.split('}').next().unwrap_or_default();
        parameters.insert(0, parameter(name, ParameterIn::Path, "", Required::True));
    }
    if operation.keyed {
        let about = "Makes retries safe: the same key with the same body gives the same answer. 1 to 128 visible ASCII \
                     bytes; may also be `X-Idempotency-Key`, the body's `idempotency_key`, or the query's `idemp_key`.";
        parameters.push(parameter(
            "Idempotency-Key",
            ParameterIn::Header,
            about,
            Required::False,
        ));
    }
    parameters
}

fn parameter(name: &str, place: ParameterIn, about: &str, required: Required) -> Parameter {
    let about = (!about.is_empty()).then_some(about);
    let text = String::schema();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .description(about)
        .required(required)
        .schema(Some(text))
        .build()
}

fn answer(operation: &Operation, schemas: &mut Schemas) -> Response {
    let response = ResponseBuilder::new().description(operation.summary);
    let Some(body) = &operation.answer else {
        return response.build();
    };
    (body.collect)(schemas);
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name((body.name)())))
        .build();
    response.content(operation.content_type, content).build()
}

fn problem() -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ProblemSchema::name())))
        .build();
    ResponseBuilder::new()
        .description("A refusal or failure; `code` is stable and has a help page")
        .content("application/problem+json", content)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;
    use crate::settings::Settings;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let routes = routes::documented(&Settings::default());
        let served: BTreeSet<(&str, &str)> = routes
            .iter()
            .map(|route| (route.method, route.template))
            .collect();
        let described: BTreeSet<(&str, &str)> = OPERATIONS
            .iter()
            .chain(PEOPLE)
            .map(|one| (one.method, one.template))
            .collect();
        assert_eq!(served, described);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(&document()).unwrap();
        let text = document.to_string();
        let names = text
            .split("#/components/schemas/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        for name in names {
            assert!(!document["components"]["schemas"][name].is_null(), "{name}");
        }
    }
}
