//! The OpenAPI description, generated from the handlers and the types they answer with.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{challenges, codes, events, problem, receipts, service, view, wanted};

/// The API.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ringtrue",
        description = "Phone verification: a challenge calls a phone and asks for a key, or texts it a \
            code to be entered on the sign-in page. \
            Every error is a problem as RFC 9457 shapes it; `/problems` documents the types.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        challenges::create,
        challenges::read,
        challenges::cancel,
        codes::check,
        codes::resend,
        events::follow,
        receipts::take,
        service::live,
        service::ready,
        service::metrics,
        service::openapi,
        service::problems,
        service::problem,
    ),
    components(schemas(
        wanted::NewChallengeBody,
        view::ChallengeView,
        view::TextView,
        codes::CodeCheckBody,
        events::EventData,
        events::EventName,
        problem::ProblemBody,
        problem::FieldError,
        service::Readiness,
    )),
    tags(
        (name = "challenges", description = "Challenges of the API key's tenant."),
        (name = "receipts", description = "For the providers of texts; needs no API key."),
        (name = "service", description = "What the service tells of itself; needs no API key."),
    ),
    modifiers(&ApiKeys),
)]
pub struct Api;

struct ApiKeys;

impl Modify for ApiKeys {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("rt_<id>_<secret>")
            .description(Some("An API key, made by `ringtrue key create NAME`."))
            .build();
        let components = api.components.get_or_insert_with(Default::default);
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}
