//! The kinds of event the generator sends, and the route of each.

use clap::ValueEnum;

/// A kind of event, as named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A message to a user.
    #[value(help = "A message to a user: POST /send-notification")]
    Notification,
    /// An event of a shop's pages.
    #[value(help = "A view, a search, a cart of a shop: POST /register_event")]
    Event,
    /// An order.
    #[value(help = "An order: POST /orders")]
    Order,
    /// A login.
    #[value(help = "A login: POST /user-login")]
    Login,
    /// A line of a service's log.
    #[value(help = "A line of a service's log: POST /logs")]
    Log,
}

/// Path and body format of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The path below the edge's base URL.
    pub(super) path: &'static str,
    /// The body's media type.
    pub(super) content_type: &'static str,
    /// The body's format.
    pub(super) framing: Framing,
}

/// Format of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// One event, a JSON object.
    Single,
    /// A JSON array of structured `CloudEvents`.
    CloudEvents,
    /// One JSON object a line.
    Lines,
}

impl Kind {
    /// The route of a request with `batch` events.
    pub(super) fn route(self, batch: u32) -> Route {
        if self == Self::Log {
            return Route { path: "/logs", content_type: "application/x-ndjson", framing: Framing::Lines };
        }
        if batch > 1 {
            return Route {
                path: "/events",
                content_type: "application/cloudevents-batch+json",
                framing: Framing::CloudEvents,
            };
        }
        let path = match self {
            Self::Notification => "/send-notification",
            Self::Event => "/register_event",
            Self::Order => "/orders",
            Self::Login => "/user-login",
            Self::Log => "/logs",
        };
        Route { path, content_type: "application/json", framing: Framing::Single }
    }

    /// Whether its events carry a timestamp.
    pub(super) fn has_time(self) -> bool {
        matches!(self, Self::Event | Self::Login | Self::Log)
    }

    /// The name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Event => "event",
            Self::Order => "order",
            Self::Login => "login",
            Self::Log => "log",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_event_goes_to_the_route_of_its_kind() {
        let paths: Vec<_> = Kind::value_variants().iter().map(|kind| kind.route(1).path).collect();
        assert_eq!(paths, ["/send-notification", "/register_event", "/orders", "/user-login", "/logs"]);
    }

    #[test]
    fn a_batch_is_cloud_events_except_for_logs_which_are_lines() {
        for kind in Kind::value_variants() {
            let route = kind.route(100);
            if *kind == Kind::Log {
                assert_eq!((route.path, route.framing), ("/logs", Framing::Lines));
            } else {
                assert_eq!((route.path, route.content_type), ("/events", "application/cloudevents-batch+json"));
            }
        }
    }

    #[test]
    fn kind_names_match_the_command_line() {
        for kind in Kind::value_variants() {
            let value = kind.to_possible_value().expect("no kind is hidden");
            assert_eq!(value.get_name(), kind.name());
        }
    }
}
